// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"maps"
	"math"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// newer returns the new value, or the old one if the new is none: absent, or one by which callers mean that.
func newer[T comparable](old, new *T, none ...T) *T {
	if new == nil || slices.Contains(none, *new) {
		return old
	}
	return new
}

// mergeResources returns old with the values that change gives. swapApart says that the kernel limits swap alone (v2):
// then a new limit of memory leaves that of swap as it is, and their sum changes.
func mergeResources(old, change *specs.LinuxResources, swapApart bool) *specs.LinuxResources {
	merged := *old
	if change.Devices != nil {
		merged.Devices = change.Devices
	}
	if change.Memory != nil {
		merged.Memory = mergeMemory(old.Memory, change.Memory, swapApart)
	}
	if change.CPU != nil {
		merged.CPU = mergeCPU(old.CPU, change.CPU)
	}
	if change.Pids != nil && change.Pids.Limit != nil {
		merged.Pids = change.Pids
	}
	if change.BlockIO != nil {
		merged.BlockIO = mergeBlockIO(old.BlockIO, change.BlockIO)
	}
	merged.HugepageLimits = mergeBy(old.HugepageLimits, change.HugepageLimits, func(l specs.LinuxHugepageLimit) string { return l.Pagesize })
	if change.Network != nil {
		merged.Network = mergeNetwork(old.Network, change.Network)
	}
	merged.Rdma = mergeMaps(old.Rdma, change.Rdma)
	merged.Unified = mergeMaps(old.Unified, change.Unified)
	return &merged
}

func mergeMemory(old, change *specs.LinuxMemory, swapApart bool) *specs.LinuxMemory {
	m := specs.LinuxMemory{}
	if old != nil {
		m = *old
	}
	had := m
	m.Limit = newer(m.Limit, change.Limit, 0)
	m.Swap = newer(m.Swap, change.Swap, 0)
	if given := m.Swap != had.Swap; !given && m.Swap != nil && *m.Swap > 0 && m.Limit != had.Limit {
		switch {
		case *m.Limit == -1: // lifts both
			m.Swap = m.Limit
		case swapApart && had.Limit != nil && *had.Limit > 0:
			sum := *m.Swap - *had.Limit + *m.Limit
			m.Swap = &sum
		}
	}
	m.Reservation = newer(m.Reservation, change.Reservation, 0)
	m.Kernel = newer(m.Kernel, change.Kernel, 0) //nolint:staticcheck // deprecated, still written by callers
	m.KernelTCP = newer(m.KernelTCP, change.KernelTCP, 0)
	m.Swappiness = newer(m.Swappiness, change.Swappiness, math.MaxUint64) // -1
	m.DisableOOMKiller = newer(m.DisableOOMKiller, change.DisableOOMKiller)
	m.UseHierarchy = newer(m.UseHierarchy, change.UseHierarchy)
	return &m
}

func mergeCPU(old, change *specs.LinuxCPU) *specs.LinuxCPU {
	c := specs.LinuxCPU{}
	if old != nil {
		c = *old
	}
	c.Shares = newer(c.Shares, change.Shares, 0)
	c.Quota = newer(c.Quota, change.Quota, 0)
	c.Period = newer(c.Period, change.Period, 0)
	c.Burst = newer(c.Burst, change.Burst)
	c.RealtimeRuntime = newer(c.RealtimeRuntime, change.RealtimeRuntime, 0)
	c.RealtimePeriod = newer(c.RealtimePeriod, change.RealtimePeriod, 0)
	c.Idle = newer(c.Idle, change.Idle)
	if shares := c.Shares != nil && c.Shares == change.Shares; shares && change.Idle == nil && c.Idle != nil {
		c.Idle = new(int64) // a group that can be given a weight is idle no more
	}
	if change.Cpus != "" {
		c.Cpus = change.Cpus
	}
	if change.Mems != "" {
		c.Mems = change.Mems
	}
	return &c
}

func mergeBlockIO(old, change *specs.LinuxBlockIO) *specs.LinuxBlockIO {
	b := specs.LinuxBlockIO{}
	if old != nil {
		b = *old
	}
	b.Weight = newer(b.Weight, change.Weight, 0)
	b.LeafWeight = newer(b.LeafWeight, change.LeafWeight, 0)
	type device struct{ major, minor int64 }
	weighed := func(d specs.LinuxWeightDevice) device { return device{d.Major, d.Minor} }
	throttled := func(d specs.LinuxThrottleDevice) device { return device{d.Major, d.Minor} }
	b.WeightDevice = mergeBy(b.WeightDevice, change.WeightDevice, weighed)
	b.ThrottleReadBpsDevice = mergeBy(b.ThrottleReadBpsDevice, change.ThrottleReadBpsDevice, throttled)
	b.ThrottleWriteBpsDevice = mergeBy(b.ThrottleWriteBpsDevice, change.ThrottleWriteBpsDevice, throttled)
	b.ThrottleReadIOPSDevice = mergeBy(b.ThrottleReadIOPSDevice, change.ThrottleReadIOPSDevice, throttled)
	b.ThrottleWriteIOPSDevice = mergeBy(b.ThrottleWriteIOPSDevice, change.ThrottleWriteIOPSDevice, throttled)
	return &b
}

func mergeNetwork(old, change *specs.LinuxNetwork) *specs.LinuxNetwork {
	n := specs.LinuxNetwork{}
	if old != nil {
		n = *old
	}
	n.ClassID = newer(n.ClassID, change.ClassID, 0)
	n.Priorities = mergeBy(n.Priorities, change.Priorities, func(p specs.LinuxInterfacePriority) string { return p.Name })
	return &n
}

// mergeBy replaces the elements of old that have the key of one of change, and appends the others of change.
func mergeBy[T any, K comparable](old, change []T, key func(T) K) []T {
	merged := slices.Clone(old)
	for _, c := range change {
		at := slices.IndexFunc(merged, func(m T) bool { return key(m) == key(c) })
		if at < 0 {
			merged = append(merged, c)
		} else {
			merged[at] = c
		}
	}
	return merged
}

func mergeMaps[V any](old, change map[string]V) map[string]V {
	if len(change) == 0 {
		return old
	}
	merged := maps.Clone(old)
	if merged == nil {
		merged = map[string]V{}
	}
	maps.Copy(merged, change)
	return merged
}

// toWrite returns change with those values of merged that the kernel needs beside it, and systemd, if it keeps the group.
func toWrite(change, merged *specs.LinuxResources, systemd bool) *specs.LinuxResources {
	w := *change
	if m := change.Memory; m != nil && m.Swap != nil && *m.Swap > 0 {
		// Swap counts memory, too.
		both := *m
		both.Limit = newer(merged.Memory.Limit, m.Limit, 0)
		w.Memory = &both
	}
	if c := change.CPU; c != nil && c.Idle != nil && *c.Idle == 0 {
		// A group that is idle no more has the weight of a new one (kernel/sched/fair.c, sched_group_set_idle).
		busy := *c
		busy.Shares = newer(merged.CPU.Shares, c.Shares, 0)
		w.CPU = &busy
	}
	if c := w.CPU; systemd && c != nil && (c.Quota != nil || c.Period != nil) {
		// For a group without a quota systemd writes the standard period, and it rounds a quota for a new period.
		timed := *c
		timed.Quota, timed.Period = newer(merged.CPU.Quota, c.Quota, 0), newer(merged.CPU.Period, c.Period, 0)
		w.CPU = &timed
	}
	return &w
}
