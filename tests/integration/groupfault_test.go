// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/tests/harness"
)

// readOnlyGroups runs rt where nothing of the control groups can be written.
var readOnlyGroups = []string{"unshare", "-m", "--propagation", "private", "sh", "-c", `
	for m in /sys/fs/cgroup /sys/fs/cgroup/*; do mountpoint -q $m || continue; mount -o remount,bind,ro $m || exit 9; done; exec "$@"`, "sh"}

// Control groups may be out of our reach: kill still works by signals, the others say so and can be called again.
func TestControlGroupsThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	harness.NeedCgroupfs(t, "systemd removes an empty group, whatever rt may do")
	for _, shared := range []bool{false, true} {
		b := harness.NewBundle(t, "sh", "-c", "sleep 1000 & sleep 1000 & echo up; wait")
		if shared {
			dropNamespace(b, specs.PIDNamespace)
		}
		before := b.Snapshot(t)
		b.Run(t, "-d").WantExit(t, 0)
		b.WaitForOutput(t, "up")
		b.Wrapper = readOnlyGroups
		b.RT(t, "pause", b.ID).WantOneError(t, "pause "+b.ID+": freeze control group ", "read-only file system")
		b.RT(t, "resume", b.ID).WantOneError(t, "container not paused")
		if n := len(pidsOf(t, b)); n != 3 {
			t.Errorf("ps lists %d processes, want 3", n)
		}
		b.RT(t, "kill", "--all", b.ID, "0").WantExit(t, 0)
		b.Delete(t, "--force").WantOneError(t, "delete "+b.ID+": ", "read-only file system")
		b.WaitFor(t, "stopped")
		harness.Eventually(t, "no process", func() bool { return len(pidsOf(t, b)) == 0 })
		b.RT(t, "kill", "--all", b.ID, "KILL").WantExit(t, 0)
		b.Delete(t).WantOneError(t, "delete "+b.ID+": ", "read-only file system")
		b.Wrapper = nil
		b.Delete(t).WantExit(t, 0)
		before.WantSame(t)
	}
}

func TestKillWithoutWriteAccessToControlGroups(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "sh", "-c", "sleep 1000 & sleep 1000 & echo up; wait")
	dropNamespace(b, specs.PIDNamespace)
	b.Run(t, "-d").WantExit(t, 0)
	b.WaitForOutput(t, "up")
	b.Wrapper = readOnlyGroups
	b.Kill(t, "KILL").WantExit(t, 0)
	harness.Eventually(t, "no process", func() bool { return len(pidsOf(t, b)) == 0 })
	b.Wrapper = nil
	b.Delete(t).WantExit(t, 0)
}

// A group that its owner made before stays, and must not stay frozen.
func TestDeleteThawsAPausedGroupThatItLeaves(t *testing.T) {
	t.Parallel()
	for _, kill := range []bool{false, true} {
		inEachFreezer(t, []string{"sleep", "1000"}, func(t *testing.T, b *harness.Bundle) {
			b.Spec.Linux.CgroupsPath = "/rt-integration-kept-" + b.ID
			for _, mount := range []string{"", "/freezer", "/unified"} {
				dir := "/sys/fs/cgroup" + mount
				if !exists(filepath.Join(dir, "cgroup.procs")) {
					continue
				}
				dir += b.Spec.Linux.CgroupsPath
				if err := os.Mkdir(dir, 0o755); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = os.Remove(dir) })
			}
			for range 2 {
				b.Run(t, "-d").WantExit(t, 0)
				b.RT(t, "pause", b.ID).WantExit(t, 0)
				if kill {
					b.Kill(t, "KILL").WantExit(t, 0)
					b.WaitFor(t, "stopped")
				}
				b.Delete(t, "--force").WantExit(t, 0)
			}
		})
	}
}
