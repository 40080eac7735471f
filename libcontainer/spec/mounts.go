// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"fmt"
	"path"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func (v *validator) mounts() error {
	for i := range v.spec.Mounts {
		m := &v.spec.Mounts[i]
		member := fmt.Sprintf("mounts[%d]", i)
		if m.Destination == "" {
			return fmt.Errorf("%s.destination: missing (want a path in the container)", member)
		}
		for _, f := range [...]struct{ name, value string }{
			{"destination", m.Destination}, {"source", m.Source}, {"type", m.Type},
		} {
			if err := noNUL(member+"."+f.name, f.value); err != nil {
				return err
			}
		}
		if err := noNULs(member+".options", m.Options); err != nil {
			return err
		}
		member = fmt.Sprintf("%s %q", member, m.Destination)
		if !path.IsAbs(m.Destination) {
			v.warn("%s: the destination is relative, which is deprecated: it counts from %q", member, "/")
		}
		if err := v.mount(member, m); err != nil {
			return err
		}
	}
	return nil
}

func (v *validator) mount(member string, m *specs.Mount) error {
	if err := v.mountKind(member, m); err != nil {
		return err
	}
	if err := v.mountPlace(member, m); err != nil {
		return err
	}
	return v.mountMappings(member, m)
}

func (v *validator) mountKind(member string, m *specs.Mount) error {
	bind := isBind(m)
	switch {
	case hasOption(m, "remount"):
	case bind && m.Source == "":
		return fmt.Errorf("%s: source is missing (a bind mount wants a path on the host, absolute or relative to the bundle)", member)
	case !bind && m.Type == "":
		return fmt.Errorf("%s: type is missing (want a file system, or the option bind or rbind)", member)
	case !bind && m.Type == "bind":
		return fmt.Errorf("%s: type %q alone makes no bind mount (add the option bind or rbind)", member, m.Type)
	}
	return nil
}

// mountPlace keeps mounts from replacing what the runtime and security modules trust: /proc is a
// procfs, /sys the kernel's, and inside /proc only files that show the container its own figures are
// covered (CVE-2019-16884, CVE-2019-19921).
func (v *validator) mountPlace(member string, m *specs.Mount) error {
	destination := v.destination(m)
	source := v.source(m)
	bind := isBind(m)
	switch {
	case destination == "/":
		return fmt.Errorf("%s: a mount on the root itself is not allowed (set root.path instead)", member)
	case destination == "/proc" && !(bind && source == "/proc" || !bind && m.Type == "proc"):
		return fmt.Errorf("%s: only a file system of type proc, or a bind mount of the host's /proc, is allowed there", member)
	case destination == "/sys" && bind && source != "/sys" && !strings.HasPrefix(source, "/sys/"):
		return fmt.Errorf("%s: a bind mount of %q is not allowed there (use type sysfs, or the host's /sys as source)", member, m.Source)
	case strings.HasPrefix(destination, "/proc/") && !mayCoverProc(destination):
		return fmt.Errorf("%s: a mount inside /proc is not allowed there (allowed are %s)", member, strings.Join(coverableProc[:], ", "))
	}
	return nil
}

// coverableProc are the files of procfs that others, such as lxcfs, may stand in for.
var coverableProc = [...]string{
	"/proc/cpuinfo",
	"/proc/diskstats",
	"/proc/loadavg",
	"/proc/meminfo",
	"/proc/slabinfo",
	"/proc/stat",
	"/proc/swaps",
	"/proc/sys/crypto/fips_enabled",
	"/proc/sys/kernel/ns_last_pid",
	"/proc/uptime",
}

func mayCoverProc(destination string) bool {
	for _, file := range coverableProc {
		if destination == file {
			return true
		}
	}
	return false
}

func (v *validator) mountMappings(member string, m *specs.Mount) error {
	if (len(m.UIDMappings) > 0) != (len(m.GIDMappings) > 0) {
		return fmt.Errorf("%s: want both uidMappings and gidMappings, or none", member)
	}
	mapped := len(m.UIDMappings) > 0 || hasOption(m, "idmap") || hasOption(m, "ridmap")
	switch {
	case mapped && hasOption(m, "remount"):
		return fmt.Errorf("%s: a remount can't change the id mapping (map ids where the mount is made)", member)
	case mapped && !isBind(m) && (m.Type == "cgroup" || m.Type == "cgroup2"):
		return fmt.Errorf("%s: control groups can't be id-mapped", member)
	case len(m.UIDMappings) > 0:
		if err := checkMappings(member+" uidMappings", m.UIDMappings); err != nil {
			return err
		}
		return checkMappings(member+" gidMappings", m.GIDMappings)
	}
	for _, option := range [...]string{"idmap", "ridmap"} {
		if hasOption(m, option) && !v.has(specs.UserNamespace) {
			return fmt.Errorf("%s: option %s wants uidMappings and gidMappings, or a user namespace to take them from", member, option)
		}
	}
	return nil
}

// destination is where a mount goes, seen from the root. Callers that bind one place of the root file
// system to another give the host's path of it.
func (v *validator) destination(m *specs.Mount) string {
	destination := path.Clean("/" + m.Destination)
	rootfs := v.spec.Root.Path
	if !path.IsAbs(rootfs) {
		rootfs = path.Join(v.bundle, rootfs)
	}
	rootfs = path.Clean(rootfs)
	if destination == rootfs {
		return "/"
	}
	if below, ok := strings.CutPrefix(destination, rootfs+"/"); ok {
		return "/" + below
	}
	return destination
}

// source is the path on the host that a bind mount shows.
func (v *validator) source(m *specs.Mount) string {
	if path.IsAbs(m.Source) {
		return path.Clean(m.Source)
	}
	return path.Join(v.bundle, m.Source)
}

func isBind(m *specs.Mount) bool { return hasOption(m, "bind") || hasOption(m, "rbind") }

// hasOption looks for a word that stands alone or in a list with commas.
func hasOption(m *specs.Mount, name string) bool {
	for _, entry := range m.Options {
		for word := range strings.SplitSeq(entry, ",") {
			if word == name {
				return true
			}
		}
	}
	return false
}
