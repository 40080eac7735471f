// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/seccomp/wire"
	"github.com/rt-oci/rt/libcontainer/sys"
)

// Version returns the version of libseccomp in the compiler: "2.5.4".
func Version() string {
	version, _, _ := strings.Cut(identity, " ")
	return version
}

// compileLimit is how long the compiler may take. Profiles of engines take milliseconds; it is there for a machine
// that hangs, not for one that is busy.
const compileLimit = 60 * time.Second

// compiler is the program that compiles, and the time that it gets.
type compiler struct {
	program []byte
	limit   time.Duration
}

func embedded() *compiler { return &compiler{program, compileLimit} }

// run lets the compiler answer a request. What is wrong with the profile is an error with the compiler's words.
func (c *compiler) run(request []byte) (*wire.Answer, error) {
	if len(request) > wire.MaxRequestBytes {
		return nil, fmt.Errorf("linux.seccomp: the profile has %d bytes (want at most %d)", len(request), wire.MaxRequestBytes)
	}
	output, status, err := c.execute(request)
	if err != nil {
		return nil, fmt.Errorf("linux.seccomp: run the filter compiler: %w", err)
	}
	line, _, _ := strings.Cut(string(output), "\n")
	switch {
	case status.Exited() && status.ExitStatus() == 0:
		answer, err := wire.DecodeAnswer(output)
		if err != nil {
			return nil, fmt.Errorf("linux.seccomp: run the filter compiler: %w", err)
		}
		return answer, nil
	case status.Exited() && status.ExitStatus() == 1 && line != "":
		return nil, errors.New(line)
	case status.Signaled():
		return nil, fmt.Errorf("linux.seccomp: run the filter compiler: it was ended by %s", unix.SignalName(status.Signal()))
	}
	return nil, fmt.Errorf("linux.seccomp: run the filter compiler: it ended with status %d: %q", status.ExitStatus(), line)
}

// execute gives the compiler the request as standard input and a pipe as the other two descriptors, and returns what
// came through the pipe. Whatever happens, the compiler is gone afterwards.
func (c *compiler) execute(request []byte) ([]byte, unix.WaitStatus, error) {
	until := time.Now().Add(c.limit)
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return nil, 0, fmt.Errorf("pipe2: %w", err)
	}
	defer unix.Close(pipe[0])
	// PR_SET_PDEATHSIG fires when the thread that forked ends (prctl(2)); a locked one lives as long as we wait here.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pid, pidFD, err := c.start(request, pipe[1])
	unix.Close(pipe[1])
	if err != nil {
		return nil, 0, err
	}
	defer unix.Close(pidFD)
	output, err := readUntil(pipe[0], wire.MaxAnswerBytes(len(request)), until)
	if err == nil {
		err = wait(pidFD, until)
	}
	if err != nil {
		_ = unix.PidfdSendSignal(pidFD, unix.SIGKILL, nil, 0)
	}
	status, reapErr := sys.Reap(pid)
	if err == nil {
		err = reapErr
	}
	return output, status, err
}

// start executes the compiler from a memory file that nobody can change, without environment.
func (c *compiler) start(request []byte, output int) (pid, pidFD int, err error) {
	input, err := sys.SealedMemfd("rt-seccomp-profile", request, false)
	if err != nil {
		return 0, -1, err
	}
	defer unix.Close(input)
	if _, err := unix.Seek(input, 0, unix.SEEK_SET); err != nil {
		return 0, -1, fmt.Errorf("lseek: %w", err)
	}
	files := []uintptr{uintptr(input), uintptr(output), uintptr(output)}
	executable, err := c.executable(int(slices.Max(files)) + len(files) + 2)
	if err != nil {
		return 0, -1, err
	}
	defer unix.Close(executable)
	attr := syscall.ProcAttr{
		Env: []string{}, Dir: "/", Files: files,
		Sys: &syscall.SysProcAttr{
			Pdeathsig: unix.SIGKILL, PidFD: &pidFD,
			Setpgid: true, // a signal of the terminal is for the container, and not to end its creation
		},
	}
	pid, err = syscall.ForkExec("/proc/self/fd/"+strconv.Itoa(executable), []string{"rt-seccomp"}, &attr)
	if err != nil {
		return 0, -1, fmt.Errorf("execute it: %w", err)
	}
	return pid, pidFD, nil
}

// executable opens the program at a number that syscall.ForkExec does not use: it brings the child's descriptors into
// their order by some numbers above the highest of them.
func (c *compiler) executable(free int) (int, error) {
	fd, err := sys.SealedMemfd("rt-seccomp", c.program, true)
	if err != nil {
		return -1, err
	}
	defer unix.Close(fd)
	executable, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, free)
	if err != nil {
		return -1, fmt.Errorf("fcntl F_DUPFD_CLOEXEC from %d: %w (raise the limit of open files)", free, err)
	}
	return executable, nil
}

var errLate = errors.New("it takes too long (use fewer rules or architectures)")

// readUntil reads to the end, at most limit bytes.
func readUntil(fd, limit int, until time.Time) ([]byte, error) {
	output := make([]byte, 0, limit+1)
	for {
		if err := wait(fd, until); err != nil {
			return nil, err
		}
		n, err := unix.Read(fd, output[len(output):cap(output)])
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return nil, fmt.Errorf("read answer: %w", err)
		case n == 0:
			return output, nil
		}
		output = output[:len(output)+n]
		if len(output) > limit {
			return nil, fmt.Errorf("read answer: more than %d bytes", limit)
		}
	}
}

// wait waits until a descriptor can be read, which a pidfd can when its process has ended.
func wait(fd int, until time.Time) error {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		left := time.Until(until)
		if left <= 0 {
			return errLate
		}
		n, err := unix.Poll(fds, int(left.Milliseconds())+1)
		if err != nil && err != unix.EINTR {
			return fmt.Errorf("poll: %w", err)
		}
		if n > 0 {
			return nil
		}
	}
}
