// SPDX-License-Identifier: Apache-2.0

package security

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rt-oci/rt/tests/harness"
)

// replaceByLink renames what is at path away and puts a link there.
func replaceByLink(path, target string) error {
	if err := os.Rename(path, path+".away"); err != nil {
		return err
	}
	return os.Symlink(target, path)
}

// races is how many containers a racing test makes: enough to meet an exchange in each step, in seconds.
const races = 25

// One container exchanges a directory of a shared volume with a link out of it, again and again, while another is
// made with mounts below that directory (CVE-2021-30465, CVE-2024-45310).
func TestExchangedDirectoriesOfSharedVolume(t *testing.T) {
	for _, target := range []string{"/", "/../../../..", "VICTIM", "/proc/self/root"} {
		b := script(t, "cut -d ' ' -f 5 /proc/self/mountinfo | grep -c rt-race-")
		victim := makeVictim(t, b)
		volume := harness.Mkdir(t, b.Path("volume"), 0o777)
		harness.Mkdir(t, filepath.Join(volume, "sub"), 0o777)
		harness.Symlink(t, strings.Replace(target, "VICTIM", victim, 1), filepath.Join(volume, "evil"))
		attacker := script(t, "")
		addProbe(t, attacker)
		attacker.Spec.Process.Args = []string{"/bin/probe", "exchange", "/V/sub", "/V/evil"}
		bind(attacker, volume, "/V")
		attacker.Run(t, "--detach").WantExit(t, 0)
		attacker.WaitForOutput(t, "exchanging")

		bind(b, volume, "/V")
		tmpfs(b, "/V/sub/rt-race-m1")
		tmpfs(b, "/V/sub/rt-race-m1/etc")
		bind(b, harness.WriteFile(t, b.Path("source"), "", 0o644), "/V/sub/rt-race-file")
		bind(b, b.Path("source"), "/V/sub/rt-race-other")
		before, host := look(t, victim), b.Snapshot(t)
		race(t, b)
		before.wantSame(t)
		host.WantSame(t)
		if found, _ := filepath.Glob("/rt-race-*"); len(found) > 0 {
			t.Errorf("the host has new files: %q", found)
		}
		harness.WriteFile(t, attacker.InRootfs("stop"), "", 0o644)
		attacker.WaitFor(t, "stopped")
	}
}

// race runs the container again and again. It may fail, since its mount points come and go, but not for any reason.
func race(t *testing.T, b *harness.Bundle) {
	t.Helper()
	retries, made := 0, 0
	for range races {
		got := b.Run(t)
		if got.Exit == 0 {
			made++
			got.WantStdoutIs(t, "4") // what is missing was mounted outside, and lost with the old root
		}
		wantNoCrash(t, got)
		if strings.Contains(got.Stderr, "resource temporarily unavailable") {
			retries++
		}
	}
	t.Logf("%d of %d containers were made", made, races)
	if retries > 0 {
		t.Errorf("%d of %d containers were not made because of renames that were under way", retries, races)
	}
}
