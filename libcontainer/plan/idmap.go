// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// IDMap is an id mapping of mounts: ids on disk (ContainerID) and what the kernel takes them for (HostID).
// Without entries it is that of the container's user namespace.
type IDMap struct {
	UIDs, GIDs []specs.LinuxIDMapping
}

// mapTree gives the current tree the mapping that the config asks for (config.md, "POSIX-platform Mounts"). Mappings
// ask for it by themselves, also without an option. Of a tree, idmap maps the top mount, ridmap all mounts.
func (b *builder) mapTree(m *specs.Mount, o *MountOptions) {
	if !o.IDMap && len(m.UIDMappings)+len(m.GIDMappings) == 0 {
		return
	}
	mapping := IDMap{UIDs: m.UIDMappings, GIDs: m.GIDMappings}
	if b.isContainers(&mapping) {
		mapping = IDMap{}
		if !o.Bind && b.userNamespaced() {
			return // what is mounted in a user namespace has its mapping, and the kernel refuses to apply it twice
		}
	}
	b.add(MapTree{Mapping: b.mapping(&mapping), Recursive: o.RecursiveIDMap})
}

// isContainers says that a mapping is that of the container's user namespace: the one made for the container serves,
// and no other is made for the mount.
func (b *builder) isContainers(mapping *IDMap) bool {
	if len(mapping.UIDs) == 0 {
		return true
	}
	l := b.spec.Linux
	return b.private(specs.UserNamespace) && slices.Equal(mapping.UIDs, l.UIDMappings) && slices.Equal(mapping.GIDs, l.GIDMappings)
}

// mapping returns the index of a mapping in the plan. Mounts with the same one share it.
func (b *builder) mapping(want *IDMap) uint32 {
	for i := range b.plan.IDMaps {
		have := &b.plan.IDMaps[i]
		if slices.Equal(have.UIDs, want.UIDs) && slices.Equal(have.GIDs, want.GIDs) {
			return uint32(i)
		}
	}
	b.plan.IDMaps = append(b.plan.IDMaps, *want)
	return uint32(len(b.plan.IDMaps) - 1)
}

func describeIDMap(m *IDMap) string {
	if len(m.UIDs) == 0 {
		return "the container's"
	}
	var out strings.Builder
	for i, ids := range [][]specs.LinuxIDMapping{m.UIDs, m.GIDs} {
		out.WriteString([]string{"users", " groups"}[i])
		for _, id := range ids {
			fmt.Fprintf(&out, " %d:%d:%d", id.ContainerID, id.HostID, id.Size)
		}
	}
	return out.String()
}
