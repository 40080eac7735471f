// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/startup"
	"github.com/rt-oci/rt/libcontainer/sys"
	"github.com/rt-oci/rt/libcontainer/terminal"
	"github.com/rt-oci/rt/nsenter"
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
	if !o.Detach {
		o.signals = terminal.CatchSignals()
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
	n.oom = n.c.watchOOM(n.group)
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
	n.stage.program = n.spec.Process.Args[0]
	n.c.yield() // others may now signal, look, or delete
	status, err := n.stage.attend(o.signals, terminal.Job{Attach: attach, Dropped: n.explainDropped()}, n.c.runtime.Log)
	if errors.Is(err, errNeverExecuted) {
		if _, cleanErr := n.leave(1, o.Keep); cleanErr != nil {
			err = fmt.Errorf("%w; then %w", err, cleanErr)
		}
	}
	if err != nil {
		return 0, err
	}
	return n.leave(exitStatus(status), o.Keep)
}

// attend waits for the end of the process in the foreground: its signals, its output, its status.
func (s *stage) attend(signals *terminal.Signals, job terminal.Job, log Logger) (unix.WaitStatus, error) {
	if !s.endsSoon(signals) {
		job.PID, job.PIDFD = s.pid, s.pidFD
		signals.ForwardTo(job)
		startup.CalmMonitor(false)
		sys.ReleaseMemory()
		if _, err := sys.WaitProcess(s.pidFD, -1); err != nil {
			return 0, err
		}
		signals.Gone()
	}
	status, err := s.endOfProgram(log)
	if job.Attach != nil {
		if err := job.Attach.Finish(signals.Interrupts); err != nil {
			log.Warnf("%v", err)
		}
	}
	return status, err
}

// endOfProgram reaps the process. One that ended as the stage has never executed the program: its socket closed as by
// execve, and its status may be one of a program. But execve names a process after the program (proc_pid_comm(5)), and
// until it is reaped it has a name.
func (s *stage) endOfProgram(log Logger) (unix.WaitStatus, error) {
	status, err := sys.PeekStatus(s.pidFD)
	if err != nil {
		return 0, err
	}
	stage := status != 0 && path.Base(s.program) != nsenter.StageName && processName(s.pid) == nsenter.StageName
	if _, err := sys.Reap(s.pid); err != nil {
		return 0, err
	}
	switch {
	case stage && status.Exited():
		return 0, fmt.Errorf("the stage ended with status %d %w%s", status.ExitStatus(), errNeverExecuted, hintSilent)
	case stage && status.Signal() != unix.SIGKILL: // which is somebody's decision, or that of the OOM killer
		log.Warnf("the stage was killed by %s %v%s", unix.SignalName(status.Signal()), errNeverExecuted, hintSilent)
	}
	return status, nil
}

var errNeverExecuted = errors.New("before it executed the program")

const hintSilent = " (linux.seccomp may refuse execve, or what it takes to tell an error)"

// interruptedAfter is how long the process has to appear when a signal waits for it.
const interruptedAfter = 2 * time.Second

// errInterrupted is what became of a process that a signal was for: somebody wants the command to end, and it waits.
var errInterrupted = errors.New("interrupted by a signal while the stage does not go on (is the container frozen?)")

// untilInterrupted returns what a stage's look is in the foreground; ending says that a signal waits that is to end
// the command.
func untilInterrupted(ending func() bool) func() error {
	var since time.Time
	return func() error {
		switch {
		case !ending():
		case since.IsZero():
			since = time.Now()
		case time.Since(since) > interruptedAfter:
			return errInterrupted
		}
		return nil
	}
}

// explainDropped tells a person, once, why ^C does nothing.
func (n *creation) explainDropped() func(unix.Signal) {
	if !hasPrivate(n.spec, specs.PIDNamespace) || !terminal.IsTerminal(os.Stderr) {
		return nil
	}
	told := false
	return func(s unix.Signal) {
		if !told {
			n.c.runtime.Log.Warnf("%s does nothing to %q, which has no handler for it: the first process of a pid namespace needs one (kill %s KILL ends the container)",
				unix.SignalName(s), n.spec.Process.Args[0], n.c.ID())
		}
		told = true
	}
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
	startup.CalmMonitor(false) // what copies waits in system calls (background)
	return terminal.NewAttach(console, terminal.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
}

// release answers MESSAGE_READY, which here is the start, and waits for the end of the socket: execve closes it.
func (n *creation) release() error {
	if err := n.stage.answer(n.home); err != nil {
		return err
	}
	n.holdMounts()
	m, err := n.stage.awaitProgram()
	if err != nil {
		return err
	}
	if m == nil {
		if n.detached { // in the foreground, the exit status tells
			return n.c.checkStarted(n.oom)
		}
		return nil
	}
	root := openRoot(n.stage.pid)
	defer unix.Close(root)
	return startedError(n.spec, n.planned, m, root)
}

// holdMounts makes a container in the foreground end sooner. The last process to leave a mount namespace unmounts all that
// is in it, waits until no processor can be looking at it any more, and only then has ended. With a descriptor of the
// namespace rt is the last one, and dropMounts does that beside the rest of the cleaning up. What can't be held is no fault.
func (n *creation) holdMounts() {
	if n.detached {
		return
	}
	if fd, err := sys.Open("/proc/"+strconv.Itoa(n.stage.pid)+"/ns/mnt", unix.O_RDONLY); err == nil {
		n.mounts = fd
	}
}

// dropMounts is not waited for: rt, too, has ended only when its threads have.
func (n *creation) dropMounts() {
	if n.mounts == 0 {
		return
	}
	closing := &sys.Sequence{Calls: []sys.Call{{Number: unix.SYS_CLOSE, First: &n.mounts}}}
	if closing.Begin() != nil {
		unix.Close(n.mounts)
	}
}

// leave cleans up after the container's process.
func (n *creation) leave(exit int, keep bool) (int, error) {
	n.dropMounts()
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
