// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"fmt"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// limit is one member of linux.resources: what it is called, and how each version of cgroup has it.
type limit struct {
	member     string // below linux.resources
	controller string // as v1 calls it; controllerOfV2 has the other name
	v1, v2     form
	instead    string // for a version without a form: what to do
}

// form is how one version has a limit. One that has nothing like it has no writes.
type form struct {
	files  string // for a person: the names of the files
	writes func(r *specs.LinuxResources) []write
}

// write is one write(2) to a control file.
type write struct {
	file, value string
	entry       int                         // of a list: which entry it is for, from 1
	or          *write                      // to do in its place where the kernel has no such file
	absent      func() bool                 // where the kernel has no such file: tells whether the value holds all the same
	merge       func(current string) string // for a file with several values: the whole value, made from what it has
}

// setting is a write on its way to a group.
type setting struct {
	write
	*limit
	dir      string
	verbatim bool // of linux.resources.unified, which has the last word
}

// memberPrefix is where the rows' members lie in config.json.
const memberPrefix = "linux.resources."

// limits has a row for each member of linux.resources but devices and unified, in the order in which they are written.
// docs/resources.md shows it to users.
var limits = [...][]limit{
	memoryLimits[:], cpuLimits[:], pidsLimits[:], blockIOLimits[:], hugepageLimits[:], networkLimits[:], rdmaLimits[:],
}

// controllerOfV2 returns the name by which the unified hierarchy has a controller of v1.
func controllerOfV2(name string) string {
	if name == "blkio" {
		return "io"
	}
	return name
}

// Set writes the values that r sets, and nothing else; device rules are SetDevices' business. It serves new groups and
// those with running processes. Members that stand for a common value (memory.swap, on v2, is counted from
// memory.limit) must be given together.
//
// What is written before an error stays: whoever made the group removes it, and whoever changes one says so.
func (g *Group) Set(r *specs.LinuxResources) error {
	list, err := g.prepare(r)
	if err != nil {
		return err
	}
	return g.put(r, list)
}

// prepare lists the writes for what r sets, and refuses what can be seen to be wrong before the first.
func (g *Group) prepare(r *specs.LinuxResources) ([]setting, error) {
	if r == nil {
		return nil, nil
	}
	if err := CheckResources(r, g.Version()); err != nil {
		return nil, err
	}
	list, err := g.collect(r)
	if err != nil {
		return nil, err
	}
	return list, g.checkUsage(complete(r).Memory)
}

// put writes list, of which the keeper hears first.
func (g *Group) put(r *specs.LinuxResources, list []setting) error {
	if g.keeper != nil {
		var err error
		if list, err = g.keeper.set(g, r, list); err != nil {
			return err
		}
	}
	if i := slices.IndexFunc(list, func(s setting) bool { return s.verbatim }); i >= 0 {
		if err := settle(list[:i]); err != nil {
			return err
		}
		list = list[i:]
	}
	return settle(list)
}

// collect lists the writes for what r sets. It needs no group to be there.
func (g *Group) collect(r *specs.LinuxResources) ([]setting, error) {
	if r == nil {
		return nil, nil
	}
	full := complete(r)
	var list []setting
	for _, rows := range limits {
		for i := range rows {
			var err error
			if list, err = g.settings(list, &rows[i], full); err != nil {
				return nil, err
			}
		}
	}
	return append(list, g.unifiedSettings(r)...), nil
}

// complete returns r with all its objects, so that no row has to ask for them.
func complete(r *specs.LinuxResources) *specs.LinuxResources {
	full := *r
	if full.Memory == nil {
		full.Memory = &specs.LinuxMemory{}
	}
	if full.CPU == nil {
		full.CPU = &specs.LinuxCPU{}
	}
	if full.Pids == nil {
		full.Pids = &specs.LinuxPids{}
	}
	if full.BlockIO == nil {
		full.BlockIO = &specs.LinuxBlockIO{}
	}
	if full.Network == nil {
		full.Network = &specs.LinuxNetwork{}
	}
	return &full
}

// settings adds the writes of a row to list. A controller is used where it is: in a hybrid that is mostly v1.
func (g *Group) settings(list []setting, row *limit, r *specs.LinuxResources) ([]setting, error) {
	if !row.configured(r) {
		return list, nil
	}
	m, isV1 := g.controller(row.controller)
	f := row.v1
	if !isV1 {
		var ok bool
		if m, ok = g.unified(); !ok {
			return nil, fmt.Errorf("%s%s: no hierarchy with the controller %s is mounted below /sys/fs/cgroup",
				memberPrefix, row.member, row.controller)
		}
		if f = row.v2; f.writes == nil {
			return nil, row.refuse("v2", fmt.Sprintf("no v1 hierarchy with the controller %s is mounted", row.controller))
		}
		if g.Version() == Hybrid {
			handDown(m, controllerOfV2(row.controller))
		}
	}
	for _, w := range f.writes(r) {
		list = append(list, setting{write: w, limit: row, dir: m.dir})
	}
	return list, nil
}

// configured tells whether r sets the member. Each version's form writes something then.
func (l *limit) configured(r *specs.LinuxResources) bool {
	if l.v1.writes != nil {
		return len(l.v1.writes(r)) > 0
	}
	return l.v2.writes != nil && len(l.v2.writes(r)) > 0
}

// refuse is the error of a member that a version has no form for.
func (l *limit) refuse(version, why string) error {
	text := "cgroup " + version + " has nothing like it"
	if why != "" {
		text = why + ", and " + text
	}
	if l.instead != "" {
		text += " (" + l.instead + ")"
	}
	return errors.New(memberPrefix + l.member + ": " + text)
}

// settle writes all of list. The kernel judges a value by those beside it: a memory limit by the limit of memory and
// swap, a period by quota and burst. Of two values that are right together, either may be refused (EINVAL) until the
// other is written, and which one depends on what was there before. So what is refused is tried again as long as
// something else has succeeded meanwhile.
func settle(list []setting) error {
	for len(list) > 0 {
		var refused []setting
		var first error
		for _, s := range list {
			err := s.apply()
			switch {
			case err == nil:
			case errors.Is(err, unix.EINVAL):
				if refused = append(refused, s); first == nil {
					first = err
				}
			default:
				return s.explain(err)
			}
		}
		if len(refused) == len(list) {
			return refused[0].explain(first)
		}
		list = refused
	}
	return nil
}

// apply writes one value.
func (s *setting) apply() error {
	for w := &s.write; ; w = w.or {
		value := w.value
		if w.merge != nil {
			current, err := readControl(s.dir, w.file)
			if err != nil {
				return err
			}
			value = w.merge(current)
		}
		err := writeControl(s.dir, w.file, value)
		switch {
		case err == nil || !errors.Is(err, unix.ENOENT):
			return err
		case w.absent != nil && w.absent():
			return nil
		case w.or == nil:
			return err
		}
	}
}

// CheckResources tells what is wrong with resources: values that no kernel takes, and members that the version has no
// form for. It doesn't look at the host. Device rules are CheckDeviceRules' business.
func CheckResources(r *specs.LinuxResources, v Version) error {
	if r == nil {
		return nil
	}
	full := complete(r)
	for _, check := range [...]func(*specs.LinuxResources, Version) error{
		checkMemory, checkCPU, checkPids, checkBlockIO, checkHugepages, checkNetwork, checkRdma, checkUnified,
	} {
		if err := check(full, v); err != nil {
			return err
		}
	}
	for _, rows := range limits {
		for i := range rows {
			row := &rows[i]
			f := row.v1
			if v == V2 {
				f = row.v2
			}
			if f.writes == nil && row.configured(full) {
				return row.refuse(v.String(), "")
			}
		}
	}
	return nil
}

// invalid is the error of a value that no kernel takes.
func invalid(member string, value any, want string) error {
	return fmt.Errorf("%s%s %v: want %s", memberPrefix, member, value, want)
}

// given says that a number is there and is none of those by which callers mean that it isn't.
func given[T comparable](value *T, unset ...T) bool {
	return value != nil && !slices.Contains(unset, *value)
}
