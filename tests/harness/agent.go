// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"encoding/json"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Agent is a seccomp agent: it receives listeners at a socket and answers their notifications (seccomp_unotify(2)).
type Agent struct {
	socket *net.UnixListener
	states chan AgentState
	close  chan struct{}
	busy   sync.WaitGroup // those who serve a listener
}

// AgentState is one message that the agent received.
type AgentState struct {
	specs.ContainerProcessState
	Payload string // the JSON text
	FDs     int    // descriptors that came with it
	Kind    string // what procfs says of the first of them
	More    int    // bytes in the connection after the message
}

// Answer is what an agent says of a system call: let it be made, or an error.
type Answer struct {
	Continue bool
	Errno    unix.Errno
}

// Proceed lets the call be made.
var Proceed = Answer{Continue: true}

// NewAgent starts an agent at path; one that begins with "@" is an abstract address. It gives each call to answer.
func NewAgent(t *testing.T, path string, answer func(call int) Answer) *Agent {
	t.Helper()
	socket, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	a := &Agent{socket: socket, states: make(chan AgentState, 100), close: make(chan struct{})}
	t.Cleanup(a.Close)
	go func() {
		for {
			connection, err := socket.AcceptUnix()
			if err != nil {
				return
			}
			a.receive(t, connection, answer)
		}
	}()
	return a
}

// Close makes the agent as if it had died: when it returns, nobody listens and no listener is open.
func (a *Agent) Close() {
	a.socket.Close()
	select {
	case <-a.close:
	default:
		close(a.close)
	}
	a.busy.Wait()
}

// receive takes what comes in one connection, and serves the listener in it.
func (a *Agent) receive(t *testing.T, connection *net.UnixConn, answer func(int) Answer) {
	defer connection.Close()
	_ = connection.SetDeadline(time.Now().Add(deadline))
	data, control := make([]byte, 64<<10), make([]byte, 1024)
	n, m, _, _, err := connection.ReadMsgUnix(data, control)
	if err != nil {
		t.Errorf("agent: receive: %v", err)
		return
	}
	s := AgentState{Payload: string(data[:n])}
	if err := json.Unmarshal(data[:n], &s.ContainerProcessState); err != nil {
		t.Errorf("agent: decode %q: %v", data[:n], err)
	}
	listener := -1
	messages, _ := unix.ParseSocketControlMessage(control[:m])
	for i := range messages {
		fds, _ := unix.ParseUnixRights(&messages[i])
		for _, fd := range fds {
			if s.FDs++; s.FDs == 1 {
				listener = fd
				s.Kind, _ = os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
			} else {
				unix.Close(fd)
			}
		}
	}
	rest, _ := io.ReadAll(connection)
	s.More = len(rest)
	if listener >= 0 {
		a.busy.Add(1)
		go a.serve(listener, answer)
	}
	a.states <- s
}

// notification and response are struct seccomp_notif and struct seccomp_notif_resp.
type notification struct {
	ID         uint64
	PID, Flags uint32
	Call       int32
	Arch       uint32
	IP         uint64
	Args       [6]uint64
}

type response struct {
	ID    uint64
	Value int64
	Error int32
	Flags uint32
}

// serve answers notifications until nobody is left who could have some, or the agent is closed.
func (a *Agent) serve(listener int, answer func(int) Answer) {
	const receive, send = 0xc0502100, 0xc0182101 // SECCOMP_IOCTL_NOTIF_RECV, SECCOMP_IOCTL_NOTIF_SEND
	defer a.busy.Done()
	defer unix.Close(listener)
	for {
		select {
		case <-a.close:
			return
		default:
		}
		fds := []unix.PollFd{{Fd: int32(listener), Events: unix.POLLIN}}
		_, _ = unix.Poll(fds, 20)
		if fds[0].Revents&unix.POLLHUP != 0 {
			return
		}
		if fds[0].Revents&unix.POLLIN == 0 {
			continue
		}
		n := notification{}
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(listener), receive, uintptr(unsafe.Pointer(&n))); errno != 0 {
			continue // it was killed meanwhile
		}
		r := response{ID: n.ID}
		if verdict := answer(int(n.Call)); verdict.Continue {
			r.Flags = unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE
		} else {
			r.Error = -int32(verdict.Errno)
		}
		_, _, _ = unix.Syscall(unix.SYS_IOCTL, uintptr(listener), send, uintptr(unsafe.Pointer(&r)))
	}
}

// Ignore makes the agent forget what it has received.
func (a *Agent) Ignore() {
	go func() {
		for {
			select {
			case <-a.states:
			case <-a.close:
				return
			}
		}
	}()
}

// Next returns the next message that the agent received, which must have come by then or come soon.
func (a *Agent) Next(t *testing.T) AgentState {
	t.Helper()
	select {
	case s := <-a.states:
		if s.FDs != 1 || s.Kind != "anon_inode:seccomp notify" || s.More != 0 || len(s.Fds) != 1 || s.Fds[0] != specs.SeccompFdName {
			t.Errorf("agent: %d descriptors, the first is %q, %d bytes behind the message, fds %q", s.FDs, s.Kind, s.More, s.Fds)
		}
		if strings.Contains(s.Payload, "\x00") {
			t.Errorf("agent: the payload has NUL bytes: %q", s.Payload)
		}
		return s
	case <-time.After(deadline):
		t.Fatal("agent: nothing was sent")
	}
	return AgentState{}
}

// WantNoMore demands that no further message has come.
func (a *Agent) WantNoMore(t *testing.T) {
	t.Helper()
	select {
	case s := <-a.states:
		t.Errorf("agent: a message too many: %s", s.Payload)
	default:
	}
}
