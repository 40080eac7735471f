// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"math"
	"strings"

	"golang.org/x/sys/unix"
)

// This file reads the controllers that count pieces of something: hugetlb, rdma and misc.

// hugetlb reads the use of huge pages, size by size. Which sizes there are, the names of the files tell.
func (r *counters) hugetlb() map[string]HugetlbStats {
	s, ok := r.of("hugetlb")
	if !ok {
		return nil
	}
	used := ".usage_in_bytes"
	if s.v2 {
		used = ".current"
	}
	var pages map[string]HugetlbStats
	for _, name := range s.names() {
		size, ok := strings.CutPrefix(name, "hugetlb.")
		if !ok {
			continue
		}
		if size, ok = strings.CutSuffix(size, used); !ok || strings.HasSuffix(size, ".rsvd") {
			continue
		}
		if pages == nil {
			pages = map[string]HugetlbStats{}
		}
		h := s.hugePages("hugetlb." + size)
		if _, ok := s.value("hugetlb." + size + ".rsvd" + used); ok {
			reserved := s.hugePages("hugetlb." + size + ".rsvd")
			h.Reserved = &reserved
		}
		pages[size] = h
	}
	return pages
}

func (s source) hugePages(prefix string) HugetlbStats {
	if !s.v2 {
		return HugetlbStats{
			Usage: s.number(prefix + ".usage_in_bytes"), Max: s.number(prefix + ".max_usage_in_bytes"),
			Failures: s.number(prefix + ".failcnt"), Limit: limitOrNone(s.number(prefix + ".limit_in_bytes")),
		}
	}
	return HugetlbStats{
		Usage: s.number(prefix + ".current"), Limit: limitOrNone(s.number(prefix + ".max")),
		Failures: s.keyed(prefix + ".events")["max"],
	}
}

// limitOrNone is n, or 0 if that means that there is no limit.
func limitOrNone(n uint64) uint64 {
	if Unlimited(n) {
		return 0
	}
	return n
}

// names lists the group's directory.
func (s source) names() []string {
	if s.reader.err != nil {
		return nil
	}
	f, err := openAt(s.parentFD, ".", unix.O_RDONLY|unix.O_DIRECTORY, s.String())
	if err == nil {
		defer f.Close()
		var names []string
		if names, err = f.Readdirnames(-1); err == nil {
			return names
		}
	}
	if !gone(err) {
		s.reader.err = err
	}
	return nil
}

// rdma reads lines "DEVICE hca_handle=2 hca_object=2000"; in rdma.max a value may be "max".
func (r *counters) rdma() map[string]ResourceUsage {
	s, ok := r.of("rdma")
	if !ok {
		return nil
	}
	var devices map[string]ResourceUsage
	for name, pair := range s.nested("rdma.current") {
		if devices == nil {
			devices = map[string]ResourceUsage{}
		}
		if _, ok := devices[name]; !ok {
			devices[name] = ResourceUsage{Current: map[string]uint64{}, Limit: map[string]uint64{}}
		}
		devices[name].Current[pair[0]] = s.parse("rdma.current", pair[1])
	}
	if devices == nil {
		return nil
	}
	for name, pair := range s.nested("rdma.max") {
		if d, ok := devices[name]; ok && pair[1] != "max" {
			d.Limit[pair[0]] = s.parse("rdma.max", pair[1])
		}
	}
	return devices
}

// misc reads the misc controller, which counts resources that only some machines have: keys of encrypted memory.
func (r *counters) misc() map[string]MiscStats {
	s, ok := r.of("misc")
	if !ok {
		return nil
	}
	current := s.keyed("misc.current")
	if len(current) == 0 {
		return nil
	}
	limits, peaks, events := s.keyed("misc.max"), s.keyed("misc.peak"), s.keyed("misc.events")
	resources := make(map[string]MiscStats, len(current))
	for name, usage := range current {
		m := MiscStats{Usage: usage, Max: peaks[name], Events: events[name+".max"]}
		if most, ok := limits[name]; ok && most != math.MaxUint64 {
			m.Limit = most
		}
		resources[name] = m
	}
	return resources
}
