// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"testing"
	"time"

	"github.com/rt-oci/rt/tests/harness"
)

// However far rt has come when it is killed, `delete --force` removes what there is.
func TestDeleteForceCleansUpAfterRtWasKilled(t *testing.T) {
	t.Parallel()
	const kills = 60
	for _, command := range []string{"create", "run"} {
		inEachViewNamed(t, command, []string{"sleep", "1000"}, func(t *testing.T, b *harness.Bundle) {
			b.Write(t)
			before := b.Snapshot(t)
			whole := fastest(t, b)
			for i := range kills / 4 {
				killed := b.Command(t, command, "--bundle", b.Dir, b.ID)
				if err := killed.Start(); err != nil {
					t.Fatal(err)
				}
				<-time.After(whole * time.Duration(i) / (kills/4 - 1))
				_ = killed.Process.Kill()
				_ = killed.Wait()
				b.Delete(t, "--force").WantExit(t, 0)
				before.WantSameSoon(t)
				b.RT(t, "list", "-q").WantExit(t, 0).WantStdoutIs(t, "")
			}
			b.Create(t).WantExit(t, 0) // the id is free
		})
	}
}

// fastest returns about how long a create takes.
func fastest(t *testing.T, b *harness.Bundle) time.Duration {
	t.Helper()
	whole := time.Hour
	for range 3 {
		begin := time.Now()
		b.Create(t).WantExit(t, 0)
		whole = min(whole, time.Since(begin))
		b.Delete(t, "--force").WantExit(t, 0)
	}
	return whole
}
