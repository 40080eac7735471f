// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestHostFreezeAndThaw(t *testing.T) {
	g := createdGroup(t)
	cmd := startInGroup(t, g, "(while :; do :; done) & (while :; do /bin/true; done) & echo; while :; do :; done")
	if in, err := g.CanFreeze(cmd.Process.Pid); !in || err != nil {
		t.Errorf("can freeze %d: %v, %v", cmd.Process.Pid, in, err)
	}
	if in, err := g.CanFreeze(os.Getpid()); in || err != nil {
		t.Errorf("can freeze the test: %v, %v", in, err)
	}
	for range 20 {
		if err := g.Freeze(5 * time.Second); err != nil {
			t.Fatal(err)
		}
		if frozen, err := g.Frozen(); !frozen || err != nil {
			t.Fatalf("frozen: %v, %v", frozen, err)
		}
		if err := g.Thaw(5 * time.Second); err != nil {
			t.Fatal(err)
		}
		if frozen, err := g.Frozen(); frozen || err != nil {
			t.Fatalf("thawed: %v, %v", frozen, err)
		}
	}
}

// What is frozen by an administrator's hand is thawed, too, whichever freezer he has taken.
func TestHostThawWhatOthersFroze(t *testing.T) {
	g := createdGroup(t)
	freezeByHand(t, g, ".")
	if err := g.Thaw(time.Second); err != nil {
		t.Fatal(err)
	}
	if frozen, err := g.Frozen(); frozen || err != nil {
		t.Errorf("frozen: %v, %v", frozen, err)
	}
}

func TestHostFreezeWhatIsGone(t *testing.T) {
	g := createdGroup(t)
	if err := g.Remove(time.Second); err != nil {
		t.Fatal(err)
	}
	if err := g.Freeze(time.Second); !errors.Is(err, unix.ENOENT) {
		t.Errorf("freezing a group that is gone: %v", err)
	}
	if err := g.Thaw(time.Second); err != nil {
		t.Errorf("thawing a group that is gone: %v", err)
	}
}

func TestFreezeWithoutAFreezer(t *testing.T) {
	g, err := FromPaths(map[string]string{"memory": "/sys/fs/cgroup/memory/x"})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Freeze(time.Second); !errors.Is(err, errNoFreezer) {
		t.Errorf("got %v", err)
	}
	if err := g.Thaw(time.Second); err != nil {
		t.Errorf("got %v", err)
	}
	if g.HoldsBackSIGKILL() {
		t.Error("holds back SIGKILL without a freezer")
	}
}

// A v1 freezer that never gets ready: writes succeed, and it reads as something else.
func TestFreezeV1GivesUp(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink("/dev/null", dir+"/freezer.state"); err != nil {
		t.Fatal(err)
	}
	g, err := FromPaths(map[string]string{"freezer": dir})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	err = g.Freeze(20 * time.Millisecond)
	if !errors.Is(err, errDeadline) || !strings.Contains(err.Error(), "not all processes stand after 20ms") {
		t.Errorf("got %v", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("gave up after %v", took)
	}
}
