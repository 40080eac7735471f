// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"os"
	"os/exec"
	"testing"

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
