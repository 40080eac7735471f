// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// SocketPair returns two connected SOCK_SEQPACKET sockets, close-on-exec.
func SocketPair() (a, b int, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, -1, fmt.Errorf("socketpair: %w", err)
	}
	return fds[0], fds[1], nil
}

// ReceiveMessage reads one message into data and at most one descriptor, which is close-on-exec; fd is -1 without
// one. n is 0 when the other side is gone.
func ReceiveMessage(socket int, data []byte) (n, fd int, err error) {
	control := make([]byte, unix.CmsgSpace(4))
	var controlBytes int
	err = ignoringEINTR(func() (err error) {
		n, controlBytes, _, _, err = unix.Recvmsg(socket, data, control, unix.MSG_CMSG_CLOEXEC)
		return err
	})
	if err != nil {
		return 0, -1, fmt.Errorf("recvmsg: %w", err)
	}
	if controlBytes == 0 {
		return n, -1, nil
	}
	messages, err := unix.ParseSocketControlMessage(control[:controlBytes])
	if err != nil || len(messages) != 1 {
		return 0, -1, fmt.Errorf("parse control message: %d messages: %w", len(messages), unix.EBADMSG)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return 0, -1, fmt.Errorf("parse descriptors: %d descriptors: %w", len(fds), unix.EBADMSG)
	}
	return n, fds[0], nil
}

// WaitReadable waits until there is something to read from socket, its end included, or until the process behind
// pidFD has ended; then it returns false if nothing was left to read. An error of look, which is called every now and
// then if it is not nil, ends the wait.
func WaitReadable(socket, pidFD int, look func() error) (bool, error) {
	const always, interval = -1, 100 // milliseconds
	timeout := always
	if look != nil {
		timeout = interval
	}
	fds := []unix.PollFd{{Fd: int32(socket), Events: unix.POLLIN}, {Fd: int32(pidFD), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(fds, timeout)
		switch {
		case err != nil && err != unix.EINTR:
			return false, fmt.Errorf("poll: %w", err)
		case err == nil && n > 0 && fds[0].Revents == 0:
			// poll(2) looks at one after the other: it may have sent its last message and ended between the two.
			if n, err = unix.Poll(fds[:1], 0); err == nil {
				return n > 0, nil
			}
			return false, fmt.Errorf("poll: %w", err)
		case err == nil && n > 0:
			return true, nil
		case look == nil:
			continue
		}
		if err := look(); err != nil {
			return false, err
		}
	}
}

// SendMessage writes one message; a peer that is gone is an error, not a signal.
func SendMessage(socket int, data []byte) error {
	err := ignoringEINTR(func() error { return unix.Sendto(socket, data, unix.MSG_NOSIGNAL, nil) })
	if err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return nil
}

// Bytes is the memory of a structure of the wire.
func Bytes[T any](v *T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v))
}
