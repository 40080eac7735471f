// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/tests/harness"
)

func TestExecWithATerminal(t *testing.T) {
	t.Parallel()
	b := running(t)
	b.Exec(t, []string{"-t", "--user", "1000:1000"}, "sh", "-c",
		"tty; for f in 0 1 2; do readlink /proc/self/fd/$f; done; stat -c '%u %g %a' $(tty); echo x >/dev/tty; exit 5").
		WantExit(t, 5).WantStdoutIs(t, "/dev/pts/0\n/dev/pts/0\n/dev/pts/0\n/dev/pts/0\n1000 5 620\nx")
	b.Exec(t, []string{"--tty"}, "sh", "-c", "awk '{print $1 == $6, $7 != 0}' /proc/$$/stat; readlink /dev/console").WantExit(t, 1).WantStdoutIs(t, "1 1")
	b.Exec(t, []string{"-t"}, "/bin/nosuch").WantExecError(t, "exec /bin/nosuch: no such file or directory")
	lines := strings.Split(strings.TrimSpace(b.Exec(t, []string{"-t"}, "seq", "1", "50000").WantExit(t, 0).Stdout), "\n")
	if len(lines) != 50000 || lines[49999] != "50000" {
		t.Errorf("%d lines, the last is %q", len(lines), lines[len(lines)-1])
	}
}

// Output of a process that ends at once is complete.
func TestExecWithATerminalLosesNothing(t *testing.T) {
	t.Parallel()
	b := running(t)
	for range 30 {
		b.Exec(t, []string{"-t"}, "echo", "one line").WantExit(t, 0).WantStdoutIs(t, "one line")
	}
}

// The console of the container's own process stays what it is.
func TestExecLeavesTheConsoleAlone(t *testing.T) {
	t.Parallel()
	b := terminal(idle(t))
	socket := harness.Listen(t, b.Path("console.sock"))
	b.Run(t, "--detach", "--console-socket", b.Path("console.sock")).WantExit(t, 0)
	_, fd := socket.ReceiveFD(t)
	defer unix.Close(fd)
	before := b.Exec(t, nil, "sh", "-c", "stat -c %t:%T /dev/console; grep -c console /proc/self/mountinfo").WantExit(t, 0).Stdout
	b.Exec(t, []string{"-t"}, "sh", "-c", "tty; stat -c %t:%T /dev/console; grep -c console /proc/self/mountinfo").WantExit(t, 0).
		WantStdoutIs(t, "/dev/pts/1\n"+strings.TrimSpace(before))
}

func TestExecSendsTheTerminal(t *testing.T) {
	t.Parallel()
	b := running(t)
	path := b.Path("console.sock")
	socket := harness.Listen(t, path)
	file := processFile(t, b, map[string]any{
		"terminal": true, "consoleSize": map[string]int{"height": 10, "width": 110},
		"args": []string{"/bin/sh", "-c", "stty size; read line; echo got $line"}, "cwd": "/",
	})
	for _, flags := range [][]string{{"--detach"}, {"--detach", "--tty"}} {
		b.Exec(t, append(flags, "--process", file, "--console-socket", path)).WantExit(t, 0)
		name, fd := socket.ReceiveFD(t)
		if name == "" {
			t.Error("the message has no payload")
		}
		master := os.NewFile(uintptr(fd), "master")
		size := readUntil(t, master, "\n") // before the echo of what is typed gets between
		if _, err := master.WriteString("hello\n"); err != nil {
			t.Fatal(err)
		}
		out, _ := io.ReadAll(master) // EIO when the last one has closed the terminal
		master.Close()
		if size != "10 110\r\n" || !strings.Contains(string(out), "got hello\r\n") { // the receiver's terminal is in raw mode
			t.Errorf("the terminal has shown %q, then %q", size, out)
		}
	}
}

// readUntil reads until what was read ends with end, or nothing more comes.
func readUntil(t *testing.T, f *os.File, end string) string {
	t.Helper()
	var all []byte
	for one := make([]byte, 1); !strings.HasSuffix(string(all), end); all = append(all, one[0]) {
		if _, err := f.Read(one); err != nil {
			t.Errorf("after %q: %v", all, err)
			break
		}
	}
	return string(all)
}

// openPTY returns a terminal for a person.
func openPTY(t *testing.T) (person, tty *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	peer, _, errno := unix.Syscall(unix.SYS_IOCTL, person.Fd(), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if errno != 0 {
		t.Fatal(errno)
	}
	tty = os.NewFile(peer, "tty")
	t.Cleanup(func() { tty.Close() })
	return person, tty
}

// shown collects what a person sees until the text is there.
func shown(t *testing.T, person *os.File, text string) string {
	t.Helper()
	var all strings.Builder
	buffer := make([]byte, 4096)
	for end := time.Now().Add(harness.Slow(30 * time.Second)); !strings.Contains(all.String(), text); {
		fds := []unix.PollFd{{Fd: int32(person.Fd()), Events: unix.POLLIN}}
		if n, _ := unix.Poll(fds, 100); n > 0 {
			n, err := unix.Read(int(person.Fd()), buffer)
			if err != nil {
				t.Fatalf("%v after %q", err, all.String())
			}
			all.Write(buffer[:n])
		}
		if time.Now().After(end) {
			t.Fatalf("no %q in %q", text, all.String())
		}
	}
	return all.String()
}

// A person at a terminal: raw mode while the process runs and never after, whatever ends it; the size follows.
func TestExecAtAPersonsTerminal(t *testing.T) {
	t.Parallel()
	b := running(t)
	for name, c := range map[string]struct {
		program []string
		ready   string
		input   string
		status  int
	}{
		"ends":    {[]string{"sh", "-c", "trap 'stty size' WINCH; trap 'exit 6' INT; stty size; echo ready; while :; do sleep 0.1; done"}, "33 111\r\nready\r\n", "\x03", 6},
		"missing": {[]string{"nosuch"}, "", "", 255},
		"killed":  {[]string{"sh", "-c", "echo ready; kill -9 $$"}, "ready", "", 137},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			person, tty := openPTY(t)
			if err := unix.IoctlSetWinsize(int(person.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 33, Col: 111}); err != nil {
				t.Fatal(err)
			}
			before, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
			if err != nil {
				t.Fatal(err)
			}
			cmd := b.Command(t, append([]string{"exec", "-t", b.ID}, c.program...)...)
			cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if c.ready != "" {
				shown(t, person, c.ready)
			}
			if c.input != "" {
				if during, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS); err != nil || during.Lflag&(unix.ICANON|unix.ECHO|unix.ISIG) != 0 {
					t.Errorf("not raw: %+v, %v", during, err)
				}
				if err := unix.IoctlSetWinsize(int(person.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 44, Col: 99}); err != nil {
					t.Fatal(err)
				}
				shown(t, person, "44 99") // the signal about the size is to be first
				if _, err := person.WriteString(c.input); err != nil {
					t.Fatal(err)
				}
			}
			_ = cmd.Wait()
			if status := cmd.ProcessState.ExitCode(); status != c.status {
				t.Errorf("status %d, want %d", status, c.status)
			}
			if after, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS); err != nil || *after != *before {
				t.Errorf("mode %+v (%v), was %+v", after, err, before)
			}
		})
	}
}

// Signals that exec gets are for the process.
func TestExecForwardsSignals(t *testing.T) {
	t.Parallel()
	b := running(t)
	cmd := b.Command(t, "exec", b.ID, "sh", "-c", "trap 'echo got it; exit 7' TERM; echo ready; while :; do sleep 0.1; done")
	output := b.Path("output")
	file, err := os.Create(output)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cmd.Stdout = file
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, "ready", func() bool { return harness.ReadFile(t, output) == "ready\n" })
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if status := cmd.ProcessState.ExitCode(); status != 7 || harness.ReadFile(t, output) != "ready\ngot it\n" {
		t.Errorf("status %d, output %q", status, harness.ReadFile(t, output))
	}
}

// Who kills exec itself does not kill the process: as with run, it is nobody's but the container's.
func TestAProcessOutlivesItsExec(t *testing.T) {
	t.Parallel()
	b := running(t)
	pidFile := b.Path("pid")
	cmd := b.Command(t, "exec", "--pid-file", pidFile, b.ID, "sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, "the program runs", func() bool {
		pid, _ := os.ReadFile(pidFile)
		comm, _ := os.ReadFile(filepath.Join("/proc", string(pid), "comm"))
		return len(pid) > 0 && string(comm) == "sleep\n"
	})
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if comm := harness.ReadFile(t, filepath.Join("/proc", harness.ReadFile(t, pidFile), "comm")); comm != "sleep\n" {
		t.Errorf("the process is %q", comm)
	}
	b.Kill(t, "KILL").WantExit(t, 0)
	b.WaitFor(t, "stopped")
}
