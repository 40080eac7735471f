// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/cgroup"
	"github.com/rt-oci/rt/libcontainer/sys"
)

// removeDeadline is how long the processes of a container may take to end after they were killed.
const removeDeadline = 10 * time.Second

// Delete removes the container id. With force also one whose state can't be read.
func (r *Runtime) Delete(id string, force bool) error {
	c, err := r.Load(id)
	if err == nil {
		return c.Delete(force)
	}
	if !force || errors.Is(err, ErrNotExist) || errors.Is(err, ErrInvalidID) || errors.Is(err, errUntrusted) {
		return err
	}
	c = &Container{runtime: r, saved: savedState{ID: id}}
	if lockErr := c.acquire(); lockErr != nil {
		return lockErr
	}
	defer c.release()
	if groupErr := c.findCgroup(); groupErr != nil {
		r.Log.Warnf("delete %s: %v; %v: processes of the container may be left", id, err, groupErr)
	}
	return c.destroy()
}

// findCgroup works out from the saved config which group create has taken: with that the processes can be found when
// the state can't be read.
func (c *Container) findCgroup() error {
	s, err := c.loadSpec()
	if err != nil {
		return err
	}
	layout, err := cgroup.Detect()
	if err != nil {
		return err
	}
	group, err := c.findGroup(layout, s)
	if err != nil {
		return err
	}
	c.saved.Unit, c.saved.UserUnit = group.Unit()
	c.saved.CgroupPaths, c.saved.CgroupOurs = group.Paths(), true
	return nil
}

// Delete removes a container that has stopped, or one that was created and not started (runtime.md, "Delete"; the
// latter for containerd, which relies on it). force kills it first, whatever it does.
func (c *Container) Delete(force bool) error {
	if err := c.acquireLoaded(); err != nil {
		return err
	}
	defer c.release()
	return c.deleteLocked(force)
}

// deleteAfterRun removes the container that we have run, if it still is that: meanwhile somebody may have deleted it
// and made another one with its id.
func (c *Container) deleteAfterRun() error {
	c.ended = true
	if err := c.acquireAgain(); err != nil {
		return err
	}
	defer c.release()
	return c.deleteLocked(false)
}

func (c *Container) deleteLocked(force bool) error {
	if status := c.deletableStatus(); !force && status != specs.StateStopped && status != specs.StateCreated {
		return fmt.Errorf("cannot delete container %s that is not stopped: %s (use --force to kill it)", c.saved.ID, status)
	}
	var s *specs.Spec
	if c.saved.Hooks {
		var err error
		if s, err = c.loadSpec(); err != nil {
			c.runtime.Log.Warnf("skip poststop hooks: %v", err)
		}
	}
	if err := c.destroy(); err != nil {
		return err
	}
	if s != nil {
		c.runPoststop(s)
	}
	return nil
}

// deletableStatus is the status of a container whose lock we hold: nobody is creating it any more.
func (c *Container) deletableStatus() specs.ContainerState {
	if c.saved.InitPID == 0 {
		return specs.StateStopped
	}
	return c.Status()
}

// destroy ends all processes of the container and removes what create made. It can be called again at any point.
func (c *Container) destroy() error {
	if err := c.killInit(); err != nil {
		return err
	}
	group, err := c.cgroup()
	if err != nil {
		return err
	}
	if group != nil && !c.saved.CgroupOurs {
		for _, path := range c.saved.CgroupPaths {
			_ = unix.Rmdir(path) // it goes if it is empty: nobody's, or ours by the moment that rt was killed in
		}
	} else if group != nil {
		if err := endGroup(group); err != nil {
			return err
		}
		if len(group.Kept()) > 0 { // a paused one must not stay so for its owner
			if err := group.Thaw(0); err != nil {
				c.runtime.Log.Warnf("%v", err)
			}
		}
	}
	if err := c.removeRdt(); err != nil {
		return err
	}
	if err := c.removeHostMounts(); err != nil {
		return err
	}
	return c.removeStateDir()
}

// endGroup removes the group, at once if nobody is left in it, as is usual behind the end of a pid namespace.
func endGroup(group *cgroup.Group) error {
	if group.Remove(0) == nil {
		return nil
	}
	if err := group.Kill(unix.SIGKILL); err != nil {
		return err
	}
	return group.Remove(removeDeadline)
}

// killInit kills init and waits for its end.
func (c *Container) killInit() error {
	init, err := c.openInit()
	if err == unix.ESRCH {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open init: %w", err)
	}
	defer unix.Close(init)
	if err := c.sendToInit(init, unix.SIGKILL); err != nil && err != unix.ESRCH {
		return fmt.Errorf("kill init: %w", err)
	}
	if group, err := c.ownCgroup(); err == nil && group != nil && group.HoldsBackSIGKILL() {
		if err := group.Kill(unix.SIGKILL); err != nil {
			return err
		}
	}
	ended, err := sys.WaitProcess(init, int(removeDeadline.Milliseconds()))
	if err == nil && !ended {
		err = fmt.Errorf("process %d has not ended %v after SIGKILL (it may hang in the kernel: see /proc/%[1]d/wchan)", c.saved.InitPID, removeDeadline)
	}
	return err
}
