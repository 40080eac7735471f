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
	const kills = 15
	for _, c := range []struct {
		name, command string
		v2            bool
	}{
		{"create", "create", false}, {"create in v2", "create", true}, {"run", "run", false}, {"start", "start", false}, {"delete", "delete", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := harness.NewBundle(t, "sleep", "1000")
			if c.v2 {
				b.UseV2View(t)
			}
			before := b.Snapshot(t)
			whole := duration(t, b, c.command)
			for i := range kills {
				prepare(t, b, c.command)
				killed := b.Command(t, arguments(b, c.command)...)
				if err := killed.Start(); err != nil {
					t.Fatal(err)
				}
				<-time.After(whole * time.Duration(i) / (kills - 2)) // the last moment is after the end
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

// prepare makes what the command works on.
func prepare(t *testing.T, b *harness.Bundle, command string) {
	t.Helper()
	b.Write(t)
	if command == "start" || command == "delete" {
		b.Create(t).WantExit(t, 0)
	}
}

func arguments(b *harness.Bundle, command string) []string {
	switch command {
	case "start":
		return []string{command, b.ID}
	case "delete":
		return []string{command, "--force", b.ID}
	case "run":
		return []string{command, "--detach", "--bundle", b.Dir, b.ID}
	}
	return []string{command, "--bundle", b.Dir, b.ID}
}

// duration returns about how long a command takes.
func duration(t *testing.T, b *harness.Bundle, command string) time.Duration {
	t.Helper()
	whole := time.Hour
	for range 3 {
		prepare(t, b, command)
		begin := time.Now()
		b.RT(t, arguments(b, command)...).WantExit(t, 0)
		whole = min(whole, time.Since(begin))
		b.Delete(t, "--force").WantExit(t, 0)
	}
	return whole
}
