// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"math"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// The conversions from the specification's numbers, which are those of cgroup v1, to what control files take.

// bytesV1 writes a number of bytes as v1 has it: -1 is no limit (memory.rst, "Usage"). 0 is not set.
func bytesV1(file string, bytes *int64) []write {
	if !given(bytes, 0) {
		return nil
	}
	return []write{{file: file, value: strconv.FormatInt(*bytes, 10)}}
}

// bytesV2 writes a number of bytes as v2 has it. 0 is not set.
func bytesV2(file string, bytes *int64) []write {
	if !given(bytes, 0) {
		return nil
	}
	return []write{{file: file, value: bytesOrMax(*bytes)}}
}

// bytesOrMax formats a limit for v2, where -1 is called "max" (cgroup-v2.rst, "Conventions").
func bytesOrMax(n int64) string {
	if n == -1 {
		return "max"
	}
	return strconv.FormatInt(n, 10)
}

// swapAlone takes the memory out of a limit of memory and swap together: v1's memory.memsw.limit_in_bytes counts both,
// v2's memory.swap.max swap alone (cgroup-v2.rst, "Memory Interface Files").
func swapAlone(swap int64, limit *int64) int64 {
	if swap == -1 || limit == nil {
		return swap
	}
	return swap - *limit
}

// Ranges of the two scales that weigh processors: cpu.shares (kernel/sched/sched.h, MIN_SHARES and MAX_SHARES) and
// cpu.weight (include/linux/cgroup.h, CGROUP_WEIGHT_MIN and CGROUP_WEIGHT_MAX).
const (
	sharesMin, sharesMax = 2, 1 << 18
	weightMin, weightMax = 1, 10000
	roundingMargin       = 1e-9
)

// sharesToWeight converts cpu.shares to cpu.weight as runc 1.4 and crun 1.23 and their successors do, so that a
// container has the same weight beside theirs. The exponents of the two scales are joined by a parabola through both
// ends and the defaults: 2 becomes 1, 1024 becomes 100, 262144 becomes 10000 (a straight line, as earlier versions had
// it, gives the default of v1 a weight of 39).
//
//	weight = 10 ^ ((l*l + 125*l) / 612 - 7/34), l = log2(shares), rounded up
//
// roundingMargin keeps the error of the floating-point unit from lifting 100 to 101.
func sharesToWeight(shares uint64) uint64 {
	switch {
	case shares <= sharesMin:
		return weightMin
	case shares >= sharesMax:
		return weightMax
	}
	l := math.Log2(float64(shares))
	return uint64(math.Ceil(math.Pow(10, (l*l+125*l)/612-7.0/34) - roundingMargin))
}

// pidsMax formats pids.limit for pids.max, which both versions have. 0 is a limit (config-linux.md, "PIDs"), and the
// strictest under which the container's first process can be: 1.
func pidsMax(limit int64) string {
	switch limit {
	case -1:
		return "max"
	case 0:
		return "1"
	}
	return strconv.FormatInt(limit, 10)
}

// cpuMax formats cpu.max, "QUOTA PERIOD" (cgroup-v2.rst, "CPU Interface Files"). Without a period the kernel keeps the
// one that the group has; a quota that is not given must be put in.
func cpuMax(c *specs.LinuxCPU) write {
	w := write{file: "cpu.max"}
	if given(c.Quota, 0) {
		w.value = bytesOrMax(*c.Quota)
		if given(c.Period, 0) {
			w.value += " " + strconv.FormatUint(*c.Period, 10)
		}
		return w
	}
	period := strconv.FormatUint(*c.Period, 10)
	w.merge = func(current string) string {
		for i := range len(current) {
			if current[i] == ' ' {
				return current[:i] + " " + period
			}
		}
		return "max " + period
	}
	return w
}

// ioWeight converts a weight of v1 and BFQ, 10 to 1000, to io.weight, 1 to 10000, on a straight line.
func ioWeight(weight uint16) uint64 {
	if weight < blockWeightMin {
		return weightMin
	}
	return 1 + (uint64(weight)-blockWeightMin)*(weightMax-weightMin)/(blockWeightMax-blockWeightMin)
}

// rateOrMax formats a rate for io.max. 0 takes the limit away on v1 (blkio-controller.rst); there the word is "max".
func rateOrMax(rate uint64) string {
	if rate == 0 {
		return "max"
	}
	return strconv.FormatUint(rate, 10)
}

// pageSizeName gives a page size the name that it has in the hugetlb controller's files: the largest of KB, MB and GB
// of which it is at least one (mm/hugetlb_cgroup.c, mem_fmt).
func pageSizeName(kilobytes uint64) string {
	switch {
	case kilobytes >= 1<<20:
		return strconv.FormatUint(kilobytes>>20, 10) + "GB"
	case kilobytes >= 1<<10:
		return strconv.FormatUint(kilobytes>>10, 10) + "MB"
	}
	return strconv.FormatUint(kilobytes, 10) + "KB"
}
