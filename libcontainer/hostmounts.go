// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/sys"
)

// A container without a mount namespace of its own has its mounts in ours. They are undone with it: all mounts below
// its root that were not there before.

// rememberMounts saves which mounts below the root are not the container's.
func (n *creation) rememberMounts() error {
	for _, ns := range n.spec.Linux.Namespaces {
		if ns.Type == specs.MountNamespace {
			return nil
		}
	}
	before, err := mountsBelow(n.c.saved.Rootfs)
	if err != nil {
		return err
	}
	n.c.saved.HostMounts = true
	n.c.saved.ForeignMounts = before
	n.onFailure(func() {
		if err := n.c.removeHostMounts(); err != nil {
			n.c.runtime.Log.Warnf("%v", err)
		}
	})
	return nil
}

// removeHostMounts detaches what the container has mounted, the newest first.
func (c *Container) removeHostMounts() error {
	if !c.saved.HostMounts {
		return nil
	}
	mounts, err := mountsBelow(c.saved.Rootfs)
	if err != nil {
		return err
	}
	foreign := slices.Clone(c.saved.ForeignMounts)
	for _, path := range mounts {
		if i := slices.Index(foreign, path); i >= 0 {
			foreign = slices.Delete(foreign, i, i+1) // of several mounts at a place, the oldest was there before
			continue
		}
		if err := c.detach(path); err != nil {
			return err
		}
	}
	return nil
}

// detach unmounts what is mounted at a path below the root. The container may have put links in the way meanwhile.
func (c *Container) detach(unsafePath string) error {
	root, err := sys.Open(c.saved.Rootfs, unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer unix.Close(root)
	how := unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS,
	}
	point, err := unix.Openat2(root, strings.TrimPrefix(unsafePath, c.saved.Rootfs+"/"), &how)
	if err != nil {
		return fmt.Errorf("openat2 %q: %w", unsafePath, err)
	}
	defer unix.Close(point)
	if err := unix.Unmount("/proc/self/fd/"+strconv.Itoa(point), unix.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount %q: %w", unsafePath, err)
	}
	return nil
}

// mountsBelow returns the mount points below a directory, in the order in which they must be unmounted.
func mountsBelow(dir string) ([]string, error) {
	mounts, err := readMounts()
	if err != nil {
		return nil, err
	}
	var below []string
	for _, m := range mounts {
		if strings.HasPrefix(m.point, dir+"/") {
			below = append(below, m.point)
		}
	}
	// Deeper ones first; those of one place stay as mountinfo has them, reversed.
	slices.Reverse(below)
	slices.SortStableFunc(below, func(a, b string) int { return strings.Count(b, "/") - strings.Count(a, "/") })
	return below, nil
}
