// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"fmt"
	"maps"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/libcontainer/cgroup"
	"github.com/rt-oci/rt/libcontainer/plan"
	"github.com/rt-oci/rt/nsenter"
)

// driver is who makes the control group.
func (n *creation) driver() cgroup.Driver {
	if !n.options.Systemd {
		return cgroup.Cgroupfs{}
	}
	d := cgroup.Systemd{User: userUnits(), Annotations: n.spec.Annotations}
	if r := n.spec.Linux.Resources; r != nil {
		d.Devices = r.Devices
	}
	return d
}

// userUnits says that it is the user's instance of systemd that keeps our scopes. The root of a user namespace has the
// system's only if that runs in the namespace, too.
func userUnits() bool { return unprivileged() || limitedRoot() && !cgroup.OwnsManager() }

// findGroup tells where create has put the container, whose state can't be read. Which driver it had, the form of the
// path says; without a path both have a standard place, and systemd's is tried if there is a group.
func (c *Container) findGroup(layout cgroup.Layout, s *specs.Spec) (*cgroup.Group, error) {
	path := s.Linux.CgroupsPath
	if path != "" && (path[0] == '/' || strings.Count(path, ":") != 2) {
		return c.runtime.userLayout(layout).Place(path, c.saved.ID)
	}
	group, err := cgroup.Systemd{User: userUnits()}.Place(layout, path, c.saved.ID)
	if err == nil && (path != "" || group.Exists()) {
		return group, nil
	}
	return c.runtime.userLayout(layout).Place(path, c.saved.ID)
}

// startUnit has systemd make the control group. It does so around a process, and the stage is to be born in a group that
// is ready: so the first process is a placeholder, the stage's program with nothing to do but wait. It is dead before a
// hook runs, and dies with us.
func (n *creation) startUnit() error {
	if name, _ := n.group.Unit(); name == "" {
		return nil
	}
	p := &plan.Plan{Steps: []plan.Entry{{Step: plan.Sync{Message: nsenter.MessageReady}}}}
	start := stageStart{plan: p, stdio: [3]uintptr{0, 1, 2}, shortLived: true}
	var err error
	if n.holder, err = start.run(); err != nil {
		return fmt.Errorf("start a placeholder: %w", err)
	}
	n.onFailure(n.endPlaceholder)
	if err := n.group.StartUnit(n.holder.pid, n.earlyLimits()); err != nil {
		return err // the unit, or the group, may be somebody else's
	}
	n.onFailure(n.removeCgroup)
	if paths := n.group.Paths(); !maps.Equal(paths, n.c.saved.CgroupPaths) {
		n.c.saved.CgroupPaths = paths
		return n.c.save()
	}
	return nil
}

func (n *creation) endPlaceholder() {
	if n.holder != nil {
		n.holder.kill()
		n.holder = nil
	}
}

// releasePlaceholder ends the placeholder once the stage is in the group, and sets what waited for that.
func (n *creation) releasePlaceholder() error {
	if n.holder == nil {
		return nil
	}
	n.endPlaceholder()
	return n.group.ReleasePlaceholder()
}
