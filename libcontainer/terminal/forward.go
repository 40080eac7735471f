// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/sys"
)

// Real-time signals that can be passed on: C libraries keep 32 to 34 to themselves, and the Go runtime therefore
// gives nobody a handle on these.
const (
	firstRealTime = unix.Signal(35)
	lastRealTime  = unix.Signal(64)
)

// Signals are those that this process receives for the container's process. They are caught until this process ends.
// These keep their usual effect on it:
//
//   - those that were ignored when it was started, as nohup(1) and scripts do for their background jobs;
//   - SIGCHLD, SIGPIPE, SIGURG and those that report a fault: they are about this process (the Go runtime sends
//     itself SIGURG);
//   - SIGWINCH: Attach turns it into a change of the terminal's size;
//   - SIGTTIN, SIGTTOU: job control stops a background job, as a shell's user expects. With a handler, a background
//     process that changes the terminal's mode would be restarted for ever.
type Signals struct {
	held       *sys.HeldSignals
	received   chan os.Signal // nil before ForwardTo
	interrupts chan os.Signal // that came after the end of the process

	mutex sync.Mutex // guards against signals to a process that has been reaped
	gone  bool
}

// CatchSignals begins to collect the signals that people and service managers send; the others wait for ForwardTo.
func CatchSignals() *Signals {
	return &Signals{
		held:       sys.HoldSignals(append([]unix.Signal{unix.SIGUSR1, unix.SIGUSR2, unix.SIGTSTP}, endings...)...),
		interrupts: make(chan os.Signal, len(endings)),
	}
}

// endings are the signals by which people and service managers end a command.
var endings = []unix.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM}

// Waiting says that a signal has come that is to be passed on.
func (s *Signals) Waiting() bool { return s.held.Any() }

// Ending says that a signal has come that is to end the command.
func (s *Signals) Ending() bool { return slices.ContainsFunc(endings, s.held.Came) }

// ForwardTo passes the signals on to the job, those that came before included. It costs the Go runtime threads and
// switches between them: half a millisecond that a short command does without.
func (s *Signals) ForwardTo(j Job) {
	s.received = make(chan os.Signal, 64)
	signal.Notify(s.received, s.wanted(forwarded())...)
	for _, early := range s.held.Release() {
		s.handle(j, early)
	}
	go func() {
		for next := range s.received {
			s.handle(j, next.(syscall.Signal))
		}
	}()
}

func (s *Signals) handle(j Job, next unix.Signal) {
	ended, _ := sys.WaitProcess(j.PIDFD, 0)
	switch {
	case ended:
		s.interrupt(next)
	case next == unix.SIGTSTP && !j.decidesOn(next):
		s.suspend(j)
	default:
		j.signal(next)
	}
}

func (s *Signals) interrupt(next unix.Signal) {
	if slices.Contains(endings, next) {
		select {
		case s.interrupts <- next:
		default: // one is enough
		}
	}
}

// Gone is called when the process has ended, before it is reaped: its number may become another's.
func (s *Signals) Gone() {
	s.mutex.Lock()
	s.gone = true
	s.mutex.Unlock()
}

// Interrupts is called after the process has ended: what ends a command is now about this one.
func (s *Signals) Interrupts() <-chan os.Signal {
	if s.received == nil {
		signal.Notify(s.interrupts, s.wanted(endings)...)
		for _, early := range s.held.Release() {
			s.interrupt(early)
		}
	}
	return s.interrupts
}

// wanted returns the signals that were not ignored when they were first held.
func (s *Signals) wanted(signals []unix.Signal) []os.Signal {
	var list []os.Signal
	for _, number := range signals {
		if !s.held.WasIgnored(number) && !signal.Ignored(number) {
			list = append(list, number)
		}
	}
	return list
}

func forwarded() []unix.Signal {
	list := []unix.Signal{
		unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGABRT, unix.SIGUSR1, unix.SIGUSR2, unix.SIGALRM, unix.SIGTERM,
		unix.SIGSTKFLT, unix.SIGCONT, unix.SIGTSTP, unix.SIGXCPU, unix.SIGXFSZ, unix.SIGVTALRM, unix.SIGIO, unix.SIGPWR,
	}
	for s := firstRealTime; s <= lastRealTime; s++ {
		list = append(list, s)
	}
	return list
}
