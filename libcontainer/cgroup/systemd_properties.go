// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/libcontainer/dbus"
)

// properties are those that the scope of a new container starts with.
func (u *unit) properties(g *Group, r *specs.LinuxResources, pid int) ([]property, error) {
	io := "IOAccounting"
	if g.Version() != V2 {
		io = "BlockIOAccounting"
	}
	list := []property{
		{"Description", dbus.Value{Signature: "s", Content: "container " + strings.TrimSuffix(u.name, ".scope")}},
		{"Slice", dbus.Value{Signature: "s", Content: u.slice}},
		{"PIDs", dbus.Value{Signature: "au", Content: []any{uint32(pid)}}},
		{"Delegate", truth(true)},
		{"DefaultDependencies", truth(false)}, // whoever manages the containers decides when they end at a shutdown
		{"MemoryAccounting", truth(true)},
		{"CPUAccounting", truth(true)},
		{"TasksAccounting", truth(true)},
		{io, truth(true)},
	}
	devices, err := u.deviceProperties(g)
	if err != nil {
		return nil, err
	}
	list = append(list, devices...)
	if err := checkIdle(r); err != nil {
		return nil, err
	}
	settings, err := g.collect(r)
	if err != nil {
		return nil, err
	}
	limits, err := propertiesOf(u.later(settings), g.Version())
	if err != nil {
		return nil, err
	}
	list = append(list, limits...)
	if !slices.ContainsFunc(slices.Concat(limits, u.annotated), func(p property) bool { return p.name == "TasksMax" }) {
		list = append(list, number("TasksMax", infinity)) // systemd's default is a limit that nobody asked for
	}
	for _, p := range u.annotated {
		at := slices.IndexFunc(list, func(q property) bool { return q.name == p.name })
		switch {
		case at < 0:
			list = append(list, p)
		case p.name == "Description" || p.name == "DefaultDependencies" || strings.HasSuffix(p.name, "Accounting"):
			list[at] = p
		default:
			return nil, fmt.Errorf("annotation %q: linux.resources decides about this property already", PropertyPrefix+p.name)
		}
	}
	return list, nil
}

func truth(b bool) dbus.Value { return dbus.Value{Signature: "b", Content: b} }

func number(name string, n uint64) property {
	return property{name, dbus.Value{Signature: "t", Content: n}}
}

// infinity is no limit.
const infinity = math.MaxUint64

// propertyOf returns the property that says the same as a control file with one number (systemd.resource-control(5);
// the last ones are those of v1). What is not here systemd doesn't know of, or can't express in one number.
func propertyOf(file string) string {
	switch file {
	case "memory.max":
		return "MemoryMax"
	case "memory.high":
		return "MemoryHigh"
	case "memory.low":
		return "MemoryLow"
	case "memory.min":
		return "MemoryMin"
	case "memory.swap.max":
		return "MemorySwapMax"
	case "cpu.weight":
		return "CPUWeight"
	case "io.weight":
		return "IOWeight"
	case "pids.max":
		return "TasksMax"
	case "memory.limit_in_bytes":
		return "MemoryLimit"
	case "cpu.shares":
		return "CPUShares"
	case "blkio.weight", "blkio.bfq.weight":
		return "BlockIOWeight"
	}
	return ""
}

// propertiesOf translates values for control files to properties. A value of which systemd has only a part, or only
// about, is written to the file as well, afterwards.
func propertiesOf(list []setting, v Version) ([]property, error) {
	var properties []property
	c := cpuValues{}
	for i := range list {
		s := &list[i]
		for w := &s.write; w != nil; w = w.or {
			found, err := w.properties(s, v, &c)
			if err != nil {
				return nil, fmt.Errorf("%s%s: %w", memberPrefix, s.member, err)
			}
			if len(found) > 0 {
				properties = append(properties, found...)
				break
			}
		}
	}
	return append(properties, c.properties()...), nil
}

func (w *write) properties(s *setting, v Version, c *cpuValues) ([]property, error) {
	value := w.value
	if w.merge != nil {
		current, err := readControl(s.dir, w.file)
		if err != nil && !gone(err) {
			return nil, err
		}
		value = w.merge(current)
	}
	switch w.file {
	case "cpu.max", "cpu.cfs_quota_us", "cpu.cfs_period_us":
		return nil, c.take(s.dir, w.file, value)
	case "cpu.idle":
		return c.idle(s.dir, value), nil
	case "cpuset.cpus":
		return bitmap("AllowedCPUs", value, v)
	case "cpuset.mems":
		return bitmap("AllowedMemoryNodes", value, v)
	case "io.max":
		return ioMax(value)
	case "blkio.throttle.read_bps_device":
		return perDevice("BlockIOReadBandwidth", value)
	case "blkio.throttle.write_bps_device":
		return perDevice("BlockIOWriteBandwidth", value)
	}
	name := propertyOf(w.file)
	if name == "" {
		return nil, nil
	}
	if name == "IOWeight" {
		if strings.Contains(value, ":") {
			return perDevice("IODeviceWeight", value)
		}
		value = strings.TrimPrefix(value, "default ")
	}
	n, err := amount(value)
	if err != nil {
		return nil, fmt.Errorf("%q for %s: %w", value, w.file, err)
	}
	return []property{number(name, n)}, nil
}

// amount reads a number of a control file: "max", and -1 on v1, are no limit.
func amount(value string) (uint64, error) {
	if value == "max" || value == "-1" {
		return infinity, nil
	}
	n, err := strconv.ParseUint(value, 10, 64)
	if err != nil {
		return 0, errors.New("not a number")
	}
	return n, nil
}

// bitmap translates a list of processors or memory nodes: byte i has the numbers 8i to 8i+7, the lowest in its lowest
// bit, on every machine. On v1 systemd doesn't care for cpusets.
func bitmap(name, list string, v Version) ([]property, error) {
	if v != V2 {
		return nil, nil
	}
	bits := []byte{}
	if list == "" { // all that the group above has, as before the first value
		return []property{{name, dbus.Value{Signature: "ay", Content: bits}}}, nil
	}
	for part := range strings.SplitSeq(strings.TrimSpace(list), ",") {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		low, err := strconv.ParseUint(from, 10, 16)
		high, highErr := strconv.ParseUint(to, 10, 16)
		if err != nil || highErr != nil || high < low || high >= 8192 { // CONFIG_NR_CPUS of x86-64 goes that far
			return nil, fmt.Errorf("%q is no list of numbers from 0 to 8191", list)
		}
		for ; low <= high; low++ {
			for int(low/8) >= len(bits) {
				bits = append(bits, 0)
			}
			bits[low/8] |= 1 << (low % 8)
		}
	}
	return []property{{name, dbus.Value{Signature: "ay", Content: bits}}}, nil
}

// ioMax translates the lines "MAJ:MIN rbps=N wbps=N riops=N wiops=N" of io.max.
func ioMax(value string) ([]property, error) {
	var properties []property
	for _, p := range [...]struct{ key, name string }{
		{"rbps=", "IOReadBandwidthMax"},
		{"wbps=", "IOWriteBandwidthMax"},
		{"riops=", "IOReadIOPSMax"},
		{"wiops=", "IOWriteIOPSMax"},
	} {
		lines := ""
		for line := range strings.Lines(value) {
			fields := strings.Fields(line)
			for _, field := range fields[min(1, len(fields)):] {
				if n, ok := strings.CutPrefix(field, p.key); ok {
					lines += fields[0] + " " + n + "\n"
				}
			}
		}
		found, err := perDevice(p.name, lines)
		if err != nil {
			return nil, err
		}
		properties = append(properties, found...)
	}
	return properties, nil
}

// perDevice translates lines "MAJ:MIN N".
func perDevice(name, lines string) ([]property, error) {
	var list []any
	for line := range strings.Lines(lines) {
		fields := strings.Fields(line)
		if len(fields) != 2 {
			return nil, fmt.Errorf("%q: not a device and a number", line)
		}
		n, err := amount(fields[1])
		if err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
		list = append(list, []any{"/dev/block/" + fields[0], n})
	}
	if len(list) == 0 {
		return nil, nil
	}
	return []property{{name, dbus.Value{Signature: "a(st)", Content: list}}}, nil
}
