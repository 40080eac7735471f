// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"errors"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

func TestASequenceUsesResultsAndEndsWithTheFirstError(t *testing.T) {
	t.Parallel()
	family, none := unix.AF_UNIX, -1
	s := &Sequence{Calls: make([]Call, 4)}
	s.Calls[0] = Call{Number: unix.SYS_SOCKET, First: &family, Second: unix.SOCK_DGRAM | unix.SOCK_CLOEXEC}
	s.Calls[1] = Call{Number: unix.SYS_FCNTL, First: &s.Calls[0].Result, Second: unix.F_DUPFD_CLOEXEC, Third: 50}
	s.Calls[2] = Call{Number: unix.SYS_CLOSE, First: &none}
	s.Calls[3] = Call{Number: unix.SYS_CLOSE, First: &s.Calls[0].Result}
	if err := s.Begin(); err != nil {
		t.Fatal(err)
	}
	s.Wait()
	if failed, err := s.Failed(); failed != 2 || !errors.Is(err, unix.EBADF) {
		t.Errorf("call %d failed: %v; want EBADF of call 2", failed, err)
	}
	if r := s.Calls[3].Result; r != -int(unix.ECANCELED) {
		t.Errorf("the call after the error was made: %d", r)
	}
	var first, second unix.Stat_t
	if unix.Fstat(s.Calls[0].Result, &first) != nil || unix.Fstat(s.Calls[1].Result, &second) != nil || first.Ino != second.Ino || s.Calls[1].Result < 50 {
		t.Errorf("descriptors %d and %d are not of the same socket", s.Calls[0].Result, s.Calls[1].Result)
	}
	for i := range 2 {
		if err := unix.Close(s.Calls[i].Result); err != nil {
			t.Error(err)
		}
	}
}

// The Go runtime's handler can't run on a thread that it does not know.
func TestNoSignalReachesTheThreadOfASequence(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	blocked, before := signalMask(t, strconv.Itoa(unix.Gettid())), threads(t)
	clock, pause := unix.CLOCK_MONOTONIC, &unix.Timespec{Nsec: int64(200 * time.Millisecond)}
	s := &Sequence{Memory: pause, Calls: []Call{{Number: unix.SYS_CLOCK_NANOSLEEP, First: &clock, Third: uintptr(unsafe.Pointer(pause))}}}
	if err := s.Begin(); err != nil {
		t.Fatal(err)
	}
	seen := false
	for _, thread := range threads(t) {
		if slices.Contains(before, thread) {
			continue
		}
		// Those that can't be blocked are SIGKILL and SIGSTOP.
		if signalMask(t, thread) == "fffffffffffbfeff" {
			seen = true
		}
	}
	s.Wait()
	if !seen {
		t.Error("no new thread has all signals blocked")
	}
	if after := signalMask(t, strconv.Itoa(unix.Gettid())); after != blocked {
		t.Errorf("the caller's mask is %s, was %s", after, blocked)
	}
	if failed, err := s.Failed(); failed >= 0 {
		t.Error(err)
	}
}

func threads(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// signalMask returns "" for a thread that has ended meanwhile.
func signalMask(t *testing.T, thread string) string {
	t.Helper()
	status, _ := os.ReadFile("/proc/self/task/" + thread + "/status")
	_, rest, _ := strings.Cut(string(status), "\nSigBlk:\t")
	mask, _, _ := strings.Cut(rest, "\n")
	return mask
}

func TestSequencesBesideEachOther(t *testing.T) {
	t.Parallel()
	family := unix.AF_UNIX
	var all []*Sequence
	for range 100 {
		s := &Sequence{Calls: make([]Call, 2)}
		s.Calls[0] = Call{Number: unix.SYS_SOCKET, First: &family, Second: unix.SOCK_DGRAM | unix.SOCK_CLOEXEC}
		s.Calls[1] = Call{Number: unix.SYS_CLOSE, First: &s.Calls[0].Result}
		if err := s.Begin(); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
		runtime.GC() // the threads use the memory
	}
	for _, s := range all {
		s.Wait()
		if failed, err := s.Failed(); failed >= 0 {
			t.Errorf("call %d: %v", failed, err)
		}
	}
}

// As a filter with SCMP_ACT_KILL_THREAD would: the thread ends, and none of its calls was made.
func TestASequenceWhoseThreadIsKilledHasFailed(t *testing.T) {
	t.Parallel()
	status := 0
	s := &Sequence{Calls: []Call{{Number: unix.SYS_EXIT, First: &status}, {Number: unix.SYS_CLOSE, First: &status}}}
	if err := s.Begin(); err != nil {
		t.Fatal(err)
	}
	s.Wait()
	if failed, err := s.Failed(); failed != 0 || !errors.Is(err, unix.ECANCELED) {
		t.Errorf("call %d failed: %v; want ECANCELED of call 0", failed, err)
	}
	if err := unix.Fstat(0, &unix.Stat_t{}); err != nil {
		t.Errorf("descriptor 0: %v", err)
	}
}
