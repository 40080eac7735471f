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

// defaultDevices are in every container (config-linux.md, "Default Devices"); /dev/console and /dev/ptmx are made
// elsewhere.
func defaultDevices() []specs.LinuxDevice {
	return []specs.LinuxDevice{
		{Path: "/dev/null", Type: "c", Major: 1, Minor: 3},
		{Path: "/dev/zero", Type: "c", Major: 1, Minor: 5},
		{Path: "/dev/full", Type: "c", Major: 1, Minor: 7},
		{Path: "/dev/random", Type: "c", Major: 1, Minor: 8},
		{Path: "/dev/urandom", Type: "c", Major: 1, Minor: 9},
		{Path: "/dev/tty", Type: "c", Major: 5, Minor: 0},
	}
}

// devices makes the default devices, those of the config, and the links that programs expect in /dev. With a bind
// mount at /dev the directory is somebody else's: nothing is made in it.
func devices(b *builder) error {
	if b.devIsBound() {
		return nil
	}
	configured := make(map[string]bool, len(b.spec.Linux.Devices))
	for i := range b.spec.Linux.Devices {
		configured[devicePath(&b.spec.Linux.Devices[i])] = true
	}
	for _, d := range defaultDevices() {
		if configured[d.Path] {
			continue // the config's own mode and owner win
		}
		b.member = fmt.Sprintf("default device %q", d.Path)
		if err := b.addDevice(&d); err != nil {
			return err
		}
	}
	for i := range b.spec.Linux.Devices {
		d := &b.spec.Linux.Devices[i]
		b.member = fmt.Sprintf("linux.devices[%d] %q", i, d.Path)
		if devicePath(d) == "/dev/ptmx" {
			continue // the link to the container's own devpts stands for it
		}
		if err := b.addDevice(d); err != nil {
			return fmt.Errorf("%s: %w", b.member, err)
		}
	}
	b.addDeviceLinks()
	return nil
}

func (b *builder) devIsBound() bool {
	for i := range b.spec.Mounts {
		m := &b.spec.Mounts[i]
		if path.Clean("/"+m.Destination) != "/dev" {
			continue
		}
		if o, err := ParseMountOptions(m.Options); err == nil && o.Bind {
			return true
		}
	}
	return false
}

// devicePath is where a device goes; a relative path is meant from "/".
func devicePath(d *specs.LinuxDevice) string { return path.Clean("/" + d.Path) }

// addDevice makes a node, or, where mknod(2) is not allowed (user namespaces), takes the host's.
func (b *builder) addDevice(d *specs.LinuxDevice) error {
	kind, ok := deviceKind(d.Type)
	if !ok {
		return fmt.Errorf("type %q is none of c, b, u and p", d.Type)
	}
	target := devicePath(d)
	if (b.userNamespaced() || b.host.NodesRefused) && kind != unix.S_IFIFO {
		b.addHostDevice(target, kind, d)
		// Read-only: the device can be used, the owner and the mode of the host's node can't be changed.
		const attributes = unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NOEXEC
		b.add(Attributes{Set: attributes, Propagation: unix.MS_PRIVATE})
		b.add(Attach{Path: target, Flags: nsenter.AttachNoSymlinks})
		return nil
	}
	step := MakeNode{Path: target, Mode: kind | 0o666}
	if d.FileMode != nil {
		step.Mode = kind | uint32(*d.FileMode)&0o7777
	}
	if kind != unix.S_IFIFO {
		step.Major, step.Minor = uint32(d.Major), uint32(d.Minor)
	}
	if d.UID != nil {
		step.UID = *d.UID
	}
	if d.GID != nil {
		step.GID = *d.GID
	}
	if strings.HasPrefix(target, "/dev/") {
		step.Flags = nsenter.NodeNoSymlinks
	}
	b.add(step)
	return nil
}

// addHostDevice makes a clone of a device node of the host the current tree.
func (b *builder) addHostDevice(target string, kind uint32, d *specs.LinuxDevice) {
	node := File{Kind: FileDevice, Path: target, Device: *d}
	switch {
	case b.host.Unprivileged:
		b.add(CloneTree{
			Path: target, Flags: nsenter.CloneFromOldRoot,
			Mode: kind, Device: unix.Mkdev(uint32(d.Major), uint32(d.Minor)),
		})
	case b.stages():
		b.addStaged(node, false)
	default:
		b.add(TakeTree{Tree: b.file(node)})
	}
}

// deviceKind returns the file type of a device type of the spec (config-linux.md, "Devices").
func deviceKind(t string) (mode uint32, ok bool) {
	switch t {
	case "c", "u":
		return unix.S_IFCHR, true
	case "b":
		return unix.S_IFBLK, true
	case "p":
		return unix.S_IFIFO, true
	}
	return 0, false
}

// addDeviceLinks makes the links of runtime-linux.md, "Dev symbolic links", and /dev/ptmx (config-linux.md).
func (b *builder) addDeviceLinks() {
	for _, link := range []Symlink{
		{Target: "/proc/self/fd", Path: "/dev/fd"},
		{Target: "/proc/self/fd/0", Path: "/dev/stdin"},
		{Target: "/proc/self/fd/1", Path: "/dev/stdout"},
		{Target: "/proc/self/fd/2", Path: "/dev/stderr"},
		{Target: "pts/ptmx", Path: "/dev/ptmx", Flags: nsenter.SymlinkReplace},
	} {
		b.member = fmt.Sprintf("link %q", link.Path)
		b.add(link)
	}
}

// console opens the terminal in the container and makes it stdio. /dev/console is that of the container's own process.
func console(b *builder) error {
	p := b.spec.Process
	if p == nil || !p.Terminal {
		return nil
	}
	b.member = "process.terminal"
	step := Console{UID: p.User.UID, Attach: !b.enters()}
	if p.ConsoleSize != nil {
		step.Rows, step.Columns = uint32(p.ConsoleSize.Height), uint32(p.ConsoleSize.Width)
	}
	b.add(step)
	if !b.enters() {
		b.add(TakeTerminal{})
	}
	return nil
}
