package cri

import (
	"os"
	"strconv"
	"strings"
	"testing"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

func resources(r *cri.LinuxContainerResources) containerChange {
	return func(c *cri.ContainerConfig) { c.Linux.Resources = r }
}

// limits are files of the container's group, by their names in v1 and in v2.
type limit struct{ v1, v2 string }

var (
	memoryLimit = limit{"memory/memory.limit_in_bytes", "memory.max"}
	cpuShares   = limit{"cpu/cpu.shares", "cpu.weight"}
	cpuQuota    = limit{"cpu/cpu.cfs_quota_us", "cpu.max"}
	cpuset      = limit{"cpuset/cpuset.cpus", "cpuset.cpus"}
)

// read is the limit as the container sees it.
func (l limit) read(c *container) string {
	c.t.Helper()
	return c.sh("cd /sys/fs/cgroup; cat " + l.v1 + " 2>/dev/null || cat " + l.v2)
}

// wants compares with the value in v1 or in v2.
func (l limit) wants(c *container, v1, v2 string) {
	c.t.Helper()
	if got := l.read(c); got != v1 && got != v2 {
		c.t.Errorf("%s: %q, want %q, or in v2 %q", l.v1, got, v1, v2)
	}
}

func TestLimitsAreThoseOfTheContainer(t *testing.T) {
	c := runPod(t).run(resources(&cri.LinuxContainerResources{
		MemoryLimitInBytes: 64 << 20, CpuShares: 512, CpuQuota: 50000, CpuPeriod: 100000, CpusetCpus: "0", CpusetMems: "0",
	}))
	memoryLimit.wants(c, "67108864", "67108864")
	cpuShares.wants(c, "512", "20")
	cpuQuota.wants(c, "50000", "50000 100000")
	cpuset.wants(c, "0", "0")
}

func TestLimitsAreUpdated(t *testing.T) {
	c := runPod(t).run(resources(&cri.LinuxContainerResources{
		MemoryLimitInBytes: 64 << 20, CpuShares: 512, CpuQuota: 50000, CpuPeriod: 100000,
	}))
	_, err := service.UpdateContainerResources(call(t), &cri.UpdateContainerResourcesRequest{
		ContainerId: c.id,
		Linux: &cri.LinuxContainerResources{
			MemoryLimitInBytes: 128 << 20, CpuShares: 1024, CpuQuota: 20000, CpuPeriod: 100000,
		},
	})
	check(t, err)
	memoryLimit.wants(c, "134217728", "134217728")
	cpuShares.wants(c, "1024", "39")
	cpuQuota.wants(c, "20000", "20000 100000")
}

func TestLimitsOfACreatedContainerAreUpdated(t *testing.T) {
	c := runPod(t).create(resources(&cri.LinuxContainerResources{MemoryLimitInBytes: 64 << 20}))
	_, err := service.UpdateContainerResources(call(t), &cri.UpdateContainerResourcesRequest{
		ContainerId: c.id, Linux: &cri.LinuxContainerResources{MemoryLimitInBytes: 96 << 20},
	})
	check(t, err)
	check(t, c.start())
	memoryLimit.wants(c, "100663296", "100663296")
}

func TestContainerThatExceedsItsMemoryIsReported(t *testing.T) {
	c := runPod(t).run(shell("tail /dev/zero"), resources(&cri.LinuxContainerResources{
		MemoryLimitInBytes: 20 << 20, MemorySwapLimitInBytes: 20 << 20,
	}))
	if status := c.wait(); status.ExitCode != 137 || status.Reason != "OOMKilled" {
		t.Errorf("exit status %d, reason %q", status.ExitCode, status.Reason)
	}
}

func TestOomScoreAdjustment(t *testing.T) {
	p := runPod(t)
	c := p.run(resources(&cri.LinuxContainerResources{OomScoreAdj: 777}))
	want(t, "of the container", c.exec("cat", "/proc/1/oom_score_adj"), "777")
	if !*restrict {
		want(t, "of the pod", strings.TrimSpace(readOfProcess(t, "/pause\x00", "oom_score_adj")), "-998")
	}
}

// readOfProcess reads a file in /proc/PID of the newest process whose command line is exactly this.
func readOfProcess(t *testing.T, commandLine, file string) string {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	check(t, err)
	newest := 0
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if data, err := os.ReadFile("/proc/" + entry.Name() + "/cmdline"); err == nil && string(data) == commandLine {
			newest = max(newest, pid)
		}
	}
	data, err := os.ReadFile("/proc/" + strconv.Itoa(newest) + "/" + file)
	check(t, err)
	return string(data)
}

func TestStatisticsOfAContainer(t *testing.T) {
	c := runPod(t).run(shell("i=0; while :; do i=$((i+1)); done"))
	eventually(t, "processor time and memory are counted", func() bool {
		answer, err := service.ContainerStats(call(t), &cri.ContainerStatsRequest{ContainerId: c.id})
		check(t, err)
		stats := answer.Stats
		return stats.GetCpu().GetUsageCoreNanoSeconds().GetValue() > 1e6 && stats.GetMemory().GetWorkingSetBytes().GetValue() > 0
	})
}

func TestStatisticsOfAPod(t *testing.T) {
	p := runPod(t)
	p.run(shell("i=0; while :; do i=$((i+1)); done"))
	eventually(t, "processor time is counted", func() bool {
		answer, err := service.PodSandboxStats(call(t), &cri.PodSandboxStatsRequest{PodSandboxId: p.id})
		check(t, err)
		return len(answer.Stats.GetLinux().GetContainers()) == 1 && answer.Stats.Linux.Cpu.GetUsageCoreNanoSeconds().GetValue() > 0
	})
}

func TestGroupIsBelowThePodsParent(t *testing.T) {
	c := runPod(t).run()
	groups, err := os.ReadFile("/sys/fs/cgroup/rt-test-pods/" + c.id + "/cgroup.procs")
	if err != nil {
		groups, err = os.ReadFile("/sys/fs/cgroup/memory/rt-test-pods/" + c.id + "/cgroup.procs")
	}
	check(t, err)
	if strings.TrimSpace(string(groups)) == "" {
		t.Error("the group has no process")
	}
}
