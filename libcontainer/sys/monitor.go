// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"bytes"
	"encoding/binary"
	"strconv"

	"golang.org/x/sys/unix"
)

// How inexact the sleep of the Go runtime's monitor may be, in nanoseconds. The kernel's own figure is 50 µs.
const (
	monitorLazy  = 10_000_000
	monitorExact = 50_000
)

// CalmMonitor lets the Go runtime's monitor thread sleep longer than it asks for, 20 µs at first and again after each
// event. It takes from threads in system calls what others could use, and interrupts what computes for long: nothing
// that a command of a few milliseconds has. Of the processor time of such a command it takes a tenth. When calm is
// false, it goes on as usual. What can't be done is no fault: the command takes longer.
func CalmMonitor(calm bool) {
	thread := monitorThread()
	if thread == 0 {
		return
	}
	slack := monitorExact
	if calm {
		slack = monitorLazy
	}
	// proc_pid_timerslack_ns(5); any thread has a directory in /proc, though only processes are listed.
	_ = WriteFile("/proc/"+strconv.Itoa(thread)+"/timerslack_ns", strconv.Itoa(slack))
}

// monitorThread returns the second thread of this process, which is the one that the runtime starts before any other
// (runtime.main). 0 if there is none.
func monitorThread() int {
	// The next number is nearly always free, and if it is ours, no thread of ours came before it.
	next := unix.Getpid() + 1
	if unix.Access("/proc/self/task/"+strconv.Itoa(next), unix.F_OK) == nil {
		return next
	}
	return secondThread()
}

// secondThread looks at the list of threads, which the kernel gives in the order in which they were made.
func secondThread() int {
	dir, err := Open("/proc/self/task", unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return 0
	}
	defer unix.Close(dir)
	buffer := make([]byte, 512)
	n, err := unix.Getdents(dir, buffer)
	if err != nil {
		return 0
	}
	const sizeOffset, nameOffset = 16, 19 // of struct linux_dirent64 (getdents(2))
	rest, seen := buffer[:n], 0
	for len(rest) > nameOffset {
		size := int(binary.NativeEndian.Uint16(rest[sizeOffset:]))
		if size <= nameOffset || size > len(rest) {
			return 0
		}
		name, _, _ := bytes.Cut(rest[nameOffset:size], []byte{0})
		rest = rest[size:]
		thread, err := strconv.Atoi(string(name))
		if err != nil {
			continue // . and ..
		}
		if seen++; seen == 2 {
			return thread
		}
	}
	return 0
}
