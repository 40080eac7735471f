// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"fmt"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// cpuLimits are the rows of linux.resources.cpu (config-linux.md, "CPU"; kernel scheduler/sched-bwc.rst,
// scheduler/sched-rt-group.rst, admin-guide/cgroup-v1/cpusets.rst, admin-guide/cgroup-v2.rst "CPU Interface Files"). 0
// is not set where it is no value: in shares, quota, period, realtimeRuntime and realtimePeriod.
var cpuLimits = [...]limit{
	{
		member: "cpu.shares", controller: "cpu",
		v1: form{"cpu.shares", func(r *specs.LinuxResources) []write {
			if !sharesCount(r.CPU) {
				return nil
			}
			return []write{{file: "cpu.shares", value: strconv.FormatUint(*r.CPU.Shares, 10)}}
		}},
		v2: form{"cpu.weight", func(r *specs.LinuxResources) []write {
			if !sharesCount(r.CPU) {
				return nil
			}
			return []write{{file: "cpu.weight", value: strconv.FormatUint(sharesToWeight(*r.CPU.Shares), 10)}}
		}},
	},
	{
		member: "cpu.period", controller: "cpu",
		v1: form{"cpu.cfs_period_us", func(r *specs.LinuxResources) []write {
			return microseconds("cpu.cfs_period_us", r.CPU.Period, 0)
		}},
		v2: form{"cpu.max", func(r *specs.LinuxResources) []write {
			// With a quota, the quota's row writes both.
			if !given(r.CPU.Period, 0) || given(r.CPU.Quota, 0) {
				return nil
			}
			return []write{cpuMax(r.CPU)}
		}},
	},
	{
		member: "cpu.quota", controller: "cpu",
		v1: form{"cpu.cfs_quota_us", func(r *specs.LinuxResources) []write {
			return microseconds("cpu.cfs_quota_us", r.CPU.Quota, 0)
		}},
		v2: form{"cpu.max", func(r *specs.LinuxResources) []write {
			if !given(r.CPU.Quota, 0) {
				return nil
			}
			return []write{cpuMax(r.CPU)}
		}},
	},
	{
		member: "cpu.burst", controller: "cpu",
		v1: form{"cpu.cfs_burst_us", func(r *specs.LinuxResources) []write {
			return microseconds("cpu.cfs_burst_us", r.CPU.Burst)
		}},
		v2: form{"cpu.max.burst", func(r *specs.LinuxResources) []write {
			return microseconds("cpu.max.burst", r.CPU.Burst)
		}},
	},
	{
		member: "cpu.realtimePeriod", controller: "cpu",
		v1: form{"cpu.rt_period_us", func(r *specs.LinuxResources) []write {
			return microseconds("cpu.rt_period_us", r.CPU.RealtimePeriod, 0)
		}},
		instead: "leave it out: real-time processes need no budget there",
	},
	{
		member: "cpu.realtimeRuntime", controller: "cpu",
		v1: form{"cpu.rt_runtime_us", func(r *specs.LinuxResources) []write {
			return microseconds("cpu.rt_runtime_us", r.CPU.RealtimeRuntime, 0)
		}},
		instead: "leave it out: real-time processes need no budget there",
	},
	{
		member: "cpu.idle", controller: "cpu",
		v1: form{"cpu.idle", func(r *specs.LinuxResources) []write { return microseconds("cpu.idle", r.CPU.Idle) }},
		v2: form{"cpu.idle", func(r *specs.LinuxResources) []write { return microseconds("cpu.idle", r.CPU.Idle) }},
	},
	{
		member: "cpu.cpus", controller: "cpuset",
		v1: form{"cpuset.cpus", func(r *specs.LinuxResources) []write { return list("cpuset.cpus", r.CPU.Cpus) }},
		v2: form{"cpuset.cpus", func(r *specs.LinuxResources) []write { return list("cpuset.cpus", r.CPU.Cpus) }},
	},
	{
		member: "cpu.mems", controller: "cpuset",
		v1: form{"cpuset.mems", func(r *specs.LinuxResources) []write { return list("cpuset.mems", r.CPU.Mems) }},
		v2: form{"cpuset.mems", func(r *specs.LinuxResources) []write { return list("cpuset.mems", r.CPU.Mems) }},
	},
}

// sharesCount says that shares are to be written. An idle group has the weight of an idle group, and the kernel
// refuses another (kernel/sched/fair.c, sched_group_set_shares).
func sharesCount(c *specs.LinuxCPU) bool {
	return given(c.Shares, 0) && !(given(c.Idle) && *c.Idle == 1)
}

// microseconds writes a number as it is, unless it is one of those that mean that it isn't set.
func microseconds[T int64 | uint64](file string, n *T, unset ...T) []write {
	if !given(n, unset...) {
		return nil
	}
	return []write{{file: file, value: fmt.Sprint(*n)}}
}

// list writes a list of processors or memory nodes.
func list(file, value string) []write {
	if value == "" {
		return nil
	}
	return []write{{file: file, value: value}}
}

// Ranges of the kernel, in microseconds (kernel/sched/core.c, max_cfs_quota_period, min_cfs_quota_period).
const (
	periodMin, periodMax = 1000, 1000000
	quotaMin             = 1000
)

func checkCPU(r *specs.LinuxResources, v Version) error {
	c := r.CPU
	switch {
	case v != V2 && given(c.Shares, 0) && (*c.Shares < sharesMin || *c.Shares > sharesMax):
		return invalid("cpu.shares", *c.Shares, fmt.Sprintf("%d to %d", sharesMin, sharesMax))
	case given(c.Period, 0) && (*c.Period < periodMin || *c.Period > periodMax):
		return invalid("cpu.period", *c.Period, fmt.Sprintf("%d to %d microseconds", periodMin, periodMax))
	case given(c.Quota, 0, -1) && *c.Quota < quotaMin:
		return invalid("cpu.quota", *c.Quota, fmt.Sprintf("%d microseconds or more, or -1 for no limit", quotaMin))
	case given(c.Burst, 0) && given(c.Quota, 0, -1) && *c.Burst > uint64(*c.Quota):
		return invalid("cpu.burst", *c.Burst, fmt.Sprintf("at most cpu.quota, %d", *c.Quota))
	case c.Idle != nil && *c.Idle != 0 && *c.Idle != 1:
		return invalid("cpu.idle", *c.Idle, "0 or 1")
	case given(c.RealtimeRuntime, 0) && *c.RealtimeRuntime < -1:
		return invalid("cpu.realtimeRuntime", *c.RealtimeRuntime, "a number of microseconds, or -1 for no limit")
	case given(c.RealtimeRuntime, 0) && given(c.RealtimePeriod, 0) && *c.RealtimeRuntime > int64(*c.RealtimePeriod):
		return invalid("cpu.realtimeRuntime", *c.RealtimeRuntime, fmt.Sprintf("at most cpu.realtimePeriod, %d", *c.RealtimePeriod))
	}
	for _, l := range [...]struct{ member, list string }{{"cpu.cpus", c.Cpus}, {"cpu.mems", c.Mems}} {
		if !isNumberList(l.list) {
			return fmt.Errorf(`%s%s %q: want a list of numbers and ranges such as "0-3,7"`, memberPrefix, l.member, l.list)
		}
	}
	return nil
}

// isNumberList accepts the kernel's lists of numbers (cpuset(7), "List format") as far as its letters go. The kernel
// judges the rest: which numbers there are, and strides.
func isNumberList(list string) bool {
	for i := range len(list) {
		switch c := list[i]; {
		case '0' <= c && c <= '9', c == ',', c == '-', c == ':', c == '/', c == ' ':
		default:
			return false
		}
	}
	return true
}

// pidsLimits is the row of linux.resources.pids (config-linux.md, "PIDs"; kernel admin-guide/cgroup-v1/pids.rst).
var pidsLimits = [...]limit{{
	member: "pids.limit", controller: "pids",
	v1: form{"pids.max", pidsWrites},
	v2: form{"pids.max", pidsWrites},
}}

func pidsWrites(r *specs.LinuxResources) []write {
	if r.Pids.Limit == nil {
		return nil
	}
	return []write{{file: "pids.max", value: pidsMax(*r.Pids.Limit)}}
}

func checkPids(r *specs.LinuxResources, _ Version) error {
	if n := r.Pids.Limit; n != nil && *n < -1 {
		return invalid("pids.limit", *n, "a number of processes, or -1 for no limit")
	}
	return nil
}
