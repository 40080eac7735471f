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
	layout, err := cgroup.Detect()
	if err != nil {
		return err
	}
	if n.group, err = layout.Place(n.spec.Linux.CgroupsPath, n.c.saved.ID); err != nil {
		return err
	}
	n.c.saved.CgroupPaths = n.group.Paths()
	if err := n.c.save(); err != nil {
		return err
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
	return n.setDevices()
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
