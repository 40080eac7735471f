// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/tests/harness"
)

// hog fills memory until it is stopped: tail keeps what it reads, as there is no line's end in it.
var hog = []string{"tail", "/dev/zero"}

func memoryLimit(bytes int64) *specs.LinuxResources {
	return &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &bytes}}
}

func TestAProgramThatExceedsItsMemoryIsToldSo(t *testing.T) {
	t.Parallel()
	needControllers(t, "memory")
	for name, args := range map[string][]string{"init": hog, "child": {"sh", "-c", "tail /dev/zero"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := limited(t, memoryLimit(16<<20), args...)
			before := b.Snapshot(t)
			got := b.Run(t).WantExit(t, 137)
			got.WantStderr(t, "OOM killer", "linux.resources.memory.limit is 16777216 bytes")
			before.WantSame(t)
		})
	}
	b := limited(t, memoryLimit(16<<20), "sh", "-c", "exit 137")
	if b.Systemd { // where others are killed, that is all that is left to know when systemd has removed the scope
		b.Spec.Linux.CgroupsPath = "rtexit137.slice:rt:" + b.ID
	}
	b.Run(t).WantExit(t, 137).WantStderrIs(t, "") // not the OOM killer's doing
}

func TestALimitBelowWhatTheStageNeedsIsToldSo(t *testing.T) {
	t.Parallel()
	needControllers(t, "memory")
	b := limited(t, memoryLimit(4096), "true")
	before := b.Snapshot(t)
	b.Create(t).WantOneError(t, "linux.resources.memory.limit is 4096 bytes")
	b.Run(t).WantOneError(t, "linux.resources.memory.limit is 4096 bytes")
	before.WantSame(t)
}

// What is charged to a container is what runs in it, not rt.
func TestASmallMemoryLimitRunsAProgram(t *testing.T) {
	t.Parallel()
	needControllers(t, "memory")
	for limit, command := range map[int64]func(*harness.Bundle, *testing.T, ...string) harness.Result{
		256 << 10: (*harness.Bundle).Run,
		200000:    (*harness.Bundle).Create,
	} {
		// Not every time: what was freed a moment ago, and the pages that each processor takes in advance, are given back
		// too late now and then (mm/memcontrol.c, memcg_stock).
		b, runs := limited(t, memoryLimit(limit), "true"), 0
		for got := command(b, t); got.Exit != 0; got = command(b, t) {
			if runs++; runs == 5 {
				got.WantExit(t, 0)
			}
			got.WantStderr(t, fmt.Sprintf("linux.resources.memory.limit is %d bytes", limit&^4095)) // whole pages
		}
	}
}

// squeeze takes all memory from a container that it does not use at the moment, and returns its new limit. A limit that
// can't be reached makes the kernel reclaim, and give back what processors have taken in advance (mm/memcontrol.c,
// drain_all_stock); memory.high does so without a kill, as does v1's limit.
func squeeze(t *testing.T, b *harness.Bundle) string {
	t.Helper()
	first, usage := controlFile(b, "memory", "memory.limit_in_bytes", "memory.high"), controlFile(b, "memory", "memory.usage_in_bytes", "memory.current")
	err := os.WriteFile(first, []byte("4096"), 0)
	if !harness.HasCgroup1() && err == nil { // v1 refuses it in the end
		err = os.WriteFile(first, []byte("max"), 0)
	} else if errors.Is(err, unix.EBUSY) {
		err = nil
	}
	limit := strings.TrimSpace(harness.ReadFile(t, usage))
	if err == nil {
		err = os.WriteFile(controlFile(b, "memory", "memory.limit_in_bytes", "memory.max"), []byte(limit), 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	return limit
}

// The way from the wait to the program takes some pages. Mostly the last of them: that the kernel gives back what it has
// freed a moment ago can let a program start, which then dies.
func TestStartTellsThatMemoryWasLacking(t *testing.T) {
	t.Parallel()
	needControllers(t, "memory")
	b := limited(t, memoryLimit(4<<20), "true")
	b.Spec.Linux.Resources.Memory.Swap = b.Spec.Linux.Resources.Memory.Limit
	for range 10 {
		b.Create(t).WantExit(t, 0)
		limit := squeeze(t, b)
		got := b.Start(t)
		b.WaitFor(t, "stopped")
		if b.Systemd && got.Exit == 0 && got.Stderr != "" { // only likely, as the counters were gone: no error
			got.WantStderr(t, "OOM killer was at work", "linux.resources.memory.limit is "+limit+" bytes")
			return
		}
		if got.Exit != 0 {
			got.WantOneError(t, "linux.resources.memory.limit is "+limit+" bytes")
			return
		}
		b.Delete(t).WantExit(t, 0)
	}
	t.Error("start never told")
}

// controlFile returns the path of a control file of a container made by limited.
func controlFile(b *harness.Bundle, controller, v1, v2 string) string {
	if harness.HasCgroup1() {
		return filepath.Join("/sys/fs/cgroup", controller, limitedGroup(b), v1)
	}
	return filepath.Join("/sys/fs/cgroup", limitedGroup(b), v2)
}

func TestThePidsLimitStopsAForkBomb(t *testing.T) {
	t.Parallel()
	needControllers(t, "pids")
	b := limited(t, &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: pointer(int64(10))}},
		"sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 1000 & done")
	b.Run(t).WantFailure(t).WantStderr(t, "can't fork")
	b.Spec.Process.Args = []string{"sh", "-c", "for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done; echo all"}
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "all")
}

// Under a quota of a tenth, the kernel has held a busy loop up before it has run for half a second.
func TestTheQuotaSlowsALoop(t *testing.T) {
	t.Parallel()
	needControllers(t, "cpu")
	b := limited(t, &specs.LinuxResources{CPU: &specs.LinuxCPU{Quota: pointer(int64(5000)), Period: pointer(uint64(50000))}},
		"sh", "-c", "while :; do :; done")
	b.Run(t, "-d").WantExit(t, 0)
	harness.Eventually(t, "the loop is throttled", func() bool {
		for line := range strings.Lines(harness.ReadFile(t, controlFile(b, "cpu", "cpu.stat", "cpu.stat"))) {
			if f := strings.Fields(line); len(f) == 2 && f[0] == "nr_throttled" {
				n, _ := strconv.Atoi(f[1])
				return n >= 5
			}
		}
		return false
	})
}

func TestProcessorsAreThoseOfTheSet(t *testing.T) {
	t.Parallel()
	needControllers(t, "cpuset")
	b := limited(t, &specs.LinuxResources{CPU: &specs.LinuxCPU{Cpus: "0", Mems: "0"}}, "grep", "Cpus_allowed_list", "/proc/self/status")
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "Cpus_allowed_list:\t0")
}

// rootDisk returns the whole disk that the bundle is on, if it is on one.
func rootDisk(t *testing.T, b *harness.Bundle) (major, minor int64) {
	t.Helper()
	var s unix.Stat_t
	if err := unix.Stat(b.Dir, &s); err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("/sys/dev/block/%d:%d", unix.Major(s.Dev), unix.Minor(s.Dev))
	if _, err := os.Stat(filepath.Join(name, "queue")); err != nil {
		t.Skipf("needs the bundle to be on a whole disk: %d:%d is none", unix.Major(s.Dev), unix.Minor(s.Dev))
	}
	return int64(unix.Major(s.Dev)), int64(unix.Minor(s.Dev))
}

func TestThrottlesOfABlockDevice(t *testing.T) {
	t.Parallel()
	needControllers(t, "blkio")
	r := &specs.LinuxResources{BlockIO: &specs.LinuxBlockIO{}}
	// 2 MiB past the cache, at 1 MiB/s; the first moment is free.
	b := limited(t, r, "sh", "-c", "dd if=/dev/zero of=/tmp/file bs=64k count=32 oflag=direct 2>/dev/null && cut -d' ' -f1 /proc/uptime")
	b.Spec.Root.Readonly = false
	major, minor := rootDisk(t, b)
	device := specs.LinuxThrottleDevice{Rate: 1 << 20}
	device.Major, device.Minor = major, minor
	r.BlockIO.ThrottleWriteBpsDevice = []specs.LinuxThrottleDevice{device, device}
	r.BlockIO.ThrottleReadIOPSDevice = []specs.LinuxThrottleDevice{device}
	began := uptime(t)
	b.Run(t, "-d").WantExit(t, 0)
	want := fmt.Sprintf("%d:%d 1048576", major, minor)
	if harness.HasCgroup1() {
		for _, name := range []string{"blkio.throttle.write_bps_device", "blkio.throttle.read_iops_device"} {
			if got := strings.TrimSpace(harness.ReadFile(t, controlFile(b, "blkio", name, ""))); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
	} else if got := strings.TrimSpace(harness.ReadFile(t, controlFile(b, "", "", "io.max"))); got !=
		fmt.Sprintf("%d:%d rbps=max wbps=1048576 riops=1048576 wiops=max", major, minor) {
		t.Errorf("io.max is %q", got)
	}
	b.WaitFor(t, "stopped")
	ended, err := strconv.ParseFloat(strings.TrimSpace(b.Output(t)), 64)
	if err != nil {
		t.Fatal(err)
	}
	if took := ended - began; took < 1.5 {
		t.Errorf("2 MiB at 1 MiB/s took %.2f s", took)
	}
}

func uptime(t *testing.T) float64 {
	t.Helper()
	seconds, err := strconv.ParseFloat(strings.Fields(harness.ReadFile(t, "/proc/uptime"))[0], 64)
	if err != nil {
		t.Fatal(err)
	}
	return seconds
}

func TestWeightsOfBlockDevices(t *testing.T) {
	t.Parallel()
	needControllers(t, "blkio")
	b := limited(t, &specs.LinuxResources{BlockIO: &specs.LinuxBlockIO{Weight: pointer(uint16(750))}}, "sleep", "1000")
	got := b.Create(t)
	if got.Exit != 0 {
		got.WantOneError(t, "linux.resources.blockIO.weight", "no such file")
		t.Skip("this kernel has neither BFQ nor iocost, and rt says so")
	}
	if !harness.HasCgroup1() && !exists(controlFile(b, "", "", "io.bfq.weight")) {
		if got := strings.TrimSpace(harness.ReadFile(t, controlFile(b, "", "", "io.weight"))); got != "default 7475" {
			t.Errorf("io.weight is %q, want default 7475", got)
		}
		return
	}
	if got := strings.TrimSpace(harness.ReadFile(t, controlFile(b, "blkio", "blkio.bfq.weight", "io.bfq.weight"))); got != "750" && got != "default 750" {
		t.Errorf("the weight is %q, want 750", got)
	}
}

// hugeTree returns where the controller hugetlb is, which may be the unified tree of a hybrid.
func hugeFile(t *testing.T, b *harness.Bundle, v1, v2 string) string {
	t.Helper()
	for _, path := range []string{
		filepath.Join("/sys/fs/cgroup/hugetlb", limitedGroup(b), v1), filepath.Join("/sys/fs/cgroup", limitedGroup(b), v2), filepath.Join("/sys/fs/cgroup/unified", limitedGroup(b), v2),
	} {
		if exists(path) {
			return path
		}
	}
	t.Fatalf("neither %s nor %s of %s is there", v1, v2, b.ID)
	return ""
}

func hasHugetlb() bool {
	for _, file := range []string{"/sys/fs/cgroup/cgroup.subtree_control", "/sys/fs/cgroup/unified/cgroup.subtree_control"} {
		if enabled, err := os.ReadFile(file); err == nil && strings.Contains(string(enabled), "hugetlb") {
			return true
		}
	}
	return exists("/sys/fs/cgroup/hugetlb/cgroup.procs")
}

func TestHugepageLimits(t *testing.T) {
	t.Parallel()
	if !hasHugetlb() || !exists("/sys/kernel/mm/hugepages/hugepages-2048kB") {
		t.Skip("needs the controller hugetlb, and pages of 2 MB")
	}
	b := limited(t, &specs.LinuxResources{HugepageLimits: []specs.LinuxHugepageLimit{{Pagesize: "2MB", Limit: 8 << 20}}}, "sleep", "1000")
	b.Create(t).WantExit(t, 0)
	for _, f := range [][2]string{{"hugetlb.2MB.limit_in_bytes", "hugetlb.2MB.max"}, {"hugetlb.2MB.rsvd.limit_in_bytes", "hugetlb.2MB.rsvd.max"}} {
		if got := strings.TrimSpace(harness.ReadFile(t, hugeFile(t, b, f[0], f[1]))); got != "8388608" {
			t.Errorf("%s is %q", f, got)
		}
	}
	b.Delete(t, "--force").WantExit(t, 0)
	b.Spec.Linux.Resources.HugepageLimits[0].Pagesize = "3MB"
	b.Create(t).WantOneError(t, "linux.resources.hugepageLimits[0]", "hugetlb.3MB.", "the sizes of this kernel are", "2MB")
}
