// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Socket listens for descriptors: the receiver of --console-socket and --pidfd-socket.
type Socket struct{ listener *net.UnixListener }

// Listen makes a unix socket at path.
func Listen(t *testing.T, path string) *Socket {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return &Socket{l}
}

// ReceiveFD takes one connection, and from it one message with exactly one descriptor. It returns the payload and the
// descriptor, which the caller has to close.
func (s *Socket) ReceiveFD(t *testing.T) (payload string, fd int) {
	t.Helper()
	if err := s.listener.SetDeadline(time.Now().Add(deadline)); err != nil {
		t.Fatal(err)
	}
	c, err := s.listener.AcceptUnix()
	if err != nil {
		t.Fatalf("accept: %v", err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(deadline)); err != nil {
		t.Fatal(err)
	}
	data, control := make([]byte, 4096), make([]byte, unix.CmsgSpace(4*16))
	n, controlBytes, _, _, err := c.ReadMsgUnix(data, control)
	if err != nil {
		t.Fatalf("receive: %v", err)
	}
	messages, err := unix.ParseSocketControlMessage(control[:controlBytes])
	if err != nil || len(messages) != 1 {
		t.Fatalf("%d control messages, want one (%v)", len(messages), err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		t.Fatalf("%d descriptors, want one (%v)", len(fds), err)
	}
	return string(data[:n]), fds[0]
}
