// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/sys"
)

// A container without a mount namespace of its own has its mounts in ours, or in the one that it joins. They are undone
// with it: all mounts below its root that were not there before.

// mountPlace is where the mounts of such a container are.
type mountPlace struct {
	Namespace string `json:"namespace,omitempty"` // path; "" for ours
	Device    uint64 `json:"device,omitempty"`    // of the namespace, which another one may follow at its path
	Inode     uint64 `json:"inode,omitempty"`
}

// rememberMounts saves which mounts below the root are not the container's.
func (n *creation) rememberMounts() error {
	place, foreign := mountPlace{}, []string(nil)
	for _, ns := range n.spec.Linux.Namespaces {
		if ns.Type != specs.MountNamespace {
			continue
		}
		var s unix.Stat_t
		if ns.Path == "" || unix.Stat(ns.Path, &s) != nil { // what is wrong with the path, the plan's files tell in better words
			return nil
		}
		place = mountPlace{Namespace: ns.Path, Device: s.Dev, Inode: s.Ino}
	}
	err := place.visit(func(proc int) (err error) {
		foreign, err = mountsBelow(proc, n.c.saved.Rootfs)
		return err
	})
	if err != nil {
		return err
	}
	n.c.saved.HostMounts = &place
	n.c.saved.ForeignMounts = foreign
	n.onFailure(func() {
		if err := n.c.removeHostMounts(); err != nil {
			n.c.runtime.Log.Warnf("%v", err)
		}
	})
	return nil
}

// removeHostMounts detaches what the container has mounted, the newest first.
func (c *Container) removeHostMounts() error {
	if c.saved.HostMounts == nil {
		return nil
	}
	return c.saved.HostMounts.visit(func(proc int) error {
		mounts, err := mountsBelow(proc, c.saved.Rootfs)
		if err != nil {
			return err
		}
		foreign := slices.Clone(c.saved.ForeignMounts)
		for _, path := range mounts {
			if i := slices.Index(foreign, path); i >= 0 {
				foreign = slices.Delete(foreign, i, i+1) // of several mounts at a place, the oldest was there before
				continue
			}
			if err := c.detach(proc, path); err != nil {
				return err
			}
		}
		return nil
	})
}

// visit calls look on a thread that is in the mount namespace, with a descriptor of its directory of our procfs: whatever
// is mounted at /proc there is not to be believed. A namespace that is gone has taken its mounts along.
func (p *mountPlace) visit(look func(proc int) error) error {
	result := make(chan error, 1)
	go onOwnThread(func() { result <- p.visitHere(look) })
	return <-result
}

// visitHere leaves the thread with a directory, and perhaps in a mount namespace, of its own.
func (p *mountPlace) visitHere(look func(proc int) error) error {
	proc, err := sys.Open("/proc/thread-self", unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer unix.Close(proc)
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("unshare the current directory: %w", err)
	}
	if p.Namespace != "" {
		namespace, err := unix.Open(p.Namespace, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil // it is gone
		}
		defer unix.Close(namespace)
		var s unix.Stat_t
		if err := unix.Fstat(namespace, &s); err != nil {
			return fmt.Errorf("stat %q: %w", p.Namespace, err)
		}
		if s.Dev != p.Device || s.Ino != p.Inode {
			return nil
		}
		if err := unix.Setns(namespace, unix.CLONE_NEWNS); err != nil {
			return fmt.Errorf("setns %q: %w", p.Namespace, err)
		}
	}
	return look(proc)
}

// detach unmounts what is mounted at a path below the root. The container may have put links in the way meanwhile.
func (c *Container) detach(proc int, unsafePath string) error {
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
	if err := unix.Fchdir(proc); err != nil {
		return fmt.Errorf("change to the thread's directory of procfs: %w", err)
	}
	if err := unix.Unmount("fd/"+strconv.Itoa(point), unix.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount %q: %w", unsafePath, err)
	}
	return nil
}

// mountsBelow returns the mount points below a directory, in the order in which they must be unmounted.
func mountsBelow(proc int, dir string) ([]string, error) {
	fd, err := unix.Openat(proc, "mountinfo", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("read mounts: %w", err)
	}
	mounts, err := readMountsOf(os.NewFile(uintptr(fd), "mountinfo"))
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
