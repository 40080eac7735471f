// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// netDevices gives a container network devices of the host, by pairs of names.
func netDevices(names ...string) func(*specs.Spec) {
	return func(s *specs.Spec) {
		s.Linux.NetDevices = make(map[string]specs.LinuxNetDevice)
		for i := 0; i < len(names); i += 2 {
			s.Linux.NetDevices[names[i]] = specs.LinuxNetDevice{Name: names[i+1]}
		}
	}
}

func TestRefuseNetDevices(t *testing.T) {
	const (
		length = ": a network device's name has 1 to 15 bytes, this one "
		bytes  = ": a network device's name has no slashes, colons, blanks and percent signs (but %d at the end of a name in the container)"
	)
	wantRefusals(t, []refusal{
		{"no namespace", func(s *specs.Spec) {
			without(s, specs.NetworkNamespace)
			s.Linux.NetDevices = map[string]specs.LinuxNetDevice{"eth0": {}}
		}, `linux.netDevices: the container has no network namespace to move them to (add "network" to linux.namespaces)`},
		{"empty", netDevices("", "a"), `linux.netDevices ""` + length + "0"},
		{"too long", netDevices("a23456789012345", "", "b234567890123456", ""), `linux.netDevices "b234567890123456"` + length + "16"},
		{"too long inside", netDevices("a", "b234567890123456"), `linux.netDevices "a".name "b234567890123456"` + length + "16"},
		{"template too long", netDevices("a", "b2345678901234%d"), `linux.netDevices "a".name "b2345678901234%d"` + length + "16"},
		{"dots", netDevices("..", "a"), `linux.netDevices "..": no name for a network device`},
		{"dot inside", netDevices("a", "."), `linux.netDevices "a".name ".": no name for a network device`},
		{"slash", netDevices("a/b", ""), `linux.netDevices "a/b"` + bytes},
		{"colon", netDevices("a", "b:1"), `linux.netDevices "a".name "b:1"` + bytes},
		{"blank", netDevices("a", "b c"), `linux.netDevices "a".name "b c"` + bytes},
		{"line end", netDevices("a", "b\n"), `linux.netDevices "a".name "b\n"` + bytes},
		{"template of the host", netDevices("eth%d", ""), `linux.netDevices "eth%d"` + bytes},
		{"template within", netDevices("a", "e%dth"), `linux.netDevices "a".name "e%dth"` + bytes},
		{"two templates", netDevices("a", "%d%d"), `linux.netDevices "a".name "%d%d"` + bytes},
		{"other template", netDevices("a", "eth%s"), `linux.netDevices "a".name "eth%s"` + bytes},
		{"one name for two", netDevices("a", "c", "b", "c"), `linux.netDevices "b": the name "c" inside the container is that of "a" too`},
		{"a name that another keeps", netDevices("a", "b", "b", ""), `linux.netDevices "b": the name "b" inside the container is that of "a" too`},
	})
}

func TestAcceptNetDevices(t *testing.T) {
	wantAcceptances(t, []acceptance{
		{"names", netDevices("eth0", "", "eth1", "a23456789012345", "eth2", "eth1"), nil},
		{"exchanged", netDevices("a", "b", "b", "a"), nil},
		{"templates", netDevices("eth0", "net%d", "eth1", "net%d"), nil},
		{"joined namespace", func(s *specs.Spec) {
			without(s, specs.NetworkNamespace)
			s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.NetworkNamespace, Path: "/run/netns/a"})
			s.Linux.NetDevices = map[string]specs.LinuxNetDevice{"eth0": {}}
		}, nil},
	})
}
