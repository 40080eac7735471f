// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"fmt"
	"math"
	"net"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/libcontainer/dbus"
)

var unifiedLayout = Layout{Version: V2, hierarchies: []hierarchy{{mount: "/sys/fs/cgroup", controllers: []string{unifiedKey}}}}

var v1Layout = Layout{Version: V1, hierarchies: []hierarchy{
	{mount: "/sys/fs/cgroup/memory", controllers: []string{"memory"}},
	{mount: "/sys/fs/cgroup/cpu", controllers: []string{"cpu"}},
	{mount: "/sys/fs/cgroup/blkio", controllers: []string{"blkio"}},
	{mount: "/sys/fs/cgroup/pids", controllers: []string{"pids"}},
	{mount: "/sys/fs/cgroup/devices", controllers: []string{"devices"}},
}}

func TestScopesLieInTheirSlices(t *testing.T) {
	for _, c := range []struct{ cgroupsPath, id, unit, slice, dir string }{
		{"", "web", "rt-web.scope", "system.slice", "/system.slice/rt-web.scope"},
		{"", "a+b", `rt-a\x2bb.scope`, "system.slice", `/system.slice/rt-a\x2bb.scope`},
		{"machine.slice:libpod:1234", "x", "libpod-1234.scope", "machine.slice", "/machine.slice/libpod-1234.scope"},
		{":docker:1234", "x", "docker-1234.scope", "system.slice", "/system.slice/docker-1234.scope"},
		{"-.slice:crio:1", "x", "crio-1.scope", "-.slice", "/crio-1.scope"},
		{"a-b-c.slice:p:n", "x", "p-n.scope", "a-b-c.slice", "/a.slice/a-b.slice/a-b-c.slice/p-n.scope"},
		{
			"kubepods-besteffort-pod6cd1.slice:cri-containerd:f00", "x", "cri-containerd-f00.scope",
			"kubepods-besteffort-pod6cd1.slice",
			"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod6cd1.slice/cri-containerd-f00.scope",
		},
		{"machine-pod_1.slice:p:n", "x", "p-n.scope", "machine-pod_1.slice", "/machine.slice/machine-pod_1.slice/p-n.scope"},
		{"s.slice::n", "x", "n.scope", "s.slice", "/s.slice/n.scope"},
	} {
		g, err := Systemd{}.Place(unifiedLayout, c.cgroupsPath, c.id)
		if err != nil {
			t.Errorf("%q: %v", c.cgroupsPath, err)
			continue
		}
		u := g.keeper.(*unit)
		if u.name != c.unit || u.slice != c.slice || g.Paths()[""] != "/sys/fs/cgroup"+c.dir {
			t.Errorf("%q: %s in %s at %s", c.cgroupsPath, u.name, u.slice, g.Paths()[""])
		}
	}
	g, err := Systemd{User: true}.Place(unifiedLayout, "", "web")
	if err != nil {
		t.Fatal(err)
	}
	if dir := g.Paths()[""]; !strings.HasPrefix(dir, "/sys/fs/cgroup/user.slice/user-") || !strings.HasSuffix(dir, ".service/user.slice/rt-web.scope") {
		t.Errorf("the user's scope is at %s", dir)
	}
}

func TestPathsThatAreNoScopesAreRefused(t *testing.T) {
	for path, want := range map[string]string{
		"/a/b":                                  `expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups`,
		"a.slice:b":                             "expected cgroupsPath",
		"a.slice:b:c:d":                         "expected cgroupsPath",
		"a.slice:b:":                            "the name is missing",
		"a:b:c":                                 "must end in .slice",
		"a.scope:b:c":                           "must end in .slice",
		".slice:b:c":                            "a name is missing",
		"a-.slice:b:c":                          "a name is missing",
		"-a.slice:b:c":                          "a name is missing",
		"a--b.slice:b:c":                        "a name is missing",
		"../x.slice:b:c":                        "not allowed",
		"a.slice:b:../c":                        "not allowed",
		"a.slice:b/c:d":                         "not allowed",
		"a.slice:b:c d":                         "not allowed",
		"a.slice:b:" + strings.Repeat("n", 300): "more than 255",
	} {
		if g, err := (Systemd{}).Place(unifiedLayout, path, "x"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v; want %q", path, g, err, want)
		}
	}
}

// shown gives properties as text.
func shown(properties []property) []string {
	var list []string
	for _, p := range properties {
		list = append(list, fmt.Sprintf("%s=%v", p.name, p.value.Content))
	}
	return list
}

func numbered[T any](n T) *T { return &n }

func TestLimitsBecomeProperties(t *testing.T) {
	r := &specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: numbered(int64(33554432)), Reservation: numbered(int64(1000)), Swap: numbered(int64(33554432 + 4096))},
		CPU: &specs.LinuxCPU{
			Shares: numbered(uint64(1024)), Quota: numbered(int64(33333)), Period: numbered(uint64(100000)), Cpus: "0-1,9", Mems: "0",
		},
		Pids: &specs.LinuxPids{Limit: numbered(int64(20))},
	}
	for _, c := range []struct {
		layout Layout
		want   []string
	}{
		{unifiedLayout, []string{
			"MemoryMax=33554432", "MemoryLow=1000", "MemorySwapMax=4096", "CPUWeight=100", "AllowedCPUs=[3 2]", "AllowedMemoryNodes=[1]",
			"TasksMax=20", "CPUQuotaPeriodUSec=100000", "CPUQuotaPerSecUSec=340000",
		}},
		{v1Layout, []string{"MemoryLimit=33554432", "CPUShares=1024", "TasksMax=20", "CPUQuotaPeriodUSec=100000", "CPUQuotaPerSecUSec=340000"}},
	} {
		if c.layout.Version == V1 {
			r.CPU.Cpus, r.CPU.Mems = "", ""
		}
		g, err := Systemd{}.Place(c.layout, "", "properties-test")
		if err != nil {
			t.Fatal(err)
		}
		settings, err := g.collect(r)
		if err != nil {
			t.Fatal(err)
		}
		properties, err := propertiesOf(settings, c.layout.Version)
		if err != nil {
			t.Fatal(err)
		}
		got := shown(properties)
		for _, want := range c.want {
			if !slices.Contains(got, want) {
				t.Errorf("%v: %s is missing in %v", c.layout.Version, want, got)
			}
		}
		if len(got) != len(c.want) {
			t.Errorf("%v: %v", c.layout.Version, got)
		}
	}
}

func TestControlFilesBecomeProperties(t *testing.T) {
	for _, c := range []struct {
		file, value string
		want        []string
	}{
		{"memory.max", "max", []string{fmt.Sprint("MemoryMax=", uint64(math.MaxUint64))}},
		{"memory.high", "5", []string{"MemoryHigh=5"}},
		{"memory.min", "5", []string{"MemoryMin=5"}},
		{"cpu.max", "10000 100000", []string{"CPUQuotaPeriodUSec=100000", "CPUQuotaPerSecUSec=100000"}},
		{"cpu.max", "10000", []string{"CPUQuotaPerSecUSec=100000"}},
		{"cpu.max", "max 50000", []string{"CPUQuotaPeriodUSec=50000", fmt.Sprint("CPUQuotaPerSecUSec=", uint64(math.MaxUint64))}},
		{"cpu.max", "500000 1000000", []string{"CPUQuotaPeriodUSec=1000000", "CPUQuotaPerSecUSec=500000"}},
		{"cpu.cfs_quota_us", "-1", []string{fmt.Sprint("CPUQuotaPerSecUSec=", uint64(math.MaxUint64))}},
		{"cpu.idle", "1", []string{"CPUWeight=0"}},
		{"cpu.idle", "0", nil},
		{"cpuset.cpus", "5-8", []string{"AllowedCPUs=[224 1]"}},
		{"io.weight", "default 750", []string{"IOWeight=750"}},
		{"io.weight", "8:0 500", []string{"IODeviceWeight=[[/dev/block/8:0 500]]"}},
		{"io.max", "8:0 rbps=1 wbps=2\n8:16 rbps=3 riops=max\n", []string{
			"IOReadBandwidthMax=[[/dev/block/8:0 1] [/dev/block/8:16 3]]", "IOWriteBandwidthMax=[[/dev/block/8:0 2]]",
			fmt.Sprintf("IOReadIOPSMax=[[/dev/block/8:16 %d]]", uint64(math.MaxUint64)),
		}},
		{"blkio.weight", "500", []string{"BlockIOWeight=500"}},
		{"hugetlb.2MB.max", "0", nil},
	} {
		list := []setting{{write: write{file: c.file, value: c.value}, limit: &limit{}, dir: "/nowhere"}}
		properties, err := propertiesOf(list, V2)
		if got := shown(properties); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s %q: %v, %v; want %v", c.file, c.value, got, err, c.want)
		}
	}
	for file, value := range map[string]string{
		"memory.max": "lots", "cpu.max": "1 2 3", "cpuset.cpus": "8-5", "cpuset.mems": "9999", "io.max": "8:0 rbps=x", "io.weight": "8:0 a",
	} {
		list := []setting{{write: write{file: file, value: value}, limit: &limit{}, dir: "/nowhere"}}
		if properties, err := propertiesOf(list, V2); err == nil {
			t.Errorf("%s %q: %v", file, value, shown(properties))
		}
	}
}

func TestIdleAndAWeightAreRefusedTogether(t *testing.T) {
	idle := &specs.LinuxCPU{Idle: numbered(int64(1)), Shares: numbered(uint64(200))}
	for _, r := range []*specs.LinuxResources{
		{CPU: idle},
		{CPU: &specs.LinuxCPU{Idle: idle.Idle}, Unified: map[string]string{"cpu.weight": "5"}},
	} {
		if err := checkIdle(r); err == nil || !strings.Contains(err.Error(), "unable to apply both") {
			t.Errorf("%v", err)
		}
	}
	for _, r := range []*specs.LinuxResources{nil, {}, {CPU: &specs.LinuxCPU{Idle: idle.Idle}}, {CPU: &specs.LinuxCPU{Idle: numbered(int64(0)), Shares: idle.Shares}}} {
		if err := checkIdle(r); err != nil {
			t.Errorf("%v", err)
		}
	}
}

func TestDeviceRulesBecomeAListOfWhatIsAllowedOnV1(t *testing.T) {
	n := func(i int64) *int64 { return &i }
	rule := func(allow bool, kind string, major, minor *int64, access string) specs.LinuxDeviceCgroup {
		return specs.LinuxDeviceCgroup{Allow: allow, Type: kind, Major: major, Minor: minor, Access: access}
	}
	denyAll := rule(false, "", nil, nil, "rwm")
	for _, c := range []struct {
		rules []specs.LinuxDeviceCgroup
		want  string
		err   string
	}{
		{nil, "strict", ""},
		{[]specs.LinuxDeviceCgroup{denyAll, rule(true, "c", n(10), n(229), "rw")}, "/dev/char/10:229 rw", ""},
		{[]specs.LinuxDeviceCgroup{denyAll, rule(true, "b", n(8), nil, "r")}, "block-8 r", ""},
		{[]specs.LinuxDeviceCgroup{denyAll, rule(true, "c", n(10), n(229), "r"), rule(true, "c", n(10), n(229), "w")}, "/dev/char/10:229 rw", ""},
		{[]specs.LinuxDeviceCgroup{denyAll, rule(true, "c", n(1), n(11), "rw"), rule(false, "c", n(1), nil, "w")}, "/dev/char/1:11 r", ""},
		{[]specs.LinuxDeviceCgroup{rule(true, "a", nil, nil, "rwm")}, "auto", ""},
		{[]specs.LinuxDeviceCgroup{rule(true, "a", nil, nil, "rwm"), rule(false, "c", n(1), n(11), "rw")}, "", "systemd can't express"},
		{[]specs.LinuxDeviceCgroup{denyAll, rule(true, "c", n(1), nil, "rw"), rule(false, "c", n(1), n(11), "rw")}, "", "systemd can't express"},
		{[]specs.LinuxDeviceCgroup{denyAll, rule(true, "c", nil, n(11), "rw")}, "", "minor number of every major number"},
	} {
		g, err := Systemd{Devices: c.rules}.Place(v1Layout, "", "x")
		if err != nil {
			t.Fatal(err)
		}
		properties, err := g.keeper.(*unit).deviceProperties(g)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%v: %v, want %q", c.rules, err, c.err)
			}
			continue
		}
		got := strings.Join(shown(properties), " ")
		if err != nil || !strings.Contains(got, c.want) {
			t.Errorf("%v: %s, %v; want %q", c.rules, got, err, c.want)
		}
	}
	g, err := Systemd{}.Place(unifiedLayout, "", "x")
	if err != nil {
		t.Fatal(err)
	}
	properties, err := g.keeper.(*unit).deviceProperties(g)
	if got := shown(properties); err != nil || !reflect.DeepEqual(got, []string{"DevicePolicy=auto"}) {
		t.Errorf("v2: %v, %v", got, err)
	}
}

func TestAnnotationsBecomeProperties(t *testing.T) {
	properties, err := annotatedProperties(map[string]string{
		"org.systemd.property.RuntimeMaxSec": "2", "org.systemd.property.TimeoutStopUSec": "uint64 123456789",
		"org.systemd.property.TimeoutStopSecs": "1", "other": "x", "org.systemd.property.CollectMode": "'inactive-or-failed'",
	})
	if err == nil {
		t.Errorf("TimeoutStopSecs is accepted: %v", shown(properties))
	}
	properties, err = annotatedProperties(map[string]string{
		"org.systemd.property.RuntimeMaxSec": "1.5", "org.systemd.property.TimeoutStopUSec": "uint64 123456789",
		"other": "x", "org.systemd.property.CollectMode": "'inactive-or-failed'", "org.systemd.property.After": "['crio.service']",
		"org.systemd.property.DefaultDependencies": "true",
	})
	want := []string{"After=[crio.service]", "CollectMode=inactive-or-failed", "DefaultDependencies=true", "RuntimeMaxUSec=1500000", "TimeoutStopUSec=123456789"}
	if got := shown(properties); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	if properties[3].value.Signature != "t" {
		t.Errorf("type %q", properties[3].value.Signature)
	}
	u := &unit{name: "x.scope", slice: "s.slice", annotated: properties}
	all, err := u.properties(&Group{members: []member{{hierarchy: unifiedLayout.hierarchies[0], dir: "/nowhere"}}}, nil, 7)
	if got := shown(all); err != nil || !slices.Contains(got, fmt.Sprint("TasksMax=", uint64(math.MaxUint64))) || !slices.Contains(got, "DefaultDependencies=true") || slices.Contains(got, "DefaultDependencies=false") {
		t.Errorf("%v, %v", got, err)
	}
}

func TestBadAnnotationsAreRefused(t *testing.T) {
	for name, value := range map[string]string{
		"ExecStartPre": "['/bin/true']", "SuccessAction": "'poweroff-force'", "Slice": "'a.slice'", "PIDs": "[uint32 1]",
		"Requires": "['poweroff.target']", "Delegate": "false", "DeviceAllow": "[('/dev/sda', 'rwm')]", "": "1", "CPU": "1", "IOs": "1",
		"BPFProgram": "[('device', '/x')]", "RuntimeMaxSec": "'2'", "TimeoutStopSec": "-1", "TimeoutStopUSec": "infinity", "After": "[",
	} {
		if got, err := annotatedProperties(map[string]string{PropertyPrefix + name: value}); err == nil || !strings.Contains(err.Error(), PropertyPrefix+name) {
			t.Errorf("%s: %v, %v", name, shown(got), err)
		}
	}
	if _, err := annotatedProperties(map[string]string{PropertyPrefix + "RuntimeMaxSec": "2", PropertyPrefix + "RuntimeMaxUSec": "uint64 2"}); err == nil {
		t.Error("the same property twice is accepted")
	}
	u := &unit{name: "x.scope", annotated: []property{number("TasksMax", 5)}}
	g := &Group{members: []member{{hierarchy: unifiedLayout.hierarchies[0], dir: "/nowhere"}}}
	if _, err := u.properties(g, &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: numbered(int64(9))}}, 7); err == nil {
		t.Error("an annotation overrides linux.resources")
	}
}

func TestBusAddresses(t *testing.T) {
	for list, want := range map[string][]address{
		"":                                 {{"/standard", false}},
		"tcp:host=x":                       {{"/standard", false}},
		"unix:path=/a,guid=1":              {{"/a", false}},
		"unix:abstract=b;unix:path=/c%2fd": {{"@b", false}, {"/c/d", false}},
		"unix:path=/a%zz%2":                {{"/a%zz%2", false}},
	} {
		if got := busAddresses(list, "/standard"); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %v", list, got)
		}
	}
}

// A listener that says nothing, and a bus that is not there.
func TestAManagerThatDoesNotAnswerIsAnErrorInTime(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", dir)
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+filepath.Join(dir, "bus"))
	u := &unit{name: "x.scope", user: true, patience: 50 * time.Millisecond}
	if _, err := u.connect(); !errors.Is(err, errNoManager) || !strings.Contains(err.Error(), "omit the option") {
		t.Errorf("without a bus: %v", err)
	}
	if err := u.stop(); err != nil {
		t.Errorf("stop without a manager: %v", err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "bus"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	err = u.stop()
	if !errors.Is(err, dbus.ErrTimeout) || !strings.Contains(err.Error(), `stop unit "x.scope"`) || !strings.Contains(err.Error(), "bus") {
		t.Errorf("a silent bus: %v", err)
	}
}
