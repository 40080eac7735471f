// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// The program starts itself twice: roleEnv tells it who it is, scratchEnv which directory is its own. The name of that
// directory begins the names of the control groups, too.
const roleEnv, scratchEnv = "RT_STRESS_ROLE", "RT_STRESS_SCRATCH"

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
	scratch, err := os.MkdirTemp("", "rt-stress-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "stress:", err)
		return 1, false
	}
	defer clean(scratch)
	cmd := self("init", scratchEnv+"="+scratch)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
		Pdeathsig:  syscall.SIGKILL,
	}
	signal.Ignore(os.Interrupt) // the work gets it, too, and cleans up
	err = cmd.Run()
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

// clean removes the scratch directory, and the control groups, whose processes are dead by now.
func clean(scratch string) {
	for _, h := range hierarchies() {
		found, _ := filepath.Glob(filepath.Join(h, filepath.Base(scratch)+"-*"))
		for _, top := range found {
			var dirs []string
			entries(top, func(path string, d fs.DirEntry) bool {
				if d.IsDir() {
					dirs = append(dirs, path)
				}
				return true
			})
			for _, dir := range slices.Backward(dirs) {
				if err := os.Remove(dir); err != nil {
					fmt.Fprintln(os.Stderr, "stress:", err)
				}
			}
		}
	}
	if err := os.RemoveAll(scratch); err != nil {
		fmt.Fprintln(os.Stderr, "stress:", err)
	}
}

func self(role string, env ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(append(os.Environ(), roleEnv+"="+role), env...)
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
