// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/libcontainer/cgroup"
)

// freezeDeadline is how long the processes of a container may take to stand, or to run on.
const freezeDeadline = 10 * time.Second

// errNoGroup is for commands that act on control groups.
var errNoGroup = errors.New("the container has no control group")

// Pause stops all processes of a container, which then reads as paused. If that can't be done for all, none is stopped.
func (c *Container) Pause() error {
	if err := c.acquireLoaded(); err != nil {
		return err
	}
	defer c.release()
	if status := c.Status(); status != specs.StateRunning && status != specs.StateCreated {
		return fmt.Errorf("%w (it is %s)", ErrNotRunning, status)
	}
	group, err := c.needCgroup()
	if err != nil {
		return err
	}
	in, err := group.CanFreeze(c.saved.InitPID)
	if err == nil && !in {
		err = fmt.Errorf("freeze control group: process %d of the container is not in it any more, so it would run on (somebody has moved it: see /proc/%[1]d/cgroup)", c.saved.InitPID)
	}
	if err == nil {
		err = group.Freeze(freezeDeadline)
	}
	return c.endedMeanwhile(err)
}

// Resume lets the processes of a paused container run on. It does without the lock: a command that has it may be
// waiting for a process that is frozen.
func (c *Container) Resume() error {
	if status := c.Status(); status != StatusPaused {
		return fmt.Errorf("%w (it is %s)", ErrNotPaused, status)
	}
	group, err := c.needCgroup()
	if err != nil {
		return err
	}
	return group.Thaw(freezeDeadline)
}

// needCgroup is cgroup for commands that can do nothing without one.
func (c *Container) needCgroup() (*cgroup.Group, error) {
	group, err := c.cgroup()
	if err == nil && group == nil {
		err = errNoGroup
	}
	return group, err
}
