// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"fmt"
	"path"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Limits of a device number in the kernel (include/linux/kdev_t.h) and of st_mode.
const (
	majorMax = 1<<12 - 1
	minorMax = 1<<20 - 1
	modeMax  = 0o177777
)

func (v *validator) devices() error {
	for i := range v.linux.Devices {
		d := &v.linux.Devices[i]
		member := fmt.Sprintf("linux.devices[%d]", i)
		if d.Path == "" {
			return fmt.Errorf("%s.path: missing", member)
		}
		if err := noNUL(member+".path", d.Path); err != nil {
			return err
		}
		member = fmt.Sprintf("%s %q", member, d.Path)
		if path.Clean("/"+d.Path) == "/" {
			return fmt.Errorf("%s: want the path of a file", member)
		}
		if err := checkDevice(member, d); err != nil {
			return err
		}
	}
	return nil
}

func checkDevice(member string, d *specs.LinuxDevice) error {
	switch d.Type {
	case "c", "b", "u":
		// 0 is the major number of what is no device (Documentation/admin-guide/devices.txt).
		if d.Major == 0 {
			return fmt.Errorf("%s: major is missing or 0", member)
		}
		if d.Major < 0 || d.Major > majorMax {
			return fmt.Errorf("%s: major %d: want 1 to %d", member, d.Major, majorMax)
		}
		if d.Minor < 0 || d.Minor > minorMax {
			return fmt.Errorf("%s: minor %d: want 0 to %d", member, d.Minor, minorMax)
		}
	case "p":
	case "":
		return fmt.Errorf("%s: type is missing (want c, b, u or p)", member)
	default:
		return fmt.Errorf("%s: type %q: want c, b, u or p", member, d.Type)
	}
	if d.FileMode != nil && *d.FileMode > modeMax {
		return fmt.Errorf("%s: fileMode %d: want permission bits, 0 to 4095", member, uint32(*d.FileMode))
	}
	if d.UID != nil && *d.UID == noID {
		return fmt.Errorf("%s: uid %d: not an id", member, *d.UID)
	}
	if d.GID != nil && *d.GID == noID {
		return fmt.Errorf("%s: gid %d: not an id", member, *d.GID)
	}
	return nil
}

// deviceRules checks linux.resources.devices. A number of -1 is what older callers write for "all".
func (v *validator) deviceRules() error {
	if v.linux.Resources == nil {
		return nil
	}
	for i, rule := range v.linux.Resources.Devices {
		member := fmt.Sprintf("linux.resources.devices[%d]", i)
		switch rule.Type {
		case "", "a", "b", "c":
		default:
			return fmt.Errorf("%s.type %q: want a, b or c", member, rule.Type)
		}
		if rule.Major != nil && *rule.Major < -1 {
			return fmt.Errorf("%s.major %d: want a device number, or nothing for all", member, *rule.Major)
		}
		if rule.Minor != nil && *rule.Minor < -1 {
			return fmt.Errorf("%s.minor %d: want a device number, or nothing for all", member, *rule.Minor)
		}
		if !strings.ContainsAny(rule.Access, "rwm") {
			return fmt.Errorf("%s.access %q: want letters of rwm", member, rule.Access)
		}
		if other := strings.Trim(rule.Access, "rwma"); other != "" {
			return fmt.Errorf("%s.access %q: letter %q is unknown (known are r, w and m)", member, rule.Access, other[:1])
		}
	}
	return nil
}
