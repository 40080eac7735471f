// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/tests/harness"
)

const unlimitedV1 = "9223372036854771712"

// updatable starts a container with a group of its own in each hierarchy.
func updatable(t *testing.T, r *specs.LinuxResources, args ...string) *harness.Bundle {
	t.Helper()
	needControllers(t, "memory", "cpu", "cpuset", "pids")
	if len(args) == 0 {
		args = []string{"sleep", "1000"}
	}
	b := limited(t, r, args...)
	b.Run(t, "-d").WantExit(t, 0)
	return b
}

// update runs `update` with a line of options.
func update(t *testing.T, b *harness.Bundle, options string) harness.Result {
	t.Helper()
	return b.RT(t, append([]string{"update", b.ID}, strings.Fields(options)...)...)
}

// updateFrom runs `update -r -` with a document on standard input.
func updateFrom(t *testing.T, b *harness.Bundle, document string, options ...string) harness.Result {
	t.Helper()
	file, err := os.Open(harness.WriteFile(t, b.Path("stdin.json"), document, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	b.Stdin = file
	defer func() { b.Stdin = nil }()
	return b.RT(t, append(append([]string{"update"}, options...), "-r", "-", b.ID)...)
}

// values reads the control files of the group that hold limits.
func values(t *testing.T, b *harness.Bundle) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, dir := range harness.CgroupsOf(b.ID) {
		for _, name := range []string{
			"memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.soft_limit_in_bytes", "memory.max", "memory.high", "memory.swap.max", "memory.low",
			"cpu.shares", "cpu.cfs_period_us", "cpu.cfs_quota_us", "cpu.cfs_burst_us", "cpu.idle", "cpu.rt_period_us", "cpu.rt_runtime_us",
			"cpu.weight", "cpu.max", "cpu.max.burst", "cpuset.cpus", "cpuset.mems", "pids.max", "devices.list",
		} {
			data, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				continue
			}
			lines := strings.Split(strings.TrimSpace(string(data)), "\n")
			if name == "devices.list" { // which has no order: systemd writes it anew
				slices.Sort(lines)
			}
			all[filepath.Join(dir, name)] = strings.Join(lines, "\n")
		}
	}
	return all
}

// step is an update and what the control files have afterwards.
type step struct {
	options string
	want    []control
}

func runSteps(t *testing.T, b *harness.Bundle, steps []step) {
	t.Helper()
	for _, s := range steps {
		update(t, b, s.options).WantExit(t, 0).WantStdoutIs(t, "").WantStderrIs(t, "")
		for _, c := range s.want {
			c.check(t, b)
		}
		if t.Failed() {
			t.Fatalf("after update %s", s.options)
		}
	}
}

func TestUpdateChangesWhatIsGivenAlone(t *testing.T) {
	t.Parallel()
	b := updatable(t, &specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: new(int64(33554432)), Reservation: new(int64(25165824)), Swap: new(int64(50331648))},
		CPU:    &specs.LinuxCPU{Shares: new(uint64(100)), Quota: new(int64(500000)), Period: new(uint64(1000000)), Cpus: "0"},
		Pids:   &specs.LinuxPids{Limit: new(int64(20))},
	})
	for _, s := range []step{
		{"--cpu-period 900000", []control{{"cpu", "cpu.cfs_period_us", "cpu.max", "900000", "500000 900000"}}},
		{"--cpu-quota 600000", []control{{"cpu", "cpu.cfs_quota_us", "cpu.max", "600000", "600000 900000"}}},
		{"--cpu-burst 300000", []control{{"cpu", "cpu.cfs_burst_us", "cpu.max.burst", "300000", "300000"}}},
		{"--cpu-burst 0", []control{{"cpu", "cpu.cfs_burst_us", "cpu.max.burst", "0", "0"}}},
		{"--cpu-quota -1", []control{{"cpu", "cpu.cfs_quota_us", "cpu.max", "-1", "max 900000"}}},
		{"--cpu-share 200", []control{{"cpu", "cpu.shares", "cpu.weight", "200", ""}}},
		{"--cpuset-cpus 0-1", []control{{"cpuset", "cpuset.cpus", "cpuset.cpus", "0-1", "0-1"}}},
		{"--cpuset-mems 0", []control{{"cpuset", "cpuset.mems", "cpuset.mems", "0", "0"}}},
		{"--pids-limit 12345", []control{{"pids", "pids.max", "pids.max", "12345", "12345"}}},
		{"--pids-limit 0", []control{{"pids", "pids.max", "pids.max", "1", "1"}}},
		{"--pids-limit -1", []control{{"pids", "pids.max", "pids.max", "max", "max"}}},
		{"--memory-reservation 30M", []control{{"memory", "memory.soft_limit_in_bytes", "memory.low", "31457280", "31457280"}}},
		{"--memory-reservation -1", []control{{"memory", "memory.soft_limit_in_bytes", "memory.low", unlimitedV1, "max"}}},
		{"", nil},
	} {
		before := values(t, b)
		runSteps(t, b, []step{s})
		changed := 0
		for path, value := range values(t, b) {
			if before[path] != value {
				changed++
			}
		}
		if changed > 1 {
			t.Errorf("update %s has changed %d files:\n%v\n%v", s.options, changed, before, values(t, b))
		}
	}
}

func TestUpdateOfMemoryAndSwap(t *testing.T) {
	t.Parallel()
	b := updatable(t, &specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: new(int64(32 << 20)), Swap: new(int64(64 << 20))},
	})
	memory := func(limit1, limit2, swap1, swap2 string) []control {
		return []control{
			{"memory", "memory.limit_in_bytes", "memory.max", limit1, limit2},
			{"memory", "memory.memsw.limit_in_bytes", "memory.swap.max", swap1, swap2},
		}
	}
	runSteps(t, b, []step{
		{"--memory 50M", memory("52428800", "52428800", "67108864", "33554432")},
		{"--memory-swap 100M", memory("52428800", "52428800", "104857600", "52428800")},
		{"--memory 200M --memory-swap 300M", memory("209715200", "209715200", "314572800", "104857600")}, // both above the old sum
		{"--memory 30M --memory-swap 40M", memory("31457280", "31457280", "41943040", "10485760")},       // both below the old limit
		{"--memory-swap -1", memory("31457280", "31457280", unlimitedV1, "max")},
		{"--memory-swap 64M", memory("31457280", "31457280", "67108864", "35651584")},
		{"--memory -1", memory(unlimitedV1, "max", unlimitedV1, "max")},
		{"--memory 32M --memory-swap 32M", memory("33554432", "33554432", "33554432", "0")},
	})
	update(t, b, "--memory-swap 16M").WantOneError(t, "linux.resources.memory.swap 16777216: want at least memory.limit, 33554432")
	for _, c := range memory("33554432", "33554432", "33554432", "0") {
		c.check(t, b)
	}
}

func TestUpdateWithoutEarlierValues(t *testing.T) {
	t.Parallel()
	b := updatable(t, &specs.LinuxResources{})
	runSteps(t, b, []step{
		{"--cpu-period 900000", []control{
			{"cpu", "cpu.cfs_period_us", "cpu.max", "900000", "max 900000"},
			{"cpu", "cpu.cfs_quota_us", "cpu.max", "-1", "max 900000"},
		}},
		{"--memory-swap -1", nil},
	})
	b2 := updatable(t, &specs.LinuxResources{})
	runSteps(t, b2, []step{{"--cpu-quota 600000", []control{
		{"cpu", "cpu.cfs_period_us", "cpu.max", "100000", "600000 100000"},
		{"cpu", "cpu.cfs_quota_us", "cpu.max", "600000", "600000 100000"},
	}}})
}

func TestUpdateOfAnIdleContainer(t *testing.T) {
	t.Parallel()
	b := updatable(t, &specs.LinuxResources{CPU: &specs.LinuxCPU{Shares: new(uint64(100))}})
	idle := func(value string) control { return control{"cpu", "cpu.idle", "cpu.idle", value, value} }
	runSteps(t, b, []step{{"--cpu-idle 1", []control{idle("1")}}})
	for _, bad := range []string{"-1", "2", "3"} {
		update(t, b, "--cpu-idle "+bad).WantOneError(t, "linux.resources.cpu.idle "+bad+": want 0 or 1")
		b.RT(t, "update", "--cpu-idle", bad, b.ID).WantOneError(t, "want 0 or 1")
		updateFrom(t, b, `{"cpu": {"idle": `+bad+`}}`).WantOneError(t, "want 0 or 1")
		idle("1").check(t, b)
	}
	runSteps(t, b, []step{
		{"--cpu-period 50000 --pids-limit 7", []control{idle("1")}},
		// The weight that the kernel forgets with idle is put back.
		{"--cpu-idle 0", []control{idle("0"), {"cpu", "cpu.shares", "cpu.weight", "100", "17"}}},
	})
	updateFrom(t, b, `{"CPU": {"Idle": 1}}`).WantExit(t, 0)
	idle("1").check(t, b)
}

func TestUpdateFromAFile(t *testing.T) {
	t.Parallel()
	b := updatable(t, &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: new(int64(20))}})
	updateFrom(t, b, `{"memory": {"limit": 33554432, "reservation": 25165824}, "CPU": {"Shares": 100, "Cpus": "0"}, "unknown": {"x": 1}}`).WantExit(t, 0)
	check := func(list ...control) {
		t.Helper()
		for _, c := range append(list, control{"pids", "pids.max", "pids.max", "20", "20"}) {
			c.check(t, b)
		}
	}
	check(control{"memory", "memory.limit_in_bytes", "memory.max", "33554432", "33554432"},
		control{"memory", "memory.soft_limit_in_bytes", "memory.low", "25165824", "25165824"},
		control{"cpu", "cpu.shares", "cpu.weight", "100", "17"},
		control{"cpuset", "cpuset.cpus", "cpuset.cpus", "0", "0"})
	file := harness.WriteFile(t, b.Path("resources.json"), `{"cpu": {"period": 50000, "quota": 20000}, "blockIO": {"weight": 0}, "memory": {"limit": 0}}`, 0o600)
	b.RT(t, "update", b.ID, "--resources="+file).WantExit(t, 0).WantStderrIs(t, "")
	check(control{"cpu", "cpu.cfs_period_us", "cpu.max", "50000", "20000 50000"},
		control{"memory", "memory.limit_in_bytes", "memory.max", "33554432", "33554432"})
	// Other options are ignored, as callers of runc know it; we say so.
	updateFrom(t, b, `{"cpu": {"quota": 30000}}`, "--memory", "64M", "--pids-limit", "9").
		WantExit(t, 0).WantStderr(t, "--memory, --pids-limit: ignored beside --resources")
	check(control{"cpu", "cpu.cfs_quota_us", "cpu.max", "30000", "30000 50000"},
		control{"memory", "memory.limit_in_bytes", "memory.max", "33554432", "33554432"})
	updateFrom(t, b, "null").WantExit(t, 0)
	updateFrom(t, b, "{}\n").WantExit(t, 0)
}

func TestBadUpdatesAreRefusedAndChangeNothing(t *testing.T) {
	t.Parallel()
	b := updatable(t, &specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: new(int64(32 << 20)), Swap: new(int64(64 << 20))},
		CPU:    &specs.LinuxCPU{Quota: new(int64(50000)), Period: new(uint64(100000))},
	})
	before, files := values(t, b), stateFiles(t, b)
	for options, want := range map[string]string{
		"--memory 50Q":                    "invalid size",
		"--memory -2":                     "invalid size",
		"--memory-swap 1M":                "linux.resources.memory.swap 1048576: want at least memory.limit",
		"--cpu-period 100":                "linux.resources.cpu.period 100: want 1000 to 1000000 microseconds",
		"--cpu-quota 999":                 "linux.resources.cpu.quota 999: want 1000 microseconds or more",
		"--cpu-quota -2":                  "linux.resources.cpu.quota -2",
		"--cpu-burst 60000":               "linux.resources.cpu.burst 60000: want at most cpu.quota, 50000",
		"--cpu-rt-runtime -2":             "linux.resources.cpu.realtimeRuntime",
		"--cpuset-cpus all":               `linux.resources.cpu.cpus "all": want a list`,
		"--cpuset-cpus 4096":              "linux.resources.cpu.cpus: ",
		"--cpuset-mems 4096":              "linux.resources.cpu.mems: ",
		"--pids-limit -2":                 "linux.resources.pids.limit -2",
		"--memory 40M --cpuset-cpus 4096": "linux.resources.cpu.cpus: ", // memory is written first, and put back
		"--memory 20M --memory-swap 20M --cpu-quota 70000 --cpu-period 200000 --pids-limit 5 --cpuset-cpus 4096": "linux.resources.cpu.cpus: ",
		"--pids-limit 5 --l3-cache-schema L3:0=f": "Intel RDT: it is not enabled",
		"--mem-bw-schema MB:0=50":                 "Intel RDT: it is not enabled",
		"-r /nonexistent/resources.json":          "no such file or directory",
		"--resources " + b.Dir:                    "is a directory",
	} {
		update(t, b, options).WantOneError(t, "update", want)
	}
	for document, want := range map[string]string{
		"":                                    "it is empty",
		"{":                                   "line 1, column 2: the file ends in the middle",
		"[]":                                  "want object, got array",
		`"x"`:                                 "want object, got string",
		`{"memory": {"limit": "5M"}}`:         "line 1, column 22: memory.limit: want whole number",
		`{"memory": {"limit": 1.5}}`:          "memory.limit: want whole number",
		`{"cpu": {"shares": -1}}`:             "cpu.shares: want whole number from 0",
		`{"cpu": 5}`:                          "cpu: want object",
		`{"pids": {"limit": 5}} trailing`:     "line 1, column 24",
		`{"memory": {"limit": -5}}`:           "linux.resources.memory.limit -5",
		`{"memory": {"useHierarchy": false}}`: "linux.resources.memory.useHierarchy",
		`{"cpu": {"cpus": "0;1"}}`:            "linux.resources.cpu.cpus",
		`{"devices": [{"allow": true, "access": "x"}]}`: "linux.resources.devices[0]",
		"{\"cpu\": {\"cpus\": \"\xff\"}}":               "is not UTF-8",
	} {
		updateFrom(t, b, document).WantOneError(t, "update", want)
	}
	if after := values(t, b); !maps.Equal(before, after) {
		t.Errorf("control files have changed:\n%v\n%v", before, after)
	}
	if after := stateFiles(t, b); !slices.Equal(files, after) {
		t.Errorf("the state directory has %v, want %v", after, files)
	}
	b.RT(t, "update", "no-"+b.ID, "--pids-limit", "5").WantOneError(t, "container does not exist")
	b.RT(t, "update").WantFailure(t).WantStderr(t, `"update" requires exactly 1 argument(s)`)
	b.RT(t, "update", b.ID, "--memory").WantFailure(t).WantStderr(t, "flag needs an argument: -memory")
	if s := b.State(t).Status; s != "running" {
		t.Errorf("the container is %s", s)
	}
}

// stateFiles lists the container's state directory.
func stateFiles(t *testing.T, b *harness.Bundle) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(b.Root, b.ID))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestUpdateInEachState(t *testing.T) {
	t.Parallel()
	needControllers(t, "pids")
	b := limited(t, &specs.LinuxResources{}, "sleep", "1000")
	before := b.Snapshot(t)
	pids := func(value string) control { return control{"pids", "pids.max", "pids.max", value, value} }
	b.Create(t).WantExit(t, 0)
	update(t, b, "--pids-limit 11").WantExit(t, 0)
	pids("11").check(t, b)
	if s := b.State(t).Status; s != "created" {
		t.Errorf("after the update the container is %s", s)
	}
	b.Start(t).WantExit(t, 0)
	b.RT(t, "pause", b.ID).WantExit(t, 0)
	update(t, b, "--pids-limit 12").WantExit(t, 0)
	pids("12").check(t, b)
	if s := b.State(t).Status; s != "paused" {
		t.Errorf("after the update the container is %s", s)
	}
	b.RT(t, "resume", b.ID).WantExit(t, 0)
	pids("12").check(t, b)
	b.Kill(t, "KILL").WantExit(t, 0)
	b.WaitFor(t, "stopped")
	update(t, b, "--pids-limit 13").WantOneError(t, "update "+b.ID+": container not running (it is stopped)")
	b.Delete(t).WantExit(t, 0)
	before.WantSame(t)
}
