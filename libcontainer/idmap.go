// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/plan"
	"github.com/rt-oci/rt/libcontainer/sys"
	"github.com/rt-oci/rt/nsenter"
)

// Id-mapped mounts (mount_setattr(2), "ID-mapped mounts"). The mapping is that of a user namespace. The stage builds
// the tree and sends it; the host side, which has the rights over the file system, applies the mapping before anybody
// can see the tree.

// mapTree gives a tree of the stage the mapping that its step asks for, and answers.
func (n *creation) mapTree(m *nsenter.Message, tree int) error {
	if tree < 0 || int(m.Step) >= len(n.planned.Steps) {
		return fmt.Errorf("id mapping: the stage sent no tree: %w", unix.EPROTO)
	}
	defer unix.Close(tree)
	entry := &n.planned.Steps[m.Step]
	step, ok := entry.Step.(plan.MapTree)
	if !ok {
		return fmt.Errorf("id mapping: the stage is at step %s: %w", plan.Name(entry.Step), unix.EPROTO)
	}
	namespace, err := n.mappingNamespace(step.Mapping)
	if err == nil {
		if err = sys.MapTree(tree, namespace, step.Recursive); err != nil {
			err = explainMapping(err, tree, namespace, step.Recursive)
		}
	}
	if err != nil {
		return fmt.Errorf("%s: id mapping: %w", entry.Member, err)
	}
	return n.stage.answer("")
}

// mappingNamespace returns a user namespace that has the index-th mapping of the plan. It is made once.
func (n *creation) mappingNamespace(index uint32) (int, error) {
	if n.mappings == nil {
		n.mappings = slices.Repeat([]int{-1}, len(n.planned.IDMaps))
	}
	if n.mappings[index] >= 0 {
		return n.mappings[index], nil
	}
	mapping := &n.planned.IDMaps[index]
	var err error
	if len(mapping.UIDs) == 0 {
		// By the time of the first mount the stage is in the container's user namespace.
		n.mappings[index], err = sys.Open(userNamespaceOf(n.stage.pid), unix.O_RDONLY)
	} else {
		n.mappings[index], err = newMappingNamespace(mapping)
	}
	return n.mappings[index], err
}

func (n *creation) closeMappings() {
	for _, fd := range n.mappings {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
	n.mappings = nil
}

func userNamespaceOf(pid int) string { return "/proc/" + strconv.Itoa(pid) + "/ns/user" }

// newMappingNamespace makes a user namespace for its maps alone. A stage lives in it until they are written; the
// descriptor then keeps the namespace.
func newMappingNamespace(mapping *plan.IDMap) (int, error) {
	start := stageStart{
		plan:  &plan.Plan{Steps: []plan.Entry{{Step: plan.Sync{Message: nsenter.MessageMapIds}}}},
		stdio: [3]uintptr{0, 1, 2},
		sys:   syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER},
	}
	s, err := start.run()
	if err != nil {
		if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EPERM) {
			err = fmt.Errorf("%w (see /proc/sys/user/max_user_namespaces: a mapping needs a user namespace)", err)
		}
		return -1, err
	}
	defer s.kill()
	if m, _, err := s.hear(); err != nil || m.Type != nsenter.MessageMapIds {
		return -1, fmt.Errorf("make a user namespace: %w", s.death())
	}
	maps := []idMap{{"uid_map", "uidMappings", mapping.UIDs}, {"gid_map", "gidMappings", mapping.GIDs}}
	if err := writeIDMaps(s.pid, maps); err != nil {
		return -1, err
	}
	return sys.Open(userNamespaceOf(s.pid), unix.O_RDONLY)
}

// explainMapping says what the kernel has against a mapping.
func explainMapping(err error, tree, namespace int, recursive bool) error {
	switch {
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("%w (the source is id-mapped already, or rt has no rights over its file system)", err)
	case !errors.Is(err, unix.EINVAL):
		return err
	case recursive && sys.MapTree(tree, namespace, false) == nil:
		return fmt.Errorf("%w (a mount below the source has a file system that can't be id-mapped: use idmap instead of ridmap)", err)
	}
	return fmt.Errorf("%w (%s)", err, explainFileSystem(tree))
}

// mappableFS says since which kernel a file system's mounts can be id-mapped (the flag FS_ALLOW_IDMAP in its sources).
type mappableFS struct {
	magic       int64
	name, since string
}

// explainFileSystem says that a file system of this type can't be id-mapped here.
func explainFileSystem(fd int) string {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		return "the file system can't be id-mapped"
	}
	name, since := fmt.Sprintf("of type %#x", fs.Type), ""
	for _, known := range []mappableFS{
		{unix.EXT4_SUPER_MAGIC, "ext4", "5.12"},
		{unix.XFS_SUPER_MAGIC, "xfs", "5.12"},
		{unix.MSDOS_SUPER_MAGIC, "vfat", "5.12"},
		{unix.BTRFS_SUPER_MAGIC, "btrfs", "5.15"},
		{unix.F2FS_SUPER_MAGIC, "f2fs", "5.18"},
		{unix.EROFS_SUPER_MAGIC_V1, "erofs", "5.19"},
		{unix.SQUASHFS_MAGIC, "squashfs", "6.2"},
		{unix.TMPFS_MAGIC, "tmpfs", "6.3"},
		{unix.CEPH_SUPER_MAGIC, "ceph", "6.7"},
		{unix.HUGETLBFS_MAGIC, "hugetlbfs", "6.9"},
		{unix.FUSE_SUPER_MAGIC, "fuse", "6.12, where its server allows it"},
		{unix.OVERLAYFS_SUPER_MAGIC, "overlay", ""},
		{unix.NFS_SUPER_MAGIC, "nfs", ""},
		{unix.CIFS_SUPER_MAGIC, "cifs", ""},
		{unix.PROC_SUPER_MAGIC, "proc", ""},
		{unix.SYSFS_MAGIC, "sysfs", ""},
		{unix.DEVPTS_SUPER_MAGIC, "devpts", ""},
		{unix.CGROUP_SUPER_MAGIC, "cgroup", ""},
		{unix.CGROUP2_SUPER_MAGIC, "cgroup2", ""},
		{unix.RAMFS_MAGIC, "ramfs", ""},
	} {
		if known.magic == fs.Type {
			name, since = known.name, known.since
		}
	}
	text := fmt.Sprintf("Linux %s can't id-map file system %s", sys.KernelRelease(), name)
	if since != "" {
		text += "; it is possible since Linux " + since
	}
	return strings.TrimSpace(text)
}
