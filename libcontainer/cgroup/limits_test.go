// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func ptr[T any](v T) *T { return &v }

func TestSharesToWeight(t *testing.T) {
	for shares, want := range map[uint64]uint64{
		0: 1, 1: 1, 2: 1, 3: 2, 100: 17, 512: 59, 1024: 100, 2048: 174, 3333: 256, 4096: 303, 1400: 129, 262143: 10000, 262144: 10000,
		math.MaxUint64: 10000,
	} {
		if got := sharesToWeight(shares); got != want {
			t.Errorf("%d shares: weight %d, want %d", shares, got, want)
		}
	}
	for shares := uint64(2); shares < 262144; shares++ {
		if a, b := sharesToWeight(shares), sharesToWeight(shares+1); a > b {
			t.Fatalf("%d shares weigh %d, one more %d", shares, a, b)
		}
	}
}

func TestSwapAlone(t *testing.T) {
	for _, c := range []struct {
		swap  int64
		limit *int64
		want  int64
	}{{-1, nil, -1}, {-1, ptr(int64(5)), -1}, {100, ptr(int64(100)), 0}, {300, ptr(int64(100)), 200}} {
		if got := swapAlone(c.swap, c.limit); got != c.want {
			t.Errorf("%d with limit %v: %d, want %d", c.swap, c.limit, got, c.want)
		}
	}
}

func TestPidsMax(t *testing.T) {
	for limit, want := range map[int64]string{-1: "max", 0: "1", 1: "1", 12345: "12345"} {
		if got := pidsMax(limit); got != want {
			t.Errorf("%d: %q, want %q", limit, got, want)
		}
	}
}

// asked returns what r writes to a group of one version, "file=value" in order.
func asked(r specs.LinuxResources, v Version) []string {
	var got []string
	for _, rows := range limits {
		for i := range rows {
			f := rows[i].v1
			if v == V2 {
				f = rows[i].v2
			}
			if f.writes == nil {
				continue
			}
			for _, w := range f.writes(complete(&r)) {
				value := w.value
				if w.merge != nil {
					value = w.merge("7000 100000")
				}
				got = append(got, w.file+"="+value)
				if w.or != nil {
					got = append(got, "or "+w.or.file+"="+w.or.value)
				}
			}
		}
	}
	return got
}

func TestWritesOfEachMember(t *testing.T) {
	for name, c := range map[string]struct {
		r      specs.LinuxResources
		v1, v2 []string
	}{
		"nothing": {specs.LinuxResources{}, nil, nil},
		"what callers write for nothing": {specs.LinuxResources{
			Memory: &specs.LinuxMemory{
				Limit: ptr(int64(0)), Swap: ptr(int64(0)), Reservation: ptr(int64(0)), KernelTCP: ptr(int64(-1)),
				Swappiness: ptr(uint64(math.MaxUint64)), DisableOOMKiller: ptr(false), UseHierarchy: ptr(true), CheckBeforeUpdate: ptr(false),
			},
			CPU: &specs.LinuxCPU{
				Shares: ptr(uint64(0)), Quota: ptr(int64(0)), Period: ptr(uint64(0)), RealtimePeriod: ptr(uint64(0)), RealtimeRuntime: ptr(int64(0)),
			},
			Pids: &specs.LinuxPids{},
		}, nil, nil},
		"memory": {
			specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(33554432)), Reservation: ptr(int64(25165824)), Swap: ptr(int64(50331648))}},
			[]string{"memory.limit_in_bytes=33554432", "memory.memsw.limit_in_bytes=50331648", "memory.soft_limit_in_bytes=25165824"},
			[]string{"memory.max=33554432", "memory.swap.max=16777216", "memory.low=25165824"},
		},
		"unlimited memory lifts the swap limit": {
			specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(-1)), Reservation: ptr(int64(-1))}},
			[]string{"memory.limit_in_bytes=-1", "memory.memsw.limit_in_bytes=-1", "memory.soft_limit_in_bytes=-1"},
			[]string{"memory.max=max", "memory.swap.max=max", "memory.low=max"},
		},
		"only v1": {
			specs.LinuxResources{
				Memory: &specs.LinuxMemory{Swappiness: ptr(uint64(0)), DisableOOMKiller: ptr(true), KernelTCP: ptr(int64(4096))},
				CPU:    &specs.LinuxCPU{RealtimePeriod: ptr(uint64(900001)), RealtimeRuntime: ptr(int64(600001))},
			},
			[]string{
				"memory.kmem.tcp.limit_in_bytes=4096", "memory.swappiness=0", "memory.oom_control=1",
				"cpu.rt_period_us=900001", "cpu.rt_runtime_us=600001",
			},
			nil,
		},
		"processors": {
			specs.LinuxResources{CPU: &specs.LinuxCPU{
				Shares: ptr(uint64(100)), Quota: ptr(int64(20000)), Period: ptr(uint64(50000)), Burst: ptr(uint64(10000)), Idle: ptr(int64(0)),
				Cpus: "0-1", Mems: "0",
			}},
			[]string{
				"cpu.shares=100", "cpu.cfs_period_us=50000", "cpu.cfs_quota_us=20000", "cpu.cfs_burst_us=10000", "cpu.idle=0",
				"cpuset.cpus=0-1", "cpuset.mems=0",
			},
			[]string{"cpu.weight=17", "cpu.max=20000 50000", "cpu.max.burst=10000", "cpu.idle=0", "cpuset.cpus=0-1", "cpuset.mems=0"},
		},
		"quota alone": {
			specs.LinuxResources{CPU: &specs.LinuxCPU{Quota: ptr(int64(-1))}},
			[]string{"cpu.cfs_quota_us=-1"},
			[]string{"cpu.max=max"},
		},
		"period alone keeps the quota": {
			specs.LinuxResources{CPU: &specs.LinuxCPU{Period: ptr(uint64(50000))}},
			[]string{"cpu.cfs_period_us=50000"},
			[]string{"cpu.max=7000 50000"},
		},
		"an idle group has no shares": {
			specs.LinuxResources{CPU: &specs.LinuxCPU{Shares: ptr(uint64(512)), Idle: ptr(int64(1))}},
			[]string{"cpu.idle=1"},
			[]string{"cpu.idle=1"},
		},
		"processes": {specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr(int64(0))}}, []string{"pids.max=1"}, []string{"pids.max=1"}},
	} {
		if got := asked(c.r, V1); !reflect.DeepEqual(got, c.v1) {
			t.Errorf("%s, v1: %q, want %q", name, got, c.v1)
		}
		if got := asked(c.r, V2); !reflect.DeepEqual(got, c.v2) {
			t.Errorf("%s, v2: %q, want %q", name, got, c.v2)
		}
	}
}

// refusal is what CheckResources refuses, and on which versions; on others it must not.
type refusal struct {
	r  specs.LinuxResources
	in []Version
}

// wantRefusedIn has, for each refusal, how its error begins.
func wantRefusedIn(t *testing.T, refusals map[string]refusal) {
	t.Helper()
	for want, c := range refusals {
		for _, v := range []Version{V1, Hybrid, V2} {
			err := CheckResources(&c.r, v)
			refused := err != nil && strings.HasPrefix(err.Error(), "linux.resources."+want)
			if expected := slices.Contains(c.in, v); refused != expected {
				t.Errorf("%v: got %v, want %q: %v", v, err, want, expected)
			}
		}
	}
}

func TestCheckResourcesRefuses(t *testing.T) {
	both := []Version{V1, Hybrid, V2}
	memory := func(m specs.LinuxMemory) specs.LinuxResources { return specs.LinuxResources{Memory: &m} }
	cpu := func(c specs.LinuxCPU) specs.LinuxResources { return specs.LinuxResources{CPU: &c} }
	wantRefusedIn(t, map[string]refusal{
		"memory.limit -2: want a number of bytes":                     {memory(specs.LinuxMemory{Limit: ptr(int64(-2))}), both},
		"memory.reservation -2: want a number of bytes":               {memory(specs.LinuxMemory{Reservation: ptr(int64(-2))}), both},
		"memory.swap -2: want a number of bytes":                      {memory(specs.LinuxMemory{Swap: ptr(int64(-2))}), both},
		"memory.kernelTCP -2: want a number of bytes":                 {memory(specs.LinuxMemory{KernelTCP: ptr(int64(-2))}), both},
		"memory.swap 9: want at least memory.limit, 10":               {memory(specs.LinuxMemory{Swap: ptr(int64(9)), Limit: ptr(int64(10))}), both},
		"memory.swap 8: want a memory.limit beside it":                {memory(specs.LinuxMemory{Swap: ptr(int64(8))}), []Version{V2}},
		"memory.swap 7: want a memory.limit beside it":                {memory(specs.LinuxMemory{Swap: ptr(int64(7)), Limit: ptr(int64(-1))}), both},
		"memory.swappiness 101: want 0 to 100":                        {memory(specs.LinuxMemory{Swappiness: ptr(uint64(101))}), both},
		"memory.useHierarchy false: want true":                        {memory(specs.LinuxMemory{UseHierarchy: ptr(false)}), both},
		"memory.swappiness: cgroup v2 has nothing like it":            {memory(specs.LinuxMemory{Swappiness: ptr(uint64(60))}), []Version{V2}},
		"memory.disableOOMKiller: cgroup v2 has nothing like it":      {memory(specs.LinuxMemory{DisableOOMKiller: ptr(true)}), []Version{V2}},
		"memory.kernelTCP: cgroup v2 has nothing like it":             {memory(specs.LinuxMemory{KernelTCP: ptr(int64(1))}), []Version{V2}},
		"cpu.realtimePeriod: cgroup v2 has nothing like it":           {cpu(specs.LinuxCPU{RealtimePeriod: ptr(uint64(1))}), []Version{V2}},
		"cpu.realtimeRuntime: cgroup v2 has nothing like it":          {cpu(specs.LinuxCPU{RealtimeRuntime: ptr(int64(1))}), []Version{V2}},
		"cpu.shares 1: want 2 to 262144":                              {cpu(specs.LinuxCPU{Shares: ptr(uint64(1))}), []Version{V1, Hybrid}},
		"cpu.shares 262145: want 2 to 262144":                         {cpu(specs.LinuxCPU{Shares: ptr(uint64(262145))}), []Version{V1, Hybrid}},
		"cpu.period 100: want 1000 to 1000000 microseconds":           {cpu(specs.LinuxCPU{Period: ptr(uint64(100))}), both},
		"cpu.period 1000001: want 1000 to 1000000 microseconds":       {cpu(specs.LinuxCPU{Period: ptr(uint64(1000001))}), both},
		"cpu.quota 999: want 1000 microseconds or more, or -1":        {cpu(specs.LinuxCPU{Quota: ptr(int64(999))}), both},
		"cpu.quota -2: want 1000 microseconds or more, or -1":         {cpu(specs.LinuxCPU{Quota: ptr(int64(-2))}), both},
		"cpu.burst 2001: want at most cpu.quota, 2000":                {cpu(specs.LinuxCPU{Quota: ptr(int64(2000)), Burst: ptr(uint64(2001))}), both},
		"cpu.idle 2: want 0 or 1":                                     {cpu(specs.LinuxCPU{Idle: ptr(int64(2))}), both},
		"cpu.realtimeRuntime -2: want a number of microseconds":       {cpu(specs.LinuxCPU{RealtimeRuntime: ptr(int64(-2))}), both},
		"cpu.realtimeRuntime 11: want at most cpu.realtimePeriod, 10": {cpu(specs.LinuxCPU{RealtimeRuntime: ptr(int64(11)), RealtimePeriod: ptr(uint64(10))}), both},
		`cpu.cpus "all": want a list of numbers and ranges`:           {cpu(specs.LinuxCPU{Cpus: "all"}), both},
		"cpu.mems \"0\\n1\": want a list of numbers and ranges":       {cpu(specs.LinuxCPU{Mems: "0\n1"}), both},
		"pids.limit -2: want a number of processes":                   {specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr(int64(-2))}}, both},
	})
	unified := specs.LinuxResources{Unified: map[string]string{"memory.max": "max"}}
	for _, v := range []Version{V1, Hybrid} {
		err := CheckResources(&unified, v)
		if err == nil || !strings.Contains(err.Error(), "invalid configuration") { // callers match the text
			t.Errorf("%v: got %v", v, err)
		}
	}
	if err := CheckResources(nil, V2); err != nil {
		t.Error(err)
	}
}

// fakeGroup is a group of plain files, which take anything.
func fakeGroup(t *testing.T, controller string, files ...string) (*Group, string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range files {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	g, err := FromPaths(map[string]string{controller: dir})
	if err != nil {
		t.Fatal(err)
	}
	return g, dir
}

func TestSetWritesWhatIsAskedForAlone(t *testing.T) {
	g, dir := fakeGroup(t, "", "pids.max", "memory.max", "cgroup.controllers")
	if err := g.Set(nil); err != nil {
		t.Fatal(err)
	}
	if err := g.Set(&specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr(int64(7))}}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"pids.max": "7", "memory.max": ""} {
		if got, err := readControl(dir, name); err != nil || got != want {
			t.Errorf("%s is %q, %v, want %q", name, got, err, want)
		}
	}
}

func TestSetWithoutSwapAccounting(t *testing.T) {
	g, _ := fakeGroup(t, "memory", "memory.limit_in_bytes")
	limit := ptr(int64(1 << 30))
	if err := g.Set(&specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: limit, Swap: ptr(int64(-1))}}); err != nil {
		t.Errorf("no swap limit is what a kernel without it gives: %v", err)
	}
	if noSwap() {
		t.Skip("this kernel has no swap: every limit of it holds")
	}
	err := g.Set(&specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: limit, Swap: limit}})
	if err == nil || !strings.HasPrefix(err.Error(), "linux.resources.memory.swap: ") {
		t.Errorf("got %v", err)
	}
}

func TestSetNamesTheControllerThatIsMissing(t *testing.T) {
	g, _ := fakeGroup(t, "memory", "memory.limit_in_bytes")
	err := g.Set(&specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr(int64(7))}})
	const want = "linux.resources.pids.limit: no hierarchy with the controller pids is mounted below /sys/fs/cgroup"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}

	g, dir := fakeGroup(t, "", "cgroup.controllers")
	err = g.Set(&specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr(int64(7))}})
	for _, text := range []string{"linux.resources.pids.limit", dir + "/pids.max", "the controller pids is not there"} {
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("got %v, want it to contain %q", err, text)
		}
	}
}

func TestCheckBeforeUpdate(t *testing.T) {
	usage := func(dir, file string) {
		if err := os.WriteFile(filepath.Join(dir, file), []byte("1000000\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		limit, swap int64
		check       bool
		want        string
	}{
		{1000001, 0, true, ""},
		{-1, -1, true, ""},
		{500000, 0, false, ""},
		{500000, 0, true, "linux.resources.memory.limit: rejecting memory limit 500000: 1000000 bytes are in use"},
		{500000, 600000, true, "linux.resources.memory.swap: rejecting memory+swap limit 600000: 1000000 bytes are in use"},
		{500000, 6000000, true, "linux.resources.memory.limit: rejecting memory limit 500000: 1000000 bytes are in use"},
	} {
		g, dir := fakeGroup(t, "", "memory.max", "memory.swap.max")
		usage(dir, "memory.current")
		err := g.Set(&specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &c.limit, Swap: &c.swap, CheckBeforeUpdate: &c.check}})
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%+v: got %q", c, got)
		}
		if value, _ := readControl(dir, "memory.max"); c.want != "" && value != "" {
			t.Errorf("%+v: %q is written all the same", c, value)
		}
	}
}
