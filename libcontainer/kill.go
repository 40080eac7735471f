// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/cgroup"
)

// Kill sends a signal to the container's process (runtime.md, "Kill"). all sends it to every process of the
// container instead; so does SIGKILL where the container has no pid namespace whose end would take the others along.
func (c *Container) Kill(signal unix.Signal, all bool) error {
	if all || signal == unix.SIGKILL && c.saved.SharedPIDs {
		return c.killAll(signal, all)
	}
	if err := c.signalInit(signal); err != nil {
		return err
	}
	if signal != unix.SIGKILL {
		return nil
	}
	group, err := c.ownCgroup()
	if err != nil || group == nil || !group.HoldsBackSIGKILL() {
		return err
	}
	return group.Kill(signal) // so that none of its processes runs on between thaw and death
}

// signalInit sends a signal to the container's process; the error is ErrNotRunning if it has ended.
func (c *Container) signalInit(signal unix.Signal) error {
	init, err := c.openInit()
	if err == unix.ESRCH {
		return ErrNotRunning
	}
	if err != nil {
		return fmt.Errorf("open init: %w", err)
	}
	defer unix.Close(init)
	err = c.sendToInit(init, signal)
	if err == unix.ESRCH {
		return ErrNotRunning
	}
	if err != nil {
		return fmt.Errorf("send signal %d: %w", int(signal), err)
	}
	return nil
}

// sendToInit signals init by its pidfd. A profile of a security module may keep everybody from that, which is EACCES;
// cgroup.kill asks none of them, so SIGKILL goes that way then, to init and all others in the container's group.
func (c *Container) sendToInit(init int, signal unix.Signal) error {
	refused := unix.PidfdSendSignal(init, signal, nil, 0)
	if refused != unix.EACCES {
		return refused
	}
	if signal == unix.SIGKILL {
		group, err := c.ownCgroup()
		if err != nil {
			return err
		}
		if group != nil {
			if killed, err := group.KillAround(c.saved.InitPID); killed || err != nil {
				return err
			}
		}
	}
	return forbidden(refused)
}

// forbidden adds what to do to a signal that a security module refuses with EACCES.
func forbidden(err error) error {
	return fmt.Errorf("%w (a security module forbids it; an AppArmor profile allows it by the rule %q: load it anew with that, for processes that run as well)",
		err, "signal (receive) peer=unconfined,")
}

// killAll signals the processes of the control group, and the container's process wherever somebody may have moved it.
// Without any, the container is not running; whoever asked for all is content with that.
func (c *Container) killAll(signal unix.Signal, all bool) error {
	group, err := c.ownCgroup()
	if err != nil {
		return err
	}
	var members []int
	if group != nil {
		if members, err = group.Processes(); err == nil {
			err = group.Kill(signal)
		}
		var refused *cgroup.SignalError
		if errors.As(err, &refused) && refused.Err == unix.EACCES {
			err = forbidden(err)
		}
	}
	if slices.Contains(members, c.saved.InitPID) {
		return err
	}
	initErr := c.signalInit(signal)
	if errors.Is(initErr, ErrNotRunning) && (all || len(members) > 0) {
		initErr = nil
	}
	if err != nil {
		return err
	}
	return initErr
}
