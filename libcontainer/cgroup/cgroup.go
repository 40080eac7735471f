// SPDX-License-Identifier: Apache-2.0

// Package cgroup places a container in the control groups of the host and takes care of it there: it finds the
// hierarchies, makes the directories, hands out the descriptors by which the stage joins them, filters devices,
// lists and signals the members, and removes what was made. It is the cgroupfs driver, for cgroup v1, v2
// and the hybrid of both (v1 controllers and a unified tree beside them). It runs on the host side, in rt itself.
//
// create goes through Detect, Place, Create, SetDevices, CloneDirectory and TaskFiles, and stores Paths and Kept; if it
// fails later, Rollback. Every other command begins with FromPaths and Keep: delete goes through Kill and Remove.
//
// Sources: runtime-spec config-linux.md, sections "Control groups" and "Device allowed list"; kernel
// admin-guide/cgroup-v2.rst and admin-guide/cgroup-v1/; cgroups(7).
package cgroup

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// Version says which interface the host offers.
type Version int

const (
	V1     Version = iota + 1 // one hierarchy per controller
	V2                        // one unified hierarchy
	Hybrid                    // v1 controllers, and a unified hierarchy with few or none
)

// String returns the name used in messages: "v1", "v2" or "hybrid".
func (v Version) String() string {
	switch v {
	case V1:
		return "v1"
	case V2:
		return "v2"
	case Hybrid:
		return "hybrid"
	}
	return fmt.Sprintf("cgroup version %d", int(v))
}

// unifiedKey is the key of the unified hierarchy where v1 hierarchies are named by their controllers: it has no
// name in /proc/PID/cgroup ("0::/path"), and in the state file runc uses the same empty key.
const unifiedKey = ""

// hierarchy is one mounted tree of groups.
type hierarchy struct {
	mount       string   // where it is mounted, absolute
	controllers []string // "memory", "name=systemd"; for the unified one only unifiedKey
}

func (h hierarchy) unified() bool { return h.controllers[0] == unifiedKey }

// Layout is what Detect found: the hierarchies of the host. Place turns it into the group of one container.
type Layout struct {
	Version     Version
	hierarchies []hierarchy
	ownFile     string // /proc/self/cgroup, except in tests
	user        bool   // see ForUser
}

// String describes the layout for a person: the version and the names of the v1 hierarchies.
func (l Layout) String() string {
	var names []string
	for _, h := range l.hierarchies {
		if !h.unified() {
			names = append(names, strings.Join(h.controllers, ","))
		}
	}
	if len(names) == 0 {
		return l.Version.String()
	}
	return l.Version.String() + " (" + strings.Join(names, " ") + ")"
}

// Group is the control group of one container: one directory in each hierarchy, the same name in all.
type Group struct {
	members []member
	made    []string // directories that Create made, in that order, with parents
	kept    []string // directories at or below the group that were there before: Remove leaves them
	keeper  keeper   // nil: nobody but us
}

// member is the directory of a group in one hierarchy.
type member struct {
	hierarchy
	dir string // absolute
}

// Version tells which kind of group it is.
func (g *Group) Version() Version {
	_, hasUnified := g.unified()
	switch {
	case !hasUnified:
		return V1
	case len(g.members) == 1:
		return V2
	}
	return Hybrid
}

// Paths returns the directory of each controller, the form that the state file has (and that cAdvisor reads from
// runc's): "memory" to "/sys/fs/cgroup/memory/x", "name=systemd" for the named hierarchy, "" for the unified one.
func (g *Group) Paths() map[string]string {
	paths := map[string]string{}
	for _, m := range g.members {
		for _, controller := range m.controllers {
			paths[controller] = m.dir
		}
	}
	return paths
}

// FromPaths makes a group from what Paths returned, without looking at the host: kill, delete and state of a
// container must find the group that create made, whatever is mounted by then.
func FromPaths(paths map[string]string) (*Group, error) {
	byDir := map[string]int{} // co-mounted controllers share a directory, which must be treated once
	g := &Group{}
	for _, controller := range slices.Sorted(maps.Keys(paths)) {
		dir := paths[controller]
		if !filepath.IsAbs(dir) || filepath.Clean(dir) != dir || dir == "/" {
			return nil, fmt.Errorf("use control group directory %q of controller %q: not an absolute, clean path",
				dir, controller)
		}
		if i, ok := byDir[dir]; ok {
			g.members[i].controllers = append(g.members[i].controllers, controller)
			continue
		}
		byDir[dir] = len(g.members)
		g.members = append(g.members, member{hierarchy: hierarchy{controllers: []string{controller}}, dir: dir})
	}
	return g, nil
}

// Kept returns the directories of the group, and of groups below it, that Create found already there; usually none.
// A group that is made again by FromPaths must be told with Keep.
func (g *Group) Kept() []string { return g.kept }

// Keep names directories that Remove must leave: what Kept returned when the group was created.
func (g *Group) Keep(dirs []string) { g.kept = dirs }

// unified returns the directory in the v2 tree, which a pure v1 host has not.
func (g *Group) unified() (member, bool) { return g.controller(unifiedKey) }

// controller returns the directory of the hierarchy that has the named controller.
func (g *Group) controller(name string) (member, bool) {
	for _, m := range g.members {
		if slices.Contains(m.controllers, name) {
			return m, true
		}
	}
	return member{}, false
}
