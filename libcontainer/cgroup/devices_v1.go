// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// v1Write is one line for devices.allow or devices.deny.
type v1Write struct {
	allow bool
	line  string
}

// setDevicesV1 writes the rules to a v1 devices controller (kernel: admin-guide/cgroup-v1/devices.rst).
func setDevicesV1(dir string, rules []rule) error {
	writes, err := v1Writes(rules)
	if err != nil {
		return err
	}
	var files [2]*os.File
	for i, name := range []string{"/devices.deny", "/devices.allow"} {
		if files[i], err = open(dir+name, unix.O_WRONLY); err != nil {
			return err
		}
		defer files[i].Close()
	}
	for _, w := range writes {
		f := files[0]
		if w.allow {
			f = files[1]
		}
		err := writeValue(f, w.line)
		switch {
		case w.allow && errors.Is(err, unix.EPERM):
			return fmt.Errorf("%w (a group may allow only what the group above it has)", err)
		case errors.Is(err, unix.EINVAL) && w.line == "a":
			return fmt.Errorf("%w (a group that has groups below it can't be set anew)", err)
		case err != nil:
			return err
		}
	}
	return nil
}

// v1List is the model of a v1 device list: a default for all devices and exceptions from it.
type v1List struct {
	allowed    bool // what holds for a device that is not in exceptions
	exceptions []rule
	writes     []v1Write
}

// v1Writes translates rules into writes that give exactly their meaning, in their order, without merging.
//
// The kernel does not apply rules in order. Writing "a" sets a default and drops the exceptions; a rule against the
// default adds an exception; a rule in favour of the default only takes away exceptions for the very same numbers. So
// "deny c *:*" leaves an earlier "allow c 1:11" in force unless each such exception is named, which is done here; and
// "deny c 1:11" after "allow c 1:*" can't be expressed at all: ignoring it would open what the configuration closes,
// so that is an error.
func v1Writes(rules []rule) ([]v1Write, error) {
	l, err := newV1List(rules)
	if err != nil {
		return nil, err
	}
	return l.writes, nil
}

// newV1List is the list that the kernel has after those writes.
func newV1List(rules []rule) (*v1List, error) {
	l := &v1List{writes: []v1Write{{false, "a"}}}
	for _, r := range rules {
		if r.deviceSet == (deviceSet{'a', anyNumber, anyNumber}) && r.access == mayAll {
			l.reset(r.allow)
			continue
		}
		// "a" in devices.allow or devices.deny means everything whatever follows, so one line for each type.
		kinds := string(r.kind)
		if r.kind == 'a' {
			kinds = "bc"
		}
		for _, kind := range kinds {
			r.kind = byte(kind)
			if err := l.add(r); err != nil {
				return nil, err
			}
		}
	}
	return l, nil
}

func (l *v1List) reset(allow bool) {
	if l.allowed == allow && len(l.exceptions) == 0 {
		return
	}
	l.allowed, l.exceptions = allow, nil
	l.writes = append(l.writes, v1Write{allow, "a"})
}

func (l *v1List) add(r rule) error {
	if r.allow != l.allowed {
		l.exceptions = append(l.exceptions, r)
		l.writes = append(l.writes, v1Write{r.allow, r.line()})
		return nil
	}
	for i := range l.exceptions {
		e := &l.exceptions[i]
		if e.access&r.access == 0 || !e.overlaps(r.deviceSet) {
			continue
		}
		if !r.covers(e.deviceSet) {
			return fmt.Errorf("filter devices: cgroup v1 can't express the rule %q after the wider %q", r, *e)
		}
		undo := rule{e.deviceSet, e.access & r.access, r.allow}
		l.writes = append(l.writes, v1Write{r.allow, undo.line()})
		e.access &^= r.access
	}
	return nil
}

// overlaps tells whether a device can be in both sets.
func (s deviceSet) overlaps(other deviceSet) bool {
	meet := func(a, b int64) bool { return a == b || a == anyNumber || b == anyNumber }
	return s.kind == other.kind && meet(s.major, other.major) && meet(s.minor, other.minor)
}

// covers tells whether every device of other is in s.
func (s deviceSet) covers(other deviceSet) bool {
	holds := func(outer, inner int64) bool { return outer == inner || outer == anyNumber }
	return s.kind == other.kind && holds(s.major, other.major) && holds(s.minor, other.minor)
}

// line formats a rule for devices.allow and devices.deny: "c 1:* rw".
func (r rule) line() string {
	return string(r.kind) + " " + numberOrStar(r.major) + ":" + numberOrStar(r.minor) + " " + r.access.String()
}

// String names a rule in messages: "deny c 1:* rw".
func (r rule) String() string {
	if r.allow {
		return "allow " + r.line()
	}
	return "deny " + r.line()
}

func numberOrStar(n int64) string {
	if n == anyNumber {
		return "*"
	}
	return strconv.FormatInt(n, 10)
}
