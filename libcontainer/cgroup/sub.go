// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/sys"
)

// Below returns the group in which exec puts a process: the directories that the arguments of --cgroup name, below
// those of the group, and the group's own for all other hierarchies. An argument is PATH, for all of them, or
// CONTROLLER[,CONTROLLER]:PATH (v1). Nothing is made.
func (g *Group) Below(arguments []string) (*Group, error) {
	sub := &Group{keeper: g.keeper, members: slices.Clone(g.members)}
	chosen := make([]string, len(g.members)) // the argument that a member has got
	for _, argument := range arguments {
		controllers, path, hasControllers := strings.Cut(argument, ":")
		if !hasControllers {
			controllers, path = "", argument
			if len(arguments) > 1 {
				return nil, fmt.Errorf("%q: with several, each needs its controllers: CONTROLLER[,CONTROLLER]:PATH", argument)
			}
		}
		below, err := subPath(path)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", argument, err)
		}
		members, err := g.membersOf(controllers, hasControllers)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", argument, err)
		}
		for _, i := range members {
			if chosen[i] != "" && chosen[i] != argument {
				return nil, fmt.Errorf("%q and %q are about the same hierarchy, %s", chosen[i], argument, strings.Join(g.members[i].controllers, ","))
			}
			chosen[i] = argument
			sub.members[i].dir = filepath.Join(g.members[i].dir, below)
		}
	}
	return sub, nil
}

// subPath checks a path below the group; "/" is the group itself.
func subPath(path string) (string, error) {
	if path == "" {
		return "", errors.New("bad sub cgroup path: it is empty")
	}
	if slices.Contains(strings.Split(path, "/"), "..") {
		return "", errors.New(`bad sub cgroup path: ".." is not allowed in it`)
	}
	if strings.IndexByte(path, 0) >= 0 {
		return "", errors.New("bad sub cgroup path: it has a NUL")
	}
	return path, nil
}

// membersOf returns the indices of the hierarchies that have the controllers of a list, or of all.
func (g *Group) membersOf(list string, hasList bool) ([]int, error) {
	var found []int
	if !hasList {
		for i := range g.members {
			found = append(found, i)
		}
		return found, nil
	}
	for controller := range strings.SplitSeq(list, ",") {
		i := slices.IndexFunc(g.members, func(m member) bool {
			return controller != unifiedKey && slices.Contains(m.controllers, controller)
		})
		switch {
		case i < 0 && g.Version() == V2:
			return nil, fmt.Errorf("unknown controller %q: in cgroup v2 a process has one group for all (leave out what is before the colon)", controller)
		case i < 0:
			return nil, fmt.Errorf("unknown controller %q", controller)
		}
		found = append(found, i)
	}
	return found, nil
}

// DirectoryOf opens the directory in the unified hierarchy that a process is in now, as CloneDirectory does that of a
// group.
func DirectoryOf(pid int) (int, error) {
	layout, err := Detect()
	if err != nil {
		return -1, err
	}
	groups, err := readOwn("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if err != nil {
		return -1, err
	}
	path, ok := groups[unifiedKey]
	for _, h := range layout.hierarchies {
		if !h.unified() || !ok {
			continue
		}
		if slices.Contains(strings.Split(path, "/"), "..") {
			return -1, fmt.Errorf("find control group of process %d: %q is outside of the cgroup namespace", pid, path)
		}
		return sys.Open(filepath.Join(h.mount, path), unix.O_PATH|unix.O_DIRECTORY)
	}
	return -1, fmt.Errorf("find control group of process %d: it is in no unified hierarchy", pid)
}

// TakesNoProcesses tells whether err, of CloneDirectory or of a clone3 into it, means that the group can't have
// processes: it is gone, or gives controllers to groups below it (cgroup-v2.rst, "No Internal Process Constraint"), or
// lies between threaded ones.
func TakesNoProcesses(err error) bool {
	return gone(err) || errors.Is(err, unix.EBUSY) || errors.Is(err, unix.EOPNOTSUPP)
}
