// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"errors"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

func TestCheckChild(t *testing.T) {
	child := exec.Command("sleep", "60")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	check := func(pid int) error {
		fd, err := OpenProcess(pid)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		return CheckChild(fd)
	}
	if err := check(child.Process.Pid); err != nil {
		t.Errorf("a child that lives: %v", err)
	}
	for _, pid := range []int{1, os.Getppid(), os.Getpid()} {
		if err := check(pid); !errors.Is(err, unix.ECHILD) {
			t.Errorf("process %d, which is no child: %v, want ECHILD", pid, err)
		}
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := child.Process.Wait(); err != nil {
		t.Fatal(err)
	}
}
