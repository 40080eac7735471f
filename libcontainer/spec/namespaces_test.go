// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"math"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// userNamespaced gives the container a user namespace of 65536 ids.
func userNamespaced(change func(*specs.Spec)) func(*specs.Spec) {
	return func(s *specs.Spec) {
		with(s, specs.UserNamespace, "")
		s.Linux.UIDMappings = []specs.LinuxIDMapping{{HostID: 100000, Size: 65536}}
		s.Linux.GIDMappings = []specs.LinuxIDMapping{{HostID: 200000, Size: 65536}}
		change(s)
	}
}

func TestRefuseNamespaces(t *testing.T) {
	type N = specs.LinuxNamespace
	const types = "want pid, network, mount, ipc, uts, user, cgroup or time"
	set := func(list ...N) func(*specs.Spec) {
		return func(s *specs.Spec) { s.Linux.Namespaces = list }
	}
	wantRefusals(t, []refusal{
		{"no type", set(N{Type: "pid"}, N{Path: "/proc/1/ns/net"}), "linux.namespaces[1].type: missing (" + types + ")"},
		{"unknown", set(N{Type: "net"}), `linux.namespaces[0].type "net": ` + types},
		{"twice", set(N{Type: "pid"}, N{Type: "ipc"}, N{Type: "pid", Path: "/proc/1/ns/pid"}), `linux.namespaces[2].type "pid": listed twice`},
		{"relative path", set(N{Type: "pid", Path: "proc/1/ns/pid"}), `linux.namespaces[0].path "proc/1/ns/pid": want an absolute path`},
		{"NUL", set(N{Type: "pid", Path: "/\x00"}), `linux.namespaces[0].path "/\x00": want a string without NUL`},
	})
}

func TestRefuseIDMappings(t *testing.T) {
	type M = specs.LinuxIDMapping
	uids := func(list ...M) func(*specs.Spec) {
		return userNamespaced(func(s *specs.Spec) { s.Linux.UIDMappings = list })
	}
	many := make([]M, 341)
	for i := range many {
		many[i] = M{ContainerID: uint32(i), HostID: uint32(i), Size: 1}
	}
	wantRefusals(t, []refusal{
		{"no uids", uids(), "linux.uidMappings: missing (a new user namespace wants at least one entry)"},
		{"no gids", userNamespaced(func(s *specs.Spec) { s.Linux.GIDMappings = nil }), "linux.gidMappings: missing (a new user namespace wants at least one entry)"},
		{"root unmapped", uids(M{ContainerID: 1, HostID: 1, Size: 10}), "linux.uidMappings: the container's root, user 0, is not mapped (add an entry with containerID 0)"},
		{"root group unmapped", userNamespaced(func(s *specs.Spec) { s.Linux.GIDMappings = []M{{ContainerID: 1, Size: 1}} }), "linux.gidMappings: the container's root, group 0, is not mapped (add an entry with containerID 0)"},
		{"size 0", uids(M{}), "linux.uidMappings[0].size: missing or 0"},
		{"past the last id in the container", uids(M{HostID: 1, Size: 1}, M{ContainerID: 5, HostID: 2, Size: math.MaxUint32 - 4}), "linux.uidMappings[1]: the range ends at 4294967295, behind the last id 4294967294"},
		{"past the last id on the host", uids(M{HostID: math.MaxUint32 - 1, Size: 2}), "linux.uidMappings[0]: the range ends at 4294967295, behind the last id 4294967294"},
		{"overlap in the container", uids(M{ContainerID: 5, HostID: 100, Size: 5}, M{Size: 6}), "linux.uidMappings: containerID 5 is in two entries"},
		{"overlap on the host", uids(M{HostID: 100, Size: 5}, M{ContainerID: 5, HostID: 102, Size: 1}), "linux.uidMappings: hostID 102 is in two entries"},
		{"too many", uids(many...), "linux.uidMappings: want at most 340 entries, got 341"},
		{"process uid", userNamespaced(func(s *specs.Spec) { s.Process.User.UID = 65536 }), "process.user.uid 65536: not in linux.uidMappings"},
		{"process gid", userNamespaced(func(s *specs.Spec) { s.Process.User.GID = 65536 }), "process.user.gid 65536: not in linux.gidMappings"},
		{"additional gid", userNamespaced(func(s *specs.Spec) { s.Process.User.AdditionalGids = []uint32{5, 70000} }), "process.user.additionalGids[1] 70000: not in linux.gidMappings"},
		{"wrong maps of a joined namespace", userNamespaced(func(s *specs.Spec) {
			with(s, specs.UserNamespace, "/proc/7/ns/user")
			s.Linux.GIDMappings[0].Size = 0
		}), "linux.gidMappings[0].size: missing or 0"},
	})
}

func TestRefuseTimeOffsets(t *testing.T) {
	offsets := func(clock string, nanosecs uint32) func(*specs.Spec) {
		return func(s *specs.Spec) {
			with(s, specs.TimeNamespace, "")
			s.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{clock: {Secs: 1, Nanosecs: nanosecs}}
		}
	}
	wantRefusals(t, []refusal{
		{"no namespace", func(s *specs.Spec) { offsets("boottime", 0)(s); without(s, specs.TimeNamespace) }, `linux.timeOffsets: there is no time namespace (add {"type": "time"} to linux.namespaces)`},
		{"joined namespace", func(s *specs.Spec) { offsets("boottime", 0)(s); with(s, specs.TimeNamespace, "/proc/7/ns/time") }, "linux.timeOffsets: the offsets of a time namespace that is joined by path can't be changed (remove them)"},
		{"unknown clock", offsets("realtime", 0), `linux.timeOffsets: unknown clock "realtime" (want monotonic or boottime)`},
		{"nanosecs", offsets("monotonic", 1e9), "linux.timeOffsets.monotonic.nanosecs 1000000000: want less than 1000000000"},
	})
	wantAcceptances(t, []acceptance{
		{"monotonic", offsets("monotonic", 999999999), nil},
		{"boottime", offsets("boottime", 0), nil},
		{"empty without namespace", func(s *specs.Spec) { s.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{} }, nil},
	})
}

func TestAcceptNamespaces(t *testing.T) {
	type M = specs.LinuxIDMapping
	wantAcceptances(t, []acceptance{
		{"none", func(s *specs.Spec) {
			s.Linux.Namespaces, s.Hostname, s.Linux.MaskedPaths, s.Linux.ReadonlyPaths = nil, "", nil, nil
			s.Root.Readonly = false
		}, nil},
		{"all", func(s *specs.Spec) { userNamespaced(func(s *specs.Spec) { with(s, specs.TimeNamespace, "") })(s) }, nil},
		{"maps without namespace", func(s *specs.Spec) { s.Linux.UIDMappings = []M{{Size: 1}} }, []string{"linux.uidMappings and linux.gidMappings are ignored: there is no user namespace"}},
		{"joined without maps", func(s *specs.Spec) { with(s, specs.UserNamespace, "/proc/7/ns/user"); s.Process.User.UID = 99 }, nil},
		{"joined with maps", userNamespaced(func(s *specs.Spec) { with(s, specs.UserNamespace, "/proc/7/ns/user") }), nil},
		{"every id", userNamespaced(func(s *specs.Spec) { s.Linux.UIDMappings = []M{{Size: math.MaxUint32}} }), nil},
		{"neighbours", userNamespaced(func(s *specs.Spec) {
			s.Linux.UIDMappings = []M{{ContainerID: 1, HostID: 99, Size: 1}, {HostID: 100, Size: 1}, {ContainerID: 2, HostID: 5, Size: 94}}
		}), nil},
		{"last id of a map", userNamespaced(func(s *specs.Spec) { s.Process.User.UID = 65535 }), nil},
		{"no process", userNamespaced(func(s *specs.Spec) { s.Process = nil }), nil},
	})
}
