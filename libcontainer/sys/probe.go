// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The oldest kernel that rt works on: it has openat2 (5.6), clone3 into a control group (5.7), close_range with
// CLOSE_RANGE_CLOEXEC (5.11), mount_setattr (5.12), tmpfs and cgroup.kill in their present form (5.14).
const (
	floorMajor = 5
	floorMinor = 14
)

// CheckKernel refuses a kernel below the floor with one clear error, before anything is done.
func CheckKernel() error {
	release := KernelRelease()
	first, rest, _ := strings.Cut(release, ".")
	major, err := strconv.Atoi(first)
	minor, otherErr := strconv.Atoi(rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))])
	if err != nil || otherErr != nil {
		return nil // an odd name says nothing; the system calls will
	}
	if major < floorMajor || major == floorMajor && minor < floorMinor {
		return fmt.Errorf("kernel %s is too old: rt needs Linux %d.%d or newer", release, floorMajor, floorMinor)
	}
	return nil
}

// KernelRelease is the kernel's version as uname(2) tells it.
func KernelRelease() string {
	var name unix.Utsname
	_ = unix.Uname(&name) // fails for a bad address only
	return unix.ByteSliceToString(name.Release[:])
}
