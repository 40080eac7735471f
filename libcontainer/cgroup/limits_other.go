// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// hugepageLimits is the row of linux.resources.hugepageLimits (config-linux.md, "Huge page limits"; kernel
// admin-guide/cgroup-v1/hugetlb.rst, admin-guide/cgroup-v2.rst "HugeTLB Interface Files").
var hugepageLimits = [...]limit{{
	member: "hugepageLimits", controller: "hugetlb",
	v1: form{"hugetlb.SIZE.limit_in_bytes and hugetlb.SIZE.rsvd.limit_in_bytes", func(r *specs.LinuxResources) []write {
		return pageWrites(r, "limit_in_bytes")
	}},
	v2: form{"hugetlb.SIZE.max and hugetlb.SIZE.rsvd.max", func(r *specs.LinuxResources) []write {
		return pageWrites(r, "max")
	}},
}}

// pageWrites limits what is used and, where the kernel counts them, what is reserved: reservations alone would leave
// pages free that are taken without one.
func pageWrites(r *specs.LinuxResources, name string) []write {
	var list []write
	for i, h := range r.HugepageLimits {
		bytes := strconv.FormatUint(h.Limit, 10)
		list = append(list,
			write{file: "hugetlb." + h.Pagesize + "." + name, value: bytes, entry: i + 1},
			write{file: "hugetlb." + h.Pagesize + ".rsvd." + name, value: bytes, entry: i + 1, absent: func() bool { return true }})
	}
	return list
}

func checkHugepages(r *specs.LinuxResources, _ Version) error {
	for i, h := range r.HugepageLimits {
		if !isPageSize(h.Pagesize) {
			return fmt.Errorf("%shugepageLimits[%d].pageSize %q: want a number and KB, MB or GB, such as 2MB", memberPrefix, i, h.Pagesize)
		}
	}
	return nil
}

// isPageSize accepts what can be part of a file's name: "64KB", "2MB", "1GB".
func isPageSize(size string) bool {
	if len(size) < 3 || size[0] == '0' {
		return false
	}
	number, unit := size[:len(size)-2], size[len(size)-2:]
	_, err := strconv.ParseUint(number, 10, 32)
	return err == nil && number[0] != '+' && (unit == "KB" || unit == "MB" || unit == "GB")
}

// pageSizes names the sizes that this kernel has, for the error of another one.
func pageSizes() string {
	entries, err := os.ReadDir("/sys/kernel/mm/hugepages")
	if err != nil {
		return "none"
	}
	var names []string
	for _, e := range entries {
		kilobytes, ok := strings.CutPrefix(strings.TrimSuffix(e.Name(), "kB"), "hugepages-")
		if n, err := strconv.ParseUint(kilobytes, 10, 64); ok && err == nil {
			names = append(names, pageSizeName(n))
		}
	}
	return strings.Join(names, ", ")
}

// networkLimits are the rows of linux.resources.network (config-linux.md, "Network"; kernel
// admin-guide/cgroup-v1/net_cls.rst, net_prio.rst). A class of 0 is what a group has that was never told.
var networkLimits = [...]limit{
	{
		member: "network.classID", controller: "net_cls",
		v1: form{"net_cls.classid", func(r *specs.LinuxResources) []write {
			if !given(r.Network.ClassID, 0) {
				return nil
			}
			return []write{{file: "net_cls.classid", value: strconv.FormatUint(uint64(*r.Network.ClassID), 10)}}
		}},
		instead: "match control groups in the packet filter",
	},
	{
		member: "network.priorities", controller: "net_prio",
		v1: form{"net_prio.ifpriomap", func(r *specs.LinuxResources) []write {
			var list []write
			for i, p := range r.Network.Priorities {
				list = append(list, write{file: "net_prio.ifpriomap", value: fmt.Sprintf("%s %d", p.Name, p.Priority), entry: i + 1})
			}
			return list
		}},
		instead: "match control groups in the packet filter",
	},
}

func checkNetwork(r *specs.LinuxResources, _ Version) error {
	for i, p := range r.Network.Priorities {
		if !isName(p.Name) {
			return fmt.Errorf("%snetwork.priorities[%d].name %q: want the name of an interface", memberPrefix, i, p.Name)
		}
	}
	return nil
}

// isName accepts a name that stands in front of a space in a line of a control file.
func isName(name string) bool { return name != "" && !strings.ContainsAny(name, " \t\n\v\f\r\x00/") }

// rdmaLimits is the row of linux.resources.rdma (config-linux.md, "RDMA"; kernel admin-guide/cgroup-v1/rdma.rst,
// admin-guide/cgroup-v2.rst "RDMA Interface Files").
var rdmaLimits = [...]limit{{
	member: "rdma", controller: "rdma",
	v1: form{"rdma.max", rdmaWrites},
	v2: form{"rdma.max", rdmaWrites},
}}

func rdmaWrites(r *specs.LinuxResources) []write {
	var list []write
	for _, device := range slices.Sorted(maps.Keys(r.Rdma)) {
		value := device
		if n := r.Rdma[device].HcaHandles; n != nil {
			value += " hca_handle=" + strconv.FormatUint(uint64(*n), 10)
		}
		if n := r.Rdma[device].HcaObjects; n != nil {
			value += " hca_object=" + strconv.FormatUint(uint64(*n), 10)
		}
		list = append(list, write{file: "rdma.max", value: value})
	}
	return list
}

func checkRdma(r *specs.LinuxResources, _ Version) error {
	for _, device := range slices.Sorted(maps.Keys(r.Rdma)) {
		if !isName(device) {
			return fmt.Errorf("%srdma %q: want the name of a device", memberPrefix, device)
		}
		if l := r.Rdma[device]; l.HcaHandles == nil && l.HcaObjects == nil {
			return fmt.Errorf("%srdma %q: want hcaHandles or hcaObjects", memberPrefix, device)
		}
	}
	return nil
}

// unifiedSettings returns the writes of linux.resources.unified: names of v2's files with what goes into them, line by line, as
// such a file takes one line for one write(2). They come after all others, as they have the last word.
func (g *Group) unifiedSettings(r *specs.LinuxResources) []setting {
	m, ok := g.unified()
	if !ok {
		return nil
	}
	var list []setting
	for _, file := range slices.Sorted(maps.Keys(r.Unified)) {
		controller, _, _ := strings.Cut(file, ".")
		row := &limit{member: fmt.Sprintf("unified %q", file), controller: controller}
		lines := strings.Split(strings.Trim(r.Unified[file], "\n"), "\n")
		for _, line := range lines {
			switch {
			case line == "" && len(lines) > 1:
				continue
			case line == "": // a value too, which resets a cpuset; but a write(2) of nothing would not reach the file
				line = "\n"
			}
			list = append(list, setting{write: write{file: file, value: line}, limit: row, dir: m.dir, verbatim: true})
		}
	}
	return list
}

// errUnifiedOnV1 refuses unified on a host that has v1 hierarchies. Callers match the text.
var errUnifiedOnV1 = errors.New("invalid configuration: " + memberPrefix + "unified is for cgroup v2, and this host has v1 hierarchies")

func checkUnified(r *specs.LinuxResources, v Version) error {
	if len(r.Unified) > 0 && v != V2 {
		return errUnifiedOnV1
	}
	for _, file := range slices.Sorted(maps.Keys(r.Unified)) {
		switch {
		case !strings.Contains(file, ".") || filepath.Base(file) != file || strings.Contains(file, "..") || strings.ContainsAny(file, "\n\x00"):
			return fmt.Errorf("%sunified %q: want the name of a file of a control group, such as memory.max", memberPrefix, file)
		case actsOnProcesses(file):
			return fmt.Errorf("%sunified %q: it moves, stops or ends processes, and limits nothing (leave it out)", memberPrefix, file)
		case strings.IndexByte(r.Unified[file], 0) >= 0:
			return fmt.Errorf("%sunified %q: want a value without NUL", memberPrefix, file)
		}
	}
	return nil
}

// actsOnProcesses tells the files of the core that are commands: they would freeze or kill the container while it is
// made, or bring others into it.
func actsOnProcesses(file string) bool {
	switch file {
	case "cgroup.procs", "cgroup.threads", "cgroup.kill", "cgroup.freeze", "cgroup.type", "cgroup.subtree_control":
		return true
	}
	return false
}
