// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"os"
	"os/signal"
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
//   - SIGCHLD, SIGPIPE, SIGURG and those that report a fault: they are about this process (the Go runtime sends
//     itself SIGURG);
//   - SIGWINCH: Attach turns it into a change of the terminal's size;
//   - SIGTSTP, SIGTTIN, SIGTTOU: job control stops the foreground command, as a shell's user expects. The container
//     has its own session, in which the kernel would drop them. With a handler, a background process that changes
//     the terminal's mode would be restarted for ever.
type Signals struct {
	held *sys.HeldSignals
}

// CatchSignals begins to collect the signals that people and service managers send; the others wait for ForwardTo.
func CatchSignals() *Signals {
	return &Signals{sys.HoldSignals(unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2)}
}

// Waiting says that a signal has come that is to be passed on.
func (s *Signals) Waiting() bool { return s.held.Any() }

// ForwardTo passes the signals on to the process behind pidFD, those that came before included. It costs the Go runtime
// threads and switches between them: half a millisecond that a short command does without.
func (s *Signals) ForwardTo(pidFD int) {
	send := func(received syscall.Signal) {
		_ = unix.PidfdSendSignal(pidFD, received, nil, 0) // the process may have ended; its status tells
	}
	received := make(chan os.Signal, 64)
	signal.Notify(received, forwarded()...)
	for _, early := range s.held.Release() {
		send(early)
	}
	go func() {
		for next := range received {
			send(next.(syscall.Signal))
		}
	}()
}

func forwarded() []os.Signal {
	list := []os.Signal{
		unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGABRT, unix.SIGUSR1, unix.SIGUSR2, unix.SIGALRM, unix.SIGTERM,
		unix.SIGSTKFLT, unix.SIGCONT, unix.SIGXCPU, unix.SIGXFSZ, unix.SIGVTALRM, unix.SIGIO, unix.SIGPWR,
	}
	for s := firstRealTime; s <= lastRealTime; s++ {
		list = append(list, s)
	}
	return list
}
