// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"runtime"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// signalAction is the kernel's struct sigaction (rt_sigaction(2)).
type signalAction struct {
	handler, flags, restorer uintptr
	mask                     uint64
}

const (
	signalSetBytes = 8
	ignored        = 1 // SIG_IGN

	flagRestorer = 0x04000000 // SA_RESTORER
	flagOnStack  = 0x08000000 // SA_ONSTACK: a goroutine's stack has no room for the kernel's frame
	flagRestart  = 0x10000000 // SA_RESTART
)

// noted has a bit for each signal that came while it was held.
var noted uint64

// signalCode returns the addresses of a handler, which sets the bit in noted, and of what it returns to.
func signalCode() (handler, restorer uintptr)

// HeldSignals are signals that are only noted, until they are released.
type HeldSignals struct {
	signals []unix.Signal
	before  []signalAction
}

// HoldSignals lets signals of this process wait. os/signal does so too, but the Go runtime starts threads for that and
// switches between them for each signal: more than half a millisecond, at the start of a command that may be over
// before any signal comes. One caller at a time may hold signals, of numbers below 64.
func HoldSignals(signals ...unix.Signal) *HeldSignals {
	handler, restorer := signalCode()
	ours := signalAction{handler: handler, flags: flagOnStack | flagRestart, restorer: restorer}
	if restorer != 0 {
		ours.flags |= flagRestorer
	}
	h := &HeldSignals{signals: signals, before: make([]signalAction, len(signals))}
	for i, s := range signals {
		act(s, &ours, &h.before[i])
	}
	return h
}

// act is rt_sigaction(2). It fails for bad numbers and addresses only.
func act(s unix.Signal, action, before *signalAction) {
	_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(s), uintptr(unsafe.Pointer(action)), uintptr(unsafe.Pointer(before)), signalSetBytes, 0, 0)
}

// SuspendSelf stops this process as the terminal's stop key does, and returns when it has been continued. With the
// kernel's own action a shell hears by which signal, and a process that no shell could continue does not stop (setpgid(2),
// orphaned process group). The signal goes to this thread, so that it does not run on.
func SuspendSelf() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before signalAction
	act(unix.SIGTSTP, &signalAction{}, &before)
	_ = unix.Tgkill(unix.Getpid(), unix.Gettid(), unix.SIGTSTP)
	act(unix.SIGTSTP, &before, nil)
}

// WasIgnored says that a signal was ignored before it was held.
func (h *HeldSignals) WasIgnored(s unix.Signal) bool {
	for i, held := range h.signals {
		if held == s {
			return h.before[i].handler == ignored
		}
	}
	return false
}

// Came says that a signal is waiting.
func (h *HeldSignals) Came(s unix.Signal) bool { return atomic.LoadUint64(&noted)&(1<<uint(s)) != 0 }

// Any says that any of them is waiting.
func (h *HeldSignals) Any() bool { return atomic.LoadUint64(&noted) != 0 }

// Release ends the holding and returns the signals that have come. What os/signal has been told to handle meanwhile is
// handled by that from here on: where it had a handler before, it has left ours in its place, otherwise it has its own.
func (h *HeldSignals) Release() []unix.Signal {
	ours, _ := signalCode()
	for i, s := range h.signals {
		var now signalAction
		if act(s, nil, &now); now.handler == ours {
			act(s, &h.before[i], nil)
		}
	}
	came := atomic.SwapUint64(&noted, 0)
	var signals []unix.Signal
	for _, s := range h.signals {
		if came&(1<<uint(s)) != 0 {
			signals = append(signals, s)
		}
	}
	return signals
}
