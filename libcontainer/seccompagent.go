// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/lazyjson"
	"github.com/rt-oci/rt/libcontainer/seccomp"
	"github.com/rt-oci/rt/libcontainer/sys"
	"github.com/rt-oci/rt/libcontainer/terminal"
)

// seccompAgent is the program that linux.seccomp.listenerPath leads to: it decides about the system calls with
// SCMP_ACT_NOTIFY (config-linux.md "Seccomp").
//
// Under the filter the stage makes no system call before the agent can answer it. So nothing is sent by it: rt takes the
// listener out of the stage's descriptors (pidfd_getfd(2)), and the two speak through the gate.
type seccompAgent struct {
	c        *Container
	path     string
	metadata string
	status   specs.ContainerState // of the container, when the filter is loaded

	connection, listener int // to the agent, and that it shall get; -1 if there is none
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
	return &seccompAgent{c: c, path: path, metadata: s.Linux.Seccomp.ListenerMetadata, status: status, connection: -1, listener: -1}
}

// connect makes sure that the agent is there, before anything happens.
func (a *seccompAgent) connect() (err error) {
	if a.connection, err = terminal.Connect(a.path); err != nil {
		return fmt.Errorf("linux.seccomp.listenerPath: failed to connect with seccomp agent: %w", err)
	}
	return nil
}

// hangUp closes what is open: who holds the listener keeps system calls waiting that nobody answers.
func (a *seccompAgent) hangUp() {
	closeAll([]int{a.connection, a.listener})
	a.connection, a.listener = -1, -1
}

// takeListener waits until the stage has loaded its filter, and takes a copy of the listener. It is false if something is
// to be heard from the stage instead. Between its last message and that is one system call, seccomp(2).
func (s *stage) takeListener(gate *gate) (bool, error) {
	number, ok, err := s.awaitGate(gate, func(word int32) bool { return word >= 0 })
	if err != nil || !ok {
		return false, err
	}
	s.agent.listener, err = s.copyListener(int(number))
	return true, err
}

// tell gives the agent the listener that was taken, for process pid, and hangs up: some answer only when they have read
// all.
func (a *seccompAgent) tell(pid int) error {
	defer a.hangUp()
	if err := a.send(a.connection, a.listener, pid); err != nil {
		return fmt.Errorf("linux.seccomp.listenerPath: send to seccomp agent %q: %w", a.path, err)
	}
	return nil
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
