// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/sysctl"
	"github.com/rt-oci/rt/nsenter"
)

// rootDirectory makes the root file system the current directory: that follows the stage into its copy of the mount
// namespace, and later needs no right to walk the path to it.
func rootDirectory(b *builder) error {
	b.member = b.rootMember()
	b.add(EnterDirectory{Directory: b.file(File{Kind: FileDirectory, Path: b.host.Rootfs})})
	return nil
}

// rootfs isolates the copied mounts from the host and puts a clone of the root file system over itself, because
// pivot_root(2) needs a mount point. A mount namespace that others live in (joined, or the host's) is left as it is.
func rootfs(b *builder) error {
	b.member = b.rootMember()
	if !b.private(specs.MountNamespace) {
		step := Rootfs{}
		if b.joined(specs.MountNamespace) {
			step.Path = b.host.Rootfs // setns(2) has moved the current directory to that namespace's root
		}
		b.add(step)
		return nil
	}
	step := Rootfs{Flags: nsenter.RootfsClone}
	if b.stages() {
		step.Flags |= nsenter.RootfsStaged
	}
	b.add(RootPropagation{Propagation: b.hostPropagation()}, step)
	return nil
}

func (b *builder) rootMember() string { return fmt.Sprintf("root.path %q", b.host.Rootfs) }

// hostPropagation is that of the host's mounts in the container's namespace: new ones still arrive, unless the config
// wants none; nothing ever goes back.
func (b *builder) hostPropagation() uint64 {
	if p := b.spec.Linux.RootfsPropagation; p == "private" || p == "rprivate" {
		return unix.MS_PRIVATE
	}
	return unix.MS_SLAVE
}

// createHooks gives the host side the moment for prestart, createRuntime and createContainer hooks.
func createHooks(b *builder) error {
	h := b.spec.Hooks
	if h == nil || len(h.Prestart)+len(h.CreateRuntime)+len(h.CreateContainer) == 0 { //nolint:staticcheck // prestart is deprecated, not gone
		return nil
	}
	b.member = "hooks"
	// The host's root is still in reach. Only the hooks that run there need the namespaces, and can be looked into anyway.
	b.add(Sync{Message: nsenter.MessageHooks, Dumpable: b.hostsMemory() && len(b.spec.Hooks.CreateContainer) > 0})
	return nil
}

// pivot makes the root file system "/". --no-pivot is for roots that pivot_root(2) refuses (a ramfs); every full
// procfs and sysfs that would stay reachable below the moved root is detached before, because a user namespace in
// the container could otherwise mount an unmasked one of its own (mount_too_revealing in the kernel).
func pivot(b *builder) error {
	b.member = b.rootMember()
	switch {
	case !b.private(specs.MountNamespace):
		b.add(Chroot{})
	case b.host.NoPivot:
		for _, path := range b.host.ProcMounts {
			if !strings.HasPrefix(path, b.host.Rootfs+"/") {
				b.add(Unmount{Path: path})
			}
		}
		b.add(Chroot{Flags: nsenter.ChrootMove})
	default:
		b.add(Pivot{})
	}
	return nil
}

// sysctls are written through a procfs of our own (CVE-2019-19921 and its kin).
func sysctls(b *builder) error {
	if len(b.spec.Linux.Sysctl) == 0 {
		return nil
	}
	keys := make([]string, 0, len(b.spec.Linux.Sysctl))
	for key := range b.spec.Linux.Sysctl {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	b.member = "linux.sysctl"
	b.add(OpenProc{})
	for _, key := range keys {
		b.member = fmt.Sprintf("linux.sysctl %q", key)
		path, err := sysctl.Path(key)
		if err != nil {
			return fmt.Errorf("%s: %w", b.member, err)
		}
		b.add(Sysctl{Path: "sys/" + path, Value: b.spec.Linux.Sysctl[key]})
	}
	return nil
}

// readonlyMounts closes what had to be written to until now: mounts with the option ro, last the root itself.
func readonlyMounts(b *builder) error {
	for i, member := range b.held {
		b.member = member
		b.add(HeldReadonly{Index: uint32(i)})
	}
	if b.spec.Root.Readonly {
		b.member = "root.readonly"
		b.add(PathAttributes{Path: "/", Set: unix.MOUNT_ATTR_RDONLY})
	}
	return nil
}

// rootPropagation is linux.rootfsPropagation for the container's root; the mounts below it have what their own options
// say, also with the words that begin with r. It is set last: a shared root would spread
// what is mounted on it meanwhile, an unbindable one could not be cloned.
func rootPropagation(b *builder) error {
	if b.spec.Linux.RootfsPropagation == "" || !b.private(specs.MountNamespace) {
		return nil
	}
	flag, ok := propagationFlag(b.spec.Linux.RootfsPropagation)
	if !ok {
		return fmt.Errorf("linux.rootfsPropagation: unknown propagation %q", b.spec.Linux.RootfsPropagation)
	}
	b.member = "linux.rootfsPropagation"
	b.add(PathAttributes{Path: "/", Propagation: flag})
	return nil
}

// propagationFlag returns the mount flag of a propagation word.
func propagationFlag(word string) (flag uint64, ok bool) {
	o, err := ParseMountOptions([]string{word})
	if err != nil || len(o.Propagation) != 1 {
		return 0, false
	}
	return o.Propagation[0].Flag, true
}

// readonlyPaths covers each path with a read-only clone of itself (config-linux.md, "Readonly Paths").
func readonlyPaths(b *builder) error {
	for i, path := range b.spec.Linux.ReadonlyPaths {
		b.member = fmt.Sprintf("linux.readonlyPaths[%d] %q", i, path)
		b.add(ReadonlyPath{Path: path})
	}
	return nil
}

// maskSource takes the null device while the host's root can be seen, where the host side can't hand it over.
func maskSource(b *builder) error {
	if b.host.Unprivileged && len(b.spec.Linux.MaskedPaths) > 0 {
		b.member = "linux.maskedPaths"
		null := &specs.LinuxDevice{Major: 1, Minor: 3}
		b.addHostDevice("/dev/null", unix.S_IFCHR, null)
		b.add(MaskSource{Null: NoSlot, Context: b.spec.Linux.MountLabel})
	}
	return nil
}

// maskedPaths covers files with the null device and directories with an empty one (config-linux.md, "Masked Paths").
// Both come from us: nothing in the root file system is trusted to be a null device (CVE-2025-31133).
func maskedPaths(b *builder) error {
	paths := b.spec.Linux.MaskedPaths
	if len(paths) == 0 {
		return nil
	}
	if !b.host.Unprivileged {
		b.member = "linux.maskedPaths"
		b.add(MaskSource{Null: b.file(File{Kind: FileNull, Path: "/dev/null"}), Context: b.spec.Linux.MountLabel})
	}
	seen := make(map[string]bool, len(paths))
	for i, path := range paths {
		if seen[path] {
			continue
		}
		seen[path] = true
		b.member = fmt.Sprintf("linux.maskedPaths[%d] %q", i, path)
		b.add(MaskPath{Path: path})
	}
	return nil
}
