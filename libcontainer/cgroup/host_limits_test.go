// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// controllerOf returns where the group has a controller, and skips the test if it has it nowhere.
func controllerOf(t *testing.T, g *Group, name string) (dir string, isV1 bool) {
	t.Helper()
	if m, ok := g.controller(name); ok {
		return m.dir, true
	}
	if m, ok := g.unified(); ok {
		if has, _ := readControl(m.dir, "cgroup.controllers"); slices.Contains(strings.Fields(has), controllerOfV2(name)) {
			return m.dir, false
		}
	}
	t.Skipf("the controller %s is not there", name)
	return "", false
}

// step is one change of a group and what its files are to show then, with the names of v1 and v2.
type step struct {
	r      specs.LinuxResources
	v1, v2 map[string]string
}

func setSteps(t *testing.T, g *Group, controller string, steps []step) {
	t.Helper()
	dir, isV1 := controllerOf(t, g, controller)
	for i, s := range steps {
		if err := g.Set(&s.r); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		want := s.v2
		if isV1 {
			want = s.v1
		}
		for file, value := range want {
			if got, err := readControl(dir, file); err != nil || got != value {
				t.Errorf("step %d: %s is %q, %v, want %q", i, file, got, err, value)
			}
		}
	}
}

// A limit can't be above that of memory and swap, whichever way both go.
func TestHostMemoryLimitsGoUpAndDown(t *testing.T) {
	const mib = 1 << 20
	set := func(limit, swap int64) specs.LinuxResources {
		return specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &limit, Swap: &swap}}
	}
	setSteps(t, createdGroup(t), "memory", []step{
		{
			set(50*mib, 60*mib),
			map[string]string{"memory.limit_in_bytes": "52428800", "memory.memsw.limit_in_bytes": "62914560"},
			map[string]string{"memory.max": "52428800", "memory.swap.max": "10485760"},
		},
		{
			set(100*mib, 300*mib),
			map[string]string{"memory.limit_in_bytes": "104857600", "memory.memsw.limit_in_bytes": "314572800"},
			map[string]string{"memory.max": "104857600", "memory.swap.max": "209715200"},
		},
		{
			set(20*mib, 20*mib),
			map[string]string{"memory.limit_in_bytes": "20971520", "memory.memsw.limit_in_bytes": "20971520"},
			map[string]string{"memory.max": "20971520", "memory.swap.max": "0"},
		},
		{
			specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(-1))}},
			map[string]string{"memory.limit_in_bytes": "9223372036854771712", "memory.memsw.limit_in_bytes": "9223372036854771712"},
			map[string]string{"memory.max": "max", "memory.swap.max": "max"},
		},
	})
}

// A group may have at most the share of the group above, at each moment.
func TestHostQuotaUnderAParentWithAQuota(t *testing.T) {
	g := createdGroup(t)
	dir, isV1 := controllerOf(t, g, "cpu")
	parent := map[string]string{"cpu.max": "50000 100000"}
	if isV1 {
		parent = map[string]string{"cpu.cfs_quota_us": "50000"}
	}
	for file, value := range parent {
		if err := writeControl(filepath.Dir(dir), file, value); err != nil {
			t.Fatal(err)
		}
	}
	set := func(quota int64, period, burst uint64) specs.LinuxResources {
		return specs.LinuxResources{CPU: &specs.LinuxCPU{Quota: &quota, Period: &period, Burst: &burst}}
	}
	setSteps(t, g, "cpu", []step{
		{set(450000, 1000000, 10000), map[string]string{"cpu.cfs_quota_us": "450000"}, map[string]string{"cpu.max": "450000 1000000"}},
		{set(3000, 10000, 3000), map[string]string{"cpu.cfs_quota_us": "3000", "cpu.cfs_burst_us": "3000"}, map[string]string{"cpu.max": "3000 10000"}},
		{set(450000, 900000, 400000), map[string]string{"cpu.cfs_quota_us": "450000", "cpu.cfs_burst_us": "400000"}, map[string]string{"cpu.max": "450000 900000"}},
		{
			specs.LinuxResources{CPU: &specs.LinuxCPU{Period: ptr(uint64(1000000))}},
			map[string]string{"cpu.cfs_quota_us": "450000", "cpu.cfs_period_us": "1000000"},
			map[string]string{"cpu.max": "450000 1000000"},
		},
	})
	err := g.Set(&specs.LinuxResources{CPU: &specs.LinuxCPU{Quota: ptr(int64(800000)), Period: ptr(uint64(1000000))}})
	if isV1 && (err == nil || !strings.HasPrefix(err.Error(), "linux.resources.cpu.quota: write") || !strings.Contains(err.Error(), "than the group above allows")) {
		t.Errorf("more than the parent has: got %v", err)
	}
}

func TestHostRealtimeGoesUpAndDown(t *testing.T) {
	g := createdGroup(t)
	dir, isV1 := controllerOf(t, g, "cpu")
	if _, err := os.Stat(dir + "/cpu.rt_runtime_us"); err != nil || !isV1 {
		t.Skip("the kernel has no real-time groups (v1, CONFIG_RT_GROUP_SCHED)")
	}
	if err := writeControl(filepath.Dir(dir), "cpu.rt_runtime_us", "700000"); err != nil {
		t.Fatal(err)
	}
	set := func(runtime int64, period uint64) specs.LinuxResources {
		return specs.LinuxResources{CPU: &specs.LinuxCPU{RealtimeRuntime: &runtime, RealtimePeriod: &period}}
	}
	up := step{set(600001, 900001), map[string]string{"cpu.rt_runtime_us": "600001", "cpu.rt_period_us": "900001"}, nil}
	down := step{set(3000, 10000), map[string]string{"cpu.rt_runtime_us": "3000", "cpu.rt_period_us": "10000"}, nil}
	setSteps(t, g, "cpu", []step{up, down, up})
}

func TestHostIdleAndShares(t *testing.T) {
	set := func(shares uint64, idle *int64) specs.LinuxResources {
		return specs.LinuxResources{CPU: &specs.LinuxCPU{Shares: &shares, Idle: idle}}
	}
	setSteps(t, createdGroup(t), "cpu", []step{
		{set(0, ptr(int64(1))), map[string]string{"cpu.idle": "1"}, map[string]string{"cpu.idle": "1"}},
		{set(512, ptr(int64(0))), map[string]string{"cpu.idle": "0", "cpu.shares": "512"}, map[string]string{"cpu.idle": "0", "cpu.weight": "59"}},
		{set(512, ptr(int64(1))), map[string]string{"cpu.idle": "1"}, map[string]string{"cpu.idle": "1"}},
	})
}

func TestHostHugepagesOfTheUnifiedTree(t *testing.T) {
	g := createdGroup(t)
	m, ok := g.unified()
	if _, isV1 := g.controller("hugetlb"); isV1 || !ok {
		t.Skip("the controller is not in a unified tree")
	}
	enabled, err := readControl(filepath.Dir(filepath.Dir(m.dir)), "cgroup.subtree_control")
	if err != nil || !strings.Contains(enabled, "hugetlb") {
		t.Skipf("the controller hugetlb is not enabled: %q, %v", enabled, err)
	}
	if _, err := os.Stat("/sys/kernel/mm/hugepages/hugepages-2048kB"); err != nil {
		t.Skip(err)
	}
	err = g.Set(&specs.LinuxResources{HugepageLimits: []specs.LinuxHugepageLimit{{Pagesize: "2MB", Limit: 1 << 22}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"hugetlb.2MB.max", "hugetlb.2MB.rsvd.max"} {
		if got, err := readControl(m.dir, file); err != nil || got != "4194304" {
			t.Errorf("%s is %q, %v", file, got, err)
		}
	}
}

func TestHostUnified(t *testing.T) {
	g := createdGroup(t)
	if g.Version() != V2 {
		t.Skip("v2 only")
	}
	m, _ := g.unified()
	set := func(file, value string) error {
		return g.Set(&specs.LinuxResources{Unified: map[string]string{file: value}})
	}
	if err := set("cgroup.max.descendants", "17"); err != nil {
		t.Error(err)
	}
	if got, _ := readControl(m.dir, "cgroup.max.descendants"); got != "17" {
		t.Errorf("cgroup.max.descendants is %q", got)
	}
	for file, want := range map[string]string{
		"nothing.like.that":      `linux.resources.unified "nothing.like.that": open`,
		"cgroup.max.descendents": `linux.resources.unified "cgroup.max.descendents": open`,
	} {
		if err := set(file, "1"); err == nil || !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), "no such file") {
			t.Errorf("%s: got %v", file, err)
		}
	}
	if err := set("cgroup.max.depth", "many"); err == nil || !strings.HasPrefix(err.Error(), `linux.resources.unified "cgroup.max.depth": write "many`) {
		t.Errorf("got %v", err)
	}
}

func TestHostDelegate(t *testing.T) {
	g := createdGroup(t)
	if err := g.Delegate(12345); err != nil {
		t.Fatal(err)
	}
	listed, err := delegatedFiles(delegateFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range g.members {
		entries, err := os.ReadDir(m.dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range append([]string{"."}, fileNames(entries)...) {
			var s unix.Stat_t
			if err := unix.Lstat(filepath.Join(m.dir, name), &s); err != nil {
				t.Fatal(err)
			}
			want := uint32(0)
			if g.Version() == V2 && (name == "." || slices.Contains(listed, name)) {
				want = 12345
			}
			if s.Uid != want || s.Gid != 0 {
				t.Errorf("%s/%s belongs to %d:%d, want %d:0", m.dir, name, s.Uid, s.Gid, want)
			}
		}
	}
}

func fileNames(entries []os.DirEntry) []string {
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

// Not every kernel has the list, and not every group every file in it.
func TestDelegateByTheList(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	for _, c := range []struct {
		list  string
		given []string
	}{
		{"", []string{"cgroup.procs", "cgroup.subtree_control", "cgroup.threads"}},
		{"cgroup.procs\nmemory.oom.group\nmemory.reclaim\n", []string{"cgroup.procs", "memory.oom.group"}},
	} {
		files := []string{"cgroup.procs", "cgroup.subtree_control", "cgroup.threads", "memory.oom.group", "memory.max"}
		g, dir := fakeGroup(t, "", files...)
		list := filepath.Join(t.TempDir(), "delegate")
		if c.list != "" {
			if err := os.WriteFile(list, []byte(c.list), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := g.delegate(4711, list); err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			var s unix.Stat_t
			if err := unix.Lstat(filepath.Join(dir, name), &s); err != nil {
				t.Fatal(err)
			}
			if got := s.Uid == 4711; got != slices.Contains(c.given, name) {
				t.Errorf("list %q: %s is given: %v", c.list, name, got)
			}
		}
	}
}
