// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"fmt"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Change is Set for a group with processes in it. undo puts the values back that were there before. When Change fails it
// has done that itself, and the error names what could not be put back.
func (g *Group) Change(r *specs.LinuxResources) (undo func() error, err error) {
	list, err := g.prepare(r)
	if err != nil {
		return nil, err
	}
	before, err := remember(list)
	if err != nil {
		return nil, err
	}
	undo = func() error { return g.restore(before) }
	if err = g.put(r, list); err == nil {
		return undo, nil
	}
	if undoErr := undo(); undoErr != nil {
		err = fmt.Errorf("%w; %w", err, undoErr)
	}
	return nil, err
}

// formerValue is what a file had before it was written.
type formerValue struct {
	setting
	content string
}

// remember reads the files that list is going to write.
func remember(list []setting) ([]formerValue, error) {
	var before []formerValue
	seen := map[string]bool{}
	for _, s := range list {
		for w := &s.write; w != nil; w = w.or {
			path := s.dir + "/" + w.file
			if seen[path] {
				break
			}
			content, err := readControl(s.dir, w.file)
			if errors.Is(err, unix.ENOENT) {
				continue
			}
			if err != nil {
				return nil, s.explain(err)
			}
			seen[path] = true
			before = append(before, formerValue{setting{write: write{file: w.file}, limit: s.limit, dir: s.dir}, content})
			break
		}
	}
	return before, nil
}

// restore writes the values back that files had before. All are tried; the error names those that stay as they are.
func (g *Group) restore(before []formerValue) error {
	var failed []string
	if g.keeper != nil {
		// It may have heard of values that the kernel has refused.
		var all []setting
		for _, f := range before {
			all = append(all, f.settings("")...)
		}
		list, err := g.keeper.set(g, nil, all)
		if err == nil {
			err = settle(list[:len(list)-len(all)])
		}
		if err != nil {
			failed = append(failed, err.Error())
		}
	}
	// As in settle, of two values that are right together the kernel may want either first.
	for range before {
		var errs []string
		progress := false
		for _, f := range before {
			now, err := readControl(f.dir, f.file)
			if err != nil {
				errs = append(errs, err.Error())
				continue
			}
			if now == f.content {
				continue
			}
			for _, s := range f.settings(now) {
				if err := s.apply(); err != nil {
					errs = append(errs, err.Error())
				} else {
					progress = true
				}
			}
		}
		if len(errs) == 0 || !progress {
			failed = append(failed, errs...)
			break
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return fmt.Errorf("put former values back: %s", strings.Join(failed, ", "))
}

// settings are the writes that turn the content now of a file into the former one.
func (f *formerValue) settings(now string) []setting {
	var list []setting
	for _, value := range f.writes(now) {
		list = append(list, setting{write: write{file: f.file, value: value}, limit: f.limit, dir: f.dir})
	}
	return list
}

// writes returns the values for that.
func (f *formerValue) writes(now string) []string {
	if f.file == "memory.oom_control" { // written as a number, and read as "oom_kill_disable 0" with more lines
		line, _, _ := strings.Cut(f.content, "\n")
		return []string{strings.TrimPrefix(line, "oom_kill_disable ")}
	}
	reset, keyed := resetWord(f.file)
	if !keyed {
		return []string{f.content}
	}
	var values []string
	had := map[string]bool{}
	for line := range strings.Lines(f.content) {
		line = strings.TrimSpace(line)
		key, _, _ := strings.Cut(line, " ")
		had[key] = true
		values = append(values, line)
	}
	for line := range strings.Lines(now) {
		if key, _, _ := strings.Cut(strings.TrimSpace(line), " "); !had[key] {
			values = append(values, key+" "+reset)
		}
	}
	return values
}

// resetWord tells for a file with one line per device, interface or resource what stands behind a key to remove its
// line (kernel admin-guide/cgroup-v2.rst "IO Interface Files", "RDMA Interface Files", "Misc"; admin-guide/cgroup-v1/blkio-controller.rst,
// net_prio.rst).
func resetWord(file string) (word string, keyed bool) {
	switch file {
	case "io.max":
		return "rbps=max wbps=max riops=max wiops=max", true
	case "io.weight", "io.bfq.weight", "blkio.bfq.weight_device":
		return "default", true
	case "blkio.weight_device", "blkio.leaf_weight_device", "net_prio.ifpriomap":
		return "0", true
	case "rdma.max":
		return "hca_handle=max hca_object=max", true
	case "misc.max":
		return "max", true
	}
	return "0", strings.HasPrefix(file, "blkio.throttle.")
}

// ChangeDevices is SetDevices for a group with processes in it: what old and new rules allow is allowed all the time.
// The kernel exchanges a BPF program at once. A v1 list is changed entry by entry, what is new before what is to go;
// only one that is to allow everything, or does, is made anew.
func (g *Group) ChangeDevices(rules []specs.LinuxDeviceCgroup) error {
	m, ok := g.controller("devices")
	if !ok {
		return g.SetDevices(rules)
	}
	list, err := withDefaults(rules)
	if err != nil {
		return err
	}
	wanted, err := newV1List(list)
	if err != nil {
		return err
	}
	content, err := readControl(m.dir, "devices.list")
	if err != nil {
		return fmt.Errorf("filter devices: %w", err)
	}
	have, ok := parseV1List(content)
	if !ok || wanted.allowed {
		return setDevicesV1(m.dir, list)
	}
	for _, w := range v1Difference(have, wanted.exceptions) {
		file := "devices.deny"
		if w.allow {
			file = "devices.allow"
		}
		if err := writeControl(m.dir, file, w.line); err != nil {
			return fmt.Errorf("filter devices: %w", err)
		}
	}
	return nil
}

// v1Difference lists the writes from one list of allowed devices to another. The kernel keeps one entry for the same
// numbers, and adds and removes accesses in it.
func v1Difference(have, wanted []rule) []v1Write {
	now, then := map[deviceSet]access{}, map[deviceSet]access{}
	for _, r := range have {
		now[r.deviceSet] |= r.access
	}
	var writes []v1Write
	for _, r := range wanted {
		then[r.deviceSet] |= r.access
		if missing := r.access &^ now[r.deviceSet]; missing != 0 {
			now[r.deviceSet] |= missing
			writes = append(writes, v1Write{true, rule{r.deviceSet, missing, true}.line()})
		}
	}
	for _, r := range have {
		if surplus := r.access &^ then[r.deviceSet]; surplus != 0 {
			writes = append(writes, v1Write{false, rule{r.deviceSet, surplus, false}.line()})
		}
	}
	return writes
}

// parseV1List reads devices.list, one "c 1:* rw" per line; false if everything is allowed ("a *:* rwm").
func parseV1List(content string) ([]rule, bool) {
	var list []rule
	for line := range strings.Lines(content) {
		var kind, numbers, letters string
		if n, _ := fmt.Sscan(line, &kind, &numbers, &letters); n != 3 || kind != "b" && kind != "c" {
			return nil, false
		}
		major, minor, _ := strings.Cut(numbers, ":")
		r := rule{deviceSet: deviceSet{kind[0], v1Number(major), v1Number(minor)}, allow: true}
		for _, letter := range letters {
			switch letter {
			case 'r':
				r.access |= mayRead
			case 'w':
				r.access |= mayWrite
			case 'm':
				r.access |= mayMknod
			}
		}
		list = append(list, r)
	}
	return list, true
}

func v1Number(text string) int64 {
	n := anyNumber
	_, _ = fmt.Sscan(text, &n) // "*" is no number
	return n
}
