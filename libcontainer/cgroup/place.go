// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rt-oci/rt/libcontainer/sys"
)

// Place resolves linux.cgroupsPath to the group of container id; nothing is made yet.
//
//   - An absolute path counts from the root of each hierarchy (config-linux.md, "Cgroups Path").
//   - A relative one is below a place that the runtime chooses. On v1 and hybrid that is the control group the
//     runtime itself is in, hierarchy by hierarchy, as callers know it from runc: limits on the caller then hold
//     for the container too. On v2 it is the root, because a group that holds processes (the caller's own does)
//     can't give controllers to its children (cgroup-v2.rst, "No Internal Process Constraint").
//   - An empty one is the relative path id.
//
// A path that leads nowhere new ("/", ".") or up ("..") is refused: it would name a group of somebody else.
func (l Layout) Place(cgroupsPath, id string) (*Group, error) {
	relative := !strings.HasPrefix(cgroupsPath, "/")
	path := cgroupsPath
	if path == "" {
		path = id
	}
	components, err := split(path)
	if err != nil {
		return nil, fmt.Errorf("resolve linux.cgroupsPath %q: %w", cgroupsPath, err)
	}

	own := map[string]string{}
	if relative && (l.Version != V2 || l.user) {
		if own, err = readOwn(l.ownFile); err != nil {
			return nil, fmt.Errorf("resolve linux.cgroupsPath %q: %w", cgroupsPath, err)
		}
		if l.Version == V2 {
			own[unifiedKey] = filepath.Dir(own[unifiedKey])
		}
	}
	g := &Group{}
	for _, h := range l.hierarchies {
		dir := filepath.Join(h.mount, ownBelow(h.mount, own[h.controllers[0]]), filepath.Join(components...))
		g.members = append(g.members, member{hierarchy: h, dir: dir})
	}
	return g, nil
}

// split takes a path apart without resolving anything.
func split(path string) ([]string, error) {
	var components []string
	for component := range strings.SplitSeq(path, "/") {
		switch component {
		case "", ".":
		case "..":
			return nil, errors.New(`".." is not allowed in it`)
		default:
			components = append(components, component)
		}
	}
	if len(components) == 0 {
		return nil, errors.New("it names no group below the root of the hierarchy")
	}
	return components, nil
}

// readOwn returns the control group of this process in each hierarchy, by controller (proc(5), /proc/PID/cgroup:
// lines "ID:CONTROLLER,CONTROLLER:PATH"; the controller list of the unified hierarchy is empty).
func readOwn(file string) (map[string]string, error) {
	content, err := sys.ReadFile(file)
	if err != nil {
		return nil, err
	}
	own := map[string]string{}
	for line := range strings.Lines(string(content)) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(fields) != 3 {
			return nil, fmt.Errorf("parse %q: unexpected line %q", file, line)
		}
		for controller := range strings.SplitSeq(fields[1], ",") {
			own[controller] = fields[2]
		}
	}
	return own, nil
}

// ownBelow returns path, the runtime's own group, if it can be seen below mount. It can't when only a part of the
// hierarchy is mounted, as in a container without a cgroup namespace, or when the group lies outside of the cgroup
// namespace (then path begins with "/.."). The root of what is mounted serves then.
func ownBelow(mount, path string) string {
	if path == "" || path == "/" || slices.Contains(strings.Split(path, "/"), "..") {
		return "/"
	}
	if info, err := os.Stat(filepath.Join(mount, path)); err != nil || !info.IsDir() {
		return "/"
	}
	return path
}
