// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/tests/harness"
)

// person sits at a terminal, in front of a shell with job control.
type person struct {
	screen *os.File // what is typed, and what is shown
	tty    *os.File
	shell  *exec.Cmd
	leave  func() // lets nobody look at the screen any more, which then hangs up

	mutex sync.Mutex
	shown bytes.Buffer
	read  int // how much of it sees has looked at
}

// newPerson opens a terminal and starts a shell at it, whose variable rt is the command with the bundle's state root.
func newPerson(t *testing.T, b *harness.Bundle) *person {
	t.Helper()
	dash, err := exec.LookPath("dash") // which leaves the terminal's mode to its jobs
	if err != nil {
		t.Skip("needs dash: a shell whose jobs are stopped and continued")
	}
	p := &person{}
	p.screen, p.tty = openPTY(t)
	p.shell = exec.Command(dash, "-i")
	p.shell.Env = append(os.Environ(), "PS1=prompt> ", "ENV=", "rt="+harness.Binary(t)+" --root "+b.Root)
	p.shell.Stdin, p.shell.Stdout, p.shell.Stderr = p.tty, p.tty, p.tty
	p.shell.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := p.shell.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.shell.Process.Kill()
		_ = p.shell.Wait()
	})
	p.watch(t)
	p.sees(t, "prompt> ")
	return p
}

// watch looks at the screen by a descriptor of its own: the number of one that somebody else closes may be a third
// one's by the time it is read.
func (p *person) watch(t *testing.T) {
	t.Helper()
	fd, err := unix.FcntlInt(p.screen.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		t.Fatal(err)
	}
	var wake [2]int
	if err := unix.Pipe2(wake[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	left := make(chan struct{})
	go func() {
		defer close(left)
		p.look(fd, wake[0])
		unix.Close(fd)
	}()
	p.leave = sync.OnceFunc(func() {
		p.screen.Close()
		unix.Close(wake[1])
		<-left
		unix.Close(wake[0])
	})
	t.Cleanup(p.leave)
}

// look reads what is shown, until the other end of wake is closed.
func (p *person) look(fd, wake int) {
	buffer := make([]byte, 4096)
	polled := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(wake), Events: unix.POLLIN}}
	for {
		if _, err := unix.Poll(polled, -1); err == unix.EINTR {
			continue
		}
		if polled[1].Revents != 0 {
			return
		}
		n, err := unix.Read(fd, buffer)
		if err == unix.EINTR || err == unix.EAGAIN {
			continue
		}
		if n <= 0 || err != nil {
			return
		}
		p.mutex.Lock()
		p.shown.Write(buffer[:n])
		p.mutex.Unlock()
	}
}

// runs types the command that runs the bundle in the foreground; its status is shown behind it.
func (p *person) runs(t *testing.T, b *harness.Bundle) {
	t.Helper()
	p.types(t, "$rt run -b "+b.Dir+" "+b.ID+"; echo status=$?\n")
}

// types enters keys.
func (p *person) types(t *testing.T, keys string) {
	t.Helper()
	if _, err := p.screen.WriteString(keys); err != nil {
		t.Fatal(err)
	}
}

// sees waits until the text is shown, behind what was seen before, and returns what was shown up to it.
func (p *person) sees(t *testing.T, text string) string {
	t.Helper()
	var before string
	found := false
	t.Cleanup(func() {
		if !found {
			t.Logf("the screen has %q", p.all())
		}
	})
	harness.Eventually(t, strconv.Quote(text)+" is shown", func() bool {
		p.mutex.Lock()
		defer p.mutex.Unlock()
		fresh := p.shown.String()[p.read:]
		at := strings.Index(fresh, text)
		if at < 0 {
			return false
		}
		before, found = fresh[:at], true
		p.read += at + len(text)
		return true
	})
	return before
}

func (p *person) all() string {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.shown.String()
}

// mode returns the terminal's mode.
func (p *person) mode(t *testing.T) unix.Termios {
	t.Helper()
	mode, err := unix.IoctlGetTermios(int(p.tty.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return *mode
}

// wantRaw demands that all keys go to the container.
func (p *person) wantRaw(t *testing.T) {
	t.Helper()
	harness.Eventually(t, "raw mode", func() bool { return p.mode(t).Lflag&(unix.ICANON|unix.ECHO|unix.ISIG) == 0 })
}

// job returns the process that has the terminal.
func (p *person) job(t *testing.T) int {
	t.Helper()
	group, err := unix.IoctlGetInt(int(p.screen.Fd()), unix.TIOCGPGRP)
	if err != nil {
		t.Fatal(err)
	}
	return group
}

// signal sends a signal to a process.
func signal(t *testing.T, pid int, s unix.Signal) {
	t.Helper()
	if err := unix.Kill(pid, s); err != nil {
		t.Fatal(err)
	}
}

// runState returns the letter of proc_pid_stat(5), 0 for a process that is gone.
func runState(pid int) byte {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	return stat[bytes.LastIndexByte(stat, ')')+2]
}

// cost is what a process has used and uses: clock ticks, and bytes in memory.
func cost(t *testing.T, pid int) (ticks, resident int) {
	t.Helper()
	proc := "/proc/" + strconv.Itoa(pid)
	stat := harness.ReadFile(t, proc+"/stat")
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+2:])
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	pages, _ := strconv.Atoi(strings.Fields(harness.ReadFile(t, proc+"/statm"))[1])
	return user + system, pages * os.Getpagesize()
}
