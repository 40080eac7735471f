// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"path"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/nsenter"
)

// perMountAttributes are those that belong to a mount, not to its file system, without those of the access times.
const perMountAttributes = unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV |
	unix.MOUNT_ATTR_NOEXEC | unix.MOUNT_ATTR_NOSYMFOLLOW

// accessTimes are the attributes of access times: a bind mount keeps them, unless the options clear them.
const accessTimes = unix.MOUNT_ATTR__ATIME | unix.MOUNT_ATTR_NODIRATIME

// parameterBytesMax is the longest value that fsconfig(2) takes, less its NUL.
const parameterBytesMax = 255

// mounts builds each mount detached and attaches it, in the order of the config (config.md, "Mounts").
func mounts(b *builder) error {
	for i := range b.spec.Mounts {
		m := &b.spec.Mounts[i]
		b.member = fmt.Sprintf("mounts[%d] %q", i, m.Destination)
		o, err := ParseMountOptions(m.Options)
		if err != nil {
			return fmt.Errorf("%s: %w", b.member, err)
		}
		switch {
		case o.Bind:
			err = bindMount(b, m, &o)
		case m.Type == "cgroup" || m.Type == "cgroup2":
			err = cgroupMount(b, m, &o)
		default:
			err = newMount(b, m, &o)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", b.member, err)
		}
	}
	return nil
}

// destination returns where a mount goes, below the root. Callers that bind one place of the root file system to
// another give the host's path of it.
func (b *builder) destination(m *specs.Mount) string {
	if below, ok := strings.CutPrefix(m.Destination, b.host.Rootfs+"/"); ok {
		return "/" + below
	}
	return m.Destination
}

// attachFlags refuses symbolic links on the way to the places that later steps and the container rely on. Where else a
// link leads to them, the stage refuses it.
func attachFlags(destination string) uint32 {
	destination = path.Clean("/" + destination)
	for _, place := range []string{"/proc", "/sys", "/dev"} {
		if destination == place || strings.HasPrefix(destination, place+"/") {
			return nsenter.AttachNoSymlinks
		}
	}
	return 0
}

// bindMount clones the source and attaches the clone.
func bindMount(b *builder, m *specs.Mount, o *MountOptions) error {
	if o.Remount {
		return remount(b, m, o)
	}
	if m.Source == "" {
		return fmt.Errorf("a bind mount needs a source")
	}
	if err := b.refuseData(o, "a bind mount has the file system of its source"); err != nil {
		return err
	}
	source := m.Source
	if !path.IsAbs(source) {
		source = path.Join(b.host.Bundle, source)
	}
	b.addSource(source, o.RecursiveBind)
	b.mapTree(m, o)
	b.addBindAttributes(o)
	b.add(Attach{Path: b.destination(m), Flags: attachFlags(b.destination(m))})
	return nil
}

// refuseData is about options of a file system where none is made to hand them to. Callers do pass settings on, such as
// size=; a bare word is a mistake.
func (b *builder) refuseData(o *MountOptions, why string) error {
	for _, option := range o.Data {
		if !strings.Contains(option, "=") {
			return fmt.Errorf("unknown mount option %q", option)
		}
		b.warn("%s: ignore option %q: %s", b.member, option, why)
	}
	return nil
}

// remount changes the attributes of a mount that is there already (mount(8), "remount" with "bind").
func remount(b *builder, m *specs.Mount, o *MountOptions) error {
	if err := b.refuseData(o, "a remount with bind is about the mount, not its file system"); err != nil {
		return err
	}
	destination := b.destination(m)
	b.add(PathAttributes{Path: destination, Set: o.Set, Clear: b.clearedAttributes(o)})
	if o.RecursiveSet|o.RecursiveClear != 0 {
		b.add(PathAttributes{Path: destination, Set: o.RecursiveSet, Clear: o.RecursiveClear, Recursive: true})
	}
	for _, p := range o.Propagation {
		b.add(PathAttributes{Path: destination, Propagation: p.Flag, Recursive: p.Recursive})
	}
	return nil
}

// addSource makes a clone of a tree of the host the current tree.
//
// A source in the container's own root is looked up there: earlier mounts of the list may be what it means. Others the
// stage clones where it can, when their turn comes: since Linux 6.8 mountinfo lists mounts in the order in which they
// were made, and that shall be the order of the config. In a user namespace it may lack the rights, in a joined mount
// namespace and below /proc it would see another file, and where mounts shall travel to the host it has only slaves of the
// host's: there the host side has opened them before.
func (b *builder) addSource(source string, recursive bool) {
	flags := nsenter.CloneRecursive * number(recursive)
	if below, ok := strings.CutPrefix(path.Clean(source), b.host.Rootfs+"/"); ok {
		b.add(CloneTree{Path: below, Flags: flags})
		return
	}
	if b.stages() {
		b.addStaged(File{Kind: FileTree, Path: source, Recursive: recursive}, recursive)
		return
	}
	if (b.userNamespaced() || b.joined(specs.MountNamespace) || b.sharesMounts() || strings.HasPrefix(source, "/proc/")) && !b.host.Unprivileged {
		b.add(TakeTree{Tree: b.file(File{Kind: FileTree, Path: source, Recursive: recursive})})
		return
	}
	b.add(CloneTree{Path: source, Flags: flags | nsenter.CloneFromOldRoot})
}

// addBindAttributes emits the attributes of a bind mount. Without an option that names one it keeps the source's;
// otherwise it has exactly those that are named, and keeps the access times unless they are named. What the clone
// shares with the host by propagation ends here, unless the config asks for it.
func (b *builder) addBindAttributes(o *MountOptions) {
	if o.NamesFlag {
		b.add(Attributes{Set: o.Set, Clear: b.clearedAttributes(o)})
	}
	if o.RecursiveSet|o.RecursiveClear != 0 {
		b.add(Attributes{Set: o.RecursiveSet, Clear: o.RecursiveClear, Recursive: true})
	}
	if !b.sharesMounts() {
		b.add(Attributes{Propagation: unix.MS_SLAVE, Recursive: true})
	}
	b.addPropagation(o)
}

// clearedAttributes are those that a mount loses which has options: all that the options don't set. In a user namespace
// only those that an option clears by name: the kernel refuses to clear what is locked, and what nobody named stays.
func (b *builder) clearedAttributes(o *MountOptions) uint64 {
	if b.userNamespaced() {
		return o.Clear | unix.MOUNT_ATTR_NOSYMFOLLOW&^o.Set
	}
	return perMountAttributes&^o.Set | o.Clear&accessTimes
}

// sharesMounts says that the config wants mounts to travel between host and container by default.
func (b *builder) sharesMounts() bool {
	p := b.spec.Linux.RootfsPropagation
	return p == "shared" || p == "rshared"
}

func (b *builder) addPropagation(o *MountOptions) {
	for _, p := range o.Propagation {
		b.add(Attributes{Propagation: p.Flag, Recursive: p.Recursive})
	}
}

// newMount makes a new file system.
func newMount(b *builder, m *specs.Mount, o *MountOptions) error {
	if m.Type == "" {
		return fmt.Errorf("a mount needs a type, or the option bind or rbind")
	}
	if o.Remount {
		return fmt.Errorf("remount needs the option bind or rbind")
	}
	if o.CopyUp && m.Type != "tmpfs" {
		return fmt.Errorf("tmpcopyup needs the type tmpfs, not %s", m.Type)
	}
	destination := b.destination(m)
	step := NewMount{Type: m.Type, Attributes: o.Set&^o.RecursiveClear | o.RecursiveSet}
	var err error
	if step.Parameters, err = newMountParameters(m, o); err != nil {
		return err
	}
	label, err := b.mountLabel(m.Type)
	if err != nil {
		return err
	}
	if !labelled(step.Parameters) {
		step.Parameters = append(step.Parameters, label.parameters...)
	}
	if m.Type == "tmpfs" && !hasParameter(step.Parameters, "mode") {
		step.InheritMode = destination
	}
	attach := Attach{Path: destination, Flags: attachFlags(destination)}
	if m.Type == "tmpfs" && step.Attributes&unix.MOUNT_ATTR_RDONLY != 0 {
		// Mount points, devices and copies are still to be made in it.
		step.Attributes &^= unix.MOUNT_ATTR_RDONLY
		if attach, err = b.hold(attach); err != nil {
			return err
		}
	}
	b.add(step)
	b.add(label.steps...)
	if o.CopyUp {
		b.add(CopyUp{Path: destination})
	}
	b.mapTree(m, o)
	b.addPropagation(o)
	b.add(attach)
	return nil
}

// hold keeps the descriptor of a mount that becomes read-only later: by then its path may lead to another one.
func (b *builder) hold(a Attach) (Attach, error) {
	if len(b.held) == nsenter.HeldMax {
		return a, fmt.Errorf("more than %d read-only tmpfs mounts", nsenter.HeldMax)
	}
	b.held = append(b.held, b.member)
	a.Flags |= nsenter.AttachHold
	return a, nil
}

func newMountParameters(m *specs.Mount, o *MountOptions) ([]Parameter, error) {
	var parameters []Parameter
	if m.Source != "" {
		parameters = append(parameters, Parameter{Key: "source", Value: m.Source})
	}
	for _, flag := range o.SuperFlags {
		parameters = append(parameters, Parameter{Key: flag, Flag: true})
	}
	for _, option := range o.Data {
		key, value, valued := strings.Cut(option, "=")
		if key == "lowerdir" && len(value) > parameterBytesMax {
			// Linux 6.8: one layer a call, where the whole list is too long for one.
			for _, layer := range strings.Split(value, ":") {
				parameters = append(parameters, Parameter{Key: "lowerdir+", Value: layer})
			}
			continue
		}
		if isLabel(key) {
			value = unquoted(value)
		}
		parameters = append(parameters, Parameter{Key: key, Value: value, Flag: !valued})
	}
	for _, p := range parameters {
		if len(p.Value) > parameterBytesMax {
			return nil, fmt.Errorf("%s: %d bytes are more than the %d that the kernel takes in one mount option", p.Key, len(p.Value), parameterBytesMax)
		}
	}
	return parameters, nil
}

func hasParameter(parameters []Parameter, key string) bool {
	for _, p := range parameters {
		if p.Key == key {
			return true
		}
	}
	return false
}

// cgroupMount shows the control groups. The mounts are clones of the host's: a new mount of cgroup2 from the initial
// cgroup namespace would change the options that all of the host has.
func cgroupMount(b *builder, m *specs.Mount, o *MountOptions) error {
	if o.Remount {
		return fmt.Errorf("remount needs the option bind or rbind")
	}
	if err := b.refuseData(o, "control groups are shown as the host has mounted them"); err != nil {
		return err
	}
	destination := b.destination(m)
	if b.host.CgroupV2 {
		source, recursive := "/sys/fs/cgroup", true
		if b.private(specs.CgroupNamespace) && len(b.host.CgroupMounts) > 0 {
			source, recursive = b.host.CgroupMounts[0].Path, false
		}
		b.addCgroupTree(source, destination, recursive, o)
		return nil
	}
	attributes := o.Set&^o.RecursiveClear | o.RecursiveSet
	label, err := b.mountLabel("tmpfs")
	if err != nil {
		return err
	}
	parameters := append([]Parameter{{Key: "source", Value: "tmpfs"}, {Key: "mode", Value: "755"}}, label.parameters...)
	b.add(NewMount{Type: "tmpfs", Parameters: parameters, Attributes: attributes &^ unix.MOUNT_ATTR_RDONLY})
	b.addPropagation(o)
	attach := Attach{Path: destination, Flags: attachFlags(destination)}
	if attributes&unix.MOUNT_ATTR_RDONLY != 0 {
		if attach, err = b.hold(attach); err != nil {
			return err
		}
	}
	b.add(attach)
	for _, hierarchy := range b.host.CgroupMounts {
		b.addCgroupTree(hierarchy.Path, path.Join(destination, hierarchy.Name), false, o)
		for _, link := range hierarchy.Links {
			b.add(Symlink{Target: hierarchy.Name, Path: path.Join(destination, link)})
		}
	}
	return nil
}

func (b *builder) addCgroupTree(source, destination string, recursive bool, o *MountOptions) {
	b.addSource(source, recursive)
	b.add(Attributes{
		Set: o.Set, Clear: b.clearedAttributes(o),
		Propagation: unix.MS_SLAVE, Recursive: recursive,
	})
	if o.RecursiveSet|o.RecursiveClear != 0 {
		b.add(Attributes{Set: o.RecursiveSet, Clear: o.RecursiveClear, Recursive: true})
	}
	b.addPropagation(o)
	b.add(Attach{Path: destination, Flags: attachFlags(destination)})
}
