// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const patience = 10 * time.Second

// openPTY returns both ends of a new pseudo-terminal.
func openPTY(t *testing.T) (master, slave *os.File) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals: %v", err)
	}
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	peer, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if errno != 0 {
		t.Fatal(errno)
	}
	master, slave = os.NewFile(uintptr(fd), "master"), os.NewFile(peer, "slave")
	t.Cleanup(func() { master.Close(); slave.Close() })
	return master, slave
}

// session is a shell script on a pseudo-terminal that is attached to streams of the test.
type session struct {
	*Attach
	process *exec.Cmd
}

func attach(t *testing.T, s Streams, script string) session {
	t.Helper()
	master, slave := openPTY(t)
	a, err := NewAttach(master, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	c := exec.Command("/bin/sh", "-c", script)
	c.Stdin, c.Stdout, c.Stderr = slave, slave, slave
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill() })
	slave.Close()
	return session{a, c}
}

// uninterrupted is for Finish, which on a busy machine may have to wait: no signal ever comes.
func uninterrupted() <-chan os.Signal { return nil }

// end waits for the script and finishes; it returns the exit status.
func (s session) end(t *testing.T) int {
	t.Helper()
	timer := time.AfterFunc(patience, func() { _ = s.process.Process.Kill() })
	defer timer.Stop()
	_ = s.process.Wait()
	if err := s.Finish(uninterrupted); err != nil {
		t.Errorf("finish: %v", err)
	}
	return s.process.ProcessState.ExitCode()
}

// toFile returns streams without a terminal, the output going to a file, and a function that returns the output.
func toFile(t *testing.T, input string) (Streams, func() string) {
	t.Helper()
	in, err := os.Open(os.DevNull)
	if input != "" {
		var w *os.File
		if in, w, err = os.Pipe(); err == nil {
			go func() { _, _ = io.WriteString(w, input); w.Close() }()
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	out, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); out.Close() })
	return Streams{In: in, Out: out, Err: in}, func() string {
		text, err := os.ReadFile(out.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
}

func TestOutputOfShortProcessIsComplete(t *testing.T) {
	for range 30 {
		s, output := toFile(t, "")
		if status := attach(t, s, "echo one; echo two; exit 3").end(t); status != 3 {
			t.Errorf("status %d", status)
		}
		if got := output(); got != "one\ntwo\n" {
			t.Fatalf("output %q", got)
		}
	}
}

func TestLongOutputToSlowReader(t *testing.T) {
	in, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	defer r.Close()
	s := attach(t, Streams{In: in, Out: w, Err: in}, "seq 1 50000")
	time.Sleep(200 * time.Millisecond) // The pipe fills; nothing else may.
	lines := make(chan int)
	go func() {
		n := 0
		for scanner := bufio.NewScanner(r); scanner.Scan(); n++ {
			if want := fmt.Sprint(n + 1); scanner.Text() != want {
				t.Errorf("line %q, want %q", scanner.Text(), want)
				break
			}
		}
		_, _ = io.Copy(io.Discard, r)
		lines <- n
	}()
	if status := s.end(t); status != 0 {
		t.Errorf("status %d", status)
	}
	w.Close()
	if n := <-lines; n != 50000 {
		t.Errorf("%d lines", n)
	}
}

func TestEndOfInput(t *testing.T) {
	for _, input := range []string{"hello\n", "hello"} {
		s, output := toFile(t, input)
		if status := attach(t, s, "stty -echo; cat; echo end").end(t); status != 0 {
			t.Errorf("%q: status %d", input, status)
		}
		if got := output(); !strings.Contains(got, "hello") || !strings.HasSuffix(got, "end\n") {
			t.Errorf("%q: output %q", input, got)
		}
	}
}

func TestNoInputIsNoEndOfInput(t *testing.T) {
	s, output := toFile(t, "")
	p := attach(t, s, `trap 'echo waiting; exit 4' ALRM; (sleep 0.3; kill -ALRM $$) & read x; echo "read ended"`)
	if status := p.end(t); status != 4 || output() != "waiting\n" {
		t.Errorf("status %d, output %q", status, output())
	}
}

func TestTerminalMayBeReopened(t *testing.T) {
	s, output := toFile(t, "")
	p := attach(t, s, `tty=$(tty); exec <&- >&- 2>&-; sleep 0.3; exec >$tty; echo later`)
	if status := p.end(t); status != 0 || output() != "later\n" {
		t.Errorf("status %d, output %q", status, output())
	}
}

func TestLostReaderHangsUp(t *testing.T) {
	in, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r.Close()
	s := attach(t, Streams{In: in, Out: w, Err: in}, "trap '' HUP; while echo y; do :; done 2>/dev/null; exit 5")
	_ = s.process.Wait()
	if status := s.process.ProcessState.ExitCode(); status != 5 {
		t.Errorf("status %d", status)
	}
	if err := s.Finish(uninterrupted); err == nil || !strings.Contains(err.Error(), "write standard output: broken pipe") {
		t.Errorf("finish: %v", err)
	}
}

// mode returns the terminal's mode.
func mode(t *testing.T, f *os.File) unix.Termios {
	t.Helper()
	m, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return *m
}

// readUntil reads a terminal until the text is seen.
func readUntil(t *testing.T, f *os.File, text string) string {
	t.Helper()
	var all bytes.Buffer
	buffer := make([]byte, 4096)
	for deadline := time.Now().Add(patience); !strings.Contains(all.String(), text); {
		fds := []unix.PollFd{{Fd: int32(f.Fd()), Events: unix.POLLIN}}
		if n, _ := unix.Poll(fds, 100); n > 0 {
			n, err := unix.Read(int(f.Fd()), buffer)
			if err != nil {
				t.Fatalf("%v after %q", err, all.String())
			}
			all.Write(buffer[:n])
		}
		if time.Now().After(deadline) {
			t.Fatalf("no %q in %q", text, all.String())
		}
	}
	return all.String()
}

func TestPersonAtTerminal(t *testing.T) {
	person, tty := openPTY(t)
	if err := unix.IoctlSetWinsize(int(person.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 33, Col: 111}); err != nil {
		t.Fatal(err)
	}
	before := mode(t, tty)
	p := attach(t, Streams{In: tty, Out: tty, Err: tty}, `
		trap 'stty size; echo interrupted; exit 6' INT
		stty size; echo ready; while :; do read line; echo "line=$line"; done`)
	readUntil(t, person, "33 111\r\nready\r\n")
	if during := mode(t, tty); during.Lflag&(unix.ICANON|unix.ECHO|unix.ISIG) != 0 || during.Oflag&unix.OPOST != 0 {
		t.Errorf("not raw: %+v", during)
	}
	if _, err := person.WriteString("some text\r"); err != nil {
		t.Fatal(err)
	}
	readUntil(t, person, "line=some text\r\n")

	if err := unix.IoctlSetWinsize(int(person.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 44, Col: 99}); err != nil {
		t.Fatal(err)
	}
	// The terminal isn't the test's controlling one, so that the kernel doesn't send the signal.
	if err := unix.Kill(os.Getpid(), unix.SIGWINCH); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if size, err := unix.IoctlGetWinsize(p.masterFD, unix.TIOCGWINSZ); err == nil && size.Row == 44 && size.Col == 99 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the size was not passed on")
		}
	}
	if _, err := person.Write([]byte{3}); err != nil { // ^C
		t.Fatal(err)
	}
	if status := p.end(t); status != 6 {
		t.Errorf("status %d", status)
	}
	readUntil(t, person, "44 99\r\ninterrupted\r\n")
	if after := mode(t, tty); after != before {
		t.Errorf("mode not restored: %+v, was %+v", after, before)
	}
}

func TestTypedAheadStaysForTheNextCommand(t *testing.T) {
	person, tty := openPTY(t)
	p := attach(t, Streams{In: tty, Out: tty, Err: tty}, "echo done")
	p.end(t)
	if _, err := person.WriteString("next\n"); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 100)
	n, err := unix.Read(int(tty.Fd()), buffer)
	if err != nil || string(buffer[:n]) != "next\n" {
		t.Errorf("read %q, %v", buffer[:n], err)
	}
}

func TestInputFromTerminalOutputToFile(t *testing.T) {
	person, tty := openPTY(t)
	before := mode(t, tty)
	s, output := toFile(t, "")
	s.In = tty
	p := attach(t, s, `stty -echo; echo ready >/dev/tty; read x; echo "x=$x"`)
	if during := mode(t, tty); during.Lflag&unix.ICANON != 0 || during.Oflag&unix.OPOST == 0 {
		t.Errorf("mode %+v", during)
	}
	if _, err := person.WriteString("y\r"); err != nil {
		t.Fatal(err)
	}
	if status := p.end(t); status != 0 || !strings.Contains(output(), "x=y\n") || strings.Contains(output(), "\r") {
		t.Errorf("status %d, output %q", status, output())
	}
	if mode(t, tty) != before {
		t.Error("mode not restored")
	}
}

func TestCloseRestoresAndMayBeRepeated(t *testing.T) {
	_, tty := openPTY(t)
	before := mode(t, tty)
	master, _ := openPTY(t)
	a, err := NewAttach(master, Streams{In: tty, Out: tty, Err: tty})
	if err != nil {
		t.Fatal(err)
	}
	a.Close()
	a.Close()
	if mode(t, tty) != before {
		t.Error("mode not restored")
	}
	if err := a.Finish(uninterrupted); err != nil {
		t.Error(err)
	}
}

func TestZeroSizeIsNotPassedOn(t *testing.T) {
	_, tty := openPTY(t)
	master, slave := openPTY(t)
	if err := unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 10, Col: 20}); err != nil {
		t.Fatal(err)
	}
	a, err := NewAttach(master, Streams{In: tty, Out: tty, Err: tty})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Finish(uninterrupted) }()
	if size, err := unix.IoctlGetWinsize(int(slave.Fd()), unix.TIOCGWINSZ); err != nil || size.Row != 10 || size.Col != 20 {
		t.Errorf("size %+v, %v", size, err)
	}
}
