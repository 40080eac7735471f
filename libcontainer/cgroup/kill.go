// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// freezeDeadline bounds how long Kill waits for a v1 freezer. Freezing takes well under a millisecond unless a task
// is in uninterruptible sleep; then the wait is vain, and Kill goes on without.
const freezeDeadline = 200 * time.Millisecond

// forkRounds is how often a group that can't be killed as a whole is signalled: what has forked before it died, dies in
// a later round.
const forkRounds = 10

// HoldsBackSIGKILL tells whether a v1 freezer keeps processes of the group from dying. Kill ends that.
func (g *Group) HoldsBackSIGKILL() bool {
	m, ok := g.controller("freezer")
	if !ok {
		return false
	}
	state, err := readControl(m.dir, "freezer.state")
	return err == nil && state != "THAWED"
}

// Kill sends sig to every process of the group and of the groups below it.
//
// For SIGKILL nothing escapes by forking, and a frozen group dies: the unified tree does both by cgroup.kill (Linux
// 5.14); on v1 the group is frozen while it is signalled and thawed after that. Other signals go to the processes
// present, and a paused container stays paused.
func (g *Group) Kill(sig unix.Signal) error {
	if sig != unix.SIGKILL {
		return g.signal(sig)
	}
	rounds, killed := 1, false
	if m, ok := g.unified(); ok {
		err := writeControl(m.dir, "cgroup.kill", "1")
		switch {
		case err != nil && !gone(err): // not ours to write: signals still work
			rounds = forkRounds
		case g.Version() == V2:
			return nil
		default:
			killed = err == nil
		}
	}
	// In a hybrid, too: a process may be ours in a v1 hierarchy only, and a v1 freezer holds back even SIGKILL.
	if g.Version() == V1 {
		i, err := catchInterrupts() // between freeze and thaw nothing may end us
		if err != nil {
			return err
		}
		defer i.releaseAndRaise()
		if !g.freeze() {
			rounds = forkRounds
		}
	}
	var err error
	for range rounds {
		if err = g.signal(sig); err != nil {
			break
		}
	}
	if killed && errors.Is(err, unix.EACCES) { // a security module forbids signals; who is left keeps the group busy
		err = nil
	}
	if thawErr := g.thaw(); err == nil {
		err = thawErr
	}
	return err
}

// KillAround kills every process of the group through the unified tree, where no security module is asked, if process
// pid is among them there. Otherwise it does nothing and returns false.
func (g *Group) KillAround(pid int) (bool, error) {
	m, ok := g.unified()
	if !ok {
		return false, nil
	}
	member, err := (&Group{members: []member{m}}).has(pid)
	if err != nil || !member {
		return false, err
	}
	if err := writeControl(m.dir, "cgroup.kill", "1"); err != nil && !gone(err) {
		return false, err
	}
	return true, nil
}

// batch bounds how many pidfds are open at a time: a container may have more processes than we may have descriptors.
const batch = 128

// signal sends sig to the processes that are members, and to nobody else: a process id may be in use again by the
// time it is signalled. So the processes are pinned by descriptors first, and only those that are still listed
// after that get the signal. (If the id is listed, it is a member's; if the descriptor is not that member's, its
// process is dead, and the signal goes nowhere.)
func (g *Group) signal(sig unix.Signal) error {
	pids, err := g.Processes()
	if err != nil {
		return err
	}
	for some := range slices.Chunk(pids, batch) {
		if err := g.signalBatch(some, sig); err != nil {
			return err
		}
	}
	return nil
}

func (g *Group) signalBatch(pids []int, sig unix.Signal) error {
	pinned, err := pin(pids)
	if err != nil {
		return err
	}
	defer unpin(pinned)
	members, err := g.Processes()
	if err != nil {
		return err
	}
	for pid, pidfd := range pinned {
		if _, listed := slices.BinarySearch(members, pid); !listed {
			continue
		}
		if err := unix.PidfdSendSignal(pidfd, sig, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
			return &SignalError{sig, pid, err}
		}
	}
	return nil
}

// SignalError says that a process of a group could not be sent a signal.
type SignalError struct {
	Signal unix.Signal
	PID    int
	Err    error
}

func (e *SignalError) Error() string {
	return fmt.Sprintf("send signal %d to process %d: %v", int(e.Signal), e.PID, e.Err)
}

func (e *SignalError) Unwrap() error { return e.Err }

// pin opens a pidfd for each of the processes that is there, by process id.
func pin(pids []int) (map[int]int, error) {
	pinned := map[int]int{}
	for _, pid := range pids {
		pidfd, err := unix.PidfdOpen(pid, 0)
		switch {
		case err == nil:
			pinned[pid] = pidfd
		case !errors.Is(err, unix.ESRCH):
			unpin(pinned)
			return nil, fmt.Errorf("pidfd_open %d: %w", pid, err)
		}
	}
	return pinned, nil
}

func unpin(pinned map[int]int) {
	for _, pidfd := range pinned {
		unix.Close(pidfd)
	}
}

// freeze stops the group by the v1 freezer, so that no fork can outrun a signal. The answer no is not an error: the
// caller has to do without.
func (g *Group) freeze() bool {
	m, ok := g.controller("freezer")
	return ok && freezeV1(m.dir, time.Now().Add(freezeDeadline), nil) == nil
}

// thaw ends what v1 freezers hold, also those of groups that the container has made below its own.
func (g *Group) thaw() error {
	m, ok := g.controller("freezer")
	if !ok {
		return nil
	}
	return walk(m.dir, func(d directory) error {
		if frozen, err := d.read("freezer.self_freezing"); err == nil && frozen == "0" {
			return nil // the hierarchy may be read-only
		}
		return d.write("freezer.state", "THAWED")
	})
}
