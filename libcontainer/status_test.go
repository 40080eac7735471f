// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"os"
	"os/exec"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// ended is a process that has ended and was not reaped, so that its number stays its own.
func ended(t *testing.T) (pid, pidfd int) {
	t.Helper()
	cmd := exec.Command("true")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() })
	pidfd, err := unix.PidfdOpen(cmd.Process.Pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(pidfd) })
	if _, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, -1); err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid, pidfd
}

// `state` reads the file and then looks at the lock. A create that ends in between has made a container that is not
// stopped.
func TestAContainerThatIsMadeWhileItsStatusIsAskedIsNotStopped(t *testing.T) {
	t.Parallel()
	runtime := &Runtime{Root: t.TempDir()}
	c := &Container{runtime: runtime, saved: savedState{ID: "made"}}
	if err := os.Mkdir(c.dir(), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := c.save(); err != nil {
		t.Fatal(err)
	}
	asked, err := runtime.Load("made")
	if err != nil {
		t.Fatal(err)
	}
	if got := asked.Status(); got != specs.StateStopped {
		t.Errorf("before it is made, with nobody at it: %s", got)
	}
	_, start, err := processStat(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	c.saved.InitPID, c.saved.InitStart, c.saved.BootID = os.Getpid(), start, bootID()
	if err := c.save(); err != nil {
		t.Fatal(err)
	}
	if got := asked.State(); got.Status != specs.StateRunning || got.Pid != os.Getpid() {
		t.Errorf("status %s, pid %d", got.Status, got.Pid)
	}
	if err := os.RemoveAll(c.dir()); err != nil {
		t.Fatal(err)
	}
	gone := &Container{runtime: runtime, saved: savedState{ID: "made", Bundle: "/b"}}
	if got := gone.State(); got.Status != specs.StateStopped || got.Bundle != "/b" {
		t.Errorf("deleted meanwhile: %+v", got)
	}
}

// A control group that is gone since the container has ended is no fault of the group.
func TestACommandWhoseContainerHasEndedMeanwhileSaysSo(t *testing.T) {
	_, start, err := processStat(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	running := &Container{saved: savedState{InitPID: os.Getpid(), InitStart: start, BootID: bootID()}}
	if err := running.endedMeanwhile(unix.ENOENT); err != unix.ENOENT {
		t.Errorf("of a running container: %v", err)
	}
	pid, pidfd := ended(t)
	if _, start, err = processStat(pid); err != nil {
		t.Fatal(err)
	}
	stopped := &Container{saved: savedState{InitPID: pid, InitStart: start, BootID: bootID()}}
	if err := stopped.endedMeanwhile(unix.ENOENT); !errors.Is(err, ErrNotRunning) || !errors.Is(err, unix.ENOENT) {
		t.Errorf("of a container that has ended: %v", err)
	}
	if err := stopped.endedMeanwhile(nil); err != nil {
		t.Errorf("without an error: %v", err)
	}
	if err := (&execution{c: stopped, init: pidfd}).joinError(unix.ENOENT); err != errExecStopped {
		t.Errorf("exec: %v", err)
	}
	own, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(own)
	if err := (&execution{c: running, init: own}).joinError(unix.ENOENT); !errors.Is(err, unix.ENOENT) {
		t.Errorf("exec in a running container: %v", err)
	}
}

// A process that has ended, and that its parent has not waited for, is no running container.
func TestAZombieIsStopped(t *testing.T) {
	t.Parallel()
	pid, _ := ended(t)
	for pid, alive := range map[int]bool{pid: false, os.Getpid(): true} {
		_, start, err := processStat(pid)
		if err != nil {
			t.Fatal(err)
		}
		c := &Container{saved: savedState{InitPID: pid, InitStart: start, BootID: bootID()}}
		if c.initAlive() != alive {
			t.Errorf("process %d: alive is %v, want %v", pid, !alive, alive)
		}
	}
}
