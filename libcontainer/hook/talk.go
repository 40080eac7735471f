// SPDX-License-Identifier: Apache-2.0

package hook

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

const (
	// tailBytes is how much of a hook's output is kept for the error.
	tailBytes = 4096
	// drainBytes bounds what is read after the end of a hook whose descendants may go on writing. It is the
	// default capacity of a pipe: all that the hook itself can have left in it.
	drainBytes = 64 << 10
	// killGrace is how long a killed hook may take to disappear. A process in an uninterruptible sleep never does.
	killGrace = 10 * time.Second
)

// talk is the exchange with a running hook: the state on its way in, its output on the way out, its end. One poll
// loop serves the three, so that a hook that never reads or writes without pause blocks nothing.
type talk struct {
	process Process
	stateFD int // write end of the hook's standard input, -1 when done
	state   []byte
	outFD   int // read end of the hook's standard output and error, -1 at end of file
	output  tail
}

// end is how a hook ended.
type end struct {
	status   unix.WaitStatus
	timedOut bool
}

// begin starts a hook with new pipes as its standard streams.
func begin(h specs.Hook, state []byte, start func(h specs.Hook, stdin, stdout, stderr *os.File) (Process, error)) (*talk, error) {
	stdinFD, stateFD, err := newPipe()
	if err != nil {
		return nil, err
	}
	stdin := os.NewFile(uintptr(stdinFD), "standard input of hook")
	defer stdin.Close()
	t := &talk{process: Process{PIDFD: -1}, stateFD: stateFD, state: state, outFD: -1}
	outFD, stdoutFD, err := newPipe()
	if err != nil {
		t.close()
		return nil, err
	}
	stdout := os.NewFile(uintptr(stdoutFD), "standard output of hook")
	defer stdout.Close()
	t.outFD = outFD
	err = errors.Join(unix.SetNonblock(stateFD, true), unix.SetNonblock(outFD, true))
	if err == nil {
		t.process, err = start(h, stdin, stdout, stdout)
	}
	if err != nil {
		t.process.PIDFD = -1
		t.close()
		return nil, err
	}
	return t, nil
}

// newPipe returns the two ends of a pipe. They are not made with os.Pipe, which sets O_NONBLOCK on both: a hook
// must not see that on its standard streams.
func newPipe() (readFD, writeFD int, err error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return -1, -1, fmt.Errorf("pipe2: %w", err)
	}
	return fds[0], fds[1], nil
}

// close releases the descriptors. A hook's descendant that still writes gets SIGPIPE from then on.
func (t *talk) close() {
	for _, fd := range []int{t.stateFD, t.outFD, t.process.PIDFD} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
	t.stateFD, t.outFD, t.process.PIDFD = -1, -1, -1
}

// wait exchanges data with the hook until it ends. timeout is in seconds, nil for no limit; a hook that runs past
// it is killed together with its process group, which exists at least until the hook is reaped.
func (t *talk) wait(timeout *int) (end, error) {
	var limit time.Duration
	if timeout != nil {
		limit = time.Duration(min(*timeout, math.MaxInt32)) * time.Second
	}
	ended, err := t.serve(limit)
	if err != nil {
		return end{}, err
	}
	timedOut := !ended
	if timedOut {
		// Either may fail because the target has just ended, which is what is wanted.
		_ = unix.PidfdSendSignal(t.process.PIDFD, unix.SIGKILL, nil, 0)
		_ = unix.Kill(-t.process.PID, unix.SIGKILL)
		if ended, err = t.serve(killGrace); err != nil {
			return end{}, err
		}
		if !ended {
			return end{}, fmt.Errorf("still there %v after SIGKILL", killGrace)
		}
	}
	t.drain()
	var status unix.WaitStatus
	for {
		_, err := unix.Wait4(t.process.PID, &status, 0, nil)
		if err == nil {
			return end{status, timedOut}, nil
		}
		if err != unix.EINTR {
			return end{}, fmt.Errorf("wait4: %w", err)
		}
	}
}

// serve moves data until the hook has ended (true) or limit has passed (false); limit 0 means for ever.
func (t *talk) serve(limit time.Duration) (bool, error) {
	deadline := time.Now().Add(limit)
	for {
		wait := -1
		if limit > 0 {
			left := time.Until(deadline)
			if left <= 0 {
				return false, nil
			}
			wait = int(min(left, time.Hour)/time.Millisecond) + 1
		}
		if len(t.state) == 0 && t.stateFD >= 0 {
			unix.Close(t.stateFD)
			t.stateFD = -1
		}
		// poll skips entries with a negative descriptor.
		fds := []unix.PollFd{
			{Fd: int32(t.process.PIDFD), Events: unix.POLLIN},
			{Fd: int32(t.stateFD), Events: unix.POLLOUT},
			{Fd: int32(t.outFD), Events: unix.POLLIN},
		}
		if _, err := unix.Poll(fds, wait); err != nil && err != unix.EINTR {
			return false, fmt.Errorf("poll: %w", err)
		}
		if fds[0].Revents != 0 {
			return true, nil
		}
		if fds[1].Revents != 0 {
			t.sendState()
		}
		if fds[2].Revents != 0 {
			t.receive()
		}
	}
}

// sendState writes what fits into the pipe. A hook may end or close its standard input without having read the
// state, so EPIPE is an ordinary end. (The Go runtime ignores SIGPIPE for descriptors other than 1 and 2.)
func (t *talk) sendState() {
	n, err := unix.Write(t.stateFD, t.state)
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
	case err != nil:
		t.state = nil
	default:
		t.state = t.state[n:]
	}
}

// receive reads once. It returns the number of bytes, 0 when there is nothing more to read now.
func (t *talk) receive() int {
	var buffer [8192]byte
	for {
		n, err := unix.Read(t.outFD, buffer[:])
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return 0
		case err != nil || n == 0:
			unix.Close(t.outFD)
			t.outFD = -1
			return 0
		}
		t.output.add(buffer[:n])
		return n
	}
}

// drain reads what the ended hook has left in the pipe, without waiting for the end of file: a daemon that the
// hook has started may hold the pipe open for ever.
func (t *talk) drain() {
	for total := 0; t.outFD >= 0 && total < drainBytes; {
		n := t.receive()
		if n == 0 {
			return
		}
		total += n
	}
}

// tail keeps the last tailBytes of a stream.
type tail struct {
	text []byte
	cut  bool
}

func (t *tail) add(p []byte) {
	t.text = append(t.text, p...)
	if extra := len(t.text) - tailBytes; extra > 0 {
		t.text = append(t.text[:0], t.text[extra:]...)
		t.cut = true
	}
}

// describe returns the output as the end of a one-line error, or nothing. Line ends become "\n", other bytes that
// don't print become ".", so that a hook can neither break a log line nor send control sequences to a terminal.
func (t *tail) describe() string {
	text := t.text
	for t.cut && len(text) > 0 && !utf8.RuneStart(text[0]) {
		text = text[1:]
	}
	line := strings.TrimSpace(string(text))
	if line == "" {
		return ""
	}
	var b strings.Builder
	b.WriteString(": ")
	if t.cut {
		b.WriteString("[...] ")
	}
	for _, r := range strings.ReplaceAll(line, "\r\n", "\n") {
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case r == utf8.RuneError || !unicode.IsPrint(r):
			b.WriteByte('.')
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
