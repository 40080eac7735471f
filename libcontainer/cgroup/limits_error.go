// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// explain gives the error of a write its member in config.json and, where it is known, the reason.
func (s *setting) explain(err error) error {
	member := memberPrefix + s.member
	if s.entry > 0 {
		list, rest, _ := strings.Cut(s.member, ", ")
		member = fmt.Sprintf("%s%s[%d]", memberPrefix, list, s.entry-1)
		if rest != "" {
			member += "." + rest
		}
	}
	if hint := s.hint(err); hint != "" {
		return fmt.Errorf("%s: %w (%s)", member, err, hint)
	}
	return fmt.Errorf("%s: %w", member, err)
}

// hint says why the kernel has refused a value. It looks around for that, so it is for errors only.
func (s *setting) hint(err error) string {
	switch {
	case errors.Is(err, unix.ENOENT) && s.controller == "hugetlb" && hasFile(s.dir, "hugetlb."):
		return "the sizes of this kernel are " + pageSizes()
	case errors.Is(err, unix.ENOENT):
		return whyMissing(s.dir, s.controllerName())
	case errors.Is(err, unix.EROFS):
		return "the control groups are mounted read-only"
	case errors.Is(err, unix.EBUSY) && s.controller == "memory":
		return s.memoryInUse()
	case errors.Is(err, unix.EINVAL) && s.controller == "cpu":
		return "out of the kernel's range, or more than the group above allows"
	case errors.Is(err, unix.EINVAL) && s.controller == "memory":
		return "out of the kernel's range, or above the limit of memory and swap together"
	case s.controller == "cpuset" && (errors.Is(err, unix.EACCES) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ERANGE)):
		return "not among those of the group above: " + s.ofGroupAbove()
	case errors.Is(err, unix.ENODEV) && (s.controller == "blkio" || s.controller == "io"):
		return "there is no such block device, or it is a partition: the limits are for whole devices"
	case errors.Is(err, unix.EINVAL) && s.controller == "rdma" || errors.Is(err, unix.ENODEV):
		return "there is no such device"
	case errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM):
		return "the group belongs to somebody else"
	}
	return ""
}

// hasFile tells whether a group has a file whose name begins so.
func hasFile(dir, prefix string) bool {
	entries, _ := os.ReadDir(dir)
	return slices.ContainsFunc(entries, func(e os.DirEntry) bool { return strings.HasPrefix(e.Name(), prefix) })
}

// controllerName is what the hierarchy that the setting is for calls its controller.
func (s *setting) controllerName() string {
	if _, err := readControl(s.dir, "cgroup.controllers"); err == nil {
		return controllerOfV2(s.controller)
	}
	return s.controller
}

// memoryInUse says how much the processes have: v1 refuses a limit below that.
func (s *setting) memoryInUse() string {
	name := "memory.usage_in_bytes"
	if strings.Contains(s.file, ".memsw.") {
		name = "memory.memsw.usage_in_bytes"
	}
	usage, err := readNumber(s.dir, name)
	if err != nil {
		return "more is in use"
	}
	return fmt.Sprintf("%d bytes are in use", usage)
}

// ofGroupAbove returns the processors or memory nodes that a group can choose from.
func (s *setting) ofGroupAbove() string {
	parent := filepath.Dir(s.dir)
	for _, name := range []string{s.file + ".effective", s.file} { // the former is v2's
		if value, err := readControl(parent, name); err == nil {
			return value
		}
	}
	return "unknown"
}

// whyMissing says why a group has no file of a controller.
func whyMissing(dir, controller string) string {
	own, err := readControl(dir, "cgroup.controllers")
	if err != nil {
		return "the kernel has no such file: it is built without, or has dropped it" // v1: who has the directory has the controller
	}
	if slices.Contains(strings.Fields(own), controller) {
		return "the kernel is built without it, or the controller " + controller + " has no such file"
	}
	top := dir
	for parent := filepath.Dir(dir); ; top, parent = parent, filepath.Dir(parent) {
		offered, err := readControl(parent, "cgroup.controllers")
		if err != nil {
			break // above the mount
		}
		if slices.Contains(strings.Fields(offered), controller) {
			return whyNotEnabled(parent, controller)
		}
	}
	return fmt.Sprintf("the controller %s is not there: %s has not got it", controller, filepath.Join(top, "cgroup.controllers"))
}

// whyNotEnabled asks the kernel once more to hand a controller down, which has been tried in vain. In a hybrid it is the
// host who has to enable it in the root.
func whyNotEnabled(dir, controller string) string {
	text := fmt.Sprintf("the controller %s is not enabled in %s", controller, filepath.Join(dir, "cgroup.subtree_control"))
	if filepath.Base(dir) == "unified" {
		return text
	}
	err := writeControl(dir, "cgroup.subtree_control", "+"+controller)
	switch {
	case errors.Is(err, unix.EBUSY):
		text += ": that group has processes of its own"
	case errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EROFS):
		text += ", and it is not delegated to us"
	case errors.Is(err, unix.EOPNOTSUPP):
		text += ": that group is threaded"
	}
	return text
}
