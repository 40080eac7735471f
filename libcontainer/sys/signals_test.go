// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"os"
	"os/signal"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// The handler is assembly of the machine: it must note the signal, come back, and leave no trace in what it interrupts.
func TestHeldSignalsAreNotedAndReleased(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	held := HoldSignals(unix.SIGUSR1, unix.SIGUSR2, unix.SIGWINCH)
	if held.Any() {
		t.Error("a signal is waiting before any was sent")
	}
	for range 100 {
		for _, s := range []unix.Signal{unix.SIGUSR1, unix.SIGWINCH} {
			if err := unix.Tgkill(os.Getpid(), unix.Gettid(), s); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !held.Any() {
		t.Error("no signal is waiting")
	}
	came := held.Release()
	if !slices.Equal(came, []unix.Signal{unix.SIGUSR1, unix.SIGWINCH}) {
		t.Errorf("came %v", came)
	}
	if held.Any() {
		t.Error("a signal is waiting after the release")
	}

	// From here on the Go runtime has them again.
	again := make(chan os.Signal, 1)
	signal.Notify(again, unix.SIGUSR1)
	defer signal.Stop(again)
	if err := unix.Kill(os.Getpid(), unix.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	if s := <-again; s != unix.SIGUSR1 {
		t.Errorf("os/signal has %v", s)
	}
}
