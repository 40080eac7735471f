// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Call is one system call of a Sequence. First is the first argument, and may be the Result of a call before. The others
// that are addresses must be those of memory that Sequence.Memory holds.
type Call struct {
	Number                uintptr
	First                 *int
	Second, Third, Fourth uintptr
	Result                int // what the kernel returned: an error is a negative number (syscall(2)); of no use before Wait
}

// Sequence is a list of system calls that are made one after the other, up to one that fails, by a thread of their own
// while the caller goes on. The thread executes nothing else, and the Go runtime knows nothing of it: no signal can reach
// it, and what it changes of itself, its namespaces for one, nobody inherits. A goroutine that is locked to a thread takes
// two threads, and a second processor of the Go runtime: ten times as much as a clone(2).
type Sequence struct {
	Calls  []Call
	Memory any

	running uint32 // until the kernel clears it, with the end of the thread (set_tid_address(2))
}

// begun are the sequences whose thread may not have ended: it uses their memory.
var begun struct {
	sync.Mutex
	sequences []*Sequence
}

// Begin starts the thread. The sequence must not be touched before Wait has returned.
func (s *Sequence) Begin() error {
	begun.Lock()
	defer begun.Unlock()
	s.running = 1
	for i := range s.Calls {
		s.Calls[i].Result = -int(unix.ECANCELED) // a filter may end the thread in the midst of its calls (seccomp(2))
	}
	if r := beginSequence(&s.Calls[0], len(s.Calls), &s.running); r < 0 {
		return fmt.Errorf("clone a thread: %w", unix.Errno(-r))
	}
	begun.sequences = append(begun.sequences, s)
	return nil
}

// Wait returns when the thread has ended. Who need not know about that need not wait.
func (s *Sequence) Wait() {
	const futexWait = 0 // not FUTEX_WAIT_PRIVATE: the kernel wakes without that
	for atomic.LoadUint32(&s.running) != 0 {
		_, _, _ = unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&s.running)), futexWait, 1, 0, 0, 0)
	}
	begun.Lock()
	defer begun.Unlock()
	begun.sequences = slices.DeleteFunc(begun.sequences, func(b *Sequence) bool { return b == s })
}

// Failed returns the index of the first call that failed and its error, or -1. What was not made is ECANCELED.
func (s *Sequence) Failed() (int, error) {
	for i := range s.Calls {
		if r := s.Calls[i].Result; r < 0 {
			return i, unix.Errno(-r)
		}
	}
	return -1, nil
}

// beginSequence clones the thread and returns its number, or a negative error number. It blocks all signals meanwhile:
// the thread is born with them blocked.
func beginSequence(calls *Call, count int, running *uint32) int
