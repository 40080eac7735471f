// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"io"
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/tests/harness"
)

func terminal(b *harness.Bundle) *harness.Bundle {
	b.Spec.Process.Terminal = true
	return b
}

func TestTheTerminalOfAForegroundRunGoesToStdout(t *testing.T) {
	t.Parallel()
	b := terminal(shell(t,
		"tty; for f in 0 1 2; do readlink /proc/self/fd/$f; done; stty size",
		"stat -c '%u %g %a' $(tty); stat -c '%F %t' /dev/console; exit 5"))
	b.Spec.Process.User.UID = 1000
	b.Spec.Process.ConsoleSize = &specs.Box{Height: 10, Width: 110}
	b.Run(t).WantExit(t, 5).WantStdoutIs(t, strings.Join([]string{
		"/dev/pts/0", "/dev/pts/0", "/dev/pts/0", "/dev/pts/0", "10 110", "1000 5 620", "character special file 88",
	}, "\n"))
}

func TestTheTerminalControlsASession(t *testing.T) {
	t.Parallel()
	b := terminal(shell(t, "awk '{print $5, $6, $7 != 0}' /proc/1/stat; echo x >/dev/tty"))
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "1 1 1\nx")
}

func TestTheConsoleSocketGetsTheMaster(t *testing.T) {
	t.Parallel()
	b := terminal(shell(t, "stty size; read line; echo \"got $line\""))
	b.Spec.Process.ConsoleSize = &specs.Box{Height: 10, Width: 110}
	socket := harness.Listen(t, b.Path("console.sock"))
	b.Create(t, "--console-socket", b.Path("console.sock")).WantExit(t, 0)
	name, fd := socket.ReceiveFD(t)
	if name == "" {
		t.Error("the message has no payload")
	}
	master := os.NewFile(uintptr(fd), "master")
	defer master.Close()
	b.Start(t).WantExit(t, 0)
	if _, err := master.WriteString("hello\n"); err != nil {
		t.Fatal(err)
	}
	b.WaitFor(t, "stopped")
	out, _ := io.ReadAll(master) // EIO when the last one has closed the terminal
	got := string(out)
	for _, want := range []string{"10 110\r\n", "got hello\r\n"} { // the receiver's terminal is in raw mode
		if !strings.Contains(got, want) {
			t.Errorf("the terminal has shown %q, want %q", got, want)
		}
	}
}

func TestATerminalWithoutConsoleSocketIsRefused(t *testing.T) {
	t.Parallel()
	b := terminal(harness.NewBundle(t, "true"))
	before := b.Snapshot(t)
	for _, got := range []harness.Result{b.Create(t), b.Run(t, "-d")} {
		got.WantOneError(t, "cannot allocate tty if runc will detach without setting console socket")
	}
	socket := "--console-socket=" + b.Path("nosuch.sock")
	b.Create(t, socket).WantOneError(t, b.Path("nosuch.sock"))
	b.Spec.Process.Terminal = false
	b.Create(t, socket).WantOneError(t, "cannot use console socket if runc will not detach or allocate tty")
	before.WantSame(t)
}

func TestTheContainerEndsWhenTheConsoleHangsUp(t *testing.T) {
	t.Parallel()
	b := terminal(harness.NewBundle(t, "cat"))
	socket := harness.Listen(t, b.Path("console.sock"))
	b.Run(t, "-d", "--console-socket", b.Path("console.sock")).WantExit(t, 0)
	_, fd := socket.ReceiveFD(t)
	if err := unix.Close(fd); err != nil {
		t.Fatal(err)
	}
	b.WaitFor(t, "stopped")
}

func TestThePidfdSocketGetsAPidfd(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"create", "run"} {
		b := harness.NewBundle(t, "sleep", "1000")
		path := b.Path("pidfd.sock")
		socket := harness.Listen(t, path)
		if command == "create" {
			b.Create(t, "--pidfd-socket", path).WantExit(t, 0)
		} else {
			b.Run(t, "-d", "--pidfd-socket", path).WantExit(t, 0)
		}
		_, fd := socket.ReceiveFD(t)
		if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil {
			t.Error(err)
		}
		_ = unix.Close(fd)
		b.WaitFor(t, "stopped")
	}
}

func TestAPidfdSocketThatNobodyServesIsAnError(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "echo", "the program has run")
	before := b.Snapshot(t)
	b.Run(t, "--pidfd-socket", b.Path("nosuch.sock")).WantOneError(t, "--pidfd-socket", "nosuch.sock", "no such file or directory")
	before.WantSame(t)
}

func TestAForegroundTerminalCopiesBothWays(t *testing.T) {
	t.Parallel()
	b := terminal(shell(t, `read line; echo "got $line"; seq 1 50000`))
	input, err := os.Open(harness.WriteFile(t, b.Path("input"), "hello\n", 0o600))
	if err != nil {
		t.Fatal(err)
	}
	defer input.Close()
	b.Stdin = input
	lines := strings.Split(strings.TrimSpace(b.Run(t).WantExit(t, 0).WantStdout(t, "got hello\n").Stdout), "\n")
	if n := len(lines); n < 50001 || lines[n-1] != "50000" || lines[n-50000] != "1" {
		t.Errorf("%d lines, the last is %q", n, lines[n-1])
	}
}

func TestATerminalInACreatedContainerBelongsToTheUser(t *testing.T) {
	t.Parallel()
	b := terminal(shell(t, "stat -c '%u %g' $(tty); echo x >/dev/console; echo x >/dev/tty"))
	mapIDs(t, b)
	b.Spec.Process.User.UID = 1000
	socket := harness.Listen(t, b.Path("console.sock"))
	b.Create(t, "--console-socket", b.Path("console.sock")).WantExit(t, 0)
	_, fd := socket.ReceiveFD(t)
	master := os.NewFile(uintptr(fd), "master")
	defer master.Close()
	b.Start(t).WantExit(t, 0)
	b.WaitFor(t, "stopped")
	out, _ := io.ReadAll(master)
	if got := strings.ReplaceAll(string(out), "\r", ""); got != "1000 5\nx\nx\n" {
		t.Errorf("the terminal has shown %q", got)
	}
}
