// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/tests/harness"
)

// The other tests believe the snapshot: it must see each kind of thing that could be left.
func TestTheSnapshotSeesWhatIsLeft(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "sleep", "1000")
	before := b.Snapshot(t)
	before.WantSame(t)

	b.Create(t).WantExit(t, 0)
	all := strings.Join(before.Difference(t), "\n")
	for _, want := range []string{"new: process", "new: control group", "new: state " + b.ID} {
		if !strings.Contains(all, want) {
			t.Errorf("a created container: %q is not in\n%s", want, all)
		}
	}
	b.Delete(t, "--force").WantExit(t, 0)
	before.WantSame(t)

	stray := exec.Command("sleep", "1000")
	stray.Dir = b.Dir
	if err := stray.Start(); err != nil {
		t.Fatal(err)
	}
	wantDifference(t, before, "new: process")
	_ = stray.Process.Kill()
	_ = stray.Wait()

	point := harness.Mkdir(t, b.Path("point"), 0o755)
	if err := unix.Mount("tmpfs", point, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	wantDifference(t, before, "new: mount")
	if err := unix.Unmount(point, 0); err != nil {
		t.Fatal(err)
	}

	if err := os.Mkdir(b.Root+"/left", 0o700); err != nil {
		t.Fatal(err)
	}
	wantDifference(t, before, "new: state left")
	if err := os.Remove(b.Root + "/left"); err != nil {
		t.Fatal(err)
	}
	before.WantSame(t)
}

func wantDifference(t *testing.T, before *harness.HostState, want string) {
	t.Helper()
	got := before.Difference(t)
	if len(got) != 1 || !strings.HasPrefix(got[0], want) {
		t.Errorf("difference is %q, want %q", got, want)
	}
}
