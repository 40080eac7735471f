// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// foreignNamespaces are those of a process that are not ours, as CLONE_NEW* constants.
func foreignNamespaces(pid int) (uint32, error) {
	var foreign uint32
	for _, n := range namespaceKinds {
		var ours, theirs unix.Stat_t
		if unix.Stat("/proc/self/ns/"+n.file, &ours) != nil {
			continue // this kernel has none of the kind
		}
		path := "/proc/" + strconv.Itoa(pid) + "/ns/" + n.file
		if err := unix.Stat(path, &theirs); err != nil {
			return 0, fmt.Errorf("stat %q: %w", path, err)
		}
		if ours.Dev != theirs.Dev || ours.Ino != theirs.Ino {
			foreign |= n.flag
		}
	}
	return foreign, nil
}

// checkJoined refuses to set through a namespace joined by path what is the host's own: a config that names the
// host's namespace by a path must not get what it would be refused without one (CVE-2022-0811).
func checkJoined(s *specs.Spec) error {
	for i, n := range s.Linux.Namespaces {
		if n.Path == "" || !isOurs(n) {
			continue
		}
		if setting := settingOf(s, n.Type); setting != "" {
			return fmt.Errorf("linux.namespaces[%d] %q is the host's %s namespace: %s would change the host", i, n.Path, n.Type, setting)
		}
	}
	return nil
}

// isOurs says that the namespace is the one that this process is in. One that can't be looked up is refused later, in
// better words.
func isOurs(n specs.LinuxNamespace) bool {
	file := string(n.Type)
	switch n.Type {
	case specs.NetworkNamespace:
		file = "net"
	case specs.MountNamespace:
		file = "mnt"
	}
	var ours, theirs unix.Stat_t
	return unix.Stat("/proc/self/ns/"+file, &ours) == nil && unix.Stat(n.Path, &theirs) == nil &&
		ours.Dev == theirs.Dev && ours.Ino == theirs.Ino
}

// settingOf names a member of the config that is set in a namespace of this type.
func settingOf(s *specs.Spec, t specs.LinuxNamespaceType) string {
	if t == specs.UTSNamespace && s.Hostname != "" {
		return "hostname"
	}
	if t == specs.UTSNamespace && s.Domainname != "" {
		return "domainname"
	}
	if t == specs.NetworkNamespace && len(s.Linux.NetDevices) > 0 {
		return "linux.netDevices"
	}
	for key := range s.Linux.Sysctl {
		name := strings.ReplaceAll(key, "/", ".")
		var belongs bool
		switch t {
		case specs.NetworkNamespace:
			belongs = strings.HasPrefix(name, "net.")
		case specs.UTSNamespace:
			belongs = name == "kernel.domainname"
		case specs.IPCNamespace:
			belongs = strings.HasPrefix(name, "kernel.") && name != "kernel.domainname" || strings.HasPrefix(name, "fs.mqueue.")
		case specs.UserNamespace:
			belongs = strings.HasPrefix(name, "user.")
		}
		if belongs {
			return fmt.Sprintf("linux.sysctl %q", key)
		}
	}
	return ""
}
