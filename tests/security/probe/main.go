// SPDX-License-Identifier: Apache-2.0

// Command probe is what tests run in a container where a shell can't do it.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	switch {
	case len(args) == 1 && args[0] == "watch":
		return watchProcesses()
	case len(args) == 1 && args[0] == "terminal":
		return useTerminal()
	case len(args) == 1 && args[0] == "trace":
		return traceNewcomers()
	case len(args) == 2 && args[0] == "lease":
		return holdLease(args[1])
	case len(args) == 2 && args[0] == "plant":
		return plantKeyring(args[1])
	case len(args) == 1 && args[0] == "keyring":
		return showKeyring()
	case len(args) == 3 && args[0] == "exchange":
		return exchange(args[1], args[2])
	}
	fmt.Println("unknown probe", args)
	return 2
}

// watchTime bounds watchProcesses, should nobody end it.
const watchTime = 10 * time.Minute

// watchProcesses looks at every other process it can see, for as long as /stop is missing, and tells what it could
// learn of one that is not the container's own program: that is the runtime on its way in.
func watchProcesses() int {
	runtime.LockOSThread() // the tracer is a thread
	fmt.Println("watching")
	seen := 0
	for end := time.Now().Add(watchTime); time.Now().Before(end); {
		if _, err := os.Stat("/stop"); err == nil {
			break
		}
		dirs, err := os.ReadDir("/proc")
		if err != nil {
			fmt.Println("read /proc:", err)
			return 1
		}
		for _, d := range dirs {
			pid, err := strconv.Atoi(d.Name())
			if err != nil || pid == os.Getpid() {
				continue
			}
			seen++
			attack(pid)
		}
	}
	fmt.Println("seen", seen)
	return 0
}

// attack tries what ptrace's access check guards.
func attack(pid int) {
	exe := fmt.Sprintf("/proc/%d/exe", pid)
	target, err := os.Readlink(exe)
	if err == nil && !strings.HasPrefix(target, "/bin/") {
		fmt.Println("LEAK exe", target)
		if fd, err := unix.Open(exe, unix.O_WRONLY|unix.O_TRUNC|unix.O_CLOEXEC, 0); err == nil {
			n, err := unix.Write(fd, []byte("#!/bin/sh\n"))
			fmt.Println("LEAK exe is open for writing:", n, err)
			unix.Close(fd)
		}
		for _, name := range []string{"cwd", "root"} {
			if target, err := os.Readlink(fmt.Sprintf("/proc/%d/%s", pid, name)); err == nil {
				fmt.Println("LEAK", name, target)
			}
		}
		fds, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		for _, fd := range fds {
			if target, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, fd.Name())); err == nil {
				fmt.Println("LEAK fd", fd.Name(), target)
			}
		}
	}
	if err == nil && strings.HasPrefix(target, "/bin/") {
		return // a program of the container; to trace it would only stop it
	}
	if unix.PtraceSeize(pid) == nil {
		if target, _ := os.Readlink(exe); target != "" && !strings.HasPrefix(target, "/bin/") {
			fmt.Println("LEAK ptrace", target)
		}
		letGo(pid)
	}
}

// letGo ends tracing, for which a process must be stopped.
func letGo(pid int) {
	if unix.PtraceInterrupt(pid) != nil {
		return
	}
	var status unix.WaitStatus
	if _, err := unix.Wait4(pid, &status, unix.WALL, nil); err == nil && status.Stopped() {
		_ = unix.PtraceDetach(pid)
	}
}

// useTerminal tries to push a character into the terminal that it has as standard input.
func useTerminal() int {
	session, err := unix.Getsid(0)
	fmt.Println("leader", err == nil && session == os.Getpid())
	_, err = unix.IoctlGetInt(0, unix.TIOCGPGRP)
	fmt.Println("TIOCGPGRP:", err)
	fmt.Println("TIOCSTI:", unix.IoctlSetPointerInt(0, unix.TIOCSTI, 'x'))
	fd, err := unix.Open("/dev/tty", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err == nil {
		unix.Close(fd)
	}
	fmt.Println("/dev/tty:", err)
	return 0
}

// exchange swaps two names until /stop is there.
func exchange(a, b string) int {
	fmt.Println("exchanging")
	for end := time.Now().Add(watchTime); time.Now().Before(end); {
		for range 1000 {
			_ = unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
		}
		if _, err := os.Stat("/stop"); err == nil {
			break
		}
	}
	return 0
}
