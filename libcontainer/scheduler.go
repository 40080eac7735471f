// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/sys"
)

// schedulerPolicy returns the number of a policy (sched(7), linux/sched.h).
func schedulerPolicy(p specs.LinuxSchedulerPolicy) (uint32, bool) {
	switch p {
	case specs.SchedOther:
		return unix.SCHED_NORMAL, true
	case specs.SchedFIFO:
		return unix.SCHED_FIFO, true
	case specs.SchedRR:
		return unix.SCHED_RR, true
	case specs.SchedBatch:
		return unix.SCHED_BATCH, true
	case specs.SchedIdle:
		return unix.SCHED_IDLE, true
	case specs.SchedDeadline:
		return unix.SCHED_DEADLINE, true
	}
	return 0, false
}

// schedulerFlag returns the bit of a flag (sched_setattr(2)).
func schedulerFlag(f specs.LinuxSchedulerFlag) (uint64, bool) {
	switch f {
	case specs.SchedFlagResetOnFork:
		return unix.SCHED_FLAG_RESET_ON_FORK, true
	case specs.SchedFlagReclaim:
		return unix.SCHED_FLAG_RECLAIM, true
	case specs.SchedFlagDLOverrun:
		return unix.SCHED_FLAG_DL_OVERRUN, true
	case specs.SchedFlagKeepPolicy:
		return unix.SCHED_FLAG_KEEP_POLICY, true
	case specs.SchedFlagKeepParams:
		return unix.SCHED_FLAG_KEEP_PARAMS, true
	case specs.SchedFlagUtilClampMin:
		return unix.SCHED_FLAG_UTIL_CLAMP_MIN, true
	case specs.SchedFlagUtilClampMax:
		return unix.SCHED_FLAG_UTIL_CLAMP_MAX, true
	}
	return 0, false
}

// setScheduler applies process.scheduler.
func setScheduler(pid int, s *specs.Scheduler) error {
	if s == nil {
		return nil
	}
	policy, ok := schedulerPolicy(s.Policy)
	if !ok {
		return fmt.Errorf("policy %q: unknown, or not in Linux", s.Policy)
	}
	attr := unix.SchedAttr{
		Policy: policy, Nice: s.Nice, Priority: uint32(s.Priority),
		Runtime: s.Runtime, Deadline: s.Deadline, Period: s.Period,
	}
	for _, name := range s.Flags {
		flag, ok := schedulerFlag(name)
		if !ok {
			return fmt.Errorf("flag %q: unknown", name)
		}
		attr.Flags |= flag
	}
	return sys.SetScheduler(pid, &attr)
}

// ioClass returns the number of an I/O scheduling class (ioprio_set(2)).
func ioClass(c specs.IOPriorityClass) (int, bool) {
	switch c {
	case specs.IOPRIO_CLASS_RT:
		return 1, true
	case specs.IOPRIO_CLASS_BE:
		return 2, true
	case specs.IOPRIO_CLASS_IDLE:
		return 3, true
	}
	return 0, false
}

// setIOPriority applies process.ioPriority.
func setIOPriority(pid int, p *specs.LinuxIOPriority) error {
	if p == nil {
		return nil
	}
	class, ok := ioClass(p.Class)
	if !ok {
		return fmt.Errorf("class %q: unknown", p.Class)
	}
	return sys.SetIOPriority(pid, class, p.Priority)
}
