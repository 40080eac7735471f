// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/libcontainer/cgroup"
)

// delegateCgroup gives the group to the user that the container's process is, if the container can see it as its own
// and write to it (config-linux.md, "Cgroup ownership").
func (n *creation) delegateCgroup() error {
	if n.group.Version() != cgroup.V2 || !hasPrivate(n.spec, specs.CgroupNamespace) || !writableCgroups(n.spec) {
		return nil
	}
	uid, err := n.hostUser()
	if err != nil || uid == 0 {
		return err
	}
	return n.group.Delegate(uid)
}

// writableCgroups looks for the mount that the specification names.
func writableCgroups(s *specs.Spec) bool {
	return slices.ContainsFunc(s.Mounts, func(m specs.Mount) bool {
		return m.Source == "cgroup" && path.Clean(m.Destination) == "/sys/fs/cgroup" && !slices.Contains(m.Options, "ro")
	})
}

// hostUser returns the user of the host that the container's process is. The maps of a user namespace that is joined
// need not be in the config, so the stage is asked, which is in it by then.
func (n *creation) hostUser() (int, error) {
	uid := uint32(0)
	if n.spec.Process != nil {
		uid = n.spec.Process.User.UID
	}
	if !slices.ContainsFunc(n.spec.Linux.Namespaces, func(ns specs.LinuxNamespace) bool { return ns.Type == specs.UserNamespace }) {
		return int(uid), nil
	}
	maps, err := os.ReadFile("/proc/" + strconv.Itoa(n.stage.pid) + "/uid_map")
	if err != nil {
		return 0, fmt.Errorf("find the owner of the control group: %w", err)
	}
	for line := range strings.Lines(string(maps)) {
		var inside, outside, size uint32
		if _, err := fmt.Sscan(line, &inside, &outside, &size); err != nil {
			return 0, fmt.Errorf("find the owner of the control group: parse uid_map: %w", err)
		}
		if uid >= inside && uid-inside < size {
			return int(outside + uid - inside), nil
		}
	}
	return 0, nil // not mapped: the step that becomes this user says so
}
