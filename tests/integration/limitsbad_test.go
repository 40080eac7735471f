// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/tests/harness"
)

// Whatever the machine has, these values can't be honoured.
func TestABadLimitIsRefused(t *testing.T) {
	t.Parallel()
	resources := func(change func(r *specs.LinuxResources)) func(*testing.T, *harness.Bundle) {
		return edit(func(s *specs.Spec) { change(s.Linux.Resources) })
	}
	memory := func(m specs.LinuxMemory) func(*testing.T, *harness.Bundle) {
		return resources(func(r *specs.LinuxResources) { r.Memory = &m })
	}
	cpu := func(c specs.LinuxCPU) func(*testing.T, *harness.Bundle) {
		return resources(func(r *specs.LinuxResources) { r.CPU = &c })
	}
	blockIO := func(b specs.LinuxBlockIO) func(*testing.T, *harness.Bundle) {
		return resources(func(r *specs.LinuxResources) { r.BlockIO = &b })
	}
	unified := func(file, value string) func(*testing.T, *harness.Bundle) {
		return func(t *testing.T, b *harness.Bundle) {
			b.Spec.Linux.Resources.Unified = map[string]string{file: value}
			b.UseV2View(t)
		}
	}
	disk := specs.LinuxBlockIODevice{Major: 8}
	wantRefused(t, []badInput{
		{"memory below -1", memory(specs.LinuxMemory{Limit: pointer(int64(-2))}), []string{"linux.resources.memory.limit -2: want"}},
		{"swap below memory", memory(specs.LinuxMemory{Limit: pointer(int64(1 << 26)), Swap: pointer(int64(1 << 25))}), []string{"linux.resources.memory.swap 33554432: want at least memory.limit, 67108864"}},
		{"swappiness", memory(specs.LinuxMemory{Swappiness: pointer(uint64(101))}), []string{"linux.resources.memory.swappiness 101: want 0 to 100"}},
		{"hierarchy", memory(specs.LinuxMemory{UseHierarchy: pointer(false)}), []string{"linux.resources.memory.useHierarchy false"}},
		{"period", cpu(specs.LinuxCPU{Period: pointer(uint64(100)), Quota: pointer(int64(1000))}), []string{"linux.resources.cpu.period 100: want 1000 to 1000000"}},
		{"quota", cpu(specs.LinuxCPU{Quota: pointer(int64(1))}), []string{"linux.resources.cpu.quota 1: want"}},
		{"burst", cpu(specs.LinuxCPU{Quota: pointer(int64(2000)), Burst: pointer(uint64(3000))}), []string{"linux.resources.cpu.burst 3000: want at most cpu.quota"}},
		{"idle", cpu(specs.LinuxCPU{Idle: pointer(int64(2))}), []string{"linux.resources.cpu.idle 2: want 0 or 1"}},
		{"cpus", cpu(specs.LinuxCPU{Cpus: "zero"}), []string{`linux.resources.cpu.cpus "zero": want a list`}},
		{"pids", resources(func(r *specs.LinuxResources) { r.Pids = &specs.LinuxPids{Limit: pointer(int64(-2))} }), []string{"linux.resources.pids.limit -2: want"}},
		{"weight", blockIO(specs.LinuxBlockIO{Weight: pointer(uint16(1001))}), []string{"linux.resources.blockIO.weight 1001: want 10 to 1000"}},
		{"no weight", blockIO(specs.LinuxBlockIO{WeightDevice: []specs.LinuxWeightDevice{{LinuxBlockIODevice: disk}}}), []string{"linux.resources.blockIO.weightDevice[0]: want weight or leafWeight"}},
		{"page size", resources(func(r *specs.LinuxResources) {
			r.HugepageLimits = []specs.LinuxHugepageLimit{{Pagesize: "2MB/../2MB", Limit: 1}}
		}), []string{`linux.resources.hugepageLimits[0].pageSize "2MB/../2MB": want`}},
		{"rdma", resources(func(r *specs.LinuxResources) { r.Rdma = map[string]specs.LinuxRdma{"mlx5_1": {}} }), []string{`linux.resources.rdma "mlx5_1": want`}},
		{"unified path", unified("../cgroup.max.depth", "1"), []string{`linux.resources.unified "../cgroup.max.depth": want the name of a file`}},
		{"unified dots", unified("..", "1"), []string{`linux.resources.unified "..": want the name of a file`}},
		{"unified command", unified("cgroup.kill", "1"), []string{`linux.resources.unified "cgroup.kill": it moves, stops or ends processes`}},
		{"unified file", unified("not.there", "1"), []string{`linux.resources.unified "not.there": open`, "no such file", "the controller not is not there"}},
		{"unified value", unified("cgroup.max.depth", "many"), []string{`linux.resources.unified "cgroup.max.depth": write "many`, "invalid argument"}},
	})
}

// The kernel, or what is on this machine, refuses these.
func TestALimitThatTheMachineCannotHonourIsRefused(t *testing.T) {
	t.Parallel()
	cases := []badInput{}
	add := func(controller, name string, change func(*specs.LinuxResources), want ...string) {
		if harness.HasController(controller) {
			cases = append(cases, badInput{name, edit(func(s *specs.Spec) { change(s.Linux.Resources) }), want})
		}
	}
	throttle := specs.LinuxThrottleDevice{LinuxBlockIODevice: specs.LinuxBlockIODevice{Major: 4000, Minor: 1}, Rate: 1}
	add("blkio", "device", func(r *specs.LinuxResources) {
		r.BlockIO = &specs.LinuxBlockIO{ThrottleReadBpsDevice: []specs.LinuxThrottleDevice{throttle}}
	}, "linux.resources.blockIO.throttleReadBpsDevice[0]: write \"4000:1 ", "no such device", "there is no such block device")
	add("cpuset", "cpu", func(r *specs.LinuxResources) { r.CPU = &specs.LinuxCPU{Cpus: "4096"} },
		"linux.resources.cpu.cpus: write \"4096\"", "not among those of the group above")
	if harness.HasCgroup1() {
		add("blkio", "leaf weight", func(r *specs.LinuxResources) { r.BlockIO = &specs.LinuxBlockIO{LeafWeight: pointer(uint16(10))} },
			"linux.resources.blockIO.leafWeight: open", "blkio.leaf_weight", "the kernel has no such file")
		reason := []string{"linux.resources.cpu.realtime", "invalid argument", "more than the group above allows"}
		if !exists("/sys/fs/cgroup/cpu/cpu.rt_runtime_us") {
			reason = []string{"linux.resources.cpu.realtimePeriod: open", "the kernel has no such file"}
		}
		add("cpu", "realtime", func(r *specs.LinuxResources) {
			r.CPU = &specs.LinuxCPU{RealtimeRuntime: pointer(int64(900001)), RealtimePeriod: pointer(uint64(900001))}
		}, reason...)
		add("memory", "unified", func(r *specs.LinuxResources) { r.Unified = map[string]string{"memory.max": "max"} }, "invalid configuration")
	} else {
		add("cpu", "realtime", func(r *specs.LinuxResources) { r.CPU = &specs.LinuxCPU{RealtimeRuntime: pointer(int64(1000))} },
			"linux.resources.cpu.realtimeRuntime: cgroup v2 has nothing like it")
		add("memory", "swappiness", func(r *specs.LinuxResources) { r.Memory = &specs.LinuxMemory{Swappiness: pointer(uint64(60))} },
			"linux.resources.memory.swappiness: cgroup v2 has nothing like it")
	}
	if !harness.HasController("net_cls") {
		cases = append(cases, badInput{"class", edit(func(s *specs.Spec) {
			s.Linux.Resources.Network = &specs.LinuxNetwork{ClassID: pointer(uint32(1))}
		}), []string{"linux.resources.network.classID: "}})
	}
	if !harness.HasController("rdma") {
		cases = append(cases, badInput{"rdma", edit(func(s *specs.Spec) {
			s.Linux.Resources.Rdma = map[string]specs.LinuxRdma{"mlx5_1": {HcaObjects: pointer(uint32(1))}}
		}), []string{"linux.resources.rdma: ", "rdma"}})
	}
	if len(cases) == 0 {
		t.Skip("this view of the machine has no controller that could refuse anything")
	}
	wantRefused(t, cases)
}

// Every command works where the controllers of v1 are not mounted; a limit that needs one says so.
func TestAHostWithoutControllers(t *testing.T) {
	t.Parallel()
	if !harness.HasCgroup1() {
		t.Skip("needs v1 hierarchies, to hide them")
	}
	b := harness.NewBundle(t, "sleep", "1000")
	b.Wrapper = []string{"unshare", "-m", "--propagation", "private", "sh", "-c", `cd /sys/fs/cgroup
		for d in */cgroup.procs; do case $d in systemd/*|devices/*|unified/*) ;; *) umount "${d%/*}" ;; esac; done
		cd / && exec "$@"`, "sh"}
	before := b.Snapshot(t)
	b.Create(t).WantExit(t, 0)
	b.Start(t).WantExit(t, 0)
	if s := b.State(t); s.Status != "running" {
		t.Errorf("the container is %s", s.Status)
	}
	b.Kill(t, "KILL").WantExit(t, 0)
	b.WaitFor(t, "stopped")
	b.Delete(t).WantExit(t, 0)
	b.Spec.Linux.Resources.Memory = &specs.LinuxMemory{Limit: pointer(int64(1 << 30))}
	b.Run(t).WantFailure(t).WantStderr(t, "linux.resources.memory.limit: ", "controller memory")
	before.WantSame(t)
}

func TestUnifiedLimitsAreWrittenAsTheyAre(t *testing.T) {
	t.Parallel()
	b := limited(t, &specs.LinuxResources{Unified: map[string]string{"cgroup.max.descendants": "17", "cgroup.max.depth": "3\n4\n"}}, "sleep", "1000")
	b.UseV2View(t)
	b.Create(t).WantExit(t, 0)
	root := "/sys/fs/cgroup"
	if !harness.IsCgroup2(root) {
		root += "/unified"
	}
	for file, want := range map[string]string{"cgroup.max.descendants": "17", "cgroup.max.depth": "4"} {
		if got := strings.TrimSpace(harness.ReadFile(t, filepath.Join(root, limitedGroup(b), file))); got != want {
			t.Errorf("%s is %q, want %q", file, got, want)
		}
	}
}

// Mounting the control groups into a container must not change how the host has mounted them: all mounts of cgroup2
// share their options.
func TestTheHostsCgroupOptionsStay(t *testing.T) {
	t.Parallel()
	inEachView(t, []string{"true"}, func(t *testing.T, b *harness.Bundle) {
		before := cgroup2Options(t)
		for _, private := range []bool{false, true} {
			dropNamespace(b, specs.CgroupNamespace)
			if private {
				setNamespace(b, specs.CgroupNamespace, "")
			}
			for _, options := range [][]string{{"ro"}, {"rw"}} {
				mountAt(t, b, "/sys/fs/cgroup").Options = options
				b.Run(t).WantExit(t, 0)
				if after := cgroup2Options(t); after != before {
					t.Errorf("private %v, %v: the host's options were\n%sand are\n%s", private, options, before, after)
				}
			}
		}
	})
}

func cgroup2Options(t *testing.T) string {
	t.Helper()
	var lines strings.Builder
	for line := range strings.Lines(harness.ReadFile(t, "/proc/self/mountinfo")) {
		if strings.Contains(line, " - cgroup2 ") {
			lines.WriteString(line)
		}
	}
	if lines.Len() == 0 {
		t.Skip("needs a mount of cgroup2")
	}
	return lines.String()
}

// The specification says when a v2 group belongs to the container's user, and which of its files.
func TestTheOwnerOfTheCgroup(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name                     string
		mapped, private, rw, cut bool
		uid, want                uint32
	}{
		{"mapped root", true, true, true, false, 0, 100000},
		{"mapped user", true, true, true, false, 1000, 101000},
		{"user", false, true, true, false, 1000, 1000},
		{"root", false, true, true, false, 0, 0},
		{"read-only", true, true, false, false, 0, 0},
		{"host's namespace", true, false, true, false, 0, 0},
		{"no mount", true, true, true, true, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := limited(t, nil, "sh", "-c", "stat -c %u /sys/fs/cgroup /sys/fs/cgroup/cgroup.procs; mkdir /sys/fs/cgroup/below && echo made; exec sleep 1000")
			b.UseV2View(t)
			dropNamespace(b, specs.CgroupNamespace)
			if c.private {
				setNamespace(b, specs.CgroupNamespace, "")
			}
			if c.mapped {
				mapIDs(t, b)
			}
			b.Spec.Process.User.UID = c.uid
			m := mountAt(t, b, "/sys/fs/cgroup")
			m.Options = []string{"nosuid", "ro"}
			if c.rw {
				m.Options = []string{"nosuid"}
			}
			if c.cut {
				m.Destination = "/elsewhere"
			}
			b.Create(t).WantExit(t, 0)
			groups := unifiedGroupsOf(b.ID)
			if len(groups) != 1 {
				t.Fatalf("the container has the groups %q", groups)
			}
			for file, want := range map[string]uint32{".": c.want, "cgroup.procs": c.want, "cgroup.subtree_control": c.want, "cgroup.max.depth": 0} {
				if got := owner(t, filepath.Join(groups[0], file)); got != want {
					t.Errorf("%s belongs to %d, want %d", file, got, want)
				}
			}
			if c.want != 0 {
				b.Start(t).WantExit(t, 0)
				b.WaitForOutput(t, "made")
			}
		})
	}
}

func owner(t *testing.T, path string) uint32 {
	t.Helper()
	var s unix.Stat_t
	if err := unix.Stat(path, &s); err != nil {
		t.Fatal(err)
	}
	return s.Uid
}
