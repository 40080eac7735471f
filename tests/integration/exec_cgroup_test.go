// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/tests/harness"
)

// groupPaths returns the control groups of the process that exec starts, by controller.
func groupPaths(t *testing.T, b *harness.Bundle, flags ...string) map[string]string {
	t.Helper()
	paths := make(map[string]string)
	for line := range strings.Lines(b.Exec(t, flags, "cat", "/proc/self/cgroup").WantExit(t, 0).Stdout) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		for controller := range strings.SplitSeq(f[1], ",") {
			paths[controller] = f[2]
		}
	}
	return paths
}

// onlyV2 says that the bundle's rt sees cgroup v2 alone.
func onlyV2(b *harness.Bundle) bool { return b.Wrapper != nil || !harness.HasCgroup1() }

// makeSub makes a group below the container's in each hierarchy, or in those whose mount point is named.
func makeSub(t *testing.T, b *harness.Bundle, name string, mounts ...string) {
	t.Helper()
	for _, group := range harness.CgroupsOf(b.ID) {
		hierarchy, _, _ := strings.Cut(strings.TrimPrefix(group, "/sys/fs/cgroup/"), "/")
		if len(mounts) > 0 && !strings.Contains(strings.Join(mounts, " "), hierarchy) || filepath.Base(group) != b.CgroupName() {
			continue
		}
		sub := filepath.Join(group, name)
		if err := os.Mkdir(sub, 0o755); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Remove(sub) })
		// A v1 cpuset takes nobody before it has CPUs and memory.
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			if value, err := os.ReadFile(filepath.Join(group, file)); err == nil && hierarchy == "cpuset" {
				if err := os.WriteFile(filepath.Join(sub, file), value, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

func TestExecIsInTheContainersCgroup(t *testing.T) {
	t.Parallel()
	inEachView(t, []string{"sleep", "1000"}, func(t *testing.T, b *harness.Bundle) {
		b.Run(t, "--detach").WantExit(t, 0)
		init := groupsOf(t, b, b.State(t).Pid)
		pidFile := b.Path("pid")
		for _, flags := range [][]string{nil, {"--cgroup", "/"}, {"--cgroup=/."}} {
			b.Exec(t, append(flags, "-d", "--pid-file", pidFile), "sleep", "1000").WantExit(t, 0)
			var pid int
			for _, c := range harness.ReadFile(t, pidFile) {
				pid = 10*pid + int(c-'0')
			}
			if got := groupsOf(t, b, pid); strings.Join(got, " ") != strings.Join(init, " ") {
				t.Errorf("%q: in %q, init is in %q", flags, got, init)
			}
		}
	})
}

// A user namespace changes nothing about where init and what is executed besides are accounted (CVE-2025-47291).
func TestAUserNamespaceKeepsTheControlGroup(t *testing.T) {
	t.Parallel()
	inEachView(t, []string{"sleep", "1000"}, func(t *testing.T, b *harness.Bundle) {
		mapIDs(t, b)
		b.Spec.Linux.CgroupsPath = "/" + b.ID
		before := b.Snapshot(t)
		b.Run(t, "--detach").WantExit(t, 0)
		b.Exec(t, []string{"--detach", "--pid-file", b.Path("pid")}, "sleep", "1000").WantExit(t, 0)
		execed, err := strconv.Atoi(harness.ReadFile(t, b.Path("pid")))
		if err != nil {
			t.Fatal(err)
		}
		for _, pid := range []int{b.State(t).Pid, execed} {
			groups := groupsOf(t, b, pid)
			if len(groups) == 0 {
				t.Errorf("process %d is in no group", pid)
			}
			for _, group := range groups {
				if !strings.HasSuffix(group, b.Spec.Linux.CgroupsPath) {
					t.Errorf("process %d is in %q, want %s", pid, group, b.Spec.Linux.CgroupsPath)
				}
			}
		}
		b.Delete(t, "--force").WantExit(t, 0)
		before.WantSame(t)
	})
}

func TestExecInASubCgroup(t *testing.T) {
	t.Parallel()
	inEachView(t, []string{"sleep", "1000"}, func(t *testing.T, b *harness.Bundle) {
		b.Run(t, "--detach").WantExit(t, 0)
		own := groupPaths(t, b)
		makeSub(t, b, "sub")
		for controller, path := range groupPaths(t, b, "--cgroup", "sub") {
			if !isHierarchy(controller) || onlyV2(b) && controller != "" {
				continue // not one that rt knows
			}
			if want := filepath.Join(own[controller], "sub"); path != want {
				t.Errorf("%q: in %q, want %q", controller, path, want)
			}
		}
		if onlyV2(b) {
			b.Exec(t, []string{"--cgroup", "memory:sub"}, "true").WantExecError(t, `unknown controller "memory"`, "cgroup v2")
			return
		}
		got := groupPaths(t, b, "--cgroup", "memory,pids:sub", "--cgroup", "cpu:/sub/")
		for controller, path := range got {
			want := own[controller]
			if slices.ContainsFunc([]string{"memory", "pids", "cpu"}, func(named string) bool { return sameHierarchy(controller, named) }) {
				want = filepath.Join(want, "sub")
			}
			if path != want {
				t.Errorf("%q: in %q, want %q", controller, path, want)
			}
		}
	})
}

// sameHierarchy says that two controllers are in one v1 hierarchy, as cpu and cpuacct often are.
func sameHierarchy(a, b string) bool {
	var s [2]unix.Stat_t
	for i, controller := range []string{a, b} {
		if unix.Stat(filepath.Join("/sys/fs/cgroup", controller), &s[i]) != nil {
			return a == b
		}
	}
	return s[0].Dev == s[1].Dev
}

// isHierarchy says that the hierarchy is mounted. The kernel also names one that was unmounted while it had groups.
func isHierarchy(controller string) bool {
	var s unix.Statfs_t
	err := unix.Statfs(filepath.Join("/sys/fs/cgroup", strings.TrimPrefix(controller, "name=")), &s)
	return err == nil && (controller == "" || s.Type == unix.CGROUP_SUPER_MAGIC)
}

func TestExecRefusesBadSubCgroups(t *testing.T) {
	t.Parallel()
	inEachView(t, []string{"sleep", "1000"}, func(t *testing.T, b *harness.Bundle) {
		b.Run(t, "--detach").WantExit(t, 0)
		before := b.Snapshot(t)
		for _, path := range []string{"..", "../..", "/..", "a/../../b", "../" + b.ID + "ELSE", ""} {
			b.Exec(t, []string{"--cgroup", path}, "true").WantExecError(t, "bad sub cgroup path")
		}
		b.Exec(t, []string{"--cgroup", "nonexistent"}, "true").
			WantExecError(t, " adding pid ", " to cgroups", "nonexistent", "no such file or directory")
		b.Exec(t, []string{"--cgroup", "whaaat:/"}, "true").WantExecError(t, "unknown controller ")
		b.Exec(t, []string{"--cgroup", ":/"}, "true").WantExecError(t, "unknown controller ")
		b.Exec(t, []string{"--cgroup", "a", "--cgroup", "b"}, "true").WantExecError(t, "CONTROLLER")
		if !onlyV2(b) {
			b.Exec(t, []string{"--cgroup", "cpu:nonexistent"}, "true").WantExecError(t, " adding pid ", "no such file or directory")
			b.Exec(t, []string{"--cgroup", "cpu:a", "--cgroup", "cpu:b"}, "true").WantExecError(t, "the same hierarchy")
		}
		before.WantSame(t)
	})
}

// A group that gives a controller to those below it can have no processes of its own: a plain exec goes where init is,
// one that names the group is an error.
func TestExecFollowsInitIntoItsCgroup(t *testing.T) {
	t.Parallel()
	b := idle(t)
	b.UseV2View(t)
	setNamespace(b, specs.CgroupNamespace, "")
	b.Run(t, "--detach").WantExit(t, 0)
	groups := harness.CgroupsOf(b.ID)
	var group string
	for _, g := range groups {
		if harness.IsCgroup2(g) {
			group = g
		}
	}
	controllers := strings.Fields(harness.ReadFile(t, filepath.Join(group, "cgroup.controllers")))
	if len(controllers) == 0 {
		t.Skip("no controller is free for the unified hierarchy of this machine")
	}
	makeSub(t, b, "foobar")
	pid := itoa(uint64(b.State(t).Pid))
	for file, value := range map[string]string{"foobar/cgroup.procs": pid} {
		if err := os.WriteFile(filepath.Join(group, file), []byte(value), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b.Exec(t, nil, "grep", "^0:", "/proc/self/cgroup").WantExit(t, 0).WantStdoutIs(t, "0::/")
	domain := ""
	for _, c := range controllers { // threaded controllers don't have the rule
		if c != "cpu" && c != "cpuset" && c != "perf_event" && c != "pids" {
			domain = c
		}
	}
	if domain == "" {
		t.Skipf("no domain controller is free for the unified hierarchy of this machine: %q", controllers)
	}
	if err := os.WriteFile(filepath.Join(group, "cgroup.subtree_control"), []byte("+"+domain), 0o644); err != nil {
		t.Fatal(err)
	}
	b.Exec(t, nil, "grep", "^0:", "/proc/self/cgroup").WantExit(t, 0).WantStdoutIs(t, "0::/foobar")
	b.Exec(t, []string{"--cgroup", "/"}, "true").WantExecError(t, " adding pid ", " to cgroups", "evice or resource busy")
	b.Exec(t, []string{"--cgroup", "foobar"}, "grep", "^0:", "/proc/self/cgroup").WantExit(t, 0).WantStdoutIs(t, "0::/foobar")
}

// Init may have left its group for another one, and the group may be gone.
func TestExecFollowsInitOutOfItsCgroup(t *testing.T) {
	t.Parallel()
	b := idle(t)
	b.UseV2View(t)
	b.Run(t, "--detach").WantExit(t, 0)
	var group string
	for _, g := range harness.CgroupsOf(b.ID) {
		if harness.IsCgroup2(g) {
			group = g
		}
	}
	other := group + "-moved"
	if err := os.Mkdir(other, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(other) })
	if err := os.WriteFile(filepath.Join(other, "cgroup.procs"), []byte(itoa(uint64(b.State(t).Pid))), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(group); err != nil && (!b.Systemd || !errors.Is(err, os.ErrNotExist)) { // systemd removes it, too
		t.Fatal(err)
	}
	b.Exec(t, nil, "grep", "^0:", "/proc/self/cgroup").WantExit(t, 0).WantStdout(t, b.CgroupName()+"-moved")
	b.Exec(t, []string{"--cgroup", "/"}, "true").WantExecError(t, " adding pid ", "no such file or directory")
	b.Kill(t, "KILL").WantExit(t, 0)
	b.WaitFor(t, "stopped")
	harness.Eventually(t, "the group is empty", func() bool { return os.Remove(other) == nil })
}
