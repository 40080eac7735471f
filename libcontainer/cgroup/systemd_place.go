// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Systemd is the driver that has systemd make the group, as a transient scope.
type Systemd struct {
	User        bool              // the instance of the user, not that of the system
	Annotations map[string]string // of the config: those that begin with PropertyPrefix are properties of the unit
	Devices     []specs.LinuxDeviceCgroup
}

// Place resolves a path of the form SLICE:PREFIX:NAME to the scope PREFIX-NAME.scope in the slice SLICE. An empty slice
// is the instance's default, an empty path the scope rt-ID.scope there.
func (d Systemd) Place(l Layout, cgroupsPath, id string) (*Group, error) {
	u, err := d.unit(cgroupsPath, id)
	if err == nil {
		u.annotated, err = annotatedProperties(d.Annotations)
	}
	if err != nil {
		return nil, err
	}
	u.devices = d.Devices
	path, err := slicePath(u.slice)
	if err != nil {
		return nil, fmt.Errorf("resolve linux.cgroupsPath %q: %w", cgroupsPath, err)
	}
	path = d.root() + path + "/" + u.name
	g := &Group{keeper: u}
	for _, h := range l.hierarchies {
		g.members = append(g.members, member{hierarchy: h, dir: filepath.Join(h.mount, path)})
	}
	return g, nil
}

// root is the group below which an instance of systemd has its slices. systemd's own answer to the start of the unit
// counts; this is what delete looks at if we are killed before that comes.
func (d Systemd) root() string {
	if !d.User {
		return ""
	}
	uid := managedUser()
	return "/user.slice/user-" + uid + ".slice/user@" + uid + ".service"
}

func (d Systemd) unit(cgroupsPath, id string) (*unit, error) {
	u := &unit{user: d.User, slice: "system.slice", patience: managerDeadline}
	if d.User {
		u.slice = "user.slice"
	}
	prefix, name := "rt", escapeUnit(id)
	if cgroupsPath != "" {
		parts := strings.Split(cgroupsPath, ":")
		if len(parts) != 3 {
			// Callers match the text.
			return nil, fmt.Errorf(`resolve linux.cgroupsPath %q: expected cgroupsPath to be of format "slice:prefix:name" `+
				"for systemd cgroups (omit --systemd-cgroup to use it as a path)", cgroupsPath)
		}
		if parts[0] != "" {
			u.slice = parts[0]
		}
		prefix, name = parts[1], parts[2]
	}
	if prefix != "" {
		prefix += "-"
	}
	u.name = prefix + name + ".scope"
	if err := checkUnit(u.name); err != nil || name == "" {
		if err == nil {
			err = errors.New("the name is missing")
		}
		return nil, fmt.Errorf("resolve linux.cgroupsPath %q: unit %q: %w", cgroupsPath, u.name, err)
	}
	return u, nil
}

// maxUnitBytes is the longest name of a unit, which is that of a directory.
const maxUnitBytes = 255

// checkUnit accepts what can be the name of a unit (systemd.unit(5), "Unit names").
func checkUnit(name string) error {
	for _, c := range []byte(name) {
		if !unitByte(c) {
			return fmt.Errorf(`%q is not allowed in it (letters, digits and : - _ . \ are)`, c)
		}
	}
	if len(name) > maxUnitBytes {
		return fmt.Errorf("its %d bytes are more than %d", len(name), maxUnitBytes)
	}
	return nil
}

func unitByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte(`:-_.\`, c) >= 0
}

// escapeUnit writes what may not be in a unit's name as \xNN (systemd.unit(5), "String escaping"): an id may have a '+'.
func escapeUnit(id string) string {
	var name strings.Builder
	for _, c := range []byte(id) {
		if unitByte(c) {
			name.WriteByte(c)
		} else {
			fmt.Fprintf(&name, `\x%02x`, c)
		}
	}
	return name.String()
}

// slicePath returns the path of a slice's group: a slice a-b.slice lies in a.slice (systemd.slice(5)), and "-.slice" is
// the root.
func slicePath(slice string) (string, error) {
	name, isSlice := strings.CutSuffix(slice, ".slice")
	if !isSlice {
		return "", fmt.Errorf("slice %q: the name must end in .slice", slice)
	}
	if name == "-" {
		return "", nil
	}
	if err := checkUnit(slice); err != nil {
		return "", fmt.Errorf("slice %q: %w", slice, err)
	}
	path, prefix := "", ""
	for component := range strings.SplitSeq(name, "-") {
		if component == "" {
			return "", fmt.Errorf(`slice %q: a name is missing at a "-"`, slice)
		}
		prefix += component
		path += "/" + prefix + ".slice"
		prefix += "-"
	}
	return path, nil
}
