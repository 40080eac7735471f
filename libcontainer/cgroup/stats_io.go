// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"strconv"
	"strings"
)

// blkio reads what the blkio controller of v1 or the io controller of v2 counts.
func (r *counters) blkio() *IOStats {
	b := &IOStats{PSI: r.pressure("io.pressure")}
	found := b.PSI != nil
	if s, ok := r.of("blkio"); ok {
		if s.v2 {
			found = s.ioV2(b) || found
		} else {
			s.ioV1(b)
			found = true
		}
	}
	if !found {
		return nil
	}
	return b
}

// ioV1 reads blkio.* (kernel: admin-guide/cgroup-v1/blkio-controller.rst, block/bfq-iosched.rst). Who counts depends
// on the kernel: the scheduler BFQ what goes through it, the throttling policy what goes to a disk that has a limit
// somewhere (since Linux 6.10) or to any disk. The first of them that has seen something is taken.
func (s source) ioV1(b *IOStats) {
	for _, kind := range []struct {
		to    *[]IOEntry
		names []string
	}{
		{&b.ServiceBytes, []string{"blkio.bfq.io_service_bytes_recursive", "blkio.throttle.io_service_bytes_recursive"}},
		{&b.Serviced, []string{"blkio.bfq.io_serviced_recursive", "blkio.throttle.io_serviced_recursive"}},
		{&b.Queued, []string{"blkio.bfq.io_queued_recursive"}},
		{&b.ServiceTime, []string{"blkio.bfq.io_service_time_recursive"}},
		{&b.WaitTime, []string{"blkio.bfq.io_wait_time_recursive"}},
		{&b.Merged, []string{"blkio.bfq.io_merged_recursive"}},
		{&b.Time, []string{"blkio.bfq.time_recursive"}},
		{&b.Sectors, []string{"blkio.bfq.sectors_recursive"}},
	} {
		for _, name := range kind.names {
			if *kind.to = s.entriesV1(name); len(*kind.to) > 0 {
				break
			}
		}
	}
}

// entriesV1 parses lines "8:0 Read 4096" and "8:0 4096"; the last line, "Total 4096", is the sum of all devices.
func (s source) entriesV1(name string) []IOEntry {
	content, _ := s.text(name)
	var entries []IOEntry
	for line := range strings.Lines(content) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] == "Total" {
			continue
		}
		e, ok := blockDevice(fields[0])
		switch {
		case ok && len(fields) == 3:
			e.Op, e.Value = fields[1], s.parse(name, fields[2])
		case ok && len(fields) == 2:
			e.Value = s.parse(name, fields[1])
		default:
			s.malformed(name, line)
			continue
		}
		entries = append(entries, e)
	}
	return entries
}

// ioV2 reads io.stat (cgroup-v2.rst, "IO Interface Files"). Keys that other policies bring are passed over.
func (s source) ioV2(b *IOStats) bool {
	if _, ok := s.text("io.stat"); !ok {
		return false
	}
	for name, pair := range s.nested("io.stat") {
		e, ok := blockDevice(name)
		if !ok {
			s.malformed("io.stat", name)
			return true
		}
		var to *[]IOEntry
		switch pair[0] {
		case "rbytes", "wbytes", "dbytes":
			to = &b.ServiceBytes
		case "rios", "wios", "dios":
			to = &b.Serviced
		case "cost.usage":
			to = &b.CostUsage
		case "cost.wait":
			to = &b.CostWait
		case "cost.indebt":
			to = &b.CostIndebt
		case "cost.indelay":
			to = &b.CostIndelay
		default:
			continue
		}
		switch pair[0][0] {
		case 'r':
			e.Op = "Read"
		case 'w':
			e.Op = "Write"
		case 'd':
			e.Op = "Discard"
		}
		e.Value = s.parse("io.stat", pair[1])
		*to = append(*to, e)
	}
	return true
}

// blockDevice parses the numbers of a block device, "8:0".
func blockDevice(name string) (IOEntry, bool) {
	first, second, _ := strings.Cut(name, ":")
	major, err := strconv.ParseUint(first, 10, 32)
	minor, minorErr := strconv.ParseUint(second, 10, 32)
	return IOEntry{Major: major, Minor: minor}, err == nil && minorErr == nil
}
