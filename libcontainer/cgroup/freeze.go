// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

var (
	errNoFreezer   = errors.New("the container has a group neither in a cgroup v2 hierarchy nor in one of v1 with the freezer controller (mount one of them before it is created)")
	errDeadline    = errors.New("deadline exceeded")
	errInterrupted = errors.New("interrupted by a signal")
)

// Freeze stops the processes of the group and of the groups below it, and waits until all stand. If that fails, takes
// longer than deadline, or is interrupted by SIGHUP, SIGINT or SIGTERM, they run on when it returns.
//
// In a hybrid the unified tree freezes, as on v2: it tells when all stand, and who is frozen there can still be killed.
// With the v1 freezer one must ask again and again, and the dead stay until they are thawed.
func (g *Group) Freeze(deadline time.Duration) error {
	m, err := g.freezer()
	if err != nil {
		return err
	}
	i, err := catchInterrupts()
	if err != nil {
		return err
	}
	defer i.release()
	end := time.Now().Add(deadline)
	if m.unified() {
		err = freezeUnified(m.dir, end, i)
	} else {
		err = freezeV1(m.dir, end, i)
	}
	if err == nil && i.caught() {
		err = errInterrupted
	}
	if err == nil {
		return nil
	}
	who := ""
	if m.unified() { // there, who is frozen is not in state D
		who = g.holdouts()
	}
	if undoErr := m.setFrozen(false); undoErr != nil && !gone(undoErr) {
		err = fmt.Errorf("%w; undo that: %w", err, undoErr)
	}
	if errors.Is(err, errInterrupted) {
		err = fmt.Errorf("%w, so the processes run on", err)
	}
	if errors.Is(err, errDeadline) {
		if !m.unified() {
			who = g.holdouts()
		}
		err = fmt.Errorf("%w: not all processes stand after %v, so they run on%s", err, deadline, who)
	}
	return fmt.Errorf("freeze control group %q: %w", m.dir, err)
}

// Thaw lets the processes of the group run on, whichever freezer holds them. Groups that the container has frozen below
// its own stay as they are. A group above that is frozen keeps this one frozen, which after deadline is an error.
func (g *Group) Thaw(deadline time.Duration) error {
	end := time.Now().Add(deadline)
	if m, ok := g.controller("freezer"); ok {
		err := m.setFrozen(false)
		if err == nil {
			err = stillFrozenV1(m.dir)
		}
		if err != nil && !gone(err) {
			return fmt.Errorf("thaw control group %q: %w", m.dir, err)
		}
	}
	if m, ok := g.unified(); ok {
		err := m.setFrozen(false)
		if err == nil {
			err = waitEvent(m.dir, "frozen", 0, end, nil)
		}
		if errors.Is(err, errDeadline) {
			err = fmt.Errorf("%w%s", err, frozenAbove(m.dir, "cgroup.freeze"))
		}
		if err != nil && !gone(err) {
			return fmt.Errorf("thaw control group %q: %w", m.dir, err)
		}
	}
	return nil
}

// CanFreeze tells whether freezing the group stops process pid: whether the process is in it, in the hierarchy by which
// Freeze freezes, or in a group below it there.
func (g *Group) CanFreeze(pid int) (bool, error) {
	m, err := g.freezer()
	if err != nil {
		return false, err
	}
	return (&Group{members: []member{m}}).has(pid)
}

// freezer returns the directory of the hierarchy by which Freeze freezes.
func (g *Group) freezer() (member, error) {
	m, ok := g.unified()
	if !ok {
		m, ok = g.controller("freezer")
	}
	if !ok {
		return member{}, fmt.Errorf("freeze control group: %w", errNoFreezer)
	}
	return m, nil
}

// setFrozen asks the freezer of a hierarchy to freeze or to thaw, and waits for nothing.
func (m member) setFrozen(frozen bool) error {
	switch {
	case m.unified() && frozen:
		return writeControl(m.dir, "cgroup.freeze", "1")
	case m.unified():
		return writeControl(m.dir, "cgroup.freeze", "0")
	case frozen:
		return writeControl(m.dir, "freezer.state", "FROZEN")
	}
	return writeControl(m.dir, "freezer.state", "THAWED")
}

// freezeUnified waits for "frozen 1" in cgroup.events (cgroup-v2.rst, "cgroup.freeze").
func freezeUnified(dir string, end time.Time, i *interrupt) error {
	if err := writeControl(dir, "cgroup.freeze", "1"); err != nil {
		return err
	}
	return waitEvent(dir, "frozen", 1, end, i)
}

// Pauses between two looks at a v1 freezer: freezing usually takes less than the first.
const (
	freezerFirstPause = 50 * time.Microsecond
	freezerLastPause  = 20 * time.Millisecond
)

// freezeV1 writes FROZEN to freezer.state until it reads so. There is no event to wait for, and while a fork is under
// way the state may stay FREEZING until FROZEN is written once more, which is the retry that freezer-subsystem.rst
// has (kernel admin-guide/cgroup-v1).
func freezeV1(dir string, end time.Time, i *interrupt) error {
	for pause := freezerFirstPause; ; pause = min(2*pause, freezerLastPause) {
		if err := writeControl(dir, "freezer.state", "FROZEN"); err != nil {
			return err
		}
		state, err := readControl(dir, "freezer.state")
		switch {
		case err != nil || state == "FROZEN":
			return err
		case !time.Now().Before(end):
			return errDeadline
		case i.within(min(pause, time.Until(end))):
			return errInterrupted
		}
	}
}

// stillFrozenV1 tells by an error that a thawed group stays frozen. Thawing is done when the write is.
func stillFrozenV1(dir string) error {
	state, err := readControl(dir, "freezer.state")
	if err != nil || state == "THAWED" {
		return err
	}
	return fmt.Errorf("freezer.state is %s%s", state, frozenAbove(dir, "freezer.self_freezing"))
}

// frozenAbove names the nearest group above dir that is frozen by itself.
func frozenAbove(dir, file string) string {
	for {
		dir = filepath.Dir(dir)
		frozen, err := readNumber(dir, file) // the root of a hierarchy has no such file
		if err != nil {
			return ""
		}
		if frozen == 1 {
			return fmt.Sprintf(" (the group %q above it is frozen: thaw that)", dir)
		}
	}
}

// holdouts names processes that hang in the kernel, which is why they can't be frozen.
func (g *Group) holdouts() string {
	pids, err := g.Processes()
	if err != nil {
		return ""
	}
	const most = 5
	var names []string
	for _, pid := range pids {
		if name := describe(pid); strings.HasSuffix(name, " in state D") && len(names) < most {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return " (in the kernel: " + strings.Join(names, ", ") + ")"
}

// interrupt catches the signals by which people and service managers end a program, so that nothing stays frozen.
type interrupt struct {
	signals chan os.Signal
	ended   chan struct{}
	last    os.Signal
	fd      [2]int // a pipe that can be read as soon as one was caught
}

func catchInterrupts() (*interrupt, error) {
	i := &interrupt{signals: make(chan os.Signal, 1), ended: make(chan struct{})}
	if err := unix.Pipe2(i.fd[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, fmt.Errorf("pipe2: %w", err)
	}
	for _, s := range []os.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGTERM} {
		if !signal.Ignored(s) { // as nohup has it
			signal.Notify(i.signals, s)
		}
	}
	go func() {
		for s := range i.signals {
			i.last = s
			_, _ = unix.Write(i.fd[1], []byte{0}) // a full pipe can be read as well
		}
		close(i.ended)
	}()
	return i, nil
}

// release lets the signals do again what they do by default, and returns the last that came, or nil.
func (i *interrupt) release() os.Signal {
	signal.Stop(i.signals)
	close(i.signals)
	<-i.ended
	unix.Close(i.fd[0])
	unix.Close(i.fd[1])
	return i.last
}

// releaseAndRaise is release for what was to be finished first: now the signal has its effect.
func (i *interrupt) releaseAndRaise() {
	if s, ok := i.release().(unix.Signal); ok {
		_ = unix.Kill(unix.Getpid(), s)
	}
}

// caught tells whether a signal has come.
func (i *interrupt) caught() bool { return i.within(0) }

// within waits for a signal and tells whether one came in time. Without an interrupt none does.
func (i *interrupt) within(d time.Duration) bool {
	timeout := unix.NsecToTimespec(max(0, d.Nanoseconds()))
	n, err := unix.Ppoll([]unix.PollFd{i.pollFD()}, &timeout, nil)
	return err == nil && n > 0
}

// pollFD is what poll(2) takes; it ignores negative descriptors.
func (i *interrupt) pollFD() unix.PollFd {
	if i == nil {
		return unix.PollFd{Fd: -1}
	}
	return unix.PollFd{Fd: int32(i.fd[0]), Events: unix.POLLIN}
}
