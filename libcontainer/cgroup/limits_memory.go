// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// memoryLimits are the rows of linux.resources.memory (config-linux.md, "Memory"; kernel admin-guide/cgroup-v1/memory.rst,
// admin-guide/cgroup-v2.rst "Memory Interface Files"). 0 is not set, in limit, reservation and swap alike: callers fill
// in structures and mean that, and nothing could run with it.
//
// Two members have no row: kernel, which the specification lets a runtime ignore (kernel memory is part of limit, and
// has no limit of its own since Linux 5.16), and useHierarchy, which is on since Linux 5.11, on v1 too.
var memoryLimits = [...]limit{
	{
		member: "memory.limit", controller: "memory",
		v1: form{"memory.limit_in_bytes", memoryLimitV1},
		v2: form{"memory.max", memoryLimitV2},
	},
	{
		member: "memory.swap", controller: "memory",
		v1: form{"memory.memsw.limit_in_bytes", swapV1},
		v2: form{"memory.swap.max", swapV2},
	},
	{
		member: "memory.reservation", controller: "memory",
		v1: form{"memory.soft_limit_in_bytes", func(r *specs.LinuxResources) []write {
			return bytesV1("memory.soft_limit_in_bytes", r.Memory.Reservation)
		}},
		v2: form{"memory.low", func(r *specs.LinuxResources) []write {
			return bytesV2("memory.low", r.Memory.Reservation)
		}},
	},
	{
		member: "memory.kernelTCP", controller: "memory",
		v1: form{"memory.kmem.tcp.limit_in_bytes", func(r *specs.LinuxResources) []write {
			// Unlimited is what a group has that was never told; the file may be gone in newer kernels.
			if !given(r.Memory.KernelTCP, -1) {
				return nil
			}
			return bytesV1("memory.kmem.tcp.limit_in_bytes", r.Memory.KernelTCP)
		}},
		instead: "memory.limit includes it",
	},
	{
		member: "memory.swappiness", controller: "memory",
		v1: form{"memory.swappiness", func(r *specs.LinuxResources) []write {
			if !given(r.Memory.Swappiness, swappinessUnset) {
				return nil
			}
			return []write{{file: "memory.swappiness", value: strconv.FormatUint(*r.Memory.Swappiness, 10)}}
		}},
		instead: "leave it out, and set memory.swap",
	},
	{
		member: "memory.disableOOMKiller", controller: "memory",
		v1: form{"memory.oom_control", func(r *specs.LinuxResources) []write {
			// The killer is on in a group that was never told otherwise. false is what callers write always.
			if !given(r.Memory.DisableOOMKiller, false) {
				return nil
			}
			return []write{{file: "memory.oom_control", value: "1"}}
		}},
		instead: "leave it out: it can't be switched off there",
	},
}

// swappinessUnset is -1 in an unsigned member: what callers write for the default.
const swappinessUnset = math.MaxUint64

func memoryLimitV1(r *specs.LinuxResources) []write {
	return bytesV1("memory.limit_in_bytes", r.Memory.Limit)
}

func memoryLimitV2(r *specs.LinuxResources) []write { return bytesV2("memory.max", r.Memory.Limit) }

// swapV1 lifts the limit of memory and swap together with that of memory, which can't be higher.
func swapV1(r *specs.LinuxResources) []write {
	swap := swapOf(r.Memory)
	return swapAbsent(bytesV1("memory.memsw.limit_in_bytes", swap), swap)
}

// swapV2 does the same for the limit of swap alone.
func swapV2(r *specs.LinuxResources) []write {
	swap := swapOf(r.Memory)
	if !given(swap, 0) {
		return nil
	}
	alone := swapAlone(*swap, r.Memory.Limit)
	return swapAbsent([]write{{file: "memory.swap.max", value: bytesOrMax(alone)}}, &alone)
}

// swapOf returns the swap limit: unlimited too where memory is, unless it is given.
func swapOf(m *specs.LinuxMemory) *int64 {
	if !given(m.Swap, 0) && m.Limit != nil && *m.Limit == -1 {
		return m.Limit
	}
	return m.Swap
}

// swapAbsent says what holds where the kernel counts no swap: no limit is no limit, and there may be no swap at all.
func swapAbsent(writes []write, swap *int64) []write {
	for i := range writes {
		writes[i].absent = noSwap
		if *swap == -1 {
			writes[i].absent = func() bool { return true }
		}
	}
	return writes
}

// noSwap tells whether the kernel is built without swap (CONFIG_SWAP).
func noSwap() bool {
	_, err := os.Stat("/proc/swaps")
	return errors.Is(err, os.ErrNotExist)
}

func checkMemory(r *specs.LinuxResources, v Version) error {
	m := r.Memory
	for _, n := range [...]struct {
		member string
		value  *int64
	}{
		{"memory.limit", m.Limit},
		{"memory.reservation", m.Reservation},
		{"memory.swap", m.Swap},
		{"memory.kernelTCP", m.KernelTCP},
	} {
		if n.value != nil && *n.value < -1 {
			return invalid(n.member, *n.value, "a number of bytes, or -1 for no limit")
		}
	}
	switch {
	case given(m.Swappiness, swappinessUnset) && *m.Swappiness > 100:
		return invalid("memory.swappiness", *m.Swappiness, "0 to 100")
	case m.UseHierarchy != nil && !*m.UseHierarchy:
		return invalid("memory.useHierarchy", false, "true: it can't be switched off since Linux 5.11")
	}
	return checkSwap(m, v)
}

// checkSwap judges memory.swap, which counts memory and swap together.
func checkSwap(m *specs.LinuxMemory, v Version) error {
	if !given(m.Swap, 0, -1) {
		return nil
	}
	switch {
	case given(m.Limit, 0, -1):
		if *m.Swap < *m.Limit {
			return invalid("memory.swap", *m.Swap, fmt.Sprintf("at least memory.limit, %d: it counts memory and swap together", *m.Limit))
		}
	case v == V2 || given(m.Limit, 0):
		// v2 limits swap alone, which is a difference; and with v1 it would limit the memory that is unlimited.
		return invalid("memory.swap", *m.Swap, "a memory.limit beside it: it counts memory and swap together")
	}
	return nil
}

// checkUsage gives v2, where a limit below the usage has processes killed, what the kernel does on v1: it refuses.
func (g *Group) checkUsage(m *specs.LinuxMemory) error {
	limited := given(m.Limit, 0, -1) || given(m.Swap, 0, -1)
	if m.CheckBeforeUpdate == nil || !*m.CheckBeforeUpdate || !limited {
		return nil
	}
	if _, ok := g.controller("memory"); ok {
		return nil
	}
	u, ok := g.unified()
	if !ok {
		return nil
	}
	usage, err := readNumber(u.dir, "memory.current")
	if err != nil {
		if gone(err) {
			return nil // the write of the limit will say what is missing
		}
		return err
	}
	// Callers match the texts.
	if given(m.Swap, 0, -1) && uint64(*m.Swap) <= usage {
		return fmt.Errorf("%smemory.swap: rejecting memory+swap limit %d: %d bytes are in use", memberPrefix, *m.Swap, usage)
	}
	if given(m.Limit, 0, -1) && uint64(*m.Limit) <= usage {
		return fmt.Errorf("%smemory.limit: rejecting memory limit %d: %d bytes are in use", memberPrefix, *m.Limit, usage)
	}
	return nil
}
