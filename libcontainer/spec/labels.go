// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// labelBytesMax is the longest text that the kernel takes whole for an attribute of a process, which is a page at most,
// with the word that AppArmor wants in front of a profile. It cuts off the rest, and what is left may be the name of
// another profile (proc_pid_attr_write in its sources).
const labelBytesMax = 4095 - len("exec ")

// checkProfile refuses the name of a profile that the kernel would not take as it is written. Which profiles there are,
// only the kernel knows.
func checkProfile(p *specs.Process) error {
	name := p.ApparmorProfile
	switch {
	case len(name) > labelBytesMax:
		return fmt.Errorf("process.apparmorProfile: want a name of at most %d bytes, got %d", labelBytesMax, len(name))
	case strings.TrimSpace(name) != name || strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("process.apparmorProfile %q: want the name of a profile, without control characters, and without blanks at its ends", name)
	}
	return nil
}

func checkLabel(p *specs.Process) error { return checkContext("process.selinuxLabel", p.SelinuxLabel) }

func (v *validator) mountLabel() error { return checkContext("linux.mountLabel", v.linux.MountLabel) }

// checkContext refuses what is no SELinux label. Which labels are valid, only the loaded policy knows.
func checkContext(member, label string) error {
	if label == "" {
		return nil
	}
	if len(label) > labelBytesMax {
		return fmt.Errorf("%s: want a label of at most %d bytes, got %d", member, labelBytesMax, len(label))
	}
	parts := strings.SplitN(label, ":", 4) // the range may have colons of its own
	odd := func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }
	if len(parts) < 3 || slices.Contains(parts, "") || strings.ContainsFunc(label, odd) {
		return fmt.Errorf("%s %q: want USER:ROLE:TYPE or USER:ROLE:TYPE:RANGE, without blanks", member, label)
	}
	return nil
}
