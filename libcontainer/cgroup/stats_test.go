// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"encoding/json"
	"errors"
	"maps"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fileGroup makes a group of ordinary directories with these control files. Keys are "CONTROLLERS/FILE"; those of the
// unified hierarchy begin with "/".
func fileGroup(t *testing.T, files map[string]string) *Group {
	t.Helper()
	root := t.TempDir()
	paths := map[string]string{}
	for key, content := range files {
		controllers, name, _ := strings.Cut(key, "/")
		dir := filepath.Join(root, "group-"+controllers)
		for controller := range strings.SplitSeq(controllers, ",") {
			paths[controller] = dir
		}
		for name, content := range map[string]string{name: content, "cgroup.procs": ""} {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	g, err := FromPaths(paths)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// wantStats compares the JSON form of the counters with want, member by member.
func wantStats(t *testing.T, g *Group, want map[string]string) {
	t.Helper()
	s, err := g.Stats()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]json.RawMessage
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	want = maps.Clone(want)
	want["intel_rdt"], want["network_interfaces"] = "{}", "null"
	for member, value := range want {
		if string(got[member]) != value {
			t.Errorf("%s:\n got %s\nwant %s", member, got[member], value)
		}
	}
	for member := range got {
		if _, ok := want[member]; !ok {
			t.Errorf("%s: got %s, want no such member", member, got[member])
		}
	}
}

const pressureText = "some avg10=1.50 avg60=0.25 avg300=0.00 total=1234\nfull avg10=0.50 avg60=0.00 avg300=0.00 total=56\n"

const pressureJSON = `{"some":{"avg10":1.5,"avg60":0.25,"avg300":0,"total":1234},"full":{"avg10":0.5,"avg60":0,"avg300":0,"total":56}}`

var v1Files = map[string]string{
	"cpu,cpuacct/cpuacct.usage":        "613894747\n",
	"cpu,cpuacct/cpuacct.stat":         "user 58\nsystem 3\n",
	"cpu,cpuacct/cpuacct.usage_percpu": "11374037 602520710 \n",
	"cpu,cpuacct/cpuacct.usage_all":    "cpu user system\n0 7 12137796\n1 621988120 19907086\n",
	"cpu,cpuacct/cpu.stat": "nr_periods 14\nnr_throttled 11\nthrottled_time 565773953\nwait_sum 7\n" +
		"nr_bursts 2\nburst_time 33\n",
	"cpuset/cpuset.cpus":                         "0-2,7\n",
	"cpuset/cpuset.mems":                         "0\n",
	"cpuset/cpuset.cpu_exclusive":                "1\n",
	"cpuset/cpuset.sched_load_balance":           "1\n",
	"cpuset/cpuset.sched_relax_domain_level":     "-1\n",
	"memory/memory.usage_in_bytes":               "434176\n",
	"memory/memory.limit_in_bytes":               "67108864\n",
	"memory/memory.max_usage_in_bytes":           "2781184\n",
	"memory/memory.failcnt":                      "3\n",
	"memory/memory.memsw.usage_in_bytes":         "438272\n",
	"memory/memory.memsw.limit_in_bytes":         "100663296\n",
	"memory/memory.memsw.max_usage_in_bytes":     "2781185\n",
	"memory/memory.memsw.failcnt":                "4\n",
	"memory/memory.kmem.usage_in_bytes":          "253952\n",
	"memory/memory.kmem.limit_in_bytes":          "9223372036854771712\n",
	"memory/memory.kmem.tcp.usage_in_bytes":      "5\n",
	"memory/memory.kmem.tcp.limit_in_bytes":      "9223372036854771712\n",
	"memory/memory.stat":                         "cache 8192\nrss 53248\ntotal_swap 4096\n",
	"memory/memory.oom_control":                  "oom_kill_disable 0\nunder_oom 0\noom_kill 6\n",
	"pids/pids.current":                          "3\n",
	"pids/pids.max":                              "20\n",
	"blkio/blkio.bfq.io_service_bytes_recursive": "Total 0\n",
	"blkio/blkio.throttle.io_service_bytes_recursive": "8:0 Read 4096\n8:0 Write 8192\n8:0 Sync 0\n8:0 Async 12288\n8:0 Discard 0\n" +
		"8:0 Total 12288\nTotal 12288\n",
	"blkio/blkio.bfq.io_serviced_recursive":                 "254:16 Read 2\n254:16 Total 2\nTotal 2\n",
	"blkio/blkio.throttle.io_serviced_recursive":            "254:16 Read 3\nTotal 3\n",
	"blkio/blkio.bfq.time_recursive":                        "254:16 77\n",
	"blkio/blkio.bfq.sectors_recursive":                     "254:16 88\n",
	"hugetlb/hugetlb.2MB.usage_in_bytes":                    "2097152\n",
	"hugetlb/hugetlb.2MB.max_usage_in_bytes":                "4194304\n",
	"hugetlb/hugetlb.2MB.limit_in_bytes":                    "9223372036852678656\n",
	"hugetlb/hugetlb.2MB.failcnt":                           "9\n",
	"hugetlb/hugetlb.2MB.rsvd.usage_in_bytes":               "6291456\n",
	"hugetlb/hugetlb.2MB.rsvd.limit_in_bytes":               "8388608\n",
	"rdma/rdma.current":                                     "mlx4_0 hca_handle=2 hca_object=2000\n",
	"rdma/rdma.max":                                         "mlx4_0 hca_handle=3 hca_object=max\n",
	"devices,freezer,net_cls,perf_event,name=systemd/tasks": "",
	"misc/misc.current":                                     "sev 1\nsev_es 0\n",
	"misc/misc.max":                                         "sev 10\nsev_es max\n",
	"misc/misc.events":                                      "sev.max 2\n",
	"misc/misc.peak":                                        "sev 4\n",
	"cpuset/cpuset.memory_migrate":                          "1\n",
	"cpuset/cpuset.mem_hardwall":                            "1\n",
	"cpuset/cpuset.mem_exclusive":                           "0\n",
	"cpuset/cpuset.memory_pressure":                         "5\n",
	"cpuset/cpuset.memory_spread_page":                      "1\n",
	"cpuset/cpuset.memory_spread_slab":                      "0\n",
	"memory/memory.kmem.failcnt":                            "0\n",
	"memory/memory.kmem.max_usage_in_bytes":                 "532480\n",
	"memory/memory.kmem.tcp.failcnt":                        "1\n",
	"hugetlb/hugetlb.2MB.rsvd.max_usage_in_bytes":           "0\n",
	"hugetlb/hugetlb.2MB.rsvd.failcnt":                      "0\n",
	"memory/memory.kmem.tcp.max_usage_in_bytes":             "6\n",
	"blkio/blkio.throttle.io_service_bytes":                 "1:1 Read 1\n",
	"blkio/blkio.bfq.io_merged_recursive":                   "254:16 Read 1\nTotal 1\n",
	"blkio/blkio.bfq.io_queued_recursive":                   "254:16 Read 2\nTotal 2\n",
	"blkio/blkio.bfq.io_service_time_recursive":             "254:16 Read 3\nTotal 3\n",
	"blkio/blkio.bfq.io_wait_time_recursive":                "254:16 Read 4\nTotal 4\n",
	"cpuset/cpuset.effective_cpus":                          "0-63\n",
}

var v1Stats = map[string]string{
	"cpu": `{"usage":{"total":613894747,"percpu":[11374037,602520710],"percpu_kernel":[12137796,19907086],` +
		`"percpu_user":[7,621988120],"kernel":30000000,"user":580000000},` +
		`"throttling":{"periods":14,"throttledPeriods":11,"throttledTime":565773953},"burst":{"burstsPeriods":2,"burstTime":33}}`,
	"cpuset": `{"cpus":[0,1,2,7],"cpu_exclusive":1,"mems":[0],"mem_hardwall":1,"mem_exclusive":0,"memory_migrate":1,` +
		`"memory_spread_page":1,"memory_spread_slab":0,"memory_pressure":5,"sched_load_balance":1,"sched_relax_domain_level":-1}`,
	"memory": `{"cache":8192,"usage":{"limit":67108864,"usage":434176,"max":2781184,"failcnt":3},` +
		`"swap":{"limit":100663296,"usage":438272,"max":2781185,"failcnt":4},"swapOnlyUsage":{"limit":33554432,"usage":4096,"failcnt":0},` +
		`"kernel":{"limit":9223372036854771712,"usage":253952,"max":532480,"failcnt":0},` +
		`"kernelTCP":{"limit":9223372036854771712,"usage":5,"max":6,"failcnt":1},` +
		`"raw":{"cache":8192,"rss":53248,"total_swap":4096},"oomKills":6}`,
	"pids": `{"current":3,"limit":20}`,
	"blkio": `{"ioServiceBytesRecursive":[{"major":8,"minor":0,"op":"Read","value":4096},{"major":8,"minor":0,"op":"Write","value":8192},` +
		`{"major":8,"minor":0,"op":"Sync","value":0},{"major":8,"minor":0,"op":"Async","value":12288},` +
		`{"major":8,"minor":0,"op":"Discard","value":0},{"major":8,"minor":0,"op":"Total","value":12288}],` +
		`"ioServicedRecursive":[{"major":254,"minor":16,"op":"Read","value":2},{"major":254,"minor":16,"op":"Total","value":2}],` +
		`"ioQueueRecursive":[{"major":254,"minor":16,"op":"Read","value":2}],` +
		`"ioServiceTimeRecursive":[{"major":254,"minor":16,"op":"Read","value":3}],` +
		`"ioWaitTimeRecursive":[{"major":254,"minor":16,"op":"Read","value":4}],` +
		`"ioMergedRecursive":[{"major":254,"minor":16,"op":"Read","value":1}],` +
		`"ioTimeRecursive":[{"major":254,"minor":16,"value":77}],"sectorsRecursive":[{"major":254,"minor":16,"value":88}]}`,
	"hugetlb": `{"2MB":{"usage":2097152,"max":4194304,"failcnt":9,"rsvd":{"usage":6291456,"failcnt":0,"limit":8388608}}}`,
	"rdma":    `{"mlx4_0":{"current":{"hca_handle":2,"hca_object":2000},"limit":{"hca_handle":3}}}`,
	"misc":    `{"sev":{"usage":1,"limit":10,"max":4,"events":2},"sev_es":{"usage":0}}`,
}

func TestStatsV1(t *testing.T) { wantStats(t, fileGroup(t, v1Files), v1Stats) }

var v2Files = map[string]string{
	"/cpu.stat": "usage_usec 15415\nuser_usec 11980\nsystem_usec 3435\nnice_usec 0\ncore_sched.force_idle_usec 0\n" +
		"nr_periods 5\nnr_throttled 2\nthrottled_usec 77\nnr_bursts 1\nburst_usec 9\n",
	"/cpu.pressure":             pressureText,
	"/cpuset.cpus.effective":    "1,3\n",
	"/cpuset.mems.effective":    "0\n",
	"/memory.current":           "397312\n",
	"/memory.max":               "1048576\n",
	"/memory.peak":              "500000\n",
	"/memory.events":            "low 0\nhigh 0\nmax 12\noom 2\noom_kill 1\noom_group_kill 0\n",
	"/memory.swap.current":      "4096\n",
	"/memory.swap.max":          "2097152\n",
	"/memory.swap.peak":         "8192\n",
	"/memory.swap.events":       "high 0\nmax 3\nfail 0\n",
	"/memory.stat":              "anon 131072\nfile 16384\nkernel 200704\nsock 7\n",
	"/memory.pressure":          pressureText,
	"/pids.current":             "2\n",
	"/pids.max":                 "max\n",
	"/io.stat":                  "8:16 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=512 dios=1 cost.vrate=100.00 cost.usage=11 cost.wait=12 cost.indebt=13 cost.indelay=14\n7:0 \n8:0 rbytes=1 wbytes=0 rios=1 wios=0 dbytes=0 dios=0\n",
	"/io.pressure":              pressureText,
	"/hugetlb.1GB.current":      "0\n",
	"/hugetlb.1GB.max":          "max\n",
	"/hugetlb.1GB.events":       "max 0\n",
	"/hugetlb.2MB.current":      "2097152\n",
	"/hugetlb.2MB.max":          "4194304\n",
	"/hugetlb.2MB.events":       "max 8\n",
	"/hugetlb.2MB.rsvd.max":     "max\n",
	"/hugetlb.2MB.numa_stat":    "total=0 N0=0\n",
	"/rdma.current":             "",
	"/misc.current":             "",
	"/hugetlb.2MB.rsvd.current": "4194304\n",
}

var v2Stats = map[string]string{
	"cpu": `{"usage":{"total":15415000,"kernel":3435000,"user":11980000},` +
		`"throttling":{"periods":5,"throttledPeriods":2,"throttledTime":77000},"burst":{"burstsPeriods":1,"burstTime":9000},"psi":` + pressureJSON + `}`,
	"cpuset": `{"cpus":[1,3],"cpu_exclusive":0,"mems":[0],"mem_hardwall":0,"mem_exclusive":0,"memory_migrate":0,` +
		`"memory_spread_page":0,"memory_spread_slab":0,"memory_pressure":0,"sched_load_balance":0,"sched_relax_domain_level":0}`,
	"memory": `{"cache":16384,"usage":{"limit":1048576,"usage":397312,"max":500000,"failcnt":12},` +
		`"swap":{"limit":3145728,"usage":401408,"failcnt":3},"swapOnlyUsage":{"limit":2097152,"usage":4096,"max":8192,"failcnt":3},` +
		`"kernel":{"limit":0,"usage":200704,"failcnt":0},"kernelTCP":{"limit":0,"usage":7,"failcnt":0},` +
		`"raw":{"anon":131072,"file":16384,"kernel":200704,"sock":7},"oomKills":1,"psi":` + pressureJSON + `}`,
	"pids": `{"current":2}`,
	"blkio": `{"ioServiceBytesRecursive":[{"major":8,"minor":16,"op":"Read","value":4096},{"major":8,"minor":16,"op":"Write","value":8192},` +
		`{"major":8,"minor":16,"op":"Discard","value":512},{"major":8,"minor":0,"op":"Read","value":1},` +
		`{"major":8,"minor":0,"op":"Write","value":0},{"major":8,"minor":0,"op":"Discard","value":0}],` +
		`"ioServicedRecursive":[{"major":8,"minor":16,"op":"Read","value":1},{"major":8,"minor":16,"op":"Write","value":2},` +
		`{"major":8,"minor":16,"op":"Discard","value":1},{"major":8,"minor":0,"op":"Read","value":1},` +
		`{"major":8,"minor":0,"op":"Write","value":0},{"major":8,"minor":0,"op":"Discard","value":0}],"psi":` + pressureJSON +
		`,"ioCostUsage":[{"major":8,"minor":16,"value":11}],"ioCostWait":[{"major":8,"minor":16,"value":12}],` +
		`"ioCostIndebt":[{"major":8,"minor":16,"value":13}],"ioCostIndelay":[{"major":8,"minor":16,"value":14}]}`,
	"hugetlb": `{"1GB":{"failcnt":0},"2MB":{"usage":2097152,"failcnt":8,"limit":4194304,"rsvd":{"usage":4194304,"failcnt":0}}}`,
}

func TestStatsV2(t *testing.T) { wantStats(t, fileGroup(t, v2Files), v2Stats) }

// In a hybrid the v1 controllers count; pressure, and what v1 has not mounted, comes from the unified tree.
func TestStatsHybrid(t *testing.T) {
	files := maps.Clone(v1Files)
	delete(files, "pids/pids.current")
	delete(files, "pids/pids.max")
	maps.DeleteFunc(files, func(name, _ string) bool { return strings.HasPrefix(name, "hugetlb/") })
	maps.Copy(files, v2Files)
	want := maps.Clone(v1Stats)
	for _, member := range []string{"cpu", "memory", "blkio"} {
		want[member] = strings.TrimSuffix(want[member], "}") + `,"psi":` + pressureJSON + "}"
	}
	want["hugetlb"], want["pids"] = v2Stats["hugetlb"], v2Stats["pids"]
	wantStats(t, fileGroup(t, files), want)
}

func TestStatsWithoutControllersHaveNoMembers(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"v1": {"cpu,cpuacct/x": "", "memory/x": "", "cpuset/x": "", "hugetlb/x": "", "rdma/x": "", "misc/x": "", "name=systemd/tasks": "1\n2\n"},
		"v2": {"/cgroup.threads": "1\n2\n"},
	} {
		t.Run(name, func(t *testing.T) {
			g := fileGroup(t, files)
			// The tasks are counted where no controller does it.
			if name == "v1" {
				for _, m := range g.members {
					if err := os.WriteFile(filepath.Join(m.dir, "tasks"), []byte("1\n2\n"), 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
			wantStats(t, g, map[string]string{"pids": `{"current":2}`})
		})
	}
}

func TestStatsRefuseWhatTheyCannotParse(t *testing.T) {
	for key, content := range map[string]string{
		"cpu,cpuacct/cpuacct.usage":                       "many",
		"cpu,cpuacct/cpuacct.usage_all":                   "cpu user system\n0 1\n",
		"cpu,cpuacct/cpuacct.usage_percpu":                "1 x",
		"cpu,cpuacct/cpu.stat":                            "nr_periods\n",
		"cpuset/cpuset.cpus":                              "3-1",
		"cpuset/cpuset.mems":                              "0-99999",
		"cpuset/cpuset.sched_relax_domain_level":          "1e3",
		"memory/memory.stat":                              "cache -1\n",
		"pids/pids.current":                               "",
		"blkio/blkio.throttle.io_service_bytes_recursive": "8 Read 4096\n",
		"/cpu.pressure":                                   "some avg10=x\n",
		"/memory.pressure":                                "some 12\n",
		"/io.stat":                                        "sda rbytes=1\n",
		"/hugetlb.2MB.current":                            "0x7",
		"/rdma.current":                                   "mlx4_0 hca_handle=-\n",
		"/misc.current":                                   "sev max1\n",
	} {
		files := maps.Clone(v1Files)
		if strings.HasPrefix(key, "/") {
			files = maps.Clone(v2Files)
		}
		files[key] = content
		g := fileGroup(t, files)
		_, err := g.Stats()
		if name := key[strings.Index(key, "/"):]; err == nil || !strings.Contains(err.Error(), `parse "`) || !strings.Contains(err.Error(), name+`"`) {
			t.Errorf("%s: got %v", key, err)
		}
	}
}

func TestStatsOfAGroupThatIsGone(t *testing.T) {
	g := fileGroup(t, v2Files)
	if err := os.Remove(filepath.Join(g.members[0].dir, "cgroup.procs")); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Stats(); !errors.Is(err, ErrRemoved) {
		t.Errorf("group that goes while it is read: got %v", err)
	}
	if err := os.RemoveAll(g.members[0].dir); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Stats(); !errors.Is(err, ErrRemoved) {
		t.Errorf("group that is gone: got %v", err)
	}
	if _, err := g.Watch(); !errors.Is(err, ErrRemoved) {
		t.Errorf("watch: got %v", err)
	}
}

func TestUnlimited(t *testing.T) {
	for limit, want := range map[uint64]bool{
		0: false, 1 << 40: false, 1 << 62: false, math.MaxUint64: true,
		math.MaxInt64 - 4095:      true, // v1 with pages of 4 KiB
		math.MaxInt64 - 1<<30 + 1: true, // v1, huge pages of 1 GiB
	} {
		if got := Unlimited(limit); got != want {
			t.Errorf("%d: got %v, want %v", limit, got, want)
		}
	}
}
