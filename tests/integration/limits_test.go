// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/tests/harness"
)

// needControllers skips a test of what this machine, or this view of it, has not.
func needControllers(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if !harness.HasController(name) {
			t.Skipf("needs the controller %s: no v1 hierarchy has it, and no cgroup v2 root offers it", name)
		}
	}
}

// control is a control file in the words of both versions.
type control struct{ controller, v1, v2, want1, want2 string }

// check compares the file of a container's group with what is wanted. It skips what this machine has not.
func (c control) check(t *testing.T, b *harness.Bundle) {
	t.Helper()
	file, want := filepath.Join("/sys/fs/cgroup", c.controller, limitedGroup(b), c.v1), c.want1
	if !harness.HasCgroup1() {
		file, want = filepath.Join("/sys/fs/cgroup", limitedGroup(b), c.v2), c.want2
	}
	if want == "" {
		return
	}
	if got := strings.TrimSpace(harness.ReadFile(t, file)); got != want {
		t.Errorf("%s is %q, want %q", file, got, want)
	}
}

// limitedGroup is the path of the group of a bundle that limited has made.
func limitedGroup(b *harness.Bundle) string {
	if b.Systemd {
		return "system.slice/" + b.CgroupName()
	}
	return b.ID
}

// limited makes a bundle with resources, whose group has the container's id, or is its scope, in each hierarchy.
func limited(t *testing.T, r *specs.LinuxResources, args ...string) *harness.Bundle {
	t.Helper()
	b := harness.NewBundle(t, args...)
	if !b.Systemd {
		b.Spec.Linux.CgroupsPath = "/" + b.ID
	}
	if r != nil {
		r.Devices = b.Spec.Linux.Resources.Devices
		b.Spec.Linux.Resources = r
	}
	return b
}

func TestLimitsOfMemoryProcessorsAndProcesses(t *testing.T) {
	t.Parallel()
	needControllers(t, "memory", "cpu", "cpuset", "pids")
	b := limited(t, &specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: pointer(int64(33554432)), Reservation: pointer(int64(25165824)), Swap: pointer(int64(50331648))},
		CPU: &specs.LinuxCPU{
			Shares: pointer(uint64(512)), Quota: pointer(int64(20000)), Period: pointer(uint64(50000)), Burst: pointer(uint64(10000)), Cpus: "0", Mems: "0",
		},
		Pids: &specs.LinuxPids{Limit: pointer(int64(20))},
	}, "sleep", "1000")
	before := b.Snapshot(t)
	b.Create(t).WantExit(t, 0)
	for _, c := range []control{
		{"memory", "memory.limit_in_bytes", "memory.max", "33554432", "33554432"},
		{"memory", "memory.memsw.limit_in_bytes", "memory.swap.max", "50331648", "16777216"},
		{"memory", "memory.soft_limit_in_bytes", "memory.low", "25165824", "25165824"},
		{"cpu", "cpu.shares", "cpu.weight", "512", "59"},
		{"cpu", "cpu.cfs_period_us", "cpu.max", "50000", "20000 50000"},
		{"cpu", "cpu.cfs_quota_us", "cpu.max", "20000", "20000 50000"},
		{"cpu", "cpu.cfs_burst_us", "cpu.max.burst", "10000", "10000"},
		{"cpuset", "cpuset.cpus", "cpuset.cpus", "0", "0"},
		{"cpuset", "cpuset.mems", "cpuset.mems", "0", "0"},
		{"pids", "pids.max", "pids.max", "20", "20"},
	} {
		c.check(t, b)
	}
	b.Start(t).WantExit(t, 0)
	b.Delete(t, "--force").WantExit(t, 0)
	before.WantSame(t)
}

func TestALimitThatCannotBeSetLeavesNothing(t *testing.T) {
	t.Parallel()
	needControllers(t, "cpuset")
	b := limited(t, &specs.LinuxResources{CPU: &specs.LinuxCPU{Cpus: "4096"}}, "true")
	before := b.Snapshot(t)
	b.Run(t).WantOneError(t, "linux.resources.cpu.cpus: write \"4096\"", "cpuset.cpus", "not among those of the group above: 0")
	if left := harness.CgroupsOf(b.ID); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	before.WantSame(t)
}

func TestAMissingControllerIsNamed(t *testing.T) {
	t.Parallel()
	if harness.HasController("pids") && !harness.HasCgroup1() {
		t.Skip("needs a cgroup v2 hierarchy without the controller pids: this one has it")
	}
	b := limited(t, &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: pointer(int64(10))}}, "true")
	b.UseV2View(t)
	before := b.Snapshot(t)
	b.Run(t).WantOneError(t, "linux.resources.pids.limit", "pids.max", "the controller pids is not there: /sys/fs/cgroup/cgroup.controllers has not got it")
	before.WantSame(t)
}

// The stage forks for a user namespace: that must not count.
func TestALimitOfOneProcess(t *testing.T) {
	t.Parallel()
	needControllers(t, "pids")
	for name, limit := range map[string]int64{"0": 0, "1": 1} {
		for _, private := range []bool{false, true} {
			b := limited(t, &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: &limit}}, "sh", "-c", "sleep 0; echo not reached")
			if private {
				mapIDs(t, b)
			}
			got := b.Run(t)
			if got.Exit == 0 || strings.Contains(got.Stdout, "not reached") {
				t.Errorf("limit %s: exit %d, a second process could run", name, got.Exit)
			}
			got.WantStderr(t, "can't fork")
			b = limited(t, &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: &limit}}, "true")
			b.Run(t).WantExit(t, 0)
		}
	}
}
