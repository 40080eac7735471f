// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"math"
	"os"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestDevices(t *testing.T) {
	type D = specs.LinuxDevice
	set := func(list ...D) func(*specs.Spec) {
		return func(s *specs.Spec) { s.Linux.Devices = list }
	}
	wantRefusals(t, []refusal{
		{"no path", set(D{Type: "c", Major: 1}), "linux.devices[0].path: missing"},
		{"root", set(D{Path: "/dev/..", Type: "c", Major: 1}), `linux.devices[0] "/dev/..": want the path of a file`},
		{"NUL", set(D{Path: "/a\x00", Type: "p"}), `linux.devices[0].path "/a\x00": want a string without NUL`},
		{"no type", set(D{Path: "/dev/x", Type: "p"}, D{Path: "/dev/y"}), `linux.devices[1] "/dev/y": type is missing (want c, b, u or p)`},
		{"unknown type", set(D{Path: "/dev/y", Type: "s"}), `linux.devices[0] "/dev/y": type "s": want c, b, u or p`},
		{"no major", set(D{Path: "/dev/y", Type: "c", Minor: 3}), `linux.devices[0] "/dev/y": major is missing or 0`},
		{"negative major", set(D{Path: "/dev/y", Type: "b", Major: -1}), `linux.devices[0] "/dev/y": major -1: want 1 to 4095`},
		{"large major", set(D{Path: "/dev/y", Type: "u", Major: 4096}), `linux.devices[0] "/dev/y": major 4096: want 1 to 4095`},
		{"negative minor", set(D{Path: "/dev/y", Type: "c", Major: 1, Minor: -1}), `linux.devices[0] "/dev/y": minor -1: want 0 to 1048575`},
		{"large minor", set(D{Path: "/dev/y", Type: "c", Major: 1, Minor: 1 << 20}), `linux.devices[0] "/dev/y": minor 1048576: want 0 to 1048575`},
		{"mode", set(D{Path: "/dev/y", Type: "p", FileMode: ptr(os.FileMode(0o200000))}), `linux.devices[0] "/dev/y": fileMode 65536: want permission bits, 0 to 4095`},
		{"uid", set(D{Path: "/dev/y", Type: "p", UID: ptr(uint32(math.MaxUint32))}), `linux.devices[0] "/dev/y": uid 4294967295: not an id`},
		{"gid", set(D{Path: "/dev/y", Type: "p", GID: ptr(uint32(math.MaxUint32))}), `linux.devices[0] "/dev/y": gid 4294967295: not an id`},
	})
	wantAcceptances(t, []acceptance{
		{"default device again", set(D{Path: "/dev/null", Type: "c", Major: 1, Minor: 3, FileMode: ptr(os.FileMode(0o600)), UID: ptr(uint32(1))}), nil},
		{"twice", set(D{Path: "/dev/a", Type: "c", Major: 1, Minor: 3}, D{Path: "/dev/a", Type: "c", Major: 1, Minor: 3}), nil},
		{"relative", set(D{Path: "dev/a", Type: "u", Major: 4095, Minor: 1<<20 - 1}), nil},
		{"pipe with numbers", set(D{Path: "/other/pipe", Type: "p", Major: -5, Minor: 1 << 30}), nil},
		{"mode with type", set(D{Path: "/dev/a", Type: "b", Major: 8, FileMode: ptr(os.FileMode(0o060660))}), nil},
	})
}

func TestDeviceRules(t *testing.T) {
	type R = specs.LinuxDeviceCgroup
	set := func(list ...R) func(*specs.Spec) {
		return func(s *specs.Spec) { s.Linux.Resources.Devices = list }
	}
	wantRefusals(t, []refusal{
		{"type", set(R{Access: "r"}, R{Type: "p", Access: "rwm"}), `linux.resources.devices[1].type "p": want a, b or c`},
		{"no access", set(R{}), `linux.resources.devices[0].access "": want letters of rwm`},
		{"wrong access", set(R{Access: "q"}), `linux.resources.devices[0].access "q": want letters of rwm`},
		{"unknown letter", set(R{Access: "rwq"}), `linux.resources.devices[0].access "rwq": letter "q" is unknown (known are r, w and m)`},
		{"major", set(R{Access: "r", Major: ptr(int64(-2))}), "linux.resources.devices[0].major -2: want a device number, or nothing for all"},
		{"minor", set(R{Access: "r", Minor: ptr(int64(-2))}), "linux.resources.devices[0].minor -2: want a device number, or nothing for all"},
	})
	wantAcceptances(t, []acceptance{
		{"none", func(s *specs.Spec) { s.Linux.Resources = nil }, nil},
		{"all", set(R{Type: "a", Access: "mrw"}, R{Type: "b", Major: ptr(int64(-1)), Minor: ptr(int64(-1)), Access: "r"}), nil},
		{"another letter", set(R{Allow: true, Access: "rwa"}), nil},
	})
}
