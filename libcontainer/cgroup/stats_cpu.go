// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	perMicrosecond = uint64(time.Microsecond) // in nanoseconds
	perTick        = uint64(10 * time.Millisecond)
)

// cpu reads what the cpuacct and cpu controllers of v1 count, or cpu.stat of v2, which is there without a controller
// too (cgroup-v2.rst, "CPU Interface Files").
func (r *counters) cpu() *CPUStats {
	c := &CPUStats{PSI: r.pressure("cpu.pressure")}
	found := c.PSI != nil
	if s, ok := r.of("cpuacct"); ok {
		found = s.cpuUsage(&c.Usage) || found
	}
	if s, ok := r.of("cpu"); ok {
		found = s.throttling(c) || found
	}
	if !found {
		return nil
	}
	return c
}

// cpuUsage fills u, and returns false if nothing counts processor time.
func (s source) cpuUsage(u *CPUUsage) bool {
	if s.v2 {
		stat := s.keyed("cpu.stat")
		u.Total = stat["usage_usec"] * perMicrosecond
		u.User = stat["user_usec"] * perMicrosecond
		u.Kernel = stat["system_usec"] * perMicrosecond
		return stat != nil
	}
	total, ok := s.value("cpuacct.usage")
	if !ok {
		return false
	}
	u.Total = total
	// In units of USER_HZ, which is 100 on all architectures that rt is built for.
	stat := s.keyed("cpuacct.stat")
	u.User, u.Kernel = stat["user"]*perTick, stat["system"]*perTick
	percpu, _ := s.text("cpuacct.usage_percpu")
	for number := range strings.FieldsSeq(percpu) {
		u.Percpu = append(u.Percpu, s.parse("cpuacct.usage_percpu", number))
	}
	// A header "cpu user system", and then a line for each processor.
	const all = "cpuacct.usage_all"
	content, _ := s.text(all)
	for line := range strings.Lines(content) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 3 && fields[0] == "cpu":
		case len(fields) == 3:
			u.PercpuUser = append(u.PercpuUser, s.parse(all, fields[1]))
			u.PercpuKernel = append(u.PercpuKernel, s.parse(all, fields[2]))
		default:
			s.malformed(all, line)
		}
	}
	return true
}

// throttling fills what a quota has done, and returns false if there is no cpu controller.
func (s source) throttling(c *CPUStats) bool {
	stat := s.keyed("cpu.stat")
	if _, ok := stat["nr_periods"]; !ok {
		return false
	}
	c.Throttling = Throttling{Periods: stat["nr_periods"], ThrottledPeriods: stat["nr_throttled"]}
	// v1 has nanoseconds, v2 microseconds, each under its own name.
	c.Throttling.ThrottledTime = stat["throttled_time"] + stat["throttled_usec"]*perMicrosecond
	if _, ok := stat["nr_bursts"]; ok {
		c.Burst = &CPUBurst{Periods: stat["nr_bursts"], Time: stat["burst_time"] + stat["burst_usec"]*perMicrosecond}
	}
	return true
}

// cpuset reads the processors and memory nodes: of v1 those that are set, of v2 those that are in effect, as there
// an empty set means those of the parent.
func (r *counters) cpuset() *CpusetStats {
	s, ok := r.of("cpuset")
	if !ok {
		return nil
	}
	if s.v2 {
		cpus, ok := s.text("cpuset.cpus.effective")
		if !ok {
			return nil
		}
		mems, _ := s.text("cpuset.mems.effective")
		return &CpusetStats{
			CPUs: s.list("cpuset.cpus.effective", cpus),
			Mems: s.list("cpuset.mems.effective", mems),
		}
	}
	cpus, ok := s.text("cpuset.cpus")
	if !ok {
		return nil
	}
	mems, _ := s.text("cpuset.mems")
	return &CpusetStats{
		CPUs:                  s.list("cpuset.cpus", cpus),
		CPUExclusive:          s.number("cpuset.cpu_exclusive"),
		Mems:                  s.list("cpuset.mems", mems),
		MemHardwall:           s.number("cpuset.mem_hardwall"),
		MemExclusive:          s.number("cpuset.mem_exclusive"),
		MemoryMigrate:         s.number("cpuset.memory_migrate"),
		MemorySpreadPage:      s.number("cpuset.memory_spread_page"),
		MemorySpreadSlab:      s.number("cpuset.memory_spread_slab"),
		MemoryPressure:        s.number("cpuset.memory_pressure"),
		SchedLoadBalance:      s.number("cpuset.sched_load_balance"),
		SchedRelaxDomainLevel: s.signed("cpuset.sched_relax_domain_level"),
	}
}

func (s source) signed(name string) int64 {
	content, ok := s.text(name)
	if !ok {
		return 0
	}
	n, err := strconv.ParseInt(content, 10, 64)
	if err != nil {
		s.malformed(name, content)
	}
	return n
}

// list expands a list of ranges, "0-3,7" (cpuset(7), "List format").
func (s source) list(name, ranges string) []uint16 {
	var numbers []uint16
	for part := range strings.SplitSeq(ranges, ",") {
		if part == "" {
			continue
		}
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, err := strconv.ParseUint(first, 10, 16)
		to, lastErr := strconv.ParseUint(last, 10, 16)
		if err != nil || lastErr != nil || to < from {
			s.malformed(name, ranges)
			return nil
		}
		for n := from; n <= to; n++ {
			numbers = append(numbers, uint16(n))
		}
	}
	return numbers
}

// pids reads the number of tasks. Without the controller they are counted, those of groups below included.
func (r *counters) pids() *PidsStats {
	s, ok := r.of("pids")
	if ok {
		if current, ok := s.value("pids.current"); ok {
			p := &PidsStats{Current: current}
			if limit := s.number("pids.max"); !Unlimited(limit) {
				p.Limit = limit
			}
			return p
		}
	}
	return r.countTasks()
}

func (r *counters) countTasks() *PidsStats {
	s, ok := r.unified()
	name := "cgroup.threads"
	if !ok {
		if len(r.sources) == 0 {
			return nil
		}
		s, name = r.sources[0], "tasks"
	}
	if r.err != nil {
		return nil
	}
	p := &PidsStats{}
	r.err = walk(string(s.path), func(d directory) error {
		list, err := d.read(name)
		if errors.Is(err, unix.EOPNOTSUPP) {
			return nil // a group that can't have any: what it is part of is threaded
		}
		if err == nil && list != "" {
			p.Current += uint64(strings.Count(list, "\n") + 1)
		}
		return err
	})
	return p
}
