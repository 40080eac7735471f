// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestMain makes the test binary a process that reports the signals it gets, if it is asked to.
func TestMain(m *testing.M) {
	if os.Getenv("RT_TEST_REPORT_SIGNALS") == "" {
		os.Exit(m.Run())
	}
	received := make(chan os.Signal, 64)
	for _, s := range append(forwarded(), unix.SIGWINCH) {
		signal.Notify(received, s)
	}
	fmt.Println("ready")
	for s := range received {
		fmt.Println(int(s.(syscall.Signal)))
	}
}

func TestForward(t *testing.T) {
	pidfd := -1
	c := exec.Command("/proc/self/exe")
	c.Env = append(os.Environ(), "RT_TEST_REPORT_SIGNALS=1")
	c.SysProcAttr = &syscall.SysProcAttr{PidFD: &pidfd}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	// The descriptor stays open, as the forwarding goes on until this process ends: its number may become that of another
	// process, which would get each signal twice (-count).
	defer func() { _ = c.Process.Kill(); _ = c.Wait() }()
	lines := bufio.NewScanner(out)
	lines.Scan()

	// What was ignored when rt was started is not passed on; the test itself may run under nohup(1).
	passed := forwarded()
	passed = slices.DeleteFunc(passed, func(s unix.Signal) bool { return signal.Ignored(s) })

	signals := CatchSignals()
	if signals.Waiting() {
		t.Error("a signal waits before any was sent")
	}
	if err := unix.Kill(os.Getpid(), unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for !signals.Waiting() { // any thread may take it
		time.Sleep(time.Millisecond)
	}
	signals.ForwardTo(Job{PID: c.Process.Pid, PIDFD: pidfd})
	if !lines.Scan() || lines.Text() != fmt.Sprint(int(unix.SIGTERM)) {
		t.Fatalf("sent SIGTERM before, got %q", lines.Text())
	}
	if signals.Waiting() {
		t.Error("a signal waits after all were passed on")
	}
	for _, s := range append([]unix.Signal{unix.SIGWINCH, unix.SIGURG, unix.SIGCHLD}, passed...) {
		number := s
		if err := unix.Kill(os.Getpid(), number); err != nil {
			t.Fatal(err)
		}
		if number == unix.SIGWINCH || number == unix.SIGURG || number == unix.SIGCHLD {
			continue
		}
		if !lines.Scan() || lines.Text() != fmt.Sprint(int(number)) {
			t.Fatalf("sent %d (%v), got %q", int(number), number, lines.Text())
		}
	}
}
