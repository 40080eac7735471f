// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"fmt"
	"math"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// access is a set of what can be done with a device.
// The bits are those of a BPF_PROG_TYPE_CGROUP_DEVICE program (linux/bpf.h, BPF_DEVCG_ACC_*).
type access uint32

const (
	mayMknod access = 1 << iota
	mayRead
	mayWrite
	mayAll = mayMknod | mayRead | mayWrite
)

// String returns the letters that devices.allow and devices.list use.
func (a access) String() string {
	letters := ""
	for _, l := range []struct {
		bit    access
		letter string
	}{{mayRead, "r"}, {mayWrite, "w"}, {mayMknod, "m"}} {
		if a&l.bit != 0 {
			letters += l.letter
		}
	}
	return letters
}

// anyNumber stands for every major or minor number.
const anyNumber int64 = -1

// deviceSet is what a rule applies to.
type deviceSet struct {
	kind         byte // 'b', 'c', or 'a' for both
	major, minor int64
}

// rule is one entry of a device list. The last rule that covers a device and an access decides about it; where none
// does, the answer is no.
type rule struct {
	deviceSet
	access access
	allow  bool
}

// DefaultDeviceRules are the devices that a container may always use, whatever its own rules say: those that the
// specification supplies in /dev (config-linux.md, "Default Devices") and a few that programs can't do without.
func DefaultDeviceRules() []specs.LinuxDeviceCgroup {
	rules := []specs.LinuxDeviceCgroup{}
	for _, d := range []struct {
		kind         string
		major, minor int64
		access       string
	}{
		{"c", anyNumber, anyNumber, "m"}, // a node that can't be opened harms nobody; CAP_MKNOD is the gate
		{"b", anyNumber, anyNumber, "m"}, // package managers and archivers make nodes
		{"c", 1, 3, "rwm"},               // /dev/null
		{"c", 1, 5, "rwm"},               // /dev/zero
		{"c", 1, 7, "rwm"},               // /dev/full
		{"c", 1, 8, "rwm"},               // /dev/random
		{"c", 1, 9, "rwm"},               // /dev/urandom
		{"c", 5, 0, "rwm"},               // /dev/tty, the controlling terminal
		{"c", 5, 2, "rwm"},               // /dev/ptmx: new terminals of the container's own devpts
		{"c", 136, anyNumber, "rwm"},     // /dev/pts/*, and /dev/console which is one of them
		{"c", 10, 200, "rwm"},            // /dev/net/tun: VPNs; needs CAP_NET_ADMIN in the network namespace
	} {
		r := specs.LinuxDeviceCgroup{Allow: true, Type: d.kind, Access: d.access}
		if d.major != anyNumber {
			r.Major = &d.major
		}
		if d.minor != anyNumber {
			r.Minor = &d.minor
		}
		rules = append(rules, r)
	}
	return rules
}

// CheckDeviceRules tells what is wrong with the rules of linux.resources.devices.
func CheckDeviceRules(rules []specs.LinuxDeviceCgroup) error {
	_, err := parseRules(rules)
	return err
}

// SetDevices filters the group's access to devices: everything is denied at first, rules are applied in their order,
// and then the default devices are allowed, last, so that a configuration that begins with "deny all", as nearly
// every one does, or ends with it, leaves /dev/null working (and runc behaves so: callers rely on it).
//
// v1 has a controller for that; on v2, and in a hybrid without it, a BPF program decides. Without either the
// protection can't be given, and that is an error.
func (g *Group) SetDevices(rules []specs.LinuxDeviceCgroup) error {
	list, err := withDefaults(rules)
	if err != nil {
		return err
	}
	if m, ok := g.controller("devices"); ok {
		return setDevicesV1(m.dir, list)
	}
	if m, ok := g.unified(); ok {
		return setDevicesV2(m.dir, list)
	}
	return errors.New("filter devices: the host has neither the devices controller of cgroup v1 nor a cgroup v2 hierarchy")
}

// withDefaults reads the rules of a configuration and adds the default ones.
func withDefaults(rules []specs.LinuxDeviceCgroup) ([]rule, error) {
	list, err := parseRules(rules)
	if err != nil {
		return nil, err
	}
	defaults, err := parseRules(DefaultDeviceRules())
	return append(list, defaults...), err
}

func parseRules(rules []specs.LinuxDeviceCgroup) ([]rule, error) {
	list := make([]rule, 0, len(rules))
	for i, r := range rules {
		parsed, err := parseRule(r)
		if err != nil {
			return nil, fmt.Errorf("linux.resources.devices[%d]: %w", i, err)
		}
		list = append(list, parsed)
	}
	return list, nil
}

// parseRule reads a rule of the configuration (config-linux.md, "Device allowed list"): no type means all types, no
// number any number. Docker writes -1 for any number, so that is accepted.
func parseRule(r specs.LinuxDeviceCgroup) (rule, error) {
	parsed := rule{allow: r.Allow}
	switch r.Type {
	case "", "a":
		parsed.kind = 'a'
	case "b", "c":
		parsed.kind = r.Type[0]
	default:
		return rule{}, fmt.Errorf(`type %q is unknown (known are "a", "b" and "c")`, r.Type)
	}
	for _, letter := range r.Access {
		switch letter {
		case 'r':
			parsed.access |= mayRead
		case 'w':
			parsed.access |= mayWrite
		case 'm':
			parsed.access |= mayMknod
		case 'a': // some callers add it; it adds nothing
		default:
			return rule{}, fmt.Errorf("access %q: letter %q is unknown (known are r, w and m)", r.Access, letter)
		}
	}
	if parsed.access == 0 {
		return rule{}, fmt.Errorf("access %q names none of r, w and m", r.Access)
	}
	var err error
	if parsed.major, err = deviceNumber("major", r.Major); err != nil {
		return rule{}, err
	}
	if parsed.minor, err = deviceNumber("minor", r.Minor); err != nil {
		return rule{}, err
	}
	return parsed, nil
}

// deviceNumber reads a major or minor number. The highest number is not one: the kernel uses it for "any".
func deviceNumber(name string, number *int64) (int64, error) {
	switch {
	case number == nil:
		return anyNumber, nil
	case *number < anyNumber || *number >= math.MaxUint32:
		return 0, fmt.Errorf("%s %d is not a device number (0 to %d, or -1 for any)", name, *number, uint32(math.MaxUint32-1))
	}
	return *number, nil
}
