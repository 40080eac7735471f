// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/cgroup"
)

// makeCgroup makes the control group. Its paths are saved before it exists, for delete after a rt that was killed; that
// it is ours, and what may be killed in it, only afterwards: it may turn out to be another container's.
func (n *creation) makeCgroup() error {
	var err error
	if n.group, err = n.driver().Place(n.layout, n.spec.Linux.CgroupsPath, n.c.saved.ID); err != nil {
		return err
	}
	n.c.saved.CgroupPaths = n.group.Paths()
	n.c.saved.Unit, n.c.saved.UserUnit = n.group.Unit()
	if err := n.c.save(); err != nil {
		return err
	}
	if err := n.startUnit(); err != nil {
		return fmt.Errorf("make control group: %w", err)
	}
	if err := n.group.Create(); err != nil {
		return fmt.Errorf("make control group: %w", err)
	}
	n.onFailure(n.removeCgroup)
	n.c.saved.CgroupKept, n.c.saved.CgroupOurs = n.group.Kept(), true
	if len(n.c.saved.CgroupKept) > 0 {
		err = n.c.save()
	} else {
		err = writeNew(n.c.file(claimName), nil, 0o600) // says no more, and costs less
	}
	if err != nil {
		return err
	}
	if err := n.setLimits(); err != nil {
		return err
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
func (n *creation) setLimits() error { return n.group.Set(n.earlyLimits()) }

// earlyLimits are the resources without what setLateLimits sets.
func (n *creation) earlyLimits() *specs.LinuxResources {
	r := n.spec.Linux.Resources
	if r == nil || !onlyOneProcess(r.Pids) {
		return r
	}
	early := *r
	early.Pids = nil
	return &early
}

// setLateLimits sets what leaves no room for the making of the container: the stage may have to fork, and hooks to run.
func (n *creation) setLateLimits() error {
	r := n.spec.Linux.Resources
	if r == nil || !onlyOneProcess(r.Pids) {
		return nil
	}
	return n.group.Set(&specs.LinuxResources{Pids: r.Pids})
}

func onlyOneProcess(p *specs.LinuxPids) bool {
	return p != nil && p.Limit != nil && (*p.Limit == 0 || *p.Limit == 1)
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
// the stage, which makes device nodes, must not be in the group yet.
func (n *creation) setDevices() error {
	var rules []specs.LinuxDeviceCgroup
	if n.spec.Linux.Resources != nil {
		rules = n.spec.Linux.Resources.Devices
	}
	return n.group.SetDevices(rules)
}
