// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"errors"
	"fmt"
	"math"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// deadlineRuntimeMin is the shortest runtime that the deadline scheduler takes (DL_SCALE of kernel/sched).
const deadlineRuntimeMin = 1024

// checkScheduler applies the rules of sched_setattr(2) that don't depend on the caller's rights.
func checkScheduler(p *specs.Process) error {
	s := p.Scheduler
	if s == nil {
		return nil
	}
	realtime, deadline := false, false
	switch s.Policy {
	case specs.SchedOther, specs.SchedBatch, specs.SchedIdle:
	case specs.SchedFIFO, specs.SchedRR:
		realtime = true
	case specs.SchedDeadline:
		deadline = true
	case specs.SchedISO:
		return errors.New("process.scheduler.policy SCHED_ISO: Linux has no such policy")
	case "":
		return errors.New("process.scheduler.policy: missing (want SCHED_OTHER, _FIFO, _RR, _BATCH, _IDLE or _DEADLINE)")
	default:
		return fmt.Errorf("process.scheduler.policy %q: want SCHED_OTHER, _FIFO, _RR, _BATCH, _IDLE or _DEADLINE", s.Policy)
	}
	for i, flag := range s.Flags {
		switch flag {
		case specs.SchedFlagResetOnFork, specs.SchedFlagReclaim, specs.SchedFlagDLOverrun, specs.SchedFlagKeepPolicy,
			specs.SchedFlagKeepParams, specs.SchedFlagUtilClampMin, specs.SchedFlagUtilClampMax:
		default:
			return fmt.Errorf("process.scheduler.flags[%d] %q: unknown (want a name such as SCHED_FLAG_RESET_ON_FORK)", i, flag)
		}
	}
	switch {
	case s.Nice < -20 || s.Nice > 19:
		return fmt.Errorf("process.scheduler.nice %d: want -20 to 19", s.Nice)
	case s.Priority != 0 && !realtime:
		return fmt.Errorf("process.scheduler.priority %d: only for SCHED_FIFO and SCHED_RR, not %s", s.Priority, s.Policy)
	case realtime && (s.Priority < 1 || s.Priority > 99):
		return fmt.Errorf("process.scheduler.priority %d: want 1 to 99 with %s", s.Priority, s.Policy)
	case !deadline && s.Runtime|s.Deadline|s.Period != 0:
		return fmt.Errorf("process.scheduler: runtime, deadline and period are only for SCHED_DEADLINE, not %s", s.Policy)
	case deadline:
		return checkDeadline(s)
	}
	return nil
}

func checkDeadline(s *specs.Scheduler) error {
	period := s.Period
	if period == 0 {
		period = s.Deadline
	}
	if s.Runtime < deadlineRuntimeMin || s.Runtime > s.Deadline || s.Deadline > period || period > math.MaxInt64 {
		return fmt.Errorf("process.scheduler: runtime %d, deadline %d, period %d: want %d <= runtime <= deadline <= period, in nanoseconds",
			s.Runtime, s.Deadline, s.Period, deadlineRuntimeMin)
	}
	return nil
}

// schedulerAndCPUs refuses what the kernel does: a deadline task may run on every CPU of its root domain.
func (v *validator) schedulerAndCPUs() error {
	s, r := v.spec.Process.Scheduler, v.linux.Resources
	if s != nil && s.Policy == specs.SchedDeadline && r != nil && r.CPU != nil && r.CPU.Cpus != "" {
		return errors.New("process.scheduler.policy SCHED_DEADLINE: process scheduler can't be used together with AllowedCPUs " +
			"(remove linux.resources.cpu.cpus)")
	}
	return nil
}
