// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"slices"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func namespaceTypes(s *specs.Spec) []string {
	var types []string
	for _, n := range s.Linux.Namespaces {
		types = append(types, string(n.Type))
	}
	slices.Sort(types)
	return types
}

func TestDefaultIsValid(t *testing.T) {
	for _, rootless := range []bool{false, true} {
		for _, v2 := range []bool{false, true} {
			warnings, err := Validate(Default(rootless, v2, 1000, 100), "/run/b1")
			if err != nil || len(warnings) > 0 {
				t.Errorf("rootless %v, v2 %v: %v, %q", rootless, v2, err, warnings)
			}
		}
	}
}

func TestDefaultNamespaces(t *testing.T) {
	for _, c := range []struct {
		rootless, v2 bool
		want         []string
	}{
		{false, false, []string{"ipc", "mount", "network", "pid", "uts"}},
		{false, true, []string{"cgroup", "ipc", "mount", "network", "pid", "uts"}},
		{true, false, []string{"ipc", "mount", "pid", "user", "uts"}},
		{true, true, []string{"cgroup", "ipc", "mount", "pid", "user", "uts"}},
	} {
		if got := namespaceTypes(Default(c.rootless, c.v2, 0, 0)); !slices.Equal(got, c.want) {
			t.Errorf("rootless %v, v2 %v: %q, want %q", c.rootless, c.v2, got, c.want)
		}
	}
}

func TestDefaultForRoot(t *testing.T) {
	s := Default(false, false, 1000, 100)
	want := []string{"CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"}
	c := s.Process.Capabilities
	if !slices.Equal(c.Bounding, want) || !slices.Equal(c.Effective, want) || !slices.Equal(c.Permitted, want) || c.Inheritable != nil || c.Ambient != nil {
		t.Errorf("capabilities %+v", c)
	}
	if s.Version != "1.3.0" || s.Hostname != "rt" || s.Root.Path != "rootfs" || !s.Root.Readonly {
		t.Errorf("got %+v", s)
	}
	p := s.Process
	if !p.Terminal || !p.NoNewPrivileges || p.Cwd != "/" || !slices.Equal(p.Args, []string{"sh"}) || p.User.UID != 0 || p.User.GID != 0 {
		t.Errorf("process %+v", p)
	}
	if len(s.Linux.UIDMappings)+len(s.Linux.GIDMappings) > 0 {
		t.Error("id mappings without a user namespace")
	}
	if rules := s.Linux.Resources.Devices; len(rules) != 1 || rules[0].Allow || rules[0].Access != "rwm" {
		t.Errorf("device rules %+v", rules)
	}
	for destination, options := range map[string][]string{
		"/proc":          nil,
		"/dev":           {"nosuid", "strictatime", "mode=755", "size=65536k"},
		"/dev/pts":       {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"},
		"/dev/shm":       {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"},
		"/dev/mqueue":    {"nosuid", "noexec", "nodev"},
		"/sys":           {"nosuid", "noexec", "nodev", "ro"},
		"/sys/fs/cgroup": {"nosuid", "noexec", "nodev", "relatime", "ro"},
	} {
		i := slices.IndexFunc(s.Mounts, func(m specs.Mount) bool { return m.Destination == destination })
		if i < 0 || !slices.Equal(s.Mounts[i].Options, options) {
			t.Errorf("mount on %s: got %+v, want options %q", destination, s.Mounts, options)
		}
	}
}

func TestDefaultForAnOrdinaryUser(t *testing.T) {
	s := Default(true, true, 1000, 100)
	if s.Linux.Resources != nil {
		t.Error("resources in the rootless variant")
	}
	if got, want := s.Linux.UIDMappings, (specs.LinuxIDMapping{HostID: 1000, Size: 1}); len(got) != 1 || got[0] != want {
		t.Errorf("uidMappings %+v", got)
	}
	if got, want := s.Linux.GIDMappings, (specs.LinuxIDMapping{HostID: 100, Size: 1}); len(got) != 1 || got[0] != want {
		t.Errorf("gidMappings %+v", got)
	}
	for _, m := range s.Mounts {
		if slices.Contains(m.Options, "gid=5") {
			t.Errorf("%s has gid=5, which is not mapped", m.Destination)
		}
		if m.Destination == "/sys" && (m.Type != "none" || m.Source != "/sys" || !slices.Equal(m.Options, []string{"rbind", "nosuid", "noexec", "nodev", "ro"})) {
			t.Errorf("/sys is %+v", m)
		}
	}
}

func TestDefaultMasks(t *testing.T) {
	for _, p := range []string{
		"/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
		"/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap",
	} {
		if !slices.Contains(Default(false, true, 0, 0).Linux.MaskedPaths, p) {
			t.Errorf("%s is not masked", p)
		}
	}
	for _, p := range []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"} {
		if !slices.Contains(Default(false, true, 0, 0).Linux.ReadonlyPaths, p) {
			t.Errorf("%s is writable", p)
		}
	}
}
