// SPDX-License-Identifier: Apache-2.0

// Package dbus speaks D-Bus as far as the systemd driver of control groups needs it: it connects to a bus or straight
// to a service, calls methods, waits for a signal, and knows values and their text form. It runs on the host side.
//
// It is not a library for D-Bus. Linking godbus costs every command of rt a quarter of a millisecond or more at its start
// (docs/dependencies.md), and takes several round trips where one does: here what is to be said at first goes out in one write.
//
// Sources: D-Bus specification (dbus.freedesktop.org/doc/dbus-specification.html), sections "Message Protocol",
// "Authentication Protocol" and "Message Bus Messages"; GVariant text format (docs.gtk.org/glib/gvariant-text-format.html).
package dbus

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// ErrTimeout says that the other side has not answered until the deadline.
var ErrTimeout = errors.New("no answer")

// errClosed says that the other side has gone.
var errClosed = errors.New("the connection was closed by the other side")

// Conn is one connection. It belongs to one goroutine.
type Conn struct {
	fd       int
	path     string
	direct   bool
	deadline time.Time
	allowed  time.Duration
	serial   uint32
	greeted  bool // the other side knows who we are
	out, in  []byte
	waiting  []*Message // received while another one was waited for

	Wanted string // the name of signals to keep; others are dropped: a service sends about all that it does
}

// hello is what a client begins with. The empty answer to DATA stands for the credentials of the socket, which are
// right in a user namespace, too. All of it may be sent at once, as no answer changes what comes next; but no message
// with it: systemd, called directly, would not look at what it has read together with BEGIN until more comes.
const hello = "\x00AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n"

// Dial connects to the socket at path; a path that begins with '@' is an abstract one. direct says that a service
// listens there and not a bus. Everything done with the connection must be over after allowed.
func Dial(path string, direct bool, allowed time.Duration) (*Conn, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	c := &Conn{fd: fd, path: path, direct: direct, deadline: time.Now().Add(allowed), allowed: allowed}
	if err := c.connect(); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("connect %q: %w", path, err)
	}
	if !direct {
		c.Send(&Call{ //nolint:errcheck // it has no values that could be wrong
			Destination: "org.freedesktop.DBus", Path: "/org/freedesktop/DBus",
			Interface: "org.freedesktop.DBus", Member: "Hello",
		})
	}
	return c, nil
}

// connect waits while the queue of the listener is full: connect(2) of a unix socket does so until SO_SNDTIMEO.
func (c *Conn) connect() error {
	timeout := unix.NsecToTimeval(c.allowed.Nanoseconds())
	if err := unix.SetsockoptTimeval(c.fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &timeout); err != nil {
		return fmt.Errorf("setsockopt SO_SNDTIMEO: %w", err)
	}
	for {
		err := unix.Connect(c.fd, &unix.SockaddrUnix{Name: c.path})
		switch {
		case err == nil:
			return unix.SetNonblock(c.fd, true)
		case errors.Is(err, unix.EAGAIN):
			return fmt.Errorf("%w within %v", ErrTimeout, c.allowed)
		case !errors.Is(err, unix.EINTR):
			return err
		}
	}
}

// Close ends the connection.
func (c *Conn) Close() { unix.Close(c.fd) }

// Direct says that the connection goes to a service and not to a bus: there, signals come without having been asked for.
func (c *Conn) Direct() bool { return c.direct }

// PeerPID returns the process that listens, as this one's pid namespace knows it: 0 if it does not (unix(7), SO_PEERCRED).
func (c *Conn) PeerPID() (int, error) {
	peer, err := unix.GetsockoptUcred(c.fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return 0, fmt.Errorf("getsockopt SO_PEERCRED: %w", err)
	}
	return int(peer.Pid), nil
}

// Send queues a call and returns the number by which Answer knows it. Queued calls go out together, with the next Answer
// or Signal.
func (c *Conn) Send(call *Call) (serial uint32, err error) {
	c.serial++
	message, err := call.encode(c.serial)
	if err != nil {
		return 0, err
	}
	c.out = append(c.out, message...)
	return c.serial, nil
}

// Call sends a call and waits for the answer.
func (c *Conn) Call(call *Call) (*Message, error) {
	serial, err := c.Send(call)
	if err != nil {
		return nil, err
	}
	return c.Answer(serial)
}

// Answer waits for the answer to a call. An answer that says no is an *Error.
func (c *Conn) Answer(serial uint32) (*Message, error) {
	m, err := c.wait(func(m *Message) bool {
		return (m.kind == kindReturn || m.kind == kindError) && m.replySerial == serial
	})
	if err != nil {
		return nil, err
	}
	return m, m.err()
}

// Signal waits for a signal that match accepts, also among those that have come already.
func (c *Conn) Signal(match func(*Message) bool) (*Message, error) {
	return c.wait(func(m *Message) bool { return m.kind == kindSignal && match(m) })
}

func (c *Conn) wait(match func(*Message) bool) (*Message, error) {
	for i, m := range c.waiting {
		if match(m) {
			c.waiting = append(c.waiting[:i], c.waiting[i+1:]...)
			return m, nil
		}
	}
	for {
		m, err := c.next()
		if err != nil {
			return nil, fmt.Errorf("D-Bus at %q: %w", c.path, err)
		}
		if match(m) {
			return m, nil
		}
		if c.refusal(m) {
			return nil, fmt.Errorf("D-Bus at %q: %w", c.path, m.err())
		}
		if m.kind != kindSignal || m.Member == c.Wanted {
			c.waiting = append(c.waiting, m)
		}
	}
}

// refusal says that the bus does not take us in: Hello, the first call to a bus, was refused.
func (c *Conn) refusal(m *Message) bool {
	return !c.direct && m.kind == kindError && m.replySerial == 1
}

// next returns the next message.
func (c *Conn) next() (*Message, error) {
	if err := c.greet(); err != nil {
		return nil, err
	}
	if err := c.write(c.out); err != nil {
		return nil, err
	}
	c.out = nil
	for {
		m, size, err := decodeMessage(c.in)
		if err != nil {
			return nil, err
		}
		if m != nil {
			c.in = c.in[size:]
			return m, nil
		}
		if err := c.fill(); err != nil {
			return nil, err
		}
	}
}

// greet makes us known, once. The answers are one to AUTH, which asks for DATA, and "OK" with the server's name.
func (c *Conn) greet() error {
	if c.greeted {
		return nil
	}
	if err := c.write([]byte(hello)); err != nil {
		return err
	}
	for {
		line, rest, complete := bytes.Cut(c.in, []byte("\r\n"))
		switch {
		case !complete && len(c.in) > 4096:
			return errors.New("this is no D-Bus")
		case !complete:
			if err := c.fill(); err != nil {
				return err
			}
			continue
		case bytes.HasPrefix(line, []byte("OK")):
			c.in, c.greeted = rest, true
			return nil
		case !bytes.Equal(bytes.TrimSpace(line), []byte("DATA")):
			return fmt.Errorf("authentication is refused: %q", line)
		}
		c.in = rest
	}
}

func (c *Conn) write(data []byte) error {
	for len(data) > 0 {
		n, err := unix.SendmsgN(c.fd, data, nil, nil, unix.MSG_NOSIGNAL)
		switch {
		case err == nil:
			data = data[n:]
		case errors.Is(err, unix.EAGAIN):
			if err := c.poll(unix.POLLOUT); err != nil {
				return err
			}
		case errors.Is(err, unix.EPIPE), errors.Is(err, unix.ECONNRESET):
			return errClosed
		case !errors.Is(err, unix.EINTR):
			return fmt.Errorf("send: %w", err)
		}
	}
	return nil
}

// fill receives some bytes.
func (c *Conn) fill() error {
	buffer := make([]byte, 8192)
	for {
		n, err := unix.Read(c.fd, buffer)
		switch {
		case err == nil && n > 0:
			c.in = append(c.in, buffer[:n]...)
			return nil
		case err == nil, errors.Is(err, unix.ECONNRESET):
			return errClosed
		case errors.Is(err, unix.EAGAIN):
			if err := c.poll(unix.POLLIN); err != nil {
				return err
			}
		case !errors.Is(err, unix.EINTR):
			return fmt.Errorf("receive: %w", err)
		}
	}
}

// poll waits for an event until the deadline.
func (c *Conn) poll(events int16) error {
	for {
		remaining := max(0, time.Until(c.deadline))
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(c.fd), Events: events}}, int((remaining+time.Millisecond-1)/time.Millisecond))
		switch {
		case err == nil && n > 0:
			return nil
		case err == nil:
			return fmt.Errorf("%w within %v", ErrTimeout, c.allowed)
		case !errors.Is(err, unix.EINTR):
			return fmt.Errorf("poll: %w", err)
		}
	}
}
