// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"math"
)

// Stats are the counters of a group, all of them since it was made. The JSON form is the member "data" of the events
// that runc prints (`runc events --stats`), from whose output the names and units come; what rt adds to it is said
// below. A member whose controller the group has not is nil, and left out of the JSON. Numbers that say "no limit" are
// those of the kernel: see Unlimited.
//
// Units: times are nanoseconds, but for pressure; sizes are bytes.
type Stats struct {
	CPU     *CPUStats                `json:"cpu,omitempty"`
	Cpuset  *CpusetStats             `json:"cpuset,omitempty"`
	Memory  *MemoryStats             `json:"memory,omitempty"`
	Pids    *PidsStats               `json:"pids,omitempty"`
	Blkio   *IOStats                 `json:"blkio,omitempty"`
	Hugetlb map[string]HugetlbStats  `json:"hugetlb,omitzero"` // by page size: "2MB", "1GB"
	RDMA    map[string]ResourceUsage `json:"rdma,omitzero"`    // by device; an addition of rt
	Misc    map[string]MiscStats     `json:"misc,omitzero"`    // by resource; an addition of rt

	// Members that runc always prints. Counters of resctrl are not read, and the host has no interfaces of a container.
	IntelRDT          struct{}   `json:"intel_rdt"`
	NetworkInterfaces []struct{} `json:"network_interfaces"`
}

// CPUStats is what the cpu and cpuacct controllers count.
type CPUStats struct {
	Usage      CPUUsage   `json:"usage"`
	Throttling Throttling `json:"throttling"`
	Burst      *CPUBurst  `json:"burst,omitempty"` // an addition of rt; newer kernels only
	PSI        *Pressure  `json:"psi,omitempty"`
}

// CPUUsage is processor time. Only v1 counts it per processor.
type CPUUsage struct {
	Total        uint64   `json:"total,omitempty"`
	Percpu       []uint64 `json:"percpu,omitempty"`
	PercpuKernel []uint64 `json:"percpu_kernel,omitempty"`
	PercpuUser   []uint64 `json:"percpu_user,omitempty"`
	Kernel       uint64   `json:"kernel"`
	User         uint64   `json:"user"`
}

// Throttling tells how often, and for how long in all, a quota has held processes back.
type Throttling struct {
	Periods          uint64 `json:"periods,omitempty"`
	ThrottledPeriods uint64 `json:"throttledPeriods,omitempty"`
	ThrottledTime    uint64 `json:"throttledTime,omitempty"`
}

// CPUBurst tells in how many periods, and for how long in all, saved quota was used up.
type CPUBurst struct {
	Periods uint64 `json:"burstsPeriods"`
	Time    uint64 `json:"burstTime"`
}

// CpusetStats are the processors and memory nodes that the group may use, and on v1 the switches of its cpuset.
type CpusetStats struct {
	CPUs                  []uint16 `json:"cpus,omitempty"`
	CPUExclusive          uint64   `json:"cpu_exclusive"`
	Mems                  []uint16 `json:"mems,omitempty"`
	MemHardwall           uint64   `json:"mem_hardwall"`
	MemExclusive          uint64   `json:"mem_exclusive"`
	MemoryMigrate         uint64   `json:"memory_migrate"`
	MemorySpreadPage      uint64   `json:"memory_spread_page"`
	MemorySpreadSlab      uint64   `json:"memory_spread_slab"`
	MemoryPressure        uint64   `json:"memory_pressure"`
	SchedLoadBalance      uint64   `json:"sched_load_balance"`
	SchedRelaxDomainLevel int64    `json:"sched_relax_domain_level"`
}

// MemoryStats is what the memory controller counts. Swap is memory and swap together, as v1 has it, on both versions;
// SwapOnly is swap alone. Raw is memory.stat.
type MemoryStats struct {
	Cache     uint64            `json:"cache,omitempty"`
	Usage     *MemoryUsage      `json:"usage,omitempty"`
	Swap      *MemoryUsage      `json:"swap,omitempty"`
	SwapOnly  *MemoryUsage      `json:"swapOnlyUsage,omitempty"`
	Kernel    *MemoryUsage      `json:"kernel,omitempty"`
	KernelTCP *MemoryUsage      `json:"kernelTCP,omitempty"`
	Raw       map[string]uint64 `json:"raw,omitempty"`
	OOMKills  uint64            `json:"oomKills,omitempty"` // processes; an addition of rt
	PSI       *Pressure         `json:"psi,omitempty"`
}

// MemoryUsage is one kind of memory. Max is the highest usage so far (v2: memory.peak, since Linux 5.19); Failures
// counts how often the limit was hit. On v2 kernel memory has no limit of its own, which reads 0.
type MemoryUsage struct {
	Limit    uint64 `json:"limit"`
	Usage    uint64 `json:"usage,omitempty"`
	Max      uint64 `json:"max,omitempty"`
	Failures uint64 `json:"failcnt"`
}

// PidsStats is the number of tasks, threads included. Limit is 0 if there is none.
type PidsStats struct {
	Current uint64 `json:"current,omitempty"`
	Limit   uint64 `json:"limit,omitempty"`
}

// IOStats is what the blkio (v1) or io (v2) controller counts, groups below included. v2 fills the first two, and, with
// the io.cost policy, the last four, whose unit is the microsecond.
type IOStats struct {
	ServiceBytes []IOEntry `json:"ioServiceBytesRecursive,omitempty"`
	Serviced     []IOEntry `json:"ioServicedRecursive,omitempty"`
	Queued       []IOEntry `json:"ioQueueRecursive,omitempty"`
	ServiceTime  []IOEntry `json:"ioServiceTimeRecursive,omitempty"`
	WaitTime     []IOEntry `json:"ioWaitTimeRecursive,omitempty"`
	Merged       []IOEntry `json:"ioMergedRecursive,omitempty"`
	Time         []IOEntry `json:"ioTimeRecursive,omitempty"`
	Sectors      []IOEntry `json:"sectorsRecursive,omitempty"`
	PSI          *Pressure `json:"psi,omitempty"`
	CostUsage    []IOEntry `json:"ioCostUsage,omitempty"`
	CostWait     []IOEntry `json:"ioCostWait,omitempty"`
	CostIndebt   []IOEntry `json:"ioCostIndebt,omitempty"`
	CostIndelay  []IOEntry `json:"ioCostIndelay,omitempty"`
}

// IOEntry is one counter of one block device. Op is "Read", "Write", "Sync", "Async", "Discard", "Total" or nothing.
type IOEntry struct {
	Major uint64 `json:"major"`
	Minor uint64 `json:"minor"`
	Op    string `json:"op,omitempty"`
	Value uint64 `json:"value"`
}

// HugetlbStats is the use of huge pages of one size. Max is the highest usage so far, which v1 only knows; Limit and
// Reserved, where reservations count as used, are additions of rt.
type HugetlbStats struct {
	Usage    uint64        `json:"usage,omitempty"`
	Max      uint64        `json:"max,omitempty"`
	Failures uint64        `json:"failcnt"`
	Limit    uint64        `json:"limit,omitempty"`
	Reserved *HugetlbStats `json:"rsvd,omitempty"`
}

// ResourceUsage is how many objects of each kind are in use, and the limits that are set.
type ResourceUsage struct {
	Current map[string]uint64 `json:"current"`
	Limit   map[string]uint64 `json:"limit,omitempty"`
}

// MiscStats is one resource of the misc controller. Events counts how often the limit was hit.
type MiscStats struct {
	Usage  uint64 `json:"usage"`
	Limit  uint64 `json:"limit,omitempty"` // absent: none
	Max    uint64 `json:"max,omitempty"`   // newer kernels only
	Events uint64 `json:"events,omitempty"`
}

// Pressure is pressure stall information: how long some, or all, tasks were held up (kernel: accounting/psi.rst).
type Pressure struct {
	Some PressureValues `json:"some"`
	Full PressureValues `json:"full"`
}

// PressureValues are percentages over the last 10, 60 and 300 seconds, and the time in all in microseconds.
type PressureValues struct {
	Avg10  float64 `json:"avg10"`
	Avg60  float64 `json:"avg60"`
	Avg300 float64 `json:"avg300"`
	Total  uint64  `json:"total"`
}

// ErrRemoved says that the group is not there any more.
var ErrRemoved = errors.New("the control group was removed")

// Unlimited tells whether a limit of memory is none: v2 says "max", which reads as the largest number; v1 the largest
// number of pages that it can count, which is 2^63 less than one page.
func Unlimited(limit uint64) bool {
	const largestPage = 16 << 30
	return limit >= math.MaxInt64-largestPage
}

// Stats reads the counters. Files and controllers that are not there leave their members out; what can't be parsed is
// an error, and so is a group that is gone, also if it goes while it is read: ErrRemoved.
func (g *Group) Stats() (*Stats, error) {
	r, err := g.openCounters()
	if err != nil {
		return nil, err
	}
	defer r.close()
	s := &Stats{
		CPU:     r.cpu(),
		Cpuset:  r.cpuset(),
		Memory:  r.memory(),
		Pids:    r.pids(),
		Blkio:   r.blkio(),
		Hugetlb: r.hugetlb(),
		RDMA:    r.rdma(),
		Misc:    r.misc(),
	}
	if r.err == nil {
		r.checkThere()
	}
	if r.err != nil {
		return nil, r.err
	}
	return s, nil
}
