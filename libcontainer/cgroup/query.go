// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Processes returns the process ids of all members of the group and of the groups below it, in ascending order.
// On v1 that is the union over all hierarchies, as a process may have been moved in one of them only. A group that
// is gone has no members. Processes of a foreign PID namespace, which have no number here, are left out.
func (g *Group) Processes() ([]int, error) {
	pids, err := g.listed()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Compact(slices.Sorted(slices.Values(pids))), func(pid int) bool { return pid == 0 }), nil
}

// count returns how many processes the group has, counting those without a number here as well.
func (g *Group) count() (int, error) {
	pids, err := g.listed()
	if err != nil {
		return 0, err
	}
	known, foreign := map[int]bool{}, 0
	for _, pid := range pids {
		if pid == 0 {
			foreign++
		} else {
			known[pid] = true
		}
	}
	return len(known) + foreign, nil
}

// has tells whether a process is a member of the group or of a group below it, in any hierarchy.
func (g *Group) has(pid int) (bool, error) {
	pids, err := g.Processes()
	if err != nil {
		return false, err
	}
	_, found := slices.BinarySearch(pids, pid)
	return found, nil
}

// listed returns what the hierarchies list, unsorted, with repetitions, and 0 for each foreign process.
func (g *Group) listed() ([]int, error) {
	var pids []int
	for _, m := range g.members {
		err := walk(m.dir, func(d directory) error {
			list, err := d.read("cgroup.procs")
			// The processes of a threaded group are listed by the group that is the root of its threads.
			if errors.Is(err, unix.EOPNOTSUPP) {
				return nil
			}
			if err != nil {
				return err
			}
			for field := range strings.FieldsSeq(list) {
				pid, err := strconv.Atoi(field)
				if err != nil {
					return fmt.Errorf("parse cgroup.procs of control group %q: %w", d, err)
				}
				pids = append(pids, pid)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return pids, nil
}

// Frozen tells whether the group is frozen or being frozen, by itself or by a group above it. Without a freezer,
// and when the group is gone (also between open and read, ENODEV), the answer is no.
func (g *Group) Frozen() (bool, error) {
	if m, ok := g.controller("freezer"); ok {
		state, err := readControl(m.dir, "freezer.state")
		if err != nil && !gone(err) {
			return false, err
		}
		// FREEZING counts: a task in uninterruptible sleep can hold up FROZEN for ever, while the rest stands.
		if state == "FROZEN" || state == "FREEZING" {
			return true, nil
		}
	}
	if m, ok := g.unified(); ok {
		frozen, err := readKeyed(m.dir, "cgroup.events", "frozen")
		if err == nil && frozen == 0 {
			frozen, err = readNumber(m.dir, "cgroup.freeze")
		}
		if err != nil && !gone(err) {
			return false, err
		}
		return frozen == 1, nil
	}
	return false, nil
}

// readNumber returns the number that is all of a file's content.
func readNumber(dir, name string) (uint64, error) {
	content, err := readControl(dir, name)
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(content, 10, 64)
}

// OOMKills returns how many processes of the group the kernel has killed for lack of memory: "oom_kill" of
// memory.events (v2), or of memory.oom_control (v1, since Linux 4.13). It is 0 without a memory controller.
func (g *Group) OOMKills() (uint64, error) {
	name := "memory.oom_control"
	m, ok := g.controller("memory")
	if !ok {
		name = "memory.events"
		if m, ok = g.unified(); !ok {
			return 0, nil
		}
	}
	kills, err := readKeyed(m.dir, name, "oom_kill")
	if gone(err) {
		return 0, nil
	}
	return kills, err
}

// OOMKillsAround returns how many processes the kernel has killed for lack of memory in the group above this one and all
// below that: memory.events counts what happens below, and is still there when this group has gone (cgroup-v2.rst,
// "Memory Interface Files"). False: there is no such counter, as on v1 and where the group above is the root.
func (g *Group) OOMKillsAround() (uint64, bool) {
	m, ok := g.unified()
	if _, isV1 := g.controller("memory"); !ok || isV1 {
		return 0, false
	}
	kills, err := readKeyed(filepath.Dir(m.dir), "memory.events", "oom_kill")
	return kills, err == nil
}

// Exists tells whether the group is there in some hierarchy.
func (g *Group) Exists() bool {
	for _, m := range g.members {
		if _, err := os.Lstat(m.dir); err == nil {
			return true
		}
	}
	return false
}

// Removed tells whether somebody has removed the group, in one hierarchy at least: systemd leaves those alone that it
// does not manage.
func (g *Group) Removed() bool {
	return slices.ContainsFunc(g.members, func(m member) bool {
		_, err := os.Lstat(m.dir)
		return errors.Is(err, os.ErrNotExist)
	})
}

// noLimitV1 is what memory.limit_in_bytes shows without a limit: the most pages that fit (mm/page_counter.c), in bytes.
const noLimitV1 = 1<<63 - 4096

// MemoryLimit returns the most memory, in bytes, that the group itself may have, or -1 if it has no limit.
func (g *Group) MemoryLimit() (int64, error) {
	name := "memory.limit_in_bytes"
	m, ok := g.controller("memory")
	if !ok {
		name = "memory.max"
		if m, ok = g.unified(); !ok {
			return -1, nil
		}
	}
	content, err := readControl(m.dir, name)
	if gone(err) || content == "max" {
		return -1, nil
	}
	if err != nil {
		return -1, err
	}
	limit, err := strconv.ParseInt(content, 10, 64)
	if err == nil && limit >= noLimitV1&^0xffff { // whatever the size of a page
		limit = -1
	}
	return limit, err
}
