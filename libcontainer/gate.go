// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/sys"
	"github.com/rt-oci/rt/nsenter"
)

// gate is the word in a stage's memory at which it waits under a filter that may refuse every system call (nsenter/wire.h,
// enum gate). The descriptor stays that of this memory, whoever gets the process's number.
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
	word := int32(nsenter.GateShut)
	if n, err := unix.Pread(g.memory, sys.Bytes(&word), g.address); err != nil || n != len(sys.Bytes(&word)) {
		return 0, fmt.Errorf("linux.seccomp: read the stage's memory: %d bytes: %w", n, errors.Join(err, errStageEnded))
	}
	return word, nil
}

// open lets the stage go on.
func (g *gate) open() error {
	word := int32(nsenter.GateOpen)
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

func attachLimits(err error) string {
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return " (SCMP_ACT_NOTIFY, or a filter that refuses read or close and has no noNewPrivileges, needs CAP_SYS_PTRACE and a kernel.yama.ptrace_scope below 3)"
	}
	return ""
}

// serveGate answers MESSAGE_GATE: the stage loads a filter, and may make no call under it. An agent gets the listener; one
// that is not there is noticed before. A container that waits there for its start is then held. If the stage sends a message
// instead, that is next.
func (s *stage) serveGate(m *nsenter.Message) (held bool, err error) {
	if s.agent == nil && s.waiting == nil {
		return false, fmt.Errorf("hear from the stage: message %d was not due: %w", m.Type, unix.EPROTO)
	}
	if s.agent != nil {
		if err := s.agent.connect(); err != nil {
			return false, err
		}
		defer s.agent.hangUp()
	}
	gate, err := openGate(s.pid, s.pidFD, m.Value)
	if err != nil {
		return false, err
	}
	defer gate.close()
	if err := s.answer(""); err != nil {
		return false, err
	}
	if s.agent != nil {
		taken, err := s.takeListener(gate)
		if err == nil && taken {
			err = s.agent.tell(s.pid)
		}
		if err == nil && taken {
			err = gate.open()
		}
		if err != nil || !taken {
			return false, err
		}
	}
	if s.waiting == nil {
		return false, nil
	}
	if _, ok, err := s.awaitGate(gate, func(word int32) bool { return word == nsenter.GateStart }); err != nil || !ok {
		return false, err
	}
	return true, s.hold(m.Value)
}

// serveEarlyGate is serveGate for a filter that is loaded before its process appears in the container. The agent is told
// of that one (tell), which has no number yet.
func (s *stage) serveEarlyGate(m *nsenter.Message) error {
	if s.agent == nil {
		return fmt.Errorf("hear from the stage: message %d was not due: %w", m.Type, unix.EPROTO)
	}
	gate, err := openGate(s.pid, s.pidFD, m.Value)
	if err != nil {
		return err
	}
	defer gate.close()
	if err := s.answer(""); err != nil {
		return err
	}
	if taken, err := s.takeListener(gate); err != nil || !taken {
		return err
	}
	return gate.open()
}

// awaitGate waits until the stage has written a word that is wanted; ok is false if something is to be heard from it
// instead.
func (s *stage) awaitGate(gate *gate, wanted func(int32) bool) (word int32, ok bool, err error) {
	for pause := 20 * time.Microsecond; ; pause = min(2*pause, time.Millisecond) {
		word, err := gate.read()
		if err != nil { // its memory is the first that goes; by then it has sent what it had to
			if heard, _ := sys.WaitBriefly(s.socket, s.pidFD, time.Second); heard {
				err = nil
			}
			return 0, false, err
		}
		if wanted(word) {
			return word, true, nil
		}
		if heard, err := sys.WaitBriefly(s.socket, s.pidFD, pause); heard || err != nil {
			return 0, false, err
		}
		if s.look != nil {
			if err := s.look(); err != nil {
				return 0, false, err
			}
		}
	}
}

// hold makes the stage wait for the start where it is: any system call that it could wait in may be one that the filter
// refuses. Stopped, it makes none.
func (s *stage) hold(address int32) error {
	if err := unix.PidfdSendSignal(s.pidFD, unix.SIGSTOP, nil, 0); err != nil {
		return fmt.Errorf("stop the container's process: %w", err)
	}
	c := s.waiting
	c.saved.FilterGate = address
	return c.save()
}
