// SPDX-License-Identifier: Apache-2.0

package startup

// How inexact the sleep of the Go runtime's monitor may be, in nanoseconds. The kernel's own figure is 50 µs.
const (
	monitorLazy  = "10000000"
	monitorExact = "50000"
)

// CalmMonitor lets the Go runtime's monitor thread sleep longer than it asks for, 20 µs at first and again after each
// event. It takes from threads in system calls what others could use, and interrupts what computes for long: nothing
// that a command of a few milliseconds has. Of the processor time of such a command it takes a seventh. A process begins
// with a calm one; when calm is false, it goes on as usual. What can't be done is no fault: the command takes longer.
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
	path := pathOf("/proc/", thread, "/timerslack_ns")
	file := call(sysOpenat, atFDCWD, &path[0], writeOnly)
	if file < 0 {
		return
	}
	value := [16]byte{}
	size := copy(value[:], slack)
	call(sysWrite, file, &value[0], size)
	call(sysClose, file, nil, 0)
}

// monitorThread returns the second thread of this process, which is the one that the runtime starts before any other
// (runtime.main). 0 if there is none.
func monitorThread() int {
	// The next number is nearly always free, and if it is ours, no thread of ours came before it.
	next := call(sysGetpid, 0, nil, 0) + 1
	path := pathOf("/proc/self/task/", next, "")
	if call(sysFaccessat, atFDCWD, &path[0], 0) == 0 {
		return next
	}
	return secondThread()
}

// secondThread looks at the list of threads, which the kernel gives in the order in which they were made.
func secondThread() int {
	path := pathOf("/proc/self/task", -1, "")
	dir := call(sysOpenat, atFDCWD, &path[0], directoryOnly)
	if dir < 0 {
		return 0
	}
	var buffer [512]byte
	n := call(sysGetdents64, dir, &buffer[0], len(buffer))
	call(sysClose, dir, nil, 0)
	if n < 0 {
		return 0
	}
	const sizeOffset, nameOffset = 16, 19 // of struct linux_dirent64 (getdents(2)); both machines are little-endian
	seen := 0
	for rest := buffer[:n]; len(rest) > nameOffset; {
		size := int(rest[sizeOffset]) | int(rest[sizeOffset+1])<<8
		if size <= nameOffset || size > len(rest) {
			return 0
		}
		thread := number(rest[nameOffset:size])
		rest = rest[size:]
		if thread == 0 {
			continue // . and ..
		}
		if seen++; seen == 2 {
			return thread
		}
	}
	return 0
}

// pathOf joins the parts of a path below /proc, with a zero byte behind it. A negative number is left out.
func pathOf(before string, thread int, after string) (path [64]byte) {
	n := copy(path[:], before)
	var digits [20]byte
	first := len(digits)
	for ; thread > 0; thread /= 10 {
		first--
		digits[first] = byte('0' + thread%10)
	}
	n += copy(path[n:], digits[first:])
	copy(path[n:len(path)-1], after)
	return path
}

// number reads digits up to a zero byte; 0 if there is anything else.
func number(text []byte) int {
	n := 0
	for _, c := range text {
		switch {
		case c == 0:
			return n
		case c < '0' || c > '9':
			return 0
		}
		n = n*10 + int(c-'0')
	}
	return n
}
