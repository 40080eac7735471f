// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// ForUser is the layout for somebody who has only a part of the host's groups (cgroup-v2.rst, "Delegation"). On v2
// Place then takes the group that this process's own lies in for the place of relative paths: the own one holds
// processes, and could give no controllers to its children.
func (l Layout) ForUser() Layout {
	l.user = true
	return l
}

// Own returns the group that this process is in, hierarchy by hierarchy.
func (l Layout) Own() (*Group, error) {
	own, err := readOwn(l.ownFile)
	if err != nil {
		return nil, fmt.Errorf("find the own control group: %w", err)
	}
	g := &Group{}
	for _, h := range l.hierarchies {
		dir := filepath.Join(h.mount, ownBelow(h.mount, own[h.controllers[0]]))
		g.members = append(g.members, member{hierarchy: h, dir: dir})
	}
	return g, nil
}

// Denied says why this process may not make the group and start a process in it, or nil. It is asked before Create, so
// that nothing is half made.
func (g *Group) Denied() error {
	for _, m := range g.members {
		dir := m.dir
		missing := dir
		for len(dir) > len(m.mount) && unix.Faccessat(unix.AT_FDCWD, dir, unix.F_OK, unix.AT_EACCESS) != nil {
			missing, dir = dir, filepath.Dir(dir)
		}
		if err := unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK|unix.X_OK, unix.AT_EACCESS); err != nil {
			return fmt.Errorf("mkdir %q: %w", missing, err)
		}
		if !m.unified() {
			continue
		}
		if err := mayMove(m); err != nil {
			return err
		}
	}
	return nil
}

// mayMove asks for the right to bring a process of this group into another one: it is that to write to cgroup.procs of
// the nearest group above both (cgroup-v2.rst, "Delegation Containment").
func mayMove(m member) error {
	own, err := readOwn("/proc/self/cgroup")
	if err != nil {
		return err
	}
	from := filepath.Join(m.mount, ownBelow(m.mount, own[unifiedKey]))
	above := m.dir
	for above != m.mount && from != above && !strings.HasPrefix(from, above+"/") {
		above = filepath.Dir(above)
	}
	file := filepath.Join(above, "cgroup.procs")
	err = unix.Faccessat(unix.AT_FDCWD, file, unix.W_OK, unix.AT_EACCESS)
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("move a process below %q: write %q: %w", above, file, err)
	}
	return nil
}

// FirstLimit names a member of linux.resources that limits something besides devices, or returns "".
func FirstLimit(r *specs.LinuxResources) string {
	if r == nil {
		return ""
	}
	full := complete(r)
	for _, rows := range limits {
		for i := range rows {
			if rows[i].configured(full) {
				return memberPrefix + rows[i].member
			}
		}
	}
	if len(r.Unified) > 0 {
		return memberPrefix + "unified"
	}
	return ""
}

// AllowsAllDevices says that the rules of linux.resources, which have passed CheckDeviceRules, deny nothing, so that nobody
// has to enforce them. Without any rule only the default devices are allowed.
func AllowsAllDevices(r *specs.LinuxResources) bool {
	if r == nil {
		return false
	}
	rules, err := parseRules(r.Devices)
	if err != nil {
		return false
	}
	all := false
	for _, rule := range rules {
		if rule.deviceSet == (deviceSet{'a', anyNumber, anyNumber}) && rule.access == mayAll {
			all = rule.allow
		} else if !rule.allow {
			all = false
		}
	}
	return all
}
