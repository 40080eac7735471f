// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func adding(m specs.Mount) func(*specs.Spec) {
	return func(s *specs.Spec) { s.Mounts = []specs.Mount{m} }
}

func TestRefuseMounts(t *testing.T) {
	type M = specs.Mount
	rbind := []string{"rbind"}
	mapping := []specs.LinuxIDMapping{{HostID: 1000, Size: 10}}
	const (
		inProc = ": a mount inside /proc is not allowed there (allowed are /proc/cpuinfo, /proc/diskstats, /proc/loadavg, /proc/meminfo, " +
			"/proc/slabinfo, /proc/stat, /proc/swaps, /proc/sys/crypto/fips_enabled, /proc/sys/kernel/ns_last_pid, /proc/uptime)"
		onProc = ": only a file system of type proc, or a bind mount of the host's /proc, is allowed there"
		onRoot = ": a mount on the root itself is not allowed (set root.path instead)"
	)
	wantRefusals(t, []refusal{
		{"no destination", adding(M{Type: "tmpfs"}), "mounts[0].destination: missing (want a path in the container)"},
		{"no source", adding(M{Destination: "/a", Options: []string{"bind"}}), `mounts[0] "/a": source is missing (a bind mount wants a path on the host, absolute or relative to the bundle)`},
		{"no type", adding(M{Destination: "/a", Source: "/b"}), `mounts[0] "/a": type is missing (want a file system, or the option bind or rbind)`},
		{"type bind", adding(M{Destination: "/a", Type: "bind", Source: "/b", Options: []string{"ro"}}), `mounts[0] "/a": type "bind" alone makes no bind mount (add the option bind or rbind)`},
		{"NUL in destination", adding(M{Destination: "/a\x00", Type: "tmpfs"}), `mounts[0].destination "/a\x00": want a string without NUL`},
		{"NUL in source", adding(M{Destination: "/a", Source: "b\x00", Options: rbind}), `mounts[0].source "b\x00": want a string without NUL`},
		{"NUL in option", adding(M{Destination: "/a", Type: "tmpfs", Options: []string{"mode=1\x00"}}), `mounts[0].options[0] "mode=1\x00": want a string without NUL`},
		{"root", adding(M{Destination: "/", Type: "tmpfs"}), `mounts[0] "/"` + onRoot},
		{"root by detour", adding(M{Destination: "/a/..//", Source: "/x", Options: rbind}), `mounts[0] "/a/..//"` + onRoot},
		{"root from above", adding(M{Destination: "../..", Source: "/x", Options: rbind}), `mounts[0] "../.."` + onRoot},
		{"root by the host's path", adding(M{Destination: "/run/b1/rootfs", Type: "tmpfs"}), `mounts[0] "/run/b1/rootfs"` + onRoot},
		{"volume on /proc", adding(M{Destination: "/proc", Source: "/srv", Options: rbind}), `mounts[0] "/proc"` + onProc},
		{"volume in a list of options", adding(M{Destination: "/proc", Type: "proc", Source: "/srv", Options: []string{"ro,rbind"}}), `mounts[0] "/proc"` + onProc},
		{"part of the host's /proc", adding(M{Destination: "/proc", Source: "/proc/1", Options: rbind}), `mounts[0] "/proc"` + onProc},
		{"tmpfs on /proc", adding(M{Destination: "/proc/", Type: "tmpfs"}), `mounts[0] "/proc/"` + onProc},
		{"/proc by the host's path", adding(M{Destination: "/run/b1/rootfs/proc", Type: "tmpfs"}), `mounts[0] "/run/b1/rootfs/proc"` + onProc},
		{"volume on /sys", adding(M{Destination: "/sys", Source: "srv", Options: rbind}), `mounts[0] "/sys": a bind mount of "srv" is not allowed there (use type sysfs, or the host's /sys as source)`},
		{"volume beside /sys", adding(M{Destination: "/sys", Source: "/system", Options: rbind}), `mounts[0] "/sys": a bind mount of "/system" is not allowed there (use type sysfs, or the host's /sys as source)`},
		{"volume on /proc/self", adding(M{Destination: "/proc/self", Source: "/srv", Options: rbind}), `mounts[0] "/proc/self"` + inProc},
		{"volume on attr", adding(M{Destination: "/proc/self/attr", Source: "/srv", Options: rbind}), `mounts[0] "/proc/self/attr"` + inProc},
		{"volume on /proc/sys", adding(M{Destination: "/proc/cpuinfo/../sys", Source: "/srv", Options: rbind}), `mounts[0] "/proc/cpuinfo/../sys"` + inProc},
		{"tmpfs in /proc", adding(M{Destination: "/proc/acpi", Type: "tmpfs"}), `mounts[0] "/proc/acpi"` + inProc},
		{"below an allowed file", adding(M{Destination: "/proc/cpuinfo/x", Source: "/srv", Options: rbind}), `mounts[0] "/proc/cpuinfo/x"` + inProc},

		{"only uids", adding(M{Destination: "/a", Source: "/b", Options: rbind, UIDMappings: mapping}), `mounts[0] "/a": want both uidMappings and gidMappings, or none`},
		{"only gids", adding(M{Destination: "/a", Source: "/b", Options: rbind, GIDMappings: mapping}), `mounts[0] "/a": want both uidMappings and gidMappings, or none`},
		{"empty range", adding(M{Destination: "/a", Source: "/b", Options: rbind, UIDMappings: mapping, GIDMappings: []specs.LinuxIDMapping{{}}}), `mounts[0] "/a" gidMappings[0].size: missing or 0`},
		{"overlapping maps", adding(M{Destination: "/a", Source: "/b", Options: rbind, UIDMappings: append(mapping, mapping[0]), GIDMappings: mapping}), `mounts[0] "/a" uidMappings: containerID 0 is in two entries`},
		{"maps of a remount", adding(M{Destination: "/a", Options: []string{"remount", "bind"}, UIDMappings: mapping, GIDMappings: mapping}), `mounts[0] "/a": a remount can't change the id mapping (map ids where the mount is made)`},
		{"maps of a control group", adding(M{Destination: "/a", Type: "cgroup2", UIDMappings: mapping, GIDMappings: mapping}), `mounts[0] "/a": control groups can't be id-mapped`},
		{"idmap of a control group", userNamespaced(adding(M{Destination: "/a", Type: "cgroup", Options: []string{"idmap"}})), `mounts[0] "/a": control groups can't be id-mapped`},
		{"idmap without maps", adding(M{Destination: "/a", Source: "/b", Options: []string{"bind", "idmap"}}), `mounts[0] "/a": option idmap wants uidMappings and gidMappings, or a user namespace to take them from`},
		{"ridmap without maps", adding(M{Destination: "/a", Source: "/b", Options: []string{"rbind", "ridmap"}}), `mounts[0] "/a": option ridmap wants uidMappings and gidMappings, or a user namespace to take them from`},
	})
}

func TestAcceptMounts(t *testing.T) {
	type M = specs.Mount
	cases := []acceptance{
		{"relative destination", adding(M{Destination: "tmp/a", Type: "tmpfs"}), []string{`mounts[0] "tmp/a": the destination is relative, which is deprecated: it counts from "/"`}},
		{"bind without type", adding(M{Destination: "/a", Source: "b", Options: []string{"bind"}}), nil},
		{"bind in a list", adding(M{Destination: "/a", Source: "b", Options: []string{"ro,rbind"}}), nil},
		{"type none", adding(M{Destination: "/a", Source: "b", Type: "none", Options: []string{"rbind"}}), nil},
		{"maps without an option", adding(M{Destination: "/a", Source: "b", Options: []string{"bind"}, UIDMappings: []specs.LinuxIDMapping{{ContainerID: 5, Size: 1}}, GIDMappings: []specs.LinuxIDMapping{{Size: 1}}}), nil},
		{"maps of a new file system", adding(M{Destination: "/a", Type: "tmpfs", Options: []string{"idmap"}, UIDMappings: []specs.LinuxIDMapping{{Size: 1}}, GIDMappings: []specs.LinuxIDMapping{{Size: 1}}}), nil},
		{"idmap in a user namespace", userNamespaced(adding(M{Destination: "/a", Source: "b", Options: []string{"rbind,ridmap"}})), nil},
		{"remount", adding(M{Destination: "/a", Options: []string{"remount", "bind", "ro"}}), nil},
		{"defaults", adding(M{Destination: "/a", Type: "tmpfs", Options: []string{"defaults", ""}}), nil},
		{"proc", adding(M{Destination: "/proc", Type: "proc"}), nil},
		{"proc elsewhere", adding(M{Destination: "/host/proc", Type: "proc"}), nil},
		{"beside /proc", adding(M{Destination: "/process", Source: "/srv", Options: []string{"bind"}}), nil},
		{"the host's /proc", adding(M{Destination: "/proc", Source: "/proc/", Type: "none", Options: []string{"rbind", "nosuid"}}), nil},
		{"the host's /sys", adding(M{Destination: "/sys", Source: "/sys", Type: "none", Options: []string{"rbind"}}), nil},
		{"below the host's /sys", adding(M{Destination: "/sys", Source: "/sys/fs/..", Options: []string{"rbind"}}), nil},
		{"in /sys", adding(M{Destination: "/sys/fs/bpf", Source: "/srv", Options: []string{"rbind"}}), nil},
		{"in the rootfs", adding(M{Destination: "/run/b1/rootfs/mnt/x", Source: "/run/b1/rootfs/mnt", Options: []string{"rbind"}}), nil},
	}
	for _, file := range coverableProc {
		cases = append(cases, acceptance{file, adding(M{Destination: file, Source: "/srv/x", Options: []string{"bind"}}), nil})
	}
	wantAcceptances(t, cases)
}

func TestDestinationWithOtherRoots(t *testing.T) {
	for _, c := range []struct{ root, destination, want string }{
		{"rootfs", "/run/b1/rootfs/a", "/a"},
		{"rootfs/", "/run/b1/rootfs//a/", "/a"},
		{"/srv/root", "/srv/root/a", "/a"},
		{"/srv/root", "/srv/rooted/a", "/srv/rooted/a"},
		{"/srv/root", "srv/root/a", "/a"},
		{"/", "/a", "/a"},
		{".", "/run/b1/proc", "/proc"},
		{"../b2", "/run/b2", "/"},
	} {
		v := &validator{spec: &specs.Spec{Root: &specs.Root{Path: c.root}}, bundle: "/run/b1"}
		if got := v.destination(&specs.Mount{Destination: c.destination}); got != c.want {
			t.Errorf("root %q: %q is at %q, want %q", c.root, c.destination, got, c.want)
		}
	}
}
