// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

var update = flag.Bool("update", false, "write the golden files anew")

// allCapabilities are those that the host of the tests has.
const allCapabilities = 1<<41 - 1

// golden is a config of testdata on a host; the plan must be that of testdata/NAME.golden.
type golden struct {
	name   string
	config string
	host   func(*Host)
	edit   func(*specs.Spec)
	hook   *HookPlace // not the container, but its first createContainer hook, at this place
	exec   *Entered   // not the container, but its process once more
}

func goldens() []golden {
	beforePivot, inContainer := HookBeforePivot, HookInContainer
	return []golden{
		{name: "default-v1", config: "default", host: cgroupV1},
		{name: "default-v2", config: "default", host: cgroupV2},
		{name: "default-hybrid-run", config: "default", host: func(h *Host) {
			cgroupV1(h)
			h.WaitForStart, h.PreserveFDs, h.NoNewKeyring = false, 2, true
		}},
		{name: "default-no-pivot", config: "default", host: func(h *Host) {
			cgroupV2(h)
			h.NoPivot = true
			h.ProcMounts = []string{"/run/bundle/rootfs/proc", "/sys", "/proc/sub", "/proc"}
		}},
		{name: "user-time", config: "user-time"},
		{name: "joined", config: "joined", host: withFilter},
		{name: "host-mounts", config: "host-mounts"},
		{name: "rootless", config: "rootless", host: rootless},
		{name: "rootless-joined", config: "joined", host: moved, edit: func(s *specs.Spec) {
			score := 500
			s.Process.OOMScoreAdj = &score
			s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.TimeNamespace})
			s.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"boottime": {Secs: 7}}
		}},
		{name: "rootless-time", config: "rootless", host: rootless, edit: func(s *specs.Spec) {
			s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.TimeNamespace})
		}},
		{name: "exec-rootless", config: "rootless", exec: &Entered{4711, hostUsers | unix.CLONE_NEWUSER}, host: moved},
		{name: "hook-rootless", config: "rootless", hook: &beforePivot, host: rootless},
		{name: "idmap", config: "idmap"},
		{name: "idmap-user", config: "idmap", edit: inUserNamespace},
		{name: "terminal", config: "terminal", host: cgroupV2},
		{name: "hooks", config: "hooks"},
		{name: "hook-before-pivot", config: "hooks", hook: &beforePivot},
		{name: "hook-in-chroot", config: "host-mounts", hook: &inContainer},
		{name: "hook-in-container", config: "hooks", hook: &inContainer, host: func(h *Host) {
			cgroupV1(h)
			withFilter(h)
		}},
		{name: "mounts", config: "mounts"},
		{name: "identity", config: "identity", host: func(h *Host) {
			withFilter(h)
			h.Capabilities &^= 1 << 25 // CAP_SYS_TIME
		}},
		{name: "listener", config: "identity", host: withListener},
		{name: "listener-privileged", config: "terminal", host: withListener},
		{name: "strict-filter", config: "identity", host: withStrictFilter},
		{name: "strict-filter-privileged", config: "terminal", host: withStrictFilter},
		{name: "labels-filter", config: "labels", edit: withProfile, host: withFilter},
		{name: "listener-run", config: "identity", host: func(h *Host) {
			withListener(h)
			h.WaitForStart = false
		}},
		{name: "no-process", config: "no-process", host: cgroupV2},
		{name: "labels", config: "labels", host: cgroupV1},
		{name: "labels-apparmor-run", config: "labels", edit: withProfile, host: func(h *Host) { h.WaitForStart = false }},
		{name: "labels-apparmor-user", config: "user-time", edit: withProfile},
		{name: "labels-exec", config: "labels", exec: &Entered{4711, allNamespaces}},
		{name: "labels-apparmor-exec", config: "labels", exec: &Entered{4711, hostUsers}, edit: withProfile},
		{name: "labels-hook", config: "labels", hook: &inContainer, edit: func(s *specs.Spec) {
			s.Hooks = &specs.Hooks{CreateContainer: []specs.Hook{{Path: "/bin/hook"}}}
		}},
		{name: "exec", config: "exec", exec: &Entered{4711, allNamespaces}, host: func(h *Host) {
			cgroupV1(h)
			h.PreserveFDs = 1
		}},
		{name: "exec-without-resource", config: "exec", exec: &Entered{4711, hostUsers}, host: func(h *Host) {
			h.Capabilities &^= 1 << unix.CAP_SYS_RESOURCE
		}},
		{name: "exec-filter", config: "identity", exec: &Entered{4711, hostUsers}, host: withFilter},
		{name: "exec-privileged-filter", config: "terminal", exec: &Entered{4711, hostUsers}, host: withFilter},
		{name: "exec-terminal", config: "terminal", exec: &Entered{4711, hostUsers}},
		{name: "exec-shared", config: "host-mounts", exec: &Entered{4711, 0}, host: func(h *Host) { h.NoNewKeyring = true }},
		{name: "exec-privileged-filter-shared", config: "host-mounts", exec: &Entered{4711, 0}, host: withFilter},
		{name: "exec-strict-filter", config: "identity", exec: &Entered{4711, hostUsers}, host: withStrictFilter},
		{name: "exec-privileged-strict-filter", config: "terminal", exec: &Entered{4711, hostUsers}, host: withStrictFilter},
		{name: "exec-strict-filter-terminal", config: "terminal", exec: &Entered{4711, hostUsers}, host: withStrictFilter, edit: withoutNewPrivileges},
		{name: "exec-strict-filter-shared", config: "host-mounts", exec: &Entered{4711, 0}, host: withStrictFilter, edit: withoutNewPrivileges},
		{name: "exec-privileged-strict-filter-shared", config: "host-mounts", exec: &Entered{4711, 0}, host: withStrictFilter},
		{name: "exec-listener", config: "identity", exec: &Entered{4711, hostUsers}, host: withListener},
		{name: "exec-privileged-listener", config: "terminal", exec: &Entered{4711, hostUsers}, host: withListener},
		{name: "exec-privileged-strict-filter-listener", config: "terminal", exec: &Entered{4711, hostUsers}, host: func(h *Host) {
			withStrictFilter(h)
			h.Filter.Flags = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER
		}},
		{name: "exec-joined", config: "joined", exec: &Entered{4711, allNamespaces}},
	}
}

// Namespaces that a container has besides those of its caller.
const (
	hostUsers     = unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWNET
	allNamespaces = hostUsers | unix.CLONE_NEWUSER | unix.CLONE_NEWCGROUP | unix.CLONE_NEWTIME
)

func withProfile(s *specs.Spec) {
	s.Process.SelinuxLabel, s.Linux.MountLabel, s.Process.ApparmorProfile = "", "", "docker-default"
}

// rootless is the host as an ordinary user sees it.
func rootless(h *Host) {
	h.Unprivileged, h.NodesRefused, h.SetgroupsDenied = true, true, true
	h.CgroupV2, h.TaskFiles = true, 0
	h.CgroupMounts = []CgroupMount{{Path: "/sys/fs/cgroup/user.slice"}}
}

// moved is rootless with a control group that only systemd can bring a process into.
func moved(h *Host) {
	rootless(h)
	h.MovedByHost = true
}

func cgroupV1(h *Host) {
	h.TaskFiles = 2
	h.CgroupMounts = []CgroupMount{
		{Name: "cpu,cpuacct", Path: "/sys/fs/cgroup/cpu,cpuacct/test", Links: []string{"cpu", "cpuacct"}},
		{Name: "memory", Path: "/sys/fs/cgroup/memory/test"},
	}
}

func cgroupV2(h *Host) {
	h.CgroupV2 = true
	h.CgroupMounts = []CgroupMount{{Path: "/sys/fs/cgroup/test"}}
}

// inUserNamespace gives the container a user namespace, whose mapping is the first one of idmap.json.
func inUserNamespace(s *specs.Spec) {
	s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
	s.Linux.UIDMappings, s.Linux.GIDMappings = s.Mounts[1].UIDMappings, s.Mounts[1].GIDMappings
}

func withFilter(h *Host) {
	allow := []byte{6, 0, 0, 0, 0, 0, 0xff, 0x7f} // BPF_RET|BPF_K SECCOMP_RET_ALLOW
	h.Filter = &Filter{Program: append(allow, allow...), Flags: 1}
}

// withListener is withFilter for a profile with SCMP_ACT_NOTIFY.
func withListener(h *Host) {
	withFilter(h)
	h.Filter.Flags = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER
}

func withoutNewPrivileges(s *specs.Spec) { s.Process.NoNewPrivileges = true }

// withStrictFilter is a filter under which nothing can be done.
func withStrictFilter(h *Host) {
	h.Filter = &Filter{Program: []byte{6, 0, 0, 0, 1, 0, 5, 0}, Flags: 1} // BPF_RET|BPF_K SECCOMP_RET_ERRNO|EPERM
}

// testHost is a host for create with --bundle /run/bundle.
func testHost() Host {
	return Host{
		ID: "test", Bundle: "/run/bundle", Rootfs: "/run/bundle/rootfs",
		Capabilities: allCapabilities, AllCapabilities: allCapabilities, WaitForStart: true,
	}
}

func (g *golden) plan(t testing.TB) *Plan {
	t.Helper()
	s, h := readConfig(t, g.config), testHost()
	if g.host != nil {
		g.host(&h)
	}
	if g.edit != nil {
		g.edit(s)
	}
	var p *Plan
	var err error
	switch {
	case g.hook != nil:
		p, err = Hook(s, h, &s.Hooks.CreateContainer[0], *g.hook, 4711)
	case g.exec != nil:
		p, err = Exec(s, h, *g.exec)
	default:
		p, err = Create(s, h)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func readConfig(t testing.TB, name string) *specs.Spec {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	s := &specs.Spec{}
	if err := decoder.Decode(s); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return s
}

// TestGolden compares whole plans, so that a change of policy is a change of a file that a person reads:
// go test ./libcontainer/plan -run Golden -update
func TestGolden(t *testing.T) {
	t.Parallel()
	for _, g := range goldens() {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			got := g.plan(t).String()
			file := filepath.Join("testdata", g.name+".golden")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("the plan of %s.json is now\n%s\nwanted (-update writes it anew)\n%s", g.config, got, want)
			}
		})
	}
}

// TestEveryStepIsPlanned keeps the goldens complete: a step type that no config leads to is either dead or untested.
func TestEveryStepIsPlanned(t *testing.T) {
	t.Parallel()
	planned := make(map[string]bool)
	for _, g := range goldens() {
		for _, entry := range g.plan(t).Steps {
			planned[Name(entry.Step)] = true
		}
	}
	for _, s := range allSteps() {
		if !planned[Name(s)] {
			t.Errorf("no golden plan has the step %s", Name(s))
		}
	}
}
