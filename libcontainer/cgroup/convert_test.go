// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"math"
	"reflect"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestIOWeight(t *testing.T) {
	for weight, want := range map[uint16]uint64{0: 1, 1: 1, 10: 1, 11: 11, 100: 910, 500: 4950, 750: 7475, 1000: 10000} {
		if got := ioWeight(weight); got != want {
			t.Errorf("%d: %d, want %d", weight, got, want)
		}
	}
}

func TestRateOrMax(t *testing.T) {
	for rate, want := range map[uint64]string{0: "max", 1: "1", math.MaxUint64: "18446744073709551615"} {
		if got := rateOrMax(rate); got != want {
			t.Errorf("%d: %q, want %q", rate, got, want)
		}
	}
}

func TestPageSizeName(t *testing.T) {
	for kilobytes, want := range map[uint64]string{64: "64KB", 2048: "2MB", 32768: "32MB", 524288: "512MB", 1048576: "1GB", 16777216: "16GB"} {
		if got := pageSizeName(kilobytes); got != want {
			t.Errorf("%d: %q, want %q", kilobytes, got, want)
		}
	}
}

func TestIsPageSize(t *testing.T) {
	for size, want := range map[string]bool{
		"2MB": true, "64KB": true, "1GB": true, "": false, "MB": false, "2": false, "2mb": false, "2TB": false, "02MB": false, "0MB": false,
		"+2MB": false, "-2MB": false, "2.5MB": false, "../MB": false, "2/../3MB": false, "2MB.rsvd": false, "2MB\n": false, " 2MB": false,
	} {
		if got := isPageSize(size); got != want {
			t.Errorf("%q: %v, want %v", size, got, want)
		}
	}
}

func TestWritesOfDevicesPagesAndNetworks(t *testing.T) {
	number := func(major, minor int64) specs.LinuxBlockIODevice {
		return specs.LinuxBlockIODevice{Major: major, Minor: minor}
	}
	throttle := func(rate uint64) []specs.LinuxThrottleDevice {
		return []specs.LinuxThrottleDevice{{LinuxBlockIODevice: number(8, 16), Rate: rate}, {LinuxBlockIODevice: number(8, 0), Rate: 0}}
	}
	for name, c := range map[string]struct {
		r      specs.LinuxResources
		v1, v2 []string
	}{
		"weights": {
			specs.LinuxResources{BlockIO: &specs.LinuxBlockIO{
				Weight:       ptr(uint16(750)),
				WeightDevice: []specs.LinuxWeightDevice{{LinuxBlockIODevice: number(8, 0), Weight: ptr(uint16(300))}},
			}},
			[]string{"blkio.bfq.weight=750", "or blkio.weight=750", "blkio.bfq.weight_device=8:0 300", "or blkio.weight_device=8:0 300"},
			[]string{"io.bfq.weight=750", "or io.weight=7475", "io.bfq.weight=8:0 300", "or io.weight=8:0 2930"},
		},
		"leaf weights": {
			specs.LinuxResources{BlockIO: &specs.LinuxBlockIO{
				LeafWeight:   ptr(uint16(10)),
				WeightDevice: []specs.LinuxWeightDevice{{LinuxBlockIODevice: number(8, 0), LeafWeight: ptr(uint16(20))}},
			}},
			[]string{"blkio.leaf_weight=10", "blkio.leaf_weight_device=8:0 20"},
			nil,
		},
		"unset weights": {specs.LinuxResources{BlockIO: &specs.LinuxBlockIO{Weight: ptr(uint16(0)), LeafWeight: ptr(uint16(0))}}, nil, nil},
		"throttles": {
			specs.LinuxResources{BlockIO: &specs.LinuxBlockIO{
				ThrottleReadBpsDevice: throttle(1), ThrottleWriteBpsDevice: throttle(2),
				ThrottleReadIOPSDevice: throttle(3), ThrottleWriteIOPSDevice: throttle(4),
			}},
			[]string{
				"blkio.throttle.read_bps_device=8:16 1", "blkio.throttle.read_bps_device=8:0 0",
				"blkio.throttle.write_bps_device=8:16 2", "blkio.throttle.write_bps_device=8:0 0",
				"blkio.throttle.read_iops_device=8:16 3", "blkio.throttle.read_iops_device=8:0 0",
				"blkio.throttle.write_iops_device=8:16 4", "blkio.throttle.write_iops_device=8:0 0",
			},
			[]string{
				"io.max=8:16 rbps=1", "io.max=8:0 rbps=max", "io.max=8:16 wbps=2", "io.max=8:0 wbps=max",
				"io.max=8:16 riops=3", "io.max=8:0 riops=max", "io.max=8:16 wiops=4", "io.max=8:0 wiops=max",
			},
		},
		"huge pages": {
			specs.LinuxResources{HugepageLimits: []specs.LinuxHugepageLimit{{Pagesize: "2MB", Limit: 4194304}}},
			[]string{"hugetlb.2MB.limit_in_bytes=4194304", "hugetlb.2MB.rsvd.limit_in_bytes=4194304"},
			[]string{"hugetlb.2MB.max=4194304", "hugetlb.2MB.rsvd.max=4194304"},
		},
		"network": {
			specs.LinuxResources{Network: &specs.LinuxNetwork{
				ClassID: ptr(uint32(1048577)), Priorities: []specs.LinuxInterfacePriority{{Name: "lo", Priority: 5}, {Name: "eth0", Priority: 7}},
			}},
			[]string{"net_cls.classid=1048577", "net_prio.ifpriomap=lo 5", "net_prio.ifpriomap=eth0 7"},
			nil,
		},
		"rdma": {
			specs.LinuxResources{Rdma: map[string]specs.LinuxRdma{
				"mlx5_1": {HcaHandles: ptr(uint32(3)), HcaObjects: ptr(uint32(10000))}, "mlx4_0": {HcaObjects: ptr(uint32(0))},
			}},
			[]string{"rdma.max=mlx4_0 hca_object=0", "rdma.max=mlx5_1 hca_handle=3 hca_object=10000"},
			[]string{"rdma.max=mlx4_0 hca_object=0", "rdma.max=mlx5_1 hca_handle=3 hca_object=10000"},
		},
	} {
		if got := asked(c.r, V1); !reflect.DeepEqual(got, c.v1) {
			t.Errorf("%s, v1: %q, want %q", name, got, c.v1)
		}
		if got := asked(c.r, V2); !reflect.DeepEqual(got, c.v2) {
			t.Errorf("%s, v2: %q, want %q", name, got, c.v2)
		}
	}
}

func TestUnifiedSettings(t *testing.T) {
	g, dir := fakeGroup(t, "", "memory.max")
	list := g.unifiedSettings(&specs.LinuxResources{Unified: map[string]string{
		"io.max": "8:0 rbps=1\n8:16 wiops=2\n", "cpuset.cpus": "", "memory.max": "max",
	}})
	var got []string
	for _, s := range list {
		got = append(got, s.controller+" "+s.file+"="+s.value)
		if s.dir != dir {
			t.Errorf("%s goes to %q", s.file, s.dir)
		}
	}
	want := []string{"cpuset cpuset.cpus=\n", "io io.max=8:0 rbps=1", "io io.max=8:16 wiops=2", "memory memory.max=max"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCheckResourcesRefusesDevicesAndNames(t *testing.T) {
	both := []Version{V1, Hybrid, V2}
	io := func(b specs.LinuxBlockIO) specs.LinuxResources { return specs.LinuxResources{BlockIO: &b} }
	disk := specs.LinuxBlockIODevice{Major: 8}
	weighted := func(d specs.LinuxWeightDevice) specs.LinuxResources {
		return io(specs.LinuxBlockIO{WeightDevice: []specs.LinuxWeightDevice{d}})
	}
	unified := func(file, value string) specs.LinuxResources {
		return specs.LinuxResources{Unified: map[string]string{file: value}}
	}
	wantRefusedIn(t, map[string]refusal{
		"blockIO.weight 9: want 10 to 1000":        {io(specs.LinuxBlockIO{Weight: ptr(uint16(9))}), both},
		"blockIO.weight 1001: want 10 to 1000":     {io(specs.LinuxBlockIO{Weight: ptr(uint16(1001))}), both},
		"blockIO.leafWeight 1001: want 10 to 1000": {io(specs.LinuxBlockIO{LeafWeight: ptr(uint16(1001))}), both},
		"blockIO.leafWeight: cgroup v2 has nothing like it": {
			io(specs.LinuxBlockIO{LeafWeight: ptr(uint16(10))}), []Version{V2},
		},
		"blockIO.weightDevice[0]: want weight or leafWeight": {weighted(specs.LinuxWeightDevice{LinuxBlockIODevice: disk}), both},
		"blockIO.weightDevice[0].weight 5: want 10 to 1000": {
			weighted(specs.LinuxWeightDevice{LinuxBlockIODevice: disk, Weight: ptr(uint16(5))}), both,
		},
		"blockIO.weightDevice[0]: 0:0 is no block device": {weighted(specs.LinuxWeightDevice{Weight: ptr(uint16(50))}), both},
		"blockIO.weightDevice, leafWeight: cgroup v2 has nothing like it": {
			weighted(specs.LinuxWeightDevice{LinuxBlockIODevice: disk, LeafWeight: ptr(uint16(50))}), []Version{V2},
		},
		"blockIO.throttleReadBpsDevice[0]: 0:0 is no block device": {
			io(specs.LinuxBlockIO{ThrottleReadBpsDevice: make([]specs.LinuxThrottleDevice, 1)}), both,
		},
		`hugepageLimits[0].pageSize "2/../3MB": want a number and KB, MB or GB`: {
			specs.LinuxResources{HugepageLimits: []specs.LinuxHugepageLimit{{Pagesize: "2/../3MB"}}}, both,
		},
		"network.classID: cgroup v2 has nothing like it": {
			specs.LinuxResources{Network: &specs.LinuxNetwork{ClassID: ptr(uint32(1))}}, []Version{V2},
		},
		"network.priorities: cgroup v2 has nothing like it": {
			specs.LinuxResources{Network: &specs.LinuxNetwork{Priorities: []specs.LinuxInterfacePriority{{Name: "lo"}}}}, []Version{V2},
		},
		`network.priorities[0].name "": want the name of an interface`: {
			specs.LinuxResources{Network: &specs.LinuxNetwork{Priorities: make([]specs.LinuxInterfacePriority, 1)}}, both,
		},
		`rdma "a b": want the name of a device`:            {specs.LinuxResources{Rdma: map[string]specs.LinuxRdma{"a b": {HcaObjects: ptr(uint32(1))}}}, both},
		`rdma "mlx5_1": want hcaHandles or hcaObjects`:     {specs.LinuxResources{Rdma: map[string]specs.LinuxRdma{"mlx5_1": {}}}, both},
		`unified "a/b.max": want the name of a file`:       {unified("a/b.max", "1"), []Version{V2}},
		`unified "../memory.max": want the name of a file`: {unified("../memory.max", "1"), []Version{V2}},
		`unified "..": want the name of a file`:            {unified("..", "1"), []Version{V2}},
		`unified "": want the name of a file`:              {unified("", "1"), []Version{V2}},
		`unified "tasks": want the name of a file`:         {unified("tasks", "1"), []Version{V2}},
		`unified "memory..max": want the name of a file`:   {unified("memory..max", "1"), []Version{V2}},
		`unified "cgroup.procs": it moves, stops or ends`:  {unified("cgroup.procs", "1"), []Version{V2}},
		`unified "cgroup.freeze": it moves, stops or ends`: {unified("cgroup.freeze", "1"), []Version{V2}},
		"unified \"memory.max\": want a value without NUL": {unified("memory.max", "1\x00"), []Version{V2}},
	})
}
