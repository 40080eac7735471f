// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"math"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestRefuseProcess(t *testing.T) {
	type process = specs.Process
	edit := func(change func(*process)) func(*specs.Spec) {
		return func(s *specs.Spec) { change(s.Process) }
	}
	wantRefusals(t, []refusal{
		{"no cwd", edit(func(p *process) { p.Cwd = "" }), "process.cwd: missing (want an absolute path)"},
		{"relative cwd", edit(func(p *process) { p.Cwd = "etc" }), `process.cwd "etc": want an absolute path`},
		{"NUL in cwd", edit(func(p *process) { p.Cwd = "/\x00" }), `process.cwd "/\x00": want a string without NUL`},
		{"no args", edit(func(p *process) { p.Args = nil }), "process.args: missing (want a program and its arguments)"},
		{"empty args", edit(func(p *process) { p.Args = []string{} }), "process.args: missing (want a program and its arguments)"},
		{"empty program", edit(func(p *process) { p.Args = []string{"", "a"} }), "process.args[0]: empty (want a program)"},
		{"NUL in args", edit(func(p *process) { p.Args = []string{"a", "b\x00"} }), `process.args[1] "b\x00": want a string without NUL`},
		{"env without =", edit(func(p *process) { p.Env = []string{"A=1", "B"} }), `process.env[1] "B": want NAME=VALUE`},
		{"env without name", edit(func(p *process) { p.Env = []string{"=1"} }), `process.env[0] "=1": want NAME=VALUE`},
		{"empty env entry", edit(func(p *process) { p.Env = []string{""} }), `process.env[0] "": want NAME=VALUE`},
		{"NUL in env", edit(func(p *process) { p.Env = []string{"A=\x00"} }), `process.env[0] "A=\x00": want a string without NUL`},
		{"uid", edit(func(p *process) { p.User.UID = math.MaxUint32 }), "process.user.uid 4294967295: not an id"},
		{"gid", edit(func(p *process) { p.User.GID = math.MaxUint32 }), "process.user.gid 4294967295: not an id"},
		{"additional gid", edit(func(p *process) { p.User.AdditionalGids = []uint32{0, math.MaxUint32} }), "process.user.additionalGids[1] 4294967295: not an id"},
		{"umask", edit(func(p *process) { p.User.Umask = ptr(uint32(0o1000)) }), "process.user.umask 512: want 0 to 511 (octal 0777)"},
		{"console", edit(func(p *process) { p.ConsoleSize = &specs.Box{Height: 24, Width: 65536} }), "process.consoleSize 24x65536: want at most 65535 lines and columns"},

		{"rlimit without type", edit(func(p *process) { p.Rlimits = []specs.POSIXRlimit{{}} }), "process.rlimits[0].type: missing (want a name such as RLIMIT_NOFILE)"},
		{"unknown rlimit", edit(func(p *process) { p.Rlimits = []specs.POSIXRlimit{{Type: "NOFILE"}} }), `process.rlimits[0].type "NOFILE": unknown (want a name such as RLIMIT_NOFILE)`},
		{"rlimit twice", edit(func(p *process) { p.Rlimits = append(p.Rlimits, p.Rlimits[0]) }), `process.rlimits[1].type "RLIMIT_NOFILE": listed twice`},
		{"soft over hard", edit(func(p *process) { p.Rlimits[0].Soft = 1025 }), "process.rlimits[0] RLIMIT_NOFILE: soft 1025 is more than hard 1024"},
		{"infinite soft", edit(func(p *process) { p.Rlimits[0].Soft = math.MaxUint64 }), "process.rlimits[0] RLIMIT_NOFILE: soft 18446744073709551615 is more than hard 1024"},
		{"low oom score", edit(func(p *process) { p.OOMScoreAdj = ptr(-1001) }), "process.oomScoreAdj -1001: want -1000 to 1000"},
		{"high oom score", edit(func(p *process) { p.OOMScoreAdj = ptr(1001) }), "process.oomScoreAdj 1001: want -1000 to 1000"},

		{"no I/O class", edit(func(p *process) { p.IOPriority = &specs.LinuxIOPriority{Priority: 4} }), "process.ioPriority.class: missing (want IOPRIO_CLASS_RT, _BE or _IDLE)"},
		{"other I/O class", edit(func(p *process) { p.IOPriority = &specs.LinuxIOPriority{Class: "BE"} }), `process.ioPriority.class "BE": want IOPRIO_CLASS_RT, _BE or _IDLE`},
		{"I/O priority 8", edit(func(p *process) { p.IOPriority = &specs.LinuxIOPriority{Class: "IOPRIO_CLASS_BE", Priority: 8} }), "process.ioPriority.priority 8: want 0 to 7"},
		{"I/O priority -1", edit(func(p *process) { p.IOPriority = &specs.LinuxIOPriority{Class: "IOPRIO_CLASS_BE", Priority: -1} }), "process.ioPriority.priority -1: want 0 to 7"},
	})
	for _, list := range []string{"a", "-", "1-", "-1", "3-1", "0,", ",0", "0,,1", " 0", "0-1-2", "+1", "0x1", "8192", "99999999999"} {
		want := `"` + list + `": want a list of CPUs such as "0-3,8"`
		wantRefusals(t, []refusal{
			{"initial", edit(func(p *process) { p.ExecCPUAffinity = &specs.CPUAffinity{Initial: list} }), "process.execCPUAffinity.initial " + want},
			{"final", edit(func(p *process) { p.ExecCPUAffinity = &specs.CPUAffinity{Initial: "0", Final: list} }), "process.execCPUAffinity.final " + want},
		})
	}
}

func TestRefuseScheduler(t *testing.T) {
	edit := func(scheduler specs.Scheduler) func(*specs.Spec) {
		return func(s *specs.Spec) { s.Process.Scheduler = &scheduler }
	}
	type S = specs.Scheduler
	const policies = "want SCHED_OTHER, _FIFO, _RR, _BATCH, _IDLE or _DEADLINE"
	const order = "want 1024 <= runtime <= deadline <= period, in nanoseconds"
	wantRefusals(t, []refusal{
		{"no policy", edit(S{}), "process.scheduler.policy: missing (" + policies + ")"},
		{"other policy", edit(S{Policy: "FIFO"}), `process.scheduler.policy "FIFO": ` + policies},
		{"ISO", edit(S{Policy: "SCHED_ISO"}), "process.scheduler.policy SCHED_ISO: Linux has no such policy"},
		{"flag", edit(S{Policy: "SCHED_OTHER", Flags: []specs.LinuxSchedulerFlag{"SCHED_FLAG_RECLAIM", "X"}}), `process.scheduler.flags[1] "X": unknown (want a name such as SCHED_FLAG_RESET_ON_FORK)`},
		{"nice", edit(S{Policy: "SCHED_OTHER", Nice: 20}), "process.scheduler.nice 20: want -20 to 19"},
		{"negative nice", edit(S{Policy: "SCHED_OTHER", Nice: -21}), "process.scheduler.nice -21: want -20 to 19"},
		{"priority of another policy", edit(S{Policy: "SCHED_BATCH", Priority: 1}), "process.scheduler.priority 1: only for SCHED_FIFO and SCHED_RR, not SCHED_BATCH"},
		{"no priority", edit(S{Policy: "SCHED_FIFO"}), "process.scheduler.priority 0: want 1 to 99 with SCHED_FIFO"},
		{"priority", edit(S{Policy: "SCHED_RR", Priority: 100}), "process.scheduler.priority 100: want 1 to 99 with SCHED_RR"},
		{"period of another policy", edit(S{Policy: "SCHED_OTHER", Period: 1}), "process.scheduler: runtime, deadline and period are only for SCHED_DEADLINE, not SCHED_OTHER"},
		{"no deadline", edit(S{Policy: "SCHED_DEADLINE"}), "process.scheduler: runtime 0, deadline 0, period 0: " + order},
		{"short runtime", edit(S{Policy: "SCHED_DEADLINE", Runtime: 1023, Deadline: 2000}), "process.scheduler: runtime 1023, deadline 2000, period 0: " + order},
		{"runtime over deadline", edit(S{Policy: "SCHED_DEADLINE", Runtime: 3000, Deadline: 2000, Period: 4000}), "process.scheduler: runtime 3000, deadline 2000, period 4000: " + order},
		{"deadline over period", edit(S{Policy: "SCHED_DEADLINE", Runtime: 2000, Deadline: 3000, Period: 2500}), "process.scheduler: runtime 2000, deadline 3000, period 2500: " + order},
		{"huge period", edit(S{Policy: "SCHED_DEADLINE", Runtime: 2000, Deadline: 3000, Period: 1 << 63}), "process.scheduler: runtime 2000, deadline 3000, period 9223372036854775808: " + order},
		{"deadline and cpuset", func(s *specs.Spec) {
			edit(S{Policy: "SCHED_DEADLINE", Runtime: 42000, Deadline: 100000, Period: 1000000})(s)
			s.Linux.Resources.CPU = &specs.LinuxCPU{Cpus: "0"}
		}, "process.scheduler.policy SCHED_DEADLINE: process scheduler can't be used together with AllowedCPUs (remove linux.resources.cpu.cpus)"},
	})
	wantAcceptances(t, []acceptance{
		{"batch", edit(S{Policy: "SCHED_BATCH", Nice: 19}), nil},
		{"idle", edit(S{Policy: "SCHED_IDLE"}), nil},
		{"fifo", edit(S{Policy: "SCHED_FIFO", Priority: 1, Flags: []specs.LinuxSchedulerFlag{"SCHED_FLAG_RESET_ON_FORK"}}), nil},
		{"round robin", edit(S{Policy: "SCHED_RR", Priority: 99}), nil},
		{"deadline", edit(S{Policy: "SCHED_DEADLINE", Runtime: 42000, Deadline: 100000, Period: 1000000}), nil},
		{"deadline without period", edit(S{Policy: "SCHED_DEADLINE", Runtime: 1024, Deadline: 1024}), nil},
	})
}

func TestAcceptProcess(t *testing.T) {
	wantAcceptances(t, []acceptance{
		{"no env", func(s *specs.Spec) { s.Process.Env = nil }, nil},
		{"odd env", func(s *specs.Spec) { s.Process.Env = []string{"A=", "A=b=c", "B=\n", "C D=1"} }, nil},
		{"ids", func(s *specs.Spec) {
			s.Process.User = specs.User{UID: math.MaxUint32 - 1, GID: math.MaxUint32 - 1, AdditionalGids: []uint32{0, 0}, Umask: ptr(uint32(0o777)), Username: "x"}
		}, nil},
		{"size without terminal", func(s *specs.Spec) {
			s.Process.Terminal = false
			s.Process.ConsoleSize = &specs.Box{Height: 1 << 20}
		}, nil},
		{"size", func(s *specs.Spec) { s.Process.ConsoleSize = &specs.Box{Height: 65535, Width: 65535} }, nil},
		{"infinite limit", func(s *specs.Spec) {
			s.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_CORE", Hard: math.MaxUint64, Soft: math.MaxUint64}, {Type: "RLIMIT_CPU"}}
		}, nil},
		{"oom score", func(s *specs.Spec) { s.Process.OOMScoreAdj = ptr(-1000) }, nil},
		{"I/O class without priority", func(s *specs.Spec) { s.Process.IOPriority = &specs.LinuxIOPriority{Class: "IOPRIO_CLASS_IDLE"} }, nil},
		{"affinity", func(s *specs.Spec) {
			s.Process.ExecCPUAffinity = &specs.CPUAffinity{Initial: "0-1", Final: "0,2-3,8191"}
		}, nil},
		{"no affinity", func(s *specs.Spec) { s.Process.ExecCPUAffinity = &specs.CPUAffinity{} }, nil},
	})
}

func TestRlimitResource(t *testing.T) {
	all := map[string]int{
		"RLIMIT_AS": unix.RLIMIT_AS, "RLIMIT_CORE": unix.RLIMIT_CORE, "RLIMIT_CPU": unix.RLIMIT_CPU, "RLIMIT_DATA": unix.RLIMIT_DATA,
		"RLIMIT_FSIZE": unix.RLIMIT_FSIZE, "RLIMIT_LOCKS": unix.RLIMIT_LOCKS, "RLIMIT_MEMLOCK": unix.RLIMIT_MEMLOCK,
		"RLIMIT_MSGQUEUE": unix.RLIMIT_MSGQUEUE, "RLIMIT_NICE": unix.RLIMIT_NICE, "RLIMIT_NOFILE": unix.RLIMIT_NOFILE,
		"RLIMIT_NPROC": unix.RLIMIT_NPROC, "RLIMIT_RSS": unix.RLIMIT_RSS, "RLIMIT_RTPRIO": unix.RLIMIT_RTPRIO,
		"RLIMIT_RTTIME": unix.RLIMIT_RTTIME, "RLIMIT_SIGPENDING": unix.RLIMIT_SIGPENDING, "RLIMIT_STACK": unix.RLIMIT_STACK,
	}
	if len(all) != 16 {
		t.Fatalf("%d names, want 16", len(all))
	}
	for name, want := range all {
		if got, ok := RlimitResource(name); !ok || got != want {
			t.Errorf("%s is %d, %v, want %d", name, got, ok, want)
		}
	}
	for _, name := range []string{"", "NOFILE", "rlimit_nofile", "RLIMIT_", "RLIMIT_NLIMITS"} {
		if got, ok := RlimitResource(name); ok {
			t.Errorf("%q is %d", name, got)
		}
	}
}
