// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// roleEnv tells the program, which starts itself twice, who it is.
const roleEnv = "RT_STRESS_ROLE"

// isolate gives the work its own namespaces, so that what it counts is its own although the machine does other things,
// and so that nothing survives it. It reports inside = true in the process that shall do the work; in the others it
// returns the exit status.
func isolate() (status int, inside bool) {
	switch os.Getenv(roleEnv) {
	case "work":
		return 0, true
	case "init":
		return initProcess(), false
	}
	cmd := self("init")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
		Pdeathsig:  syscall.SIGKILL,
	}
	signal.Ignore(os.Interrupt) // the work gets it, too, and cleans up
	err := cmd.Run()
	var exited *exec.ExitError
	if errors.As(err, &exited) {
		return exited.ExitCode(), false
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "stress: start in new namespaces:", err)
		return 1, false
	}
	return 0, false
}

func self(role string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), roleEnv+"="+role)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd
}

// initProcess is the first process of the pid namespace: it starts the one that works, and collects those that nobody
// waits for, as an init does. What nobody collects is then a process that is left over.
func initProcess() int {
	err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	if err == nil {
		err = unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	}
	cmd := self("work")
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "stress: set up namespaces:", err)
		return 1
	}
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case err == unix.EINTR:
		case err != nil:
			fmt.Fprintln(os.Stderr, "stress: wait4:", err)
			return 1
		case pid == cmd.Process.Pid && status.Exited():
			return status.ExitStatus()
		case pid == cmd.Process.Pid:
			return 128 + int(status.Signal())
		}
	}
}
