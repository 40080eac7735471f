// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func profile(name string) func(*specs.Spec) {
	return func(s *specs.Spec) { s.Process.ApparmorProfile = name }
}

func processLabel(label string) func(*specs.Spec) {
	return func(s *specs.Spec) { s.Process.SelinuxLabel = label }
}

func mountLabel(label string) func(*specs.Spec) {
	return func(s *specs.Spec) { s.Linux.MountLabel = label }
}

func TestProfilesAndLabels(t *testing.T) {
	wantAcceptances(t, []acceptance{
		{"a profile", profile("docker-default"), nil},
		{"a path", profile("/usr/bin/x"), nil},
		{"a child profile", profile("/usr/bin/x//child"), nil},
		{"a stack", profile("one//&two"), nil},
		{"on top of rt's own", profile("&one"), nil},
		{"a policy namespace", profile(":ns:one"), nil},
		{"a blank inside", profile("one two"), nil},
		{"the longest", profile(strings.Repeat("x", 4090)), nil},
		{"a label", processLabel("system_u:system_r:container_t:s0:c1,c2"), nil},
		{"without levels", processLabel("system_u:system_r:container_t"), nil},
		{"a range", processLabel("u:r:t:s0-s0:c0.c1023"), nil},
		{"for mounts", mountLabel("system_u:object_r:container_file_t:s0:c1,c2"), nil},
	})
}

func TestRefuseProfilesAndLabels(t *testing.T) {
	const name = ": want the name of a profile, without control characters, and without blanks at its ends"
	const label = ": want USER:ROLE:TYPE or USER:ROLE:TYPE:RANGE, without blanks"
	wantRefusals(t, []refusal{
		{"line break", profile("a\nb"), `process.apparmorProfile "a\nb"` + name},
		{"NUL", profile("a\x00"), `process.apparmorProfile "a\x00"` + name},
		{"blank in front", profile(" a"), `process.apparmorProfile " a"` + name},
		{"blank behind", profile("a "), `process.apparmorProfile "a "` + name},
		{"only a blank", profile(" "), `process.apparmorProfile " "` + name},
		{"cut off", profile(strings.Repeat("x", 4091)), "process.apparmorProfile: want a name of at most 4090 bytes, got 4091"},
		{"one word", processLabel("container_t"), `process.selinuxLabel "container_t"` + label},
		{"no type", processLabel("u:r:"), `process.selinuxLabel "u:r:"` + label},
		{"no range", processLabel("u:r:t:"), `process.selinuxLabel "u:r:t:"` + label},
		{"blank", processLabel("u:r:t:s0 "), `process.selinuxLabel "u:r:t:s0 "` + label},
		{"line break", processLabel("u:r:t\n"), `process.selinuxLabel "u:r:t\n"` + label},
		{"NUL", mountLabel("u:r:t\x00"), `linux.mountLabel "u:r:t\x00"` + label},
		{"quotes alone", mountLabel(`""`), `linux.mountLabel "\"\""` + label},
		{"too long", mountLabel("u:r:" + strings.Repeat("t", 4090)), "linux.mountLabel: want a label of at most 4090 bytes, got 4094"},
	})
}
