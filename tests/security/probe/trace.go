// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// traceNewcomers catches the processes that appear after ours as early as it can, and tells what rights each has.
func traceNewcomers() int {
	runtime.LockOSThread() // the tracer is a thread
	const nextNumbers = 4
	fmt.Println("tracing")
	last := os.Getpid() + 20 // our threads have numbers, too
	for end := time.Now().Add(watchTime); time.Now().Before(end); {
		for pid := os.Getpid() + 1; pid < last+nextNumbers; pid++ {
			_, _, errno := unix.RawSyscall(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(pid), 0)
			if errno != 0 {
				continue
			}
			last = max(last, pid)
			status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
			if err == nil {
				fmt.Println("caught", rights(string(status)))
			}
			letGo(pid)
		}
	}
	return 0
}

// rights are the lines of /proc/PID/status about what a process may do.
func rights(status string) string {
	var found []string
	for line := range strings.Lines(status) {
		for _, name := range []string{"Uid:", "CapPrm:", "CapBnd:", "NoNewPrivs:", "Seccomp:"} {
			if value, ok := strings.CutPrefix(line, name); ok {
				found = append(found, name+strings.Join(strings.Fields(value), ","))
			}
		}
	}
	return strings.Join(found, " ")
}

// holdLease makes whoever opens a file wait until the lease is given up, which it never is.
func holdLease(path string) int {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err == nil {
		_, err = unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_WRLCK)
	}
	fmt.Println("lease:", err)
	time.Sleep(2 * watchTime)
	return 0
}
