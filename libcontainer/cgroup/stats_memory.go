// SPDX-License-Identifier: Apache-2.0

package cgroup

import "math"

// memory reads what the memory controller counts.
func (r *counters) memory() *MemoryStats {
	m := &MemoryStats{PSI: r.pressure("memory.pressure")}
	if s, ok := r.of("memory"); ok {
		if s.v2 {
			s.memoryV2(m)
		} else {
			s.memoryV1(m)
		}
	}
	if m.Usage == nil && m.PSI == nil {
		return nil
	}
	return m
}

// memoryV1 reads memory.* of v1 (kernel: admin-guide/cgroup-v1/memory.rst). The files of memory and swap together are
// there if the kernel counts swap.
func (s source) memoryV1(m *MemoryStats) {
	if m.Usage = s.usageV1("memory."); m.Usage == nil {
		return
	}
	m.Swap = s.usageV1("memory.memsw.")
	m.Kernel = s.usageV1("memory.kmem.")
	m.KernelTCP = s.usageV1("memory.kmem.tcp.")
	m.Raw = s.keyed("memory.stat")
	m.Cache = m.Raw["cache"]
	m.OOMKills = s.keyed("memory.oom_control")["oom_kill"]
	if m.Swap == nil {
		return
	}
	m.SwapOnly = &MemoryUsage{
		Usage: m.Raw["total_swap"],
		// Swap by itself has no limit on v1: what is left when memory is full.
		Limit: difference(m.Swap.Limit, m.Usage.Limit),
	}
	if Unlimited(m.Swap.Limit) {
		m.SwapOnly.Limit = m.Swap.Limit
	}
}

func (s source) usageV1(prefix string) *MemoryUsage {
	usage, ok := s.value(prefix + "usage_in_bytes")
	if !ok {
		return nil
	}
	return &MemoryUsage{
		Usage:    usage,
		Limit:    s.number(prefix + "limit_in_bytes"),
		Max:      s.number(prefix + "max_usage_in_bytes"),
		Failures: s.number(prefix + "failcnt"),
	}
}

// memoryV2 reads memory.* of v2 (cgroup-v2.rst, "Memory Interface Files").
func (s source) memoryV2(m *MemoryStats) {
	usage, ok := s.value("memory.current")
	if !ok {
		return
	}
	events := s.keyed("memory.events")
	m.Usage = &MemoryUsage{
		Usage: usage, Limit: s.number("memory.max"), Max: s.number("memory.peak"), Failures: events["max"],
	}
	m.OOMKills = events["oom_kill"]
	m.Raw = s.keyed("memory.stat")
	m.Cache = m.Raw["file"]
	m.Kernel = &MemoryUsage{Usage: m.Raw["kernel"]}
	m.KernelTCP = &MemoryUsage{Usage: m.Raw["sock"]}
	if usage, ok = s.value("memory.swap.current"); !ok {
		return
	}
	m.SwapOnly = &MemoryUsage{
		Usage: usage, Limit: s.number("memory.swap.max"), Max: s.number("memory.swap.peak"),
		Failures: s.keyed("memory.swap.events")["max"],
	}
	m.Swap = &MemoryUsage{
		Usage:    m.Usage.Usage + m.SwapOnly.Usage,
		Limit:    math.MaxUint64,
		Failures: m.SwapOnly.Failures,
	}
	if m.Usage.Limit != math.MaxUint64 && m.SwapOnly.Limit != math.MaxUint64 {
		m.Swap.Limit = m.Usage.Limit + m.SwapOnly.Limit
	}
}

// difference is a - b, or 0 if that is negative: counters are not read at the same instant.
func difference(a, b uint64) uint64 { return a - min(a, b) }
