// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/sys"
	"github.com/rt-oci/rt/libcontainer/terminal"
)

// RunOptions are the options of run besides those of create.
type RunOptions struct {
	CreateOptions
	Detach bool
	Keep   bool // leave the container when its process has ended
}

// Run makes and starts a container in one go: the stage executes the program as soon as it is ready, no FIFO is
// needed. In the foreground it then waits, removes the container and returns the exit status of its process, 128
// plus the number of the signal that ended it; Detach returns 0 at once.
func (r *Runtime) Run(id string, o RunOptions) (int, error) {
	var signals *terminal.Signals
	if !o.Detach {
		signals = terminal.CatchSignals()
	}
	n, err := r.make(id, o.CreateOptions, false, o.Detach)
	if err != nil {
		return 0, err
	}
	defer n.c.release()
	if n.spec.Process == nil {
		return 0, n.fail(errors.New("process: missing in config.json, so there is nothing to run"))
	}
	attach, err := attachConsole(n.console)
	if err != nil {
		return 0, n.fail(err)
	}
	if attach != nil {
		defer attach.Close()
	}
	notify, err := n.c.notifier()
	if err != nil {
		return 0, n.fail(err)
	}
	defer notify.close()
	if err := n.c.startWithHooks(n.spec, n.release); err != nil {
		return 0, n.fail(err)
	}
	n.leaveNetDevices()
	if o.Detach {
		n.stage.close()
		n.c.release()
		return 0, notify.await(true)
	}
	notify.background(n.c.runtime.Log)
	n.c.yield() // others may now signal, look, or delete
	if !n.stage.endsSoon(signals) {
		signals.ForwardTo(n.stage.pidFD)
		sys.CalmMonitor(false)
		sys.ReleaseMemory()
	}
	return n.wait(attach, o.Keep)
}

// endsSoon says that the process ends before it is worth to prepare for a long wait, or for signals.
func (s *stage) endsSoon(signals *terminal.Signals) bool {
	const first, last = 5, 40 // milliseconds; 75 in all
	for limit := first; limit <= last; limit *= 2 {
		if ended, err := sys.WaitProcess(s.pidFD, limit); err == nil && ended || signals.Waiting() {
			return ended
		}
	}
	return false
}

// Refusals whose texts callers know from runc.
var (
	errNeedsConsoleSocket = errors.New("cannot allocate tty if runc will detach without setting console socket")
	errNoConsoleSocket    = errors.New("cannot use console socket if runc will not detach or allocate tty")
)

// attachConsole connects the process's terminal, if it has one, with ours before anything is printed.
func attachConsole(console *os.File) (*terminal.Attach, error) {
	if console == nil {
		return nil, nil
	}
	return terminal.NewAttach(console, terminal.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
}

// release answers MESSAGE_READY, which here is the start, and waits for the end of the socket: execve closes it.
func (n *creation) release() error {
	root := openRoot(n.stage.pid)
	defer unix.Close(root)
	if err := n.stage.answer(""); err != nil {
		return err
	}
	m, err := n.stage.awaitProgram()
	if err != nil {
		return err
	}
	if m == nil {
		if n.detached { // in the foreground, the exit status tells
			return n.c.checkStarted()
		}
		return nil
	}
	return startedError(n.spec, n.planned, m, root)
}

// wait waits for the container's process and cleans up.
func (n *creation) wait(attach *terminal.Attach, keep bool) (int, error) {
	status, err := sys.Reap(n.stage.pid)
	if err != nil {
		return 0, err
	}
	if attach != nil {
		if err := attach.Finish(); err != nil {
			n.c.runtime.Log.Warnf("%v", err)
		}
	}
	exit := exitStatus(status)
	n.warnOfOOM(exit)
	if !keep {
		if err := n.c.deleteAfterRun(); err != nil && !errors.Is(err, ErrNotExist) {
			return 0, fmt.Errorf("clean up: %w", err)
		}
	}
	return exit, nil
}

// exitStatus is that of the process, or 128 plus the number of the signal that ended it.
func exitStatus(status unix.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}
