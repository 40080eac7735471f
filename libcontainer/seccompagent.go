// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/lazyjson"
	"github.com/rt-oci/rt/libcontainer/seccomp"
	"github.com/rt-oci/rt/libcontainer/sys"
	"github.com/rt-oci/rt/libcontainer/terminal"
	"github.com/rt-oci/rt/nsenter"
)

// seccompAgent is the program that linux.seccomp.listenerPath leads to: it decides about the system calls with
// SCMP_ACT_NOTIFY (config-linux.md "Seccomp").
//
// Under the filter the stage makes no system call before the agent can answer it. So nothing is sent by it: rt takes the
// listener out of the stage's descriptors (pidfd_getfd(2)), and the two speak through a word of the stage's memory.
type seccompAgent struct {
	c        *Container
	path     string
	metadata string
	status   specs.ContainerState // of the container, when the filter is loaded
	hold     bool                 // the process that has loaded the filter stays stopped: its container waits for the start
}

// seccompAgent returns the agent of the container's filter, nil if that needs none.
func (c *Container) seccompAgent(s *specs.Spec, status specs.ContainerState) *seccompAgent {
	if s.Linux == nil || !seccomp.Notifies(s.Linux.Seccomp) {
		return nil
	}
	path := s.Linux.Seccomp.ListenerPath
	if path[0] != '@' && !filepath.IsAbs(path) {
		path = filepath.Join(c.saved.Bundle, path)
	}
	return &seccompAgent{c: c, path: path, metadata: s.Linux.Seccomp.ListenerMetadata, status: status}
}

// serveListener answers MESSAGE_LISTENER: it gives the agent the listener of the filter that the stage loads then. An
// agent that is not there is noticed before. If the stage sends a message instead, nothing has happened, and that is next.
func (s *stage) serveListener(m *nsenter.Message) error {
	if s.agent == nil {
		return fmt.Errorf("hear from the stage: message %d was not due: %w", m.Type, unix.EPROTO)
	}
	connection, err := terminal.Connect(s.agent.path)
	if err != nil {
		return fmt.Errorf("linux.seccomp.listenerPath: failed to connect with seccomp agent: %w", err)
	}
	defer unix.Close(connection)
	gate, err := openGate(s.pid, s.pidFD, m.Value)
	if err != nil {
		return err
	}
	defer gate.close()
	if err := s.answer(""); err != nil {
		return err
	}
	listener, err := s.takeListener(gate)
	if err != nil || listener < 0 {
		return err
	}
	err = s.agent.send(connection, listener, s.pid)
	unix.Close(listener) // who holds it keeps system calls waiting that nobody answers
	if err != nil {
		return fmt.Errorf("linux.seccomp.listenerPath: send to seccomp agent %q: %w", s.agent.path, err)
	}
	if s.agent.hold {
		return s.hold(m.Value)
	}
	return gate.open()
}

// hold makes the stage wait for the start where it is: any system call that it could wait in may be one that the filter
// refuses. Stopped, it makes none.
func (s *stage) hold(address int32) error {
	if err := unix.PidfdSendSignal(s.pidFD, unix.SIGSTOP, nil, 0); err != nil {
		return fmt.Errorf("stop the container's process: %w", err)
	}
	c := s.agent.c
	c.saved.FilterGate = address
	return c.save()
}

// takeListener waits until the stage has loaded its filter and returns our own descriptor of the listener, or -1 if
// something is to be heard from the stage instead. Between its last message and that is one system call, seccomp(2).
func (s *stage) takeListener(gate *gate) (int, error) {
	for pause := 20 * time.Microsecond; ; pause = min(2*pause, time.Millisecond) {
		number, err := gate.read()
		if err != nil {
			return -1, err
		}
		if number >= 0 {
			return s.copyListener(int(number))
		}
		if heard, err := sys.WaitBriefly(s.socket, s.pidFD, pause); heard || err != nil {
			return -1, err
		}
		if s.look != nil {
			if err := s.look(); err != nil {
				return -1, err
			}
		}
	}
}

// copyListener makes sure that what the agent gets is a listener: in a container that exists, others may have meddled with
// the stage by now.
func (s *stage) copyListener(number int) (int, error) {
	fd, err := unix.PidfdGetfd(s.pidFD, number, 0)
	if err != nil {
		return -1, fmt.Errorf("linux.seccomp: take the listener: pidfd_getfd: %w%s", err, attachLimits(err))
	}
	if name, err := sys.DescriptorName(fd); err != nil || name != "anon_inode:seccomp notify" {
		unix.Close(fd)
		return -1, errors.Join(fmt.Errorf("linux.seccomp: take the listener: descriptor %d is %q", number, name), err)
	}
	return fd, nil
}

func attachLimits(err error) string {
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return " (SCMP_ACT_NOTIFY needs CAP_SYS_PTRACE, and a kernel.yama.ptrace_scope below 3)"
	}
	return ""
}

// send sends the container process state of the process that has loaded the filter, with its listener.
func (a *seccompAgent) send(connection, listener, pid int) error {
	saved := &a.c.saved
	data, err := lazyjson.Append(nil, &specs.ContainerProcessState{
		Version: specs.Version, Fds: []string{specs.SeccompFdName}, Pid: pid, Metadata: a.metadata,
		State: specs.State{
			Version: specs.Version, ID: saved.ID, Status: a.status, Pid: saved.InitPID,
			Bundle: saved.Bundle, Annotations: saved.Annotations,
		},
	})
	if err != nil {
		return fmt.Errorf("encode state: %w", err)
	}
	rights := unix.UnixRights(listener)
	for len(data) > 0 { // long ones may need more than one call; the descriptor goes with the first
		n, err := unix.SendmsgN(connection, data, rights, nil, unix.MSG_NOSIGNAL)
		if err != nil && err != unix.EINTR {
			return fmt.Errorf("sendmsg: %w", err)
		}
		if n > 0 {
			data, rights = data[n:], nil
		}
	}
	return nil
}

// gate is the word in a stage's memory at which it waits under its filter (nsenter/wire.h, enum listener). The descriptor
// stays that of this memory, whoever gets the process's number.
type gate struct {
	memory  int
	address int64
}

func openGate(pid, pidFD int, address int32) (*gate, error) {
	memory, err := sys.OpenMemory(pid, pidFD)
	if err != nil {
		return nil, fmt.Errorf("linux.seccomp: %w%s", err, attachLimits(err))
	}
	return &gate{memory, int64(address)}, nil
}

func (g *gate) close() { unix.Close(g.memory) }

func (g *gate) read() (int32, error) {
	word := int32(nsenter.ListenerNone)
	if n, err := unix.Pread(g.memory, sys.Bytes(&word), g.address); err != nil || n != len(sys.Bytes(&word)) {
		return 0, fmt.Errorf("linux.seccomp: read the stage's memory: %d bytes: %w", n, errors.Join(err, errStageEnded))
	}
	return word, nil
}

// open lets the stage go on.
func (g *gate) open() error {
	word := int32(nsenter.ListenerTaken)
	if n, err := unix.Pwrite(g.memory, sys.Bytes(&word), g.address); err != nil || n != len(sys.Bytes(&word)) {
		return fmt.Errorf("linux.seccomp: write the stage's memory: %d bytes: %w", n, errors.Join(err, errStageEnded))
	}
	return nil
}

// openFilterGate lets a created container go on that waits under its filter.
func (c *Container) openFilterGate() error {
	init, err := c.openInit()
	if err != nil {
		return fmt.Errorf("open init: %w", err)
	}
	defer unix.Close(init)
	gate, err := openGate(c.saved.InitPID, init, c.saved.FilterGate)
	if err != nil {
		return err
	}
	defer gate.close()
	if err := gate.open(); err != nil {
		return err
	}
	if err := unix.PidfdSendSignal(init, unix.SIGCONT, nil, 0); err != nil {
		return fmt.Errorf("continue the container's process: %w", err)
	}
	return nil
}
