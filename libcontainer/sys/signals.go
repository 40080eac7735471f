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

// noted has a bit for each signal that came while it was held, or else the bit released alone. Who ends the holding takes
// the one and leaves the other in one step, so that each run of the handler comes before it, and is seen, or after it, and
// sees it.
var noted uint64

// released says that signals are held no more. There is no signal 0.
const released = 1 << 0

// signalCode returns the addresses of a handler and of what it returns to. A thread comes to the handler as late as it gets
// a processor, also after the holding for which the kernel has sent it there. So the handler looks: while signals are held,
// it sets the bit in noted; after that it sends the signal to its thread again, who gets it as soon as the handler is left,
// with the effect that the signal then has. It sends nothing if it is itself that effect: in a process that was forked while
// signals were held and has this memory, but actions of its own, until it executes another program (vfork(2)). There the
// signal would come for ever, and whose terminal or group sends it to that process has sent it to this one as well.
func signalCode() (handler, restorer uintptr)

// HeldSignals are signals that are only noted, until they are released.
type HeldSignals struct {
	signals []unix.Signal
	before  []signalAction
	counted uint64 // bits of those that were not ignored
}

// HoldSignals lets signals of this process wait. os/signal does so too, but the Go runtime starts threads for that and
// switches between them for each signal: more than half a millisecond, at the start of a command that may be over
// before any signal comes. One caller at a time may hold signals, of numbers below 64. Those that were ignored are held
// too, so that what is executed meanwhile does not ignore them, but they don't count: they would not have come.
func HoldSignals(signals ...unix.Signal) *HeldSignals {
	ours := holding()
	h := &HeldSignals{signals: signals, before: make([]signalAction, len(signals))}
	atomic.StoreUint64(&noted, 0)
	for i, s := range signals {
		act(s, &ours, &h.before[i])
		if h.before[i].handler != ignored {
			h.counted |= 1 << uint(s)
		}
	}
	return h
}

// holding is the action of a held signal.
func holding() signalAction {
	handler, restorer := signalCode()
	action := signalAction{handler: handler, flags: flagOnStack | flagRestart, restorer: restorer}
	if restorer != 0 {
		action.flags |= flagRestorer
	}
	return action
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
func (h *HeldSignals) Came(s unix.Signal) bool { return h.waiting()&(1<<uint(s)) != 0 }

// Any says that any of them is waiting.
func (h *HeldSignals) Any() bool { return h.waiting() != 0 }

func (h *HeldSignals) waiting() uint64 { return atomic.LoadUint64(&noted) & h.counted }

// Release ends the holding and returns the signals that have come. What os/signal has been told to handle meanwhile is
// handled by that from here on: where it had a handler before, it has left ours in its place, otherwise it has its own.
// That comes first: a handler that sees the end of the holding sends its signal to what is there now.
func (h *HeldSignals) Release() []unix.Signal {
	ours, _ := signalCode()
	for i, s := range h.signals {
		var now signalAction
		if act(s, nil, &now); now.handler == ours {
			act(s, &h.before[i], nil)
		}
	}
	came := atomic.SwapUint64(&noted, released) & h.counted
	var signals []unix.Signal
	for _, s := range h.signals {
		if came&(1<<uint(s)) != 0 {
			signals = append(signals, s)
		}
	}
	return signals
}
