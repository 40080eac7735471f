// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"bytes"
	"runtime/debug"
	"strconv"

	"golang.org/x/sys/unix"
)

// ReleaseMemory gives back what this process will hardly need while it waits for long: the heap's free pages, and its
// program, of which the kernel reads again what is executed again. What can't be done is no fault: it costs memory.
func ReleaseMemory() {
	debug.FreeOSMemory()
	maps, err := ReadFile("/proc/self/maps")
	if err != nil {
		return
	}
	for line := range bytes.Lines(maps) {
		if start, end, ok := programRange(line); ok {
			_, _, _ = unix.RawSyscall(unix.SYS_MADVISE, start, end-start, unix.MADV_DONTNEED)
		}
	}
}

// programRange takes a line of /proc/self/maps (proc_pid_maps(5)) that has part of a file which can't be written to:
// nothing in it can be lost.
func programRange(line []byte) (start, end uintptr, ok bool) {
	fields := bytes.Fields(line)
	const addresses, permissions, inode, known = 0, 1, 4, 6
	if len(fields) < known || fields[permissions][1] != '-' || string(fields[inode]) == "0" {
		return 0, 0, false
	}
	low, high, _ := bytes.Cut(fields[addresses], []byte("-"))
	first, err := strconv.ParseUint(string(low), 16, 64)
	if err != nil {
		return 0, 0, false
	}
	last, err := strconv.ParseUint(string(high), 16, 64)
	return uintptr(first), uintptr(last), err == nil && first < last
}
