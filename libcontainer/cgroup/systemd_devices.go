// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"fmt"

	"github.com/rt-oci/rt/libcontainer/dbus"
)

// deviceProperties are the scope's device rules.
//
// On v2 there are none: our filter is a program of its own beside those of systemd, which leaves it alone in a reload
// and in a restart; all programs of a group must agree. So it stays, exact and in force, and so does what a hook may add
// to it. On v1 both write to one list, and systemd writes its own again whenever it likes: with DevicePolicy=auto that
// would open everything. So there it gets the same list, in numbers, which need no device node on the host; rules of
// which it can't have an equal are refused, since a reload would undo them.
func (u *unit) deviceProperties(g *Group) ([]property, error) {
	policy := func(p string) property { return property{"DevicePolicy", dbus.Value{Signature: "s", Content: p}} }
	if _, isV1 := g.controller("devices"); !isV1 {
		return []property{policy("auto")}, nil
	}
	rules, err := parseRules(u.devices)
	if err != nil {
		return nil, err
	}
	defaults, err := parseRules(DefaultDeviceRules())
	if err != nil {
		return nil, err
	}
	all, list, err := allowedDevices(append(rules, defaults...))
	if err != nil {
		return nil, err
	}
	if all {
		return []property{policy("auto")}, nil
	}
	pairs := []any{}
	for _, r := range list {
		for _, kind := range [...]byte{'b', 'c'} {
			if r.kind != 'a' && r.kind != kind {
				continue
			}
			name, err := deviceName(kind, r)
			if err != nil {
				return nil, err
			}
			pairs = append(pairs, []any{name, r.access.String()})
		}
	}
	return []property{policy("strict"), {"DeviceAllow", dbus.Value{Signature: "a(ss)", Content: pairs}}}, nil
}

// allowedDevices turns rules, of which the last one that fits decides, into what systemd has: everything, or a list of
// what is allowed. No two entries have the same devices: of those, systemd would take the last.
func allowedDevices(rules []rule) (all bool, list []rule, err error) {
	everything := deviceSet{'a', anyNumber, anyNumber}
	for _, r := range rules {
		switch {
		case r.deviceSet == everything && r.access == mayAll:
			all, list = r.allow, nil
		case r.allow && all:
		case r.allow:
			list = allow(list, r)
		case all:
			return false, nil, fmt.Errorf("filter devices: systemd can't express the rule %q after one that allows everything (deny all first)", r)
		default:
			if list, err = deny(list, r); err != nil {
				return false, nil, err
			}
		}
	}
	return all, list, nil
}

func allow(list []rule, r rule) []rule {
	for i := range list {
		if list[i].deviceSet == r.deviceSet {
			list[i].access |= r.access
			return list
		}
	}
	return append(list, r)
}

func deny(list []rule, r rule) ([]rule, error) {
	var left []rule
	for _, e := range list {
		sameKind := r.kind == 'a' || e.kind == 'a' || e.kind == r.kind
		covered := (r.kind == 'a' || e.kind == r.kind) &&
			(r.major == anyNumber || r.major == e.major) && (r.minor == anyNumber || r.minor == e.minor)
		meets := sameKind && (r.major == anyNumber || e.major == anyNumber || r.major == e.major) &&
			(r.minor == anyNumber || e.minor == anyNumber || r.minor == e.minor)
		switch {
		case e.access&r.access == 0 || !meets:
		case covered:
			e.access &^= r.access
		default:
			return nil, fmt.Errorf("filter devices: systemd can't express the rule %q after the wider %q", r, e)
		}
		if e.access != 0 {
			left = append(left, e)
		}
	}
	return left, nil
}

// deviceName names devices as DeviceAllow= has it, by numbers: "/dev/char/1:3", "block-8" for all of a major number,
// "char-*" for all.
func deviceName(kind byte, r rule) (string, error) {
	word := "char"
	if kind == 'b' {
		word = "block"
	}
	switch {
	case r.major == anyNumber && r.minor == anyNumber:
		return word + "-*", nil
	case r.major == anyNumber:
		return "", fmt.Errorf("filter devices: systemd can't express the rule %q (a minor number of every major number)", r)
	case r.minor == anyNumber:
		return word + "-" + numberOrStar(r.major), nil
	}
	return "/dev/" + word + "/" + numberOrStar(r.major) + ":" + numberOrStar(r.minor), nil
}
