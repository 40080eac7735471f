// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Kill sends a signal to the container's process (runtime.md, "Kill"). all sends it to every process of the
// container instead; so does SIGKILL where the container has no pid namespace whose end would take the others along.
func (c *Container) Kill(signal unix.Signal, all bool) error {
	if all || signal == unix.SIGKILL && c.saved.SharedPIDs {
		return c.killAll(signal, all)
	}
	init, err := c.openInit()
	if err == unix.ESRCH {
		return ErrNotRunning
	}
	if err != nil {
		return fmt.Errorf("open init: %w", err)
	}
	defer unix.Close(init)
	err = unix.PidfdSendSignal(init, signal, nil, 0)
	if err == unix.ESRCH {
		return ErrNotRunning
	}
	if err != nil {
		return fmt.Errorf("send signal %d: %w", int(signal), err)
	}
	return nil
}

// killAll signals the processes of the control group. Without any, the container is not running; whoever asked for
// all is content with that.
func (c *Container) killAll(signal unix.Signal, all bool) error {
	group, err := c.cgroup()
	if err != nil {
		return err
	}
	if group == nil {
		return ErrNotRunning
	}
	processes, err := group.Processes()
	if err != nil {
		return err
	}
	if len(processes) == 0 && c.Status() == specs.StateStopped {
		if all {
			return nil
		}
		return ErrNotRunning
	}
	return group.Kill(signal)
}
