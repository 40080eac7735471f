// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/cgroup"
)

// makeCgroup makes the control group. The state with its paths is written before it exists, for delete after a rt that
// was killed, and gets its name, which says that the group is ours and what is in it may be killed, only afterwards: it
// may turn out to be another container's.
func (n *creation) makeCgroup() error {
	var err error
	if n.group, err = n.driver().Place(n.c.runtime.userLayout(n.layout), n.spec.Linux.CgroupsPath, n.c.saved.ID); err != nil {
		return err
	}
	if none, err := n.goWithoutGroup(); none || err != nil {
		return err
	}
	n.c.saved.CgroupPaths, n.c.saved.CgroupOurs = n.group.Paths(), true
	n.c.saved.Unit, n.c.saved.UserUnit = n.group.Unit()
	if err := n.c.prepare(); err != nil {
		return err
	}
	if err := n.startUnit(); err != nil {
		return fmt.Errorf("make control group: %w", err)
	}
	if err := n.group.Create(); err != nil {
		return fmt.Errorf("make control group: %w", err)
	}
	n.onFailure(n.removeCgroup)
	if n.c.saved.CgroupKept = n.group.Kept(); len(n.c.saved.CgroupKept) > 0 {
		if err := n.c.prepare(); err != nil {
			return err
		}
	}
	if err := n.c.commit(); err != nil {
		return err
	}
	if err := n.setLimits(); err != nil {
		return err
	}
	if n.group.Version() == cgroup.V2 {
		return nil // setDevices comes later
	}
	return n.setDevices()
}

// checkResources refuses limits that no kernel takes, or that the host's version of cgroup has no form for.
func (n *creation) checkResources() error {
	var err error
	if n.layout, err = cgroup.Detect(); err != nil {
		return err
	}
	r := n.spec.Linux.Resources
	if r == nil {
		return nil
	}
	if err := cgroup.CheckDeviceRules(r.Devices); err != nil {
		return err
	}
	return cgroup.CheckResources(r, n.layout.Version)
}

// setLimits limits the group before anything is in it: nothing can use more meanwhile, and what the stage itself needs
// is counted from its beginning.
func (n *creation) setLimits() error {
	early, late := splitLimits(n.spec.Linux.Resources)
	n.lateLimits = late
	if err := n.group.Set(early); err != nil {
		return err
	}
	n.c.saved.MemoryLimited = limitsMemory(early)
	if !n.c.saved.MemoryLimited || len(n.group.Kept()) == 0 {
		return nil
	}
	var err error
	n.c.saved.OOMKills, err = n.group.OOMKills() // of who was in the group before
	return err
}

// earlyLimits are those that the group has before anything is in it.
func (n *creation) earlyLimits() *specs.LinuxResources {
	early, _ := splitLimits(n.spec.Linux.Resources)
	return early
}

func limitsMemory(r *specs.LinuxResources) bool {
	return r != nil && (r.Unified["memory.max"] != "" || r.Memory != nil && r.Memory.Limit != nil && *r.Memory.Limit > 0)
}

// splitLimits takes out what must wait until the stage is ready. A limit of one process leaves no room for the fork
// that some namespaces need. Without the OOM killer a stage that lacks memory would stand still, and we with it.
func splitLimits(r *specs.LinuxResources) (early, late *specs.LinuxResources) {
	if r == nil {
		return nil, nil
	}
	waiting := specs.LinuxResources{}
	rest := *r
	if p := r.Pids; p != nil && p.Limit != nil && (*p.Limit == 0 || *p.Limit == 1) {
		rest.Pids, waiting.Pids, late = nil, p, &waiting
	}
	if m := r.Memory; m != nil && m.DisableOOMKiller != nil && *m.DisableOOMKiller {
		memory := *m
		memory.DisableOOMKiller = nil
		rest.Memory, waiting.Memory, late = &memory, &specs.LinuxMemory{DisableOOMKiller: m.DisableOOMKiller}, &waiting
	}
	return &rest, late
}

// removeCgroup also ends what hooks may have left running in the group.
func (n *creation) removeCgroup() {
	err := n.group.Kill(unix.SIGKILL)
	if err == nil {
		err = n.group.Rollback(removeDeadline)
	}
	if err != nil {
		n.c.runtime.Log.Warnf("remove control group: %v", err)
	}
}

// setDevices limits the group to its devices. On v1 everything is denied before one device after the other is allowed:
// the stage, which makes device nodes, must not be in the group yet. On v2 all rules take effect at once, and the
// kernel takes long to verify them: that is done while the stage works, before any hook or program of the user runs.
func (n *creation) setDevices() error {
	if limitedRoot() {
		return nil // checkRootless has seen that nothing needs a filter
	}
	var rules []specs.LinuxDeviceCgroup
	if n.spec.Linux.Resources != nil {
		rules = n.spec.Linux.Resources.Devices
	}
	return n.group.SetDevices(rules)
}
