// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/intelrdt"
)

// resctrlRoot is where everybody mounts resctrl.
const resctrlRoot = "/sys/fs/resctrl"

var errNoResctrl = errors.New("no resctrl file system is mounted (mount -t resctrl resctrl " + resctrlRoot +
	"; the processor must have Resource Director Technology, and the kernel CONFIG_X86_CPU_RESCTRL)")

// findResctrl returns where a resctrl file system is mounted.
func findResctrl() (string, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(resctrlRoot, &fs); err == nil && fs.Type == unix.RDTGROUP_SUPER_MAGIC {
		return resctrlRoot, nil
	}
	mounts, err := readMounts()
	if err != nil {
		return "", err
	}
	for _, m := range mounts {
		if m.kind == "resctrl" {
			return m.point, nil
		}
	}
	return "", errNoResctrl
}

// makeRdt makes what linux.intelRdt asks for. What will be there is saved before it is, for delete after a rt that was
// killed.
func (n *creation) makeRdt() error {
	config := n.spec.Linux.IntelRdt
	if config == nil {
		return nil
	}
	root, err := findResctrl()
	if err != nil {
		return fmt.Errorf("linux.intelRdt: %w", err)
	}
	group := intelrdt.New(root, n.c.saved.ID, config)
	s := &n.c.saved
	s.RdtPath, s.RdtMonitor, s.RdtOwned = group.Path, group.Monitor, group.Owned
	if err := n.c.save(); err != nil {
		return err
	}
	if err := group.Create(); err != nil {
		return fmt.Errorf("linux.intelRdt: %w", err)
	}
	n.onFailure(func() {
		if err := group.Undo(); err != nil {
			n.c.runtime.Log.Warnf("%v", err)
		}
	})
	s.RdtMonitor, s.RdtOwned = group.Monitor, group.Owned
	return nil
}

// rdtGroup is the container's place in a resctrl file system, or nil.
func (c *Container) rdtGroup() *intelrdt.Group {
	if c.saved.RdtPath == "" {
		return nil
	}
	return intelrdt.Open(c.saved.RdtPath, c.saved.RdtMonitor, c.saved.RdtOwned)
}

// joinRdt puts a process of the container into its resctrl group.
func (c *Container) joinRdt(pid int) error {
	group := c.rdtGroup()
	if group == nil {
		return nil
	}
	if err := group.Add(pid); err != nil {
		return fmt.Errorf("linux.intelRdt: %w", err)
	}
	return nil
}

// removeRdt removes what of a resctrl file system is the container's own.
func (c *Container) removeRdt() error {
	group := c.rdtGroup()
	if group == nil {
		return nil
	}
	return group.Remove()
}
