// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/cgroup"
	"github.com/rt-oci/rt/libcontainer/spec"
)

// UpdateOptions are what update can be asked for besides linux.resources.
type UpdateOptions struct {
	Rdt      *specs.LinuxIntelRdt // new schemata, or nil
	NoOOM    bool                 // make room before memory is limited, so that nobody is killed for that
	Deadline time.Duration        // for making room
}

// Update changes limits of a container, while it runs, is paused, or waits for its start. Only the values that change
// and o give are touched; nothing is frozen. If one can't be set, those that were set before it get their former values.
func (c *Container) Update(change *specs.LinuxResources, o UpdateOptions) error {
	if err := c.acquireLoaded(); err != nil {
		return err
	}
	defer c.release()
	if status := c.deletableStatus(); status == specs.StateStopped {
		return fmt.Errorf("%w (it is %s)", ErrNotRunning, status)
	}
	if o.Rdt != nil && c.rdtGroup() == nil {
		return errNoRdt
	}
	group, err := c.needCgroup()
	if err != nil {
		return err
	}
	old, err := c.resources()
	if err != nil {
		return err
	}
	merged := mergeResources(old, change, group.Version() == cgroup.V2)
	if err := c.checkUpdate(old, change, merged, group.Version()); err != nil {
		return err
	}
	data, err := json.Marshal(merged)
	if err != nil {
		return fmt.Errorf("encode resources: %w", err)
	}
	path := c.file(resourcesName)
	if err := writeNew(path+newSuffix, data, 0o600); err != nil { // first: a full disk must not be found out later
		return err
	}
	undo, err := o.apply(group, change, merged, old)
	if err != nil {
		_ = unix.Unlink(path + newSuffix)
		return c.endedMeanwhile(err)
	}
	if o.Rdt != nil {
		err = c.rdtGroup().Change(o.Rdt)
	}
	if err == nil {
		err = rename(path)
	}
	if err != nil {
		_ = unix.Unlink(path + newSuffix)
		return and(err, undo())
	}
	return nil
}

var errNoRdt = errors.New("change Intel RDT: it is not enabled: the container was created without linux.intelRdt, so there is no schema to change")

// checkUpdate refuses what can be seen to be wrong: in the values given, and in what they make with those that stay.
func (c *Container) checkUpdate(old, change, merged *specs.LinuxResources, v cgroup.Version) error {
	for _, w := range spec.WarnOfResources(change) {
		c.runtime.Log.Warnf("%s", w)
	}
	if err := cgroup.CheckDeviceRules(change.Devices); err != nil {
		return err
	}
	if lacksOOMKiller(old.Memory) && change.Memory != nil && change.Memory.DisableOOMKiller != nil && !*change.Memory.DisableOOMKiller {
		return errors.New("linux.resources.memory.disableOOMKiller: the container was created without the OOM killer, which update can't bring back")
	}
	return cgroup.CheckResources(merged, v)
}

func lacksOOMKiller(m *specs.LinuxMemory) bool {
	return m != nil && m.DisableOOMKiller != nil && *m.DisableOOMKiller
}

// apply makes room if that is asked for, and changes the group.
func (o *UpdateOptions) apply(group *cgroup.Group, change, merged, old *specs.LinuxResources) (undo func() error, err error) {
	limit := int64(0)
	if change.Memory != nil && change.Memory.Limit != nil {
		limit = *change.Memory.Limit
	}
	if !o.NoOOM || limit <= 0 {
		return applyUpdate(group, change, merged, old)
	}
	release, err := group.MakeRoom(limit, o.Deadline)
	if err != nil {
		return nil, err
	}
	undo, err = applyUpdate(group, change, merged, old)
	if _, given := change.Unified["memory.high"]; given && err == nil {
		return undo, nil
	}
	if releaseErr := release(); releaseErr != nil {
		if err == nil {
			err = undo()
		}
		return nil, and(err, fmt.Errorf("put memory.high back: %w", releaseErr))
	}
	return undo, err
}

// applyUpdate changes the group, and returns what takes it back.
func applyUpdate(group *cgroup.Group, change, merged, old *specs.LinuxResources) (undo func() error, err error) {
	unit, _ := group.Unit()
	undo, err = group.Change(toWrite(change, merged, unit != ""))
	if err != nil {
		return nil, err
	}
	if reflect.DeepEqual(merged.Devices, old.Devices) {
		return undo, nil // callers hand the rules of the config over with every limit
	}
	undoLimits := undo
	undo = func() error { return and(undoLimits(), group.ChangeDevices(old.Devices)) }
	if err := group.ChangeDevices(merged.Devices); err != nil {
		return nil, and(err, undo())
	}
	return undo, nil
}

// and makes one line of two errors, of which either may be none.
func and(err, other error) error {
	switch {
	case err == nil:
		return other
	case other == nil:
		return err
	}
	return fmt.Errorf("%w; %w", err, other)
}

// resources returns linux.resources as the last update has left it.
func (c *Container) resources() (*specs.LinuxResources, error) {
	data, err := os.ReadFile(c.file(resourcesName))
	if err == nil {
		r, err := spec.LoadResources(data)
		if err != nil {
			return nil, fmt.Errorf("load saved resources %q: %w", c.file(resourcesName), err)
		}
		return r, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read saved resources: %w", err)
	}
	s, err := c.loadSpec()
	if err != nil {
		return nil, err
	}
	if s.Linux.Resources == nil {
		return &specs.LinuxResources{}, nil
	}
	return s.Linux.Resources, nil
}
