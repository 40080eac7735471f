// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/tests/harness"
)

// A pod's group limits what a container in it may get, and that decides about the order of writes.
func TestUpdateBelowALimitedGroup(t *testing.T) {
	t.Parallel()
	needControllers(t, "cpu")
	if !harness.HasCgroup1() {
		t.Skip("needs cgroup v1: v2 accepts any quota, and the group above limits all the same")
	}
	parent := "rt-integration-pod-" + itoa(uint64(os.Getpid()))
	dir := "/sys/fs/cgroup/cpu/" + parent
	harness.Mkdir(t, dir, 0o755)
	harness.WriteFile(t, dir+"/cpu.cfs_quota_us", "50000", 0o644)
	t.Cleanup(func() {
		for _, d := range slices.Backward(harness.CgroupsOf(parent)) {
			_ = os.Remove(d)
		}
	})
	b := harness.NewBundle(t, "sleep", "1000")
	b.Spec.Linux.CgroupsPath = "/" + parent + "/" + b.ID
	b.Spec.Linux.Resources.CPU = &specs.LinuxCPU{Quota: new(int64(40000)), Period: new(uint64(100000))}
	b.Run(t, "-d").WantExit(t, 0)
	update(t, b, "--cpu-quota 60000").WantOneError(t, "linux.resources.cpu.quota: ", "more than the group above allows")
	if got := strings.TrimSpace(harness.ReadFile(t, dir+"/"+b.ID+"/cpu.cfs_quota_us")); got != "40000" {
		t.Errorf("after a refused update the quota is %s", got)
	}
	update(t, b, "--cpu-period 10000 --cpu-quota 3000").WantExit(t, 0)
	for name, want := range map[string]string{"cpu.cfs_quota_us": "3000", "cpu.cfs_period_us": "10000"} {
		if got := strings.TrimSpace(harness.ReadFile(t, dir+"/"+b.ID+"/"+name)); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	b.Delete(t, "--force").WantExit(t, 0)
}

func TestUpdateOfRealtime(t *testing.T) {
	t.Parallel()
	harness.NeedCgroupfs(t, "the scope lies in a slice without real-time runtime")
	needControllers(t, "cpu")
	if !exists("/sys/fs/cgroup/cpu/cpu.rt_period_us") {
		t.Skip("needs cgroup v1 with real-time groups (CONFIG_RT_GROUP_SCHED)")
	}
	b := updatable(t, &specs.LinuxResources{})
	realtime := func(period, runtime string) []control {
		return []control{{"cpu", "cpu.rt_period_us", "", period, ""}, {"cpu", "cpu.rt_runtime_us", "", runtime, ""}}
	}
	updateFrom(t, b, `{"cpu": {"realtimeRuntime": 400000}}`).WantExit(t, 0)
	runSteps(t, b, []step{
		{"--cpu-rt-period 900001 --cpu-rt-runtime 600001", realtime("900001", "600001")},
		{"--cpu-rt-period 10000 --cpu-rt-runtime 3000", realtime("10000", "3000")},
		{"--cpu-rt-period 900001 --cpu-rt-runtime 600001", realtime("900001", "600001")},
		{"--cpu-rt-runtime 500000", realtime("900001", "500000")},
	})
	update(t, b, "--cpu-rt-period 10000").WantOneError(t, "linux.resources.cpu.realtimeRuntime 500000: want at most cpu.realtimePeriod, 10000")
	for _, c := range realtime("900001", "500000") {
		c.check(t, b)
	}
}

// v1 refuses a limit below what can't be reclaimed, and v2 does if it is asked to check.
func TestUpdateOfMemoryBelowItsUse(t *testing.T) {
	t.Parallel()
	fill := "dd if=/dev/zero of=/dev/shm/fill bs=1M count=20 2>/dev/null; echo filled; exec sleep 1000"
	b := updatable(t, &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: new(int64(64 << 20)), Swap: new(int64(64 << 20))}}, "sh", "-c", fill)
	b.WaitForOutput(t, "filled")
	before := values(t, b)
	document := `{"memory": {"limit": 8388608, "checkBeforeUpdate": true}, "pids": {"limit": 9}}`
	if harness.HasCgroup1() {
		updateFrom(t, b, document).WantOneError(t, "linux.resources.memory.limit: ", "bytes are in use")
	} else {
		updateFrom(t, b, document).WantOneError(t, "rejecting memory limit")
		updateFrom(t, b, `{"memory": {"limit": 8388608, "swap": 8388608, "checkBeforeUpdate": true}}`).WantOneError(t, "rejecting memory+swap limit")
	}
	if after := values(t, b); !maps.Equal(before, after) {
		t.Errorf("control files have changed:\n%v\n%v", before, after)
	}
	if s := b.State(t).Status; s != "running" {
		t.Errorf("the container is %s", s)
	}
}

// 20 MiB can't be reclaimed, and as much of the cache can.
func TestUpdateWithoutKilling(t *testing.T) {
	t.Parallel()
	fill := `dd if=/dev/zero of=/dev/shm/fill bs=1M count=20 2>/dev/null; dd if=/dev/zero of=/file bs=1M count=20 2>/dev/null
		sync; echo filled; `
	if harness.HasCgroup1() {
		fill += "exec sleep 1000" // the kernel tries a few times to reclaim, and then refuses
	} else {
		fill += "while cat /file >/dev/null; do sleep 0.01; done"
	}
	needControllers(t, "memory")
	b := limited(t, &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: new(int64(128 << 20)), Swap: new(int64(128 << 20))}}, "sh", "-c", fill)
	b.Spec.Root.Readonly = false
	b.Run(t, "-d").WantExit(t, 0)
	b.WaitForOutput(t, "filled")
	before := values(t, b)
	if harness.HasCgroup1() {
		update(t, b, "--memory 4M --no-oom --deadline 100ms").WantOneError(t, "linux.resources.memory.limit", "bytes are in use")
	} else {
		update(t, b, "--memory 4M --no-oom --deadline 100ms").WantOneError(t, "linux.resources.memory.limit 4194304: ", "reclaiming for 100ms has not made room")
	}
	if after := values(t, b); !maps.Equal(before, after) {
		t.Errorf("control files have changed:\n%v\n%v", before, after)
	}
	if !harness.HasCgroup1() {
		interruptReclaiming(t, b)
		if after := values(t, b); !maps.Equal(before, after) {
			t.Errorf("control files have changed:\n%v\n%v", before, after)
		}
	}
	update(t, b, "--memory 32M --no-oom --deadline 20s").WantExit(t, 0)
	control{"memory", "memory.limit_in_bytes", "memory.max", "33554432", "33554432"}.check(t, b)
	control{"memory", "", "memory.high", "", "max"}.check(t, b)
	update(t, b, "--memory 64M --no-oom").WantExit(t, 0)
	if s := b.State(t).Status; s != "running" {
		t.Errorf("the container is %s", s)
	}
	b.Delete(t, "--force").WantExit(t, 0)
}

// interruptReclaiming ends an update that would go on for a minute.
func interruptReclaiming(t *testing.T, b *harness.Bundle) {
	t.Helper()
	cmd := b.Command(t, "update", b.ID, "--memory", "4M", "--no-oom", "--deadline", "1m")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, "memory.high of 4M", func() bool {
		for path, value := range values(t, b) {
			if filepath.Base(path) == "memory.high" && value == "4194304" {
				return true
			}
		}
		return false
	})
	if err := cmd.Process.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(stderr.String(), "interrupted by a signal") {
		t.Errorf("exit %d: %s", code, &stderr)
	}
}

func TestUpdateWithoutWriteAccess(t *testing.T) {
	t.Parallel()
	b := updatable(t, &specs.LinuxResources{})
	files := stateFiles(t, b)
	b.Wrapper = readOnlyGroups
	update(t, b, "--pids-limit 5").WantOneError(t, "linux.resources.pids.limit: ", "read-only file system")
	b.Wrapper = nil
	if after := stateFiles(t, b); !slices.Equal(files, after) {
		t.Errorf("the state directory has %v, want %v", after, files)
	}
}

// The devices that old and new rules allow can be opened all the time (runc#2366).
func TestUpdateOfDevices(t *testing.T) {
	t.Parallel()
	script := `echo up; while [ ! -e /stop ]; do (: <>/dev/null) || echo null denied; done 2>&1; exec sleep 1000`
	inEachView(t, []string{"sh", "-c", script}, func(t *testing.T, b *harness.Bundle) {
		b.Spec.Linux.CgroupsPath = "/" + b.ID
		before := b.Snapshot(t)
		b.Run(t, "-d").WantExit(t, 0)
		b.WaitForOutput(t, "up")
		list := filepath.Join("/sys/fs/cgroup/devices", b.ID, "devices.list")
		devices := func() string { data, _ := os.ReadFile(list); return string(data) }
		first := devices()
		const rules = `{"allow": false, "access": "rwm"}`
		for range 20 {
			updateFrom(t, b, `{"devices": [`+rules+`, {"allow": true, "type": "c", "major": 1, "minor": 11, "access": "r"}]}`).WantExit(t, 0)
			if first != "" && !strings.Contains(devices(), "c 1:11 r") {
				t.Fatalf("the new rule is not in the list:\n%s", devices())
			}
			update(t, b, "").WantExit(t, 0)
			updateFrom(t, b, `{"devices": [`+rules+`]}`).WantExit(t, 0)
			if devices() != first {
				t.Fatalf("the list is\n%swant\n%s", devices(), first)
			}
		}
		harness.WriteFile(t, b.InRootfs("stop"), "", 0o644)
		if out := b.Output(t); strings.Contains(out, "denied") {
			t.Error("/dev/null was denied during an update")
		}
		b.Delete(t, "--force").WantExit(t, 0)
		before.WantSame(t)
	})
}

// Throttles of a device are replaced, others are added, and what a later update does not name stays.
// secondDisk returns another whole disk than that one: any, as nothing is read from it.
func secondDisk(t *testing.T, major, minor int64) string {
	t.Helper()
	files, _ := filepath.Glob("/sys/block/*/dev")
	for _, file := range files {
		if name := strings.TrimSpace(harness.ReadFile(t, file)); name != fmt.Sprintf("%d:%d", major, minor) {
			return name
		}
	}
	t.Skip("needs a second disk, a loop device is enough (modprobe loop)")
	return ""
}

func TestUpdateOfThrottles(t *testing.T) {
	t.Parallel()
	needControllers(t, "blkio")
	r := &specs.LinuxResources{BlockIO: &specs.LinuxBlockIO{}}
	b := limited(t, r, "sleep", "1000")
	major, minor := rootDisk(t, b)
	device := specs.LinuxThrottleDevice{Rate: 1 << 20}
	device.Major, device.Minor = major, minor
	r.BlockIO.ThrottleWriteBpsDevice = []specs.LinuxThrottleDevice{device}
	b.Run(t, "--detach").WantExit(t, 0)
	first := fmt.Sprintf("%d:%d", major, minor)
	want := func(name, write, read string) {
		t.Helper()
		if got := throttle(t, b, name, "wbps", "blkio.throttle.write_bps_device"); got != write {
			t.Errorf("writes to %s: %q, want %q", name, got, write)
		}
		if got := throttle(t, b, name, "rbps", "blkio.throttle.read_bps_device"); got != read {
			t.Errorf("reads from %s: %q, want %q", name, got, read)
		}
	}
	want(first, "1048576", "max")
	entry := func(name string, rate int) string {
		return fmt.Sprintf(`[{"major": %s, "minor": %s, "rate": %d}]`, strings.Split(name, ":")[0], strings.Split(name, ":")[1], rate)
	}
	updateFrom(t, b, `{"blockIO": {"throttleWriteBpsDevice": `+entry(first, 2097152)+`, "throttleReadBpsDevice": `+entry(first, 3145728)+`}}`).WantExit(t, 0)
	want(first, "2097152", "3145728")
	updateFrom(t, b, `{"blockIO": {"throttleReadBpsDevice": `+entry(first, 4194304)+`}}`).WantExit(t, 0)
	update(t, b, "").WantExit(t, 0)
	want(first, "2097152", "4194304")
	// An entry for another device comes along, and leaves what is there.
	second := secondDisk(t, major, minor)
	updateFrom(t, b, `{"blockIO": {"throttleWriteBpsDevice": `+entry(second, 5242880)+`}}`).WantExit(t, 0)
	want(first, "2097152", "4194304")
	want(second, "5242880", "max")
	updateFrom(t, b, `{"blockIO": {"throttleReadBpsDevice": `+entry(second, 6291456)+`, "throttleWriteBpsDevice": `+entry(first, 1048576)+`}}`).WantExit(t, 0)
	want(first, "1048576", "4194304")
	want(second, "5242880", "6291456")
}

// throttle reads one rate of a device; "max" stands for none on both versions.
func throttle(t *testing.T, b *harness.Bundle, device, key, v1 string) string {
	t.Helper()
	if harness.HasCgroup1() {
		for line := range strings.Lines(harness.ReadFile(t, controlFile(b, "blkio", v1, ""))) {
			if rate, ok := strings.CutPrefix(line, device+" "); ok {
				return strings.TrimSpace(rate)
			}
		}
		return "max"
	}
	for line := range strings.Lines(harness.ReadFile(t, controlFile(b, "", "", "io.max"))) {
		f := strings.Fields(line)
		if i := slices.IndexFunc(f, func(pair string) bool { return strings.HasPrefix(pair, key+"=") }); i > 0 && f[0] == device {
			return f[i][len(key)+1:]
		}
	}
	return "max"
}

// The names of v2's files serve an update as well, beside the members of the spec, over which they go.
func TestUpdateOfUnifiedKeys(t *testing.T) {
	t.Parallel()
	if harness.HasCgroup1() {
		t.Skip("needs cgroup v2: linux.resources.unified is refused beside v1 hierarchies")
	}
	needControllers(t, "cpuset", "memory")
	r := &specs.LinuxResources{CPU: &specs.LinuxCPU{Cpus: "0-1"}, Unified: map[string]string{"memory.high": "41943040"}}
	if cpus := harness.ReadFile(t, "/sys/fs/cgroup/cpuset.cpus.effective"); strings.TrimSpace(cpus) == "0" {
		t.Skip("needs two processors")
	}
	b := updatable(t, r)
	want := func(cpus, mems, high string) {
		t.Helper()
		for file, value := range map[string]string{"cpuset.cpus": cpus, "cpuset.mems": mems, "memory.high": high} {
			control{"", "", file, "", value}.check(t, b)
		}
	}
	want("0-1", "", "41943040")
	updateFrom(t, b, `{"unified": {"cpuset.cpus": "1", "cpuset.mems": "0"}}`).WantExit(t, 0)
	b.Exec(t, nil, "grep", "Cpus_allowed_list", "/proc/self/status").WantExit(t, 0).WantStdoutIs(t, "Cpus_allowed_list:\t1")
	update(t, b, "--pids-limit 30").WantExit(t, 0)
	updateFrom(t, b, `{"cpu": {"cpus": "0-1"}, "unified": {"cpuset.cpus": "0"}}`).WantExit(t, 0)
	want("0", "0", "41943040")
	updateFrom(t, b, `{"unified": {"cpuset.cpus": "4096"}}`).WantOneError(t, `linux.resources.unified "cpuset.cpus"`)
	want("0", "0", "41943040")
	updateFrom(t, b, `{"unified": {"memory.high": "max"}}`).WantExit(t, 0)
	want("0", "0", "max")
}
