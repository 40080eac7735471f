// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// pathBytes is the longest path that fits in sockaddr_un with its terminating NUL (unix(7)).
	pathBytes = 107
	// nameBytes is the longest name that receivers read in one call.
	nameBytes = 4095
	// sendTimeout is how long a receiver whose queue of connections is full is waited for.
	sendTimeout = 10 * time.Second
)

// SendFD connects to the stream socket at socketPath and sends one message: name as its payload and fd as its only
// descriptor. Receivers of consoles and of pidfds expect exactly this. A path that begins with "@" is an abstract
// address.
func SendFD(socketPath, name string, fd *os.File) error {
	if name == "" || len(name) > nameBytes {
		return fmt.Errorf("send to socket %q: name of %d bytes (1 to %d are allowed)", socketPath, len(name), nameBytes)
	}
	conn, err := Connect(socketPath)
	if err != nil {
		return err
	}
	defer unix.Close(conn)
	rights := unix.UnixRights(int(fd.Fd()))
	for {
		err = unix.Sendmsg(conn, []byte(name), rights, nil, unix.MSG_NOSIGNAL)
		if err != unix.EINTR {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("send to socket %q: sendmsg: %w", socketPath, err)
	}
	return nil
}

// Connect returns a blocking stream socket that is connected to socketPath; a path that begins with "@" is an abstract
// address. The caller closes it.
func Connect(socketPath string) (int, error) {
	if socketPath == "" {
		return -1, fmt.Errorf("connect to socket: the path is empty")
	}
	conn, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("connect to socket %q: socket: %w", socketPath, err)
	}
	if err := connectTo(conn, socketPath); err != nil {
		unix.Close(conn)
		return -1, err
	}
	return conn, nil
}

func connectTo(conn int, socketPath string) error {
	limit := unix.NsecToTimeval(sendTimeout.Nanoseconds())
	if err := unix.SetsockoptTimeval(conn, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit); err != nil {
		return fmt.Errorf("connect to socket %q: setsockopt SO_SNDTIMEO: %w", socketPath, err)
	}
	address := socketPath
	if len(address) > pathBytes && address[0] != '@' {
		// The kernel follows the link to the socket itself, so that neither the directory nor the name is too long.
		fd, err := unix.Open(socketPath, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("connect to socket %q: open: %w", socketPath, err)
		}
		defer unix.Close(fd)
		address = fmt.Sprintf("/proc/self/fd/%d", fd)
	}
	for {
		err := unix.Connect(conn, &unix.SockaddrUnix{Name: address})
		switch err {
		case nil:
			return nil
		case unix.EINTR:
			continue
		case unix.ECONNREFUSED:
			return fmt.Errorf("connect to socket %q: %w (nobody listens on it)", socketPath, err)
		case unix.EAGAIN:
			return fmt.Errorf("connect to socket %q: %w (the listener accepts no connections)", socketPath, err)
		}
		return fmt.Errorf("connect to socket %q: %w", socketPath, err)
	}
}
