// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"os"
	"os/signal"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Real-time signals that can be passed on: C libraries keep 32 to 34 to themselves, and the Go runtime therefore
// gives nobody a handle on these.
const (
	firstRealTime = unix.Signal(35)
	lastRealTime  = unix.Signal(64)
)

// Forward passes the signals that this process receives on to the container's process until stop is called.
// pidfd must stay open until then. These signals keep their usual effect on this process:
//
//   - SIGCHLD, SIGPIPE, SIGURG and those that report a fault: they are about this process (the Go runtime sends
//     itself SIGURG);
//   - SIGWINCH: Attach turns it into a change of the terminal's size;
//   - SIGTSTP, SIGTTIN, SIGTTOU: job control stops the foreground command, as a shell's user expects. The container
//     has its own session, in which the kernel would drop them. With a handler, a background process that changes
//     the terminal's mode would be restarted for ever.
func Forward(pidfd int) (stop func()) {
	received := make(chan os.Signal, 64)
	signal.Notify(received, forwarded()...)
	var done sync.WaitGroup
	done.Go(func() {
		for s := range received {
			// The process may have ended; its status tells.
			_ = unix.PidfdSendSignal(pidfd, s.(syscall.Signal), nil, 0)
		}
	})
	var once sync.Once
	return func() {
		once.Do(func() {
			signal.Stop(received)
			close(received)
			done.Wait()
		})
	}
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
