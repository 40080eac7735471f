// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/tests/harness"
)

func TestAContainerIsAScope(t *testing.T) {
	b := newBundle(t, "sleep", "1000")
	before := b.Snapshot(t)
	b.Run(t, "--detach").WantExit(t, 0)
	unit := unitOf(b)
	wantProperties(t, unit, "ActiveState=active", "Slice=system.slice", "Delegate=yes", "DefaultDependencies=no",
		"NeedDaemonReload=no", "Transient=yes", "TasksMax=infinity", "ControlGroup=/system.slice/"+unit)
	content := harness.ReadFile(t, fmt.Sprintf("/proc/%d/cgroup", b.State(t).Pid))
	for line := range strings.Lines(content) {
		if isV2() && !strings.HasPrefix(line, "0:") {
			continue // of v1, and not mounted here
		}
		if !strings.HasSuffix(strings.TrimSpace(line), ":/system.slice/"+unit) {
			t.Errorf("init is in %s", line)
		}
	}
	wantFile(t, filepath.Join(filepath.Dir(control(t, b, "x", "memory", "x")), "cgroup.procs"), fmt.Sprint(b.State(t).Pid))
	b.Delete(t, "--force").WantExit(t, 0)
	wantStatus(t, unit, isUnknown)
	before.WantSame(t)
}

func TestAScopeLiesInTheSliceOfTheConfig(t *testing.T) {
	b := newBundle(t, "sleep", "1000")
	name := fmt.Sprintf("n%d", len(b.ID)) + b.ID
	b.Spec.Linux.CgroupsPath = "machine-rt_test.slice:libpod:" + name
	b.Create(t).WantExit(t, 0)
	b.Start(t).WantExit(t, 0)
	unit := "libpod-" + name + ".scope"
	wantProperties(t, unit, "ActiveState=active", "Slice=machine-rt_test.slice",
		"ControlGroup=/machine.slice/machine-rt_test.slice/"+unit)
	b.Kill(t, "KILL").WantExit(t, 0)
	b.WaitFor(t, "stopped")
	b.Delete(t).WantExit(t, 0)
	wantStatus(t, unit, isUnknown)
	for _, slice := range []string{"machine-rt_test.slice", "machine.slice"} {
		_, _ = systemctl(t, "stop", slice)
	}
}

func TestTheStatusOfTheProgramIsThatOfRun(t *testing.T) {
	b := newBundle(t, "sh", "-c", "exit 7")
	before := b.Snapshot(t)
	b.Run(t).WantExit(t, 7)
	wantStatus(t, unitOf(b), isUnknown)
	before.WantSame(t)
}

func TestTheNameIsFreeAtOnce(t *testing.T) {
	b := newBundle(t, "true")
	for range 5 {
		b.Run(t).WantExit(t, 0)
	}
}

func TestLimitsAreInTheUnitAndInTheGroup(t *testing.T) {
	b := newBundle(t, "sleep", "1000")
	needControllers(t, "memory", "cpu", "cpuset", "pids")
	limit, shares, quota, period, pids := int64(33554432), uint64(500), int64(33333), uint64(100000), int64(20)
	b.Spec.Linux.Resources = &specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: &limit},
		CPU:    &specs.LinuxCPU{Shares: &shares, Quota: &quota, Period: &period, Cpus: "0", Mems: "0"},
		Pids:   &specs.LinuxPids{Limit: &pids},
	}
	b.Run(t, "--detach").WantExit(t, 0)
	wantProperties(t, unitOf(b), "TasksMax=20", "CPUQuotaPerSecUSec=340ms", "CPUQuotaPeriodUSec=100ms", "NeedDaemonReload=no")
	if isV2() {
		wantProperties(t, unitOf(b), "MemoryMax=33554432", "CPUWeight=58", "AllowedCPUs=0", "AllowedMemoryNodes=0")
		wantFile(t, control(t, b, "cpu.max", "", ""), "33333 100000")
		wantFile(t, control(t, b, "cpu.weight", "", ""), "58")
	} else {
		wantProperties(t, unitOf(b), "MemoryLimit=33554432", "CPUShares=500")
		wantFile(t, control(t, b, "", "cpu", "cpu.cfs_quota_us"), "33333")
		wantFile(t, control(t, b, "", "cpu", "cpu.shares"), "500")
	}
	wantFile(t, control(t, b, "memory.max", "memory", "memory.limit_in_bytes"), "33554432")
	wantFile(t, control(t, b, "cpuset.cpus", "cpuset", "cpuset.cpus"), "0")
	wantFile(t, control(t, b, "pids.max", "pids", "pids.max"), "20")
}

// The placeholder counts as a process as well, while it is there.
func TestTheSmallestLimitsOfProcessesAreKept(t *testing.T) {
	for _, limit := range []int64{0, 1, 2} {
		b := newBundle(t, "sleep", "1000")
		needControllers(t, "pids")
		b.Spec.Linux.Resources = &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: &limit}}
		b.Run(t, "--detach").WantExit(t, 0)
		want := fmt.Sprint(max(limit, 1))
		wantProperties(t, unitOf(b), "TasksMax="+want)
		wantFile(t, control(t, b, "pids.max", "pids", "pids.max"), want)
	}
}

func TestIdleAndAWeightAreRefused(t *testing.T) {
	b := newBundle(t, "true")
	idle, shares := int64(1), uint64(200)
	b.Spec.Linux.Resources = &specs.LinuxResources{CPU: &specs.LinuxCPU{Idle: &idle, Shares: &shares}}
	before := b.Snapshot(t)
	b.Run(t).WantOneError(t, "unable to apply both")
	wantStatus(t, unitOf(b), isUnknown)
	before.WantSame(t)
}

func TestAnIdleGroupHasTheWeightOfOne(t *testing.T) {
	b := newBundle(t, "sleep", "1000")
	if !isV2() {
		t.Skip("needs cgroup v2: systemd knows of idle groups there only")
	}
	needControllers(t, "cpu")
	idle := int64(1)
	b.Spec.Linux.Resources = &specs.LinuxResources{CPU: &specs.LinuxCPU{Idle: &idle}}
	b.Run(t, "--detach").WantExit(t, 0)
	wantProperties(t, unitOf(b), "CPUWeight=idle")
	wantFile(t, control(t, b, "cpu.idle", "", ""), "1")
}

func TestAnnotationsSetProperties(t *testing.T) {
	b := newBundle(t, "sleep", "1000")
	b.Spec.Annotations = map[string]string{
		"org.systemd.property.TimeoutStopSec":      "12.5",
		"org.systemd.property.Description":         "'a container of the tests'",
		"org.systemd.property.CollectMode":         "'inactive-or-failed'",
		"org.systemd.property.After":               "['dbus.service']",
		"org.systemd.property.DefaultDependencies": "true",
		"org.systemd.property.TasksMax":            "uint64 33",
	}
	b.Run(t, "--detach").WantExit(t, 0)
	wantProperties(t, unitOf(b), "TimeoutStopUSec=12.500000s", "Description=a container of the tests",
		"CollectMode=inactive-or-failed", "DefaultDependencies=yes", "TasksMax=33")
	if out, _ := systemctl(t, "show", "-p", "After", unitOf(b)); !strings.Contains(out, "dbus.service") {
		t.Errorf("%s", out)
	}
}

// systemd knows the type that a property has.
func TestAPropertyOfTheWrongTypeIsRefused(t *testing.T) {
	b := newBundle(t, "true")
	before := b.Snapshot(t)
	b.Spec.Annotations = map[string]string{"org.systemd.property.CollectMode": "5"}
	b.Run(t).WantOneError(t, "start unit", unitOf(b))
	wantStatus(t, unitOf(b), isUnknown)
	before.WantSame(t)
}
