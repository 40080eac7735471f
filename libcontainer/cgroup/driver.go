// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"github.com/opencontainers/runtime-spec/specs-go"
)

// Driver decides where a container's group is. There are two: Cgroupfs makes it by itself, with Systemd it is a scope
// of systemd, which makes it and knows of it. All else is the same for both: Group.
type Driver interface {
	// Place resolves linux.cgroupsPath to the group of container id; nothing is made yet.
	Place(l Layout, cgroupsPath, id string) (*Group, error)
}

// Cgroupfs is the driver that needs nothing but the file system.
type Cgroupfs struct{}

// Place is Layout.Place.
func (Cgroupfs) Place(l Layout, cgroupsPath, id string) (*Group, error) {
	return l.Place(cgroupsPath, id)
}

// keeper is who takes part in a group's life besides the file system. It is nil for a group of Cgroupfs.
type keeper interface {
	// start has the directories of the group made around a process, with limits in force from the first moment.
	start(g *Group, pid int, r *specs.LinuxResources) error
	// set takes new values over before they are written, as it would write those that it knows again one day, and returns
	// what is to be written now.
	set(g *Group, r *specs.LinuxResources, list []setting) ([]setting, error)
	// stop forgets the group, which has no process any more.
	stop() error
}
