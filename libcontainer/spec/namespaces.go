// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// has says whether the container has a namespace of the type to itself, new or joined.
func (v *validator) has(t specs.LinuxNamespaceType) bool {
	return v.find(t) != nil
}

func (v *validator) find(t specs.LinuxNamespaceType) *specs.LinuxNamespace {
	for i := range v.linux.Namespaces {
		if v.linux.Namespaces[i].Type == t {
			return &v.linux.Namespaces[i]
		}
	}
	return nil
}

func (v *validator) namespaces() error {
	for i, n := range v.linux.Namespaces {
		member := fmt.Sprintf("linux.namespaces[%d]", i)
		switch n.Type {
		case specs.PIDNamespace, specs.NetworkNamespace, specs.MountNamespace, specs.IPCNamespace,
			specs.UTSNamespace, specs.UserNamespace, specs.CgroupNamespace, specs.TimeNamespace:
		case "":
			return fmt.Errorf("%s.type: missing (want pid, network, mount, ipc, uts, user, cgroup or time)", member)
		default:
			return fmt.Errorf("%s.type %q: want pid, network, mount, ipc, uts, user, cgroup or time", member, n.Type)
		}
		if v.find(n.Type) != &v.linux.Namespaces[i] {
			return fmt.Errorf("%s.type %q: listed twice", member, n.Type)
		}
		if n.Path != "" {
			if err := absolute(member+".path", n.Path); err != nil {
				return err
			}
		}
	}
	return nil
}

// idMappings checks the maps of the user namespace. For one that is joined they are optional; whether
// they match can only be seen on the host.
func (v *validator) idMappings() error {
	uids, gids := v.linux.UIDMappings, v.linux.GIDMappings
	user := v.find(specs.UserNamespace)
	if user == nil {
		if len(uids)+len(gids) > 0 {
			v.warn("linux.uidMappings and linux.gidMappings are ignored: there is no user namespace")
		}
		return nil
	}
	if err := checkMappings("linux.uidMappings", uids); err != nil {
		return err
	}
	if err := checkMappings("linux.gidMappings", gids); err != nil {
		return err
	}
	if user.Path != "" {
		return nil
	}
	if len(uids) == 0 {
		return errors.New("linux.uidMappings: missing (a new user namespace wants at least one entry)")
	}
	if len(gids) == 0 {
		return errors.New("linux.gidMappings: missing (a new user namespace wants at least one entry)")
	}
	if !mapped(uids, 0) {
		return errors.New("linux.uidMappings: the container's root, user 0, is not mapped (add an entry with containerID 0)")
	}
	if !mapped(gids, 0) {
		return errors.New("linux.gidMappings: the container's root, group 0, is not mapped (add an entry with containerID 0)")
	}
	return v.processMapped()
}

func (v *validator) processMapped() error {
	if v.spec.Process == nil {
		return nil
	}
	user := &v.spec.Process.User
	if !mapped(v.linux.UIDMappings, user.UID) {
		return fmt.Errorf("process.user.uid %d: not in linux.uidMappings", user.UID)
	}
	if !mapped(v.linux.GIDMappings, user.GID) {
		return fmt.Errorf("process.user.gid %d: not in linux.gidMappings", user.GID)
	}
	for i, gid := range user.AdditionalGids {
		if !mapped(v.linux.GIDMappings, gid) {
			return fmt.Errorf("process.user.additionalGids[%d] %d: not in linux.gidMappings", i, gid)
		}
	}
	return nil
}

func mapped(mappings []specs.LinuxIDMapping, id uint32) bool {
	return slices.ContainsFunc(mappings, func(m specs.LinuxIDMapping) bool {
		return id >= m.ContainerID && id-m.ContainerID < m.Size
	})
}

// idMappingsMax is UID_GID_MAP_MAX_EXTENTS (user_namespaces(7), Linux 4.15).
const idMappingsMax = 340

// checkMappings applies the rules of /proc/PID/uid_map: no range is empty or ends behind the last id,
// and ranges don't overlap on either side.
func checkMappings(member string, mappings []specs.LinuxIDMapping) error {
	if len(mappings) > idMappingsMax {
		return fmt.Errorf("%s: want at most %d entries, got %d", member, idMappingsMax, len(mappings))
	}
	for i, m := range mappings {
		if m.Size == 0 {
			return fmt.Errorf("%s[%d].size: missing or 0", member, i)
		}
		// The last 32-bit number is no id: it means "none" (chown(2)).
		if last := uint64(max(m.ContainerID, m.HostID)) + uint64(m.Size) - 1; last >= noID {
			return fmt.Errorf("%s[%d]: the range ends at %d, behind the last id %d", member, i, last, uint32(noID-1))
		}
	}
	for _, side := range [...]struct {
		name  string
		start func(specs.LinuxIDMapping) uint32
	}{
		{"containerID", func(m specs.LinuxIDMapping) uint32 { return m.ContainerID }},
		{"hostID", func(m specs.LinuxIDMapping) uint32 { return m.HostID }},
	} {
		sorted := slices.Clone(mappings)
		slices.SortFunc(sorted, func(a, b specs.LinuxIDMapping) int { return cmp.Compare(side.start(a), side.start(b)) })
		for i := 1; i < len(sorted); i++ {
			before, start := sorted[i-1], side.start(sorted[i])
			if start-side.start(before) < before.Size {
				return fmt.Errorf("%s: %s %d is in two entries", member, side.name, start)
			}
		}
	}
	return nil
}

// nanosecsPerSec is the number that nanosecs stays below.
const nanosecsPerSec = 1_000_000_000

func (v *validator) timeOffsets() error {
	if len(v.linux.TimeOffsets) == 0 {
		return nil
	}
	namespace := v.find(specs.TimeNamespace)
	if namespace == nil {
		return errors.New(`linux.timeOffsets: there is no time namespace (add {"type": "time"} to linux.namespaces)`)
	}
	if namespace.Path != "" {
		return errors.New("linux.timeOffsets: the offsets of a time namespace that is joined by path can't be changed (remove them)")
	}
	for _, clock := range sortedKeys(v.linux.TimeOffsets) {
		if clock != "monotonic" && clock != "boottime" {
			return fmt.Errorf("linux.timeOffsets: unknown clock %q (want monotonic or boottime)", clock)
		}
		if n := v.linux.TimeOffsets[clock].Nanosecs; n >= nanosecsPerSec {
			return fmt.Errorf("linux.timeOffsets.%s.nanosecs %d: want less than %d", clock, n, nanosecsPerSec)
		}
	}
	return nil
}
