// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// copyBytes is the size of each direction's buffer, and all the memory that a slow reader costs.
	copyBytes = 32 << 10
	// drainBytes bounds what is copied after the container's process has ended, for other processes may hold its
	// terminal open and go on writing. The kernel buffers 12 KiB of a pseudo-terminal's output.
	drainBytes = 256 << 10
	// reopenInterval is how often a terminal that no process holds open is looked at.
	reopenInterval = 100 * time.Millisecond
)

// copyInput copies the standard input to the pseudo-terminal until its end or the end of the container's process.
// It reads only what is there, so that nothing typed for the next command is lost.
func (a *Attach) copyInput() {
	buffer := make([]byte, copyBytes)
	typed, last := false, byte(0)
	for a.waitFor(int(a.in.Fd()), unix.POLLIN) {
		n, err := unix.Read(int(a.in.Fd()), buffer)
		switch {
		case err == unix.EAGAIN || err == unix.EINTR:
			continue
		case n > 0:
		case a.saved != nil:
			if a.hungUp() {
				a.end() // what has no screen and no keyboard any more hangs up, too
			}
			return
		case err != nil:
			return
		default:
			if typed {
				a.endInput(last)
			}
			return
		}
		if !a.writeMaster(buffer[:n]) {
			return
		}
		typed, last = true, buffer[n-1]
	}
}

// hungUp says that the person's terminal is gone: its window was closed, its connection has ended. A read of 0 bytes
// alone does not say so: another program may have changed the mode.
func (a *Attach) hungUp() bool {
	fds := []unix.PollFd{{Fd: int32(a.in.Fd()), Events: unix.POLLIN}}
	_, err := unix.Poll(fds, 0)
	return err == nil && fds[0].Revents&unix.POLLHUP != 0
}

// endInput tells the reader of the pseudo-terminal that the input, which ended in the byte last, has ended: a
// terminal doesn't end by itself. It is not called for an input that is empty from the beginning, such as /dev/null:
// that is no input rather than the end of one, and a shell in the container stays.
func (a *Attach) endInput(last byte) {
	mode, err := unix.IoctlGetTermios(a.masterFD, unix.TCGETS)
	if err != nil || mode.Lflag&unix.ICANON == 0 {
		return
	}
	end := mode.Cc[unix.VEOF]
	if last == '\n' {
		a.writeMaster([]byte{end})
	} else {
		// The first one only ends the line (termios(3), VEOF).
		a.writeMaster([]byte{end, end})
	}
}

// writeMaster writes p to the pseudo-terminal and reports whether all of it was taken.
func (a *Attach) writeMaster(p []byte) bool {
	for len(p) > 0 {
		n, err := unix.Write(a.masterFD, p)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			if !a.waitFor(a.masterFD, unix.POLLOUT) {
				return false
			}
		case err != nil:
			return false
		default:
			p = p[n:]
		}
	}
	return true
}

// copyOutput copies the pseudo-terminal's output to the standard output until the container's process has ended
// and nothing is pending. If the standard output can't be written, the terminal is hung up: it has no screen.
func (a *Attach) copyOutput() {
	buffer := make([]byte, copyBytes)
	drained := 0
	for ending := false; drained < drainBytes; {
		ending = ending || !a.waitFor(a.masterFD, unix.POLLIN)
		n, err := unix.Read(a.masterFD, buffer)
		switch {
		case n > 0:
			if err := writeAll(a.out, buffer[:n]); err != nil {
				a.copyErr = fmt.Errorf("write standard output: %w", err)
				a.end()
				a.restore()
				return
			}
			if ending {
				drained += n
			}
		case err == unix.EINTR:
		case ending:
			return
		case err == unix.EIO || err == nil:
			// No process holds the terminal open just now. An init may open it again.
			a.pause()
		case err != nil && err != unix.EAGAIN:
			a.copyErr = fmt.Errorf("read the pseudo-terminal: %w", err)
			a.end()
			a.restore()
			return
		}
	}
}

// waitFor waits until fd is ready (true) or the end has come (false).
func (a *Attach) waitFor(fd int, events int16) bool {
	for {
		fds := []unix.PollFd{{Fd: int32(a.wakeFD), Events: unix.POLLIN}, {Fd: int32(fd), Events: events}}
		_, err := unix.Poll(fds, -1)
		if err == unix.EINTR {
			continue
		}
		return err == nil && fds[0].Revents == 0
	}
}

// pause waits for reopenInterval or the end.
func (a *Attach) pause() {
	select {
	case <-a.ending:
	case <-time.After(reopenInterval):
	}
}

// writeAll writes p to f, which may be in non-blocking mode because another process has set that.
func writeAll(f *os.File, p []byte) error {
	fd := int(f.Fd())
	for len(p) > 0 {
		n, err := unix.Write(fd, p)
		switch err {
		case nil:
			p = p[n:]
		case unix.EINTR:
		case unix.EAGAIN:
			if _, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, -1); err != nil && err != unix.EINTR {
				return err
			}
		default:
			return err
		}
	}
	return nil
}
