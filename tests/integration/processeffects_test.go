// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/tests/harness"
)

// All limits that POSIX and Linux have, by what the kernel says of the process; the highest number is no limit.
func TestEachRlimitReachesTheProcess(t *testing.T) {
	t.Parallel()
	const infinity = 1<<64 - 1
	b := shell(t, "cat /proc/self/limits")
	want := map[string]string{}
	for _, l := range []struct {
		name, title string
		soft, hard  uint64
	}{
		{"AS", "Max address space", 1 << 40, infinity},
		{"CORE", "Max core file size", 0, 4096},
		{"CPU", "Max cpu time", 1000, 1001},
		{"DATA", "Max data size", 1 << 40, infinity},
		{"FSIZE", "Max file size", 1 << 30, 1 << 31},
		{"LOCKS", "Max file locks", 11, 12},
		{"MEMLOCK", "Max locked memory", 0, 4096},
		{"MSGQUEUE", "Max msgqueue size", 13, 14},
		{"NICE", "Max nice priority", 0, 0},
		{"NOFILE", "Max open files", 100, 101},
		{"NPROC", "Max processes", 1000, 1001},
		{"RSS", "Max resident set", infinity, infinity},
		{"RTPRIO", "Max realtime priority", 0, 0},
		{"RTTIME", "Max realtime timeout", 15, 16},
		{"SIGPENDING", "Max pending signals", 17, 18},
		{"STACK", "Max stack size", 1 << 20, 1 << 21},
	} {
		b.Spec.Process.Rlimits = append(b.Spec.Process.Rlimits[:len(want)], specs.POSIXRlimit{Type: "RLIMIT_" + l.name, Soft: l.soft, Hard: l.hard})
		number := func(n uint64) string {
			if n == infinity {
				return "unlimited"
			}
			return itoa(n)
		}
		want[l.title] = number(l.soft) + " " + number(l.hard)
	}
	if len(want) != 16 {
		t.Fatalf("%d limits", len(want))
	}
	seen := 0
	for line := range strings.Lines(b.Run(t).WantExit(t, 0).Stdout) {
		if len(line) < 27 {
			continue
		}
		title, values := strings.TrimSpace(line[:26]), strings.Join(strings.Fields(line[26:])[:2], " ")
		if expected, ok := want[title]; ok {
			seen++
			if values != expected {
				t.Errorf("%s: %s, want %s", title, values, expected)
			}
		}
	}
	if seen != len(want) {
		t.Errorf("%d of %d limits were seen", seen, len(want))
	}
}

// Limits are the program's: however low, the runtime itself gets by with them.
func TestNoRlimitHindersTheRuntime(t *testing.T) {
	t.Parallel()
	// A change of ids to a user that has more processes than RLIMIT_NPROC makes execve fail (execve(2), EAGAIN).
	const alone = 59123
	for name, limit := range map[string]uint64{
		"AS": 8 << 20, "DATA": 1 << 20, "STACK": 64 << 10, "NPROC": 0, "NOFILE": 0, "CPU": 1, "MEMLOCK": 0, "SIGPENDING": 0, "MSGQUEUE": 0, "RTTIME": 0,
	} {
		for _, user := range []uint32{0, alone} {
			b := harness.NewBundle(t, "echo", "started")
			b.Spec.Process.User.UID = user
			b.Spec.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_" + name, Soft: limit, Hard: limit}}
			t.Log(name, user)
			b.Run(t).WantExit(t, 0).WantStdoutIs(t, "started")
		}
	}
}

// Scheduling classes and I/O classes, by what chrt(1) and ionice(1) see from the host.
func TestEachClassOfSchedulingReachesTheProcess(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		scheduler *specs.Scheduler
		io        *specs.LinuxIOPriority
		command   string
		want      []string
	}{
		{"other", &specs.Scheduler{Policy: specs.SchedOther, Nice: 7}, nil, "chrt -p PID; awk '{print \"nice\", $19}' /proc/PID/stat", []string{"SCHED_OTHER", "nice 7\n"}},
		{"batch", &specs.Scheduler{Policy: specs.SchedBatch}, nil, "chrt -p PID", []string{"SCHED_BATCH\n"}},
		{"idle", &specs.Scheduler{Policy: specs.SchedIdle}, nil, "chrt -p PID", []string{"SCHED_IDLE\n"}},
		{"deadline", &specs.Scheduler{Policy: specs.SchedDeadline, Runtime: 1e6, Deadline: 1e7, Period: 2e7}, nil, "chrt -p PID", []string{"SCHED_DEADLINE", "1000000/10000000/20000000"}},
		{"reset on fork", &specs.Scheduler{Policy: specs.SchedBatch, Flags: []specs.LinuxSchedulerFlag{specs.SchedFlagResetOnFork}}, nil, "chrt -p PID", []string{"SCHED_BATCH|SCHED_RESET_ON_FORK"}},
		{"fifo", &specs.Scheduler{Policy: specs.SchedFIFO, Priority: 5}, nil, "chrt -p PID", []string{"SCHED_FIFO", "priority: 5"}},
		{"round robin", &specs.Scheduler{Policy: specs.SchedRR, Priority: 7}, nil, "chrt -p PID", []string{"SCHED_RR", "priority: 7"}},
		{"io real time", nil, &specs.LinuxIOPriority{Class: specs.IOPRIO_CLASS_RT, Priority: 3}, "ionice -p PID", []string{"realtime: prio 3"}},
		{"io best effort", nil, &specs.LinuxIOPriority{Class: specs.IOPRIO_CLASS_BE, Priority: 7}, "ionice -p PID", []string{"best-effort: prio 7"}},
		{"io idle", nil, &specs.LinuxIOPriority{Class: specs.IOPRIO_CLASS_IDLE}, "ionice -p PID", []string{"idle"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := idle(t)
			b.Spec.Process.Scheduler, b.Spec.Process.IOPriority = c.scheduler, c.io
			if got := b.Run(t, "--detach"); got.Exit != 0 {
				got.WantOneError(t, "operation not permitted")
				if c.scheduler == nil || c.scheduler.Priority == 0 {
					t.Fatalf("refused: %s", got.Stderr)
				}
				t.Skip("needs real-time bandwidth of the control group (CONFIG_RT_GROUP_SCHED), and rt says so")
			}
			command := strings.ReplaceAll(c.command, "PID", itoa(uint64(b.State(t).Pid)))
			out, err := exec.Command("sh", "-c", command).CombinedOutput()
			if err != nil {
				t.Errorf("%s: %v", command, err)
			}
			for _, want := range c.want {
				if !strings.Contains(string(out), want) {
					t.Errorf("%s: %q, want %q", command, out, want)
				}
			}
		})
	}
}

// What rt itself lacks is left out, with a warning (config.md, "Linux Process": it should not fail).
func TestCapabilitiesThatRtLacksAreLeftOut(t *testing.T) {
	t.Parallel()
	b := shell(t, "grep -E '^Cap(Prm|Bnd)' /proc/self/status | tr -d '\\t'")
	grant(b, "CAP_SYS_TIME")
	b.Wrapper = []string{"setpriv", "--bounding-set", "-sys_time"}
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "CapPrm:0000000020000420\nCapBnd:0000000020000420").
		WantStderr(t, "level=warning", "leave out CAP_SYS_TIME, which rt itself does not have")
	if !harness.HasCapability(unix.CAP_SYS_TIME) {
		return // nor has whoever runs the test
	}
	b.Wrapper = nil
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "CapPrm:0000000022000420\nCapBnd:0000000022000420").WantStderrIs(t, "")
}
