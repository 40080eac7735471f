// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func filtered(filter specs.LinuxSeccomp) func(*specs.Spec) {
	return func(s *specs.Spec) { s.Linux.Seccomp = &filter }
}

func ruled(rule specs.LinuxSyscall) func(*specs.Spec) {
	return filtered(specs.LinuxSeccomp{
		DefaultAction: specs.ActAllow, ListenerPath: "/run/agent", Syscalls: []specs.LinuxSyscall{{Names: []string{"a"}, Action: specs.ActErrno}, rule},
	})
}

func TestRefuseSeccomp(t *testing.T) {
	type F = specs.LinuxSeccomp
	type R = specs.LinuxSyscall
	type A = specs.LinuxSeccompArg
	names := []string{"chdir"}
	const actions = "want SCMP_ACT_KILL, _KILL_PROCESS, _KILL_THREAD, _TRAP, _ERRNO, _TRACE, _ALLOW, _LOG or _NOTIFY"
	wantRefusals(t, []refusal{
		{"empty", filtered(F{}), "linux.seccomp.defaultAction: missing (remove linux.seccomp for no filter)"},
		{"default action", filtered(F{DefaultAction: "ALLOW"}), `linux.seccomp.defaultAction "ALLOW": ` + actions},
		{"notify by default", filtered(F{DefaultAction: specs.ActNotify, ListenerPath: "/a"}), "linux.seccomp.defaultAction: SCMP_ACT_NOTIFY cannot be used as default action (the container could not even start)"},
		{"default errno of allow", filtered(F{DefaultAction: specs.ActAllow, DefaultErrnoRet: ptr(uint(1))}), "linux.seccomp.defaultErrnoRet 1: SCMP_ACT_ALLOW returns no errno (want SCMP_ACT_ERRNO or SCMP_ACT_TRACE)"},
		{"large default errno", filtered(F{DefaultAction: specs.ActErrno, DefaultErrnoRet: ptr(uint(4096))}), "linux.seccomp.defaultErrnoRet 4096: want at most 4095"},
		{"metadata alone", filtered(F{DefaultAction: specs.ActAllow, ListenerMetadata: "x"}), "linux.seccomp.listenerMetadata: it wants a listenerPath"},
		{"no agent", filtered(F{DefaultAction: specs.ActAllow, Syscalls: []R{{Names: names, Action: specs.ActNotify}}}), "linux.seccomp.listenerPath: missing (SCMP_ACT_NOTIFY wants the socket of an agent)"},
		{"no names", ruled(R{Action: specs.ActKill}), "linux.seccomp.syscalls[1].names: missing (want at least one system call)"},
		{"no action", ruled(R{Names: names}), "linux.seccomp.syscalls[1].action: missing"},
		{"action", ruled(R{Names: names, Action: "SCMP_ACT_DENY"}), `linux.seccomp.syscalls[1].action "SCMP_ACT_DENY": ` + actions},
		{"errno of kill", ruled(R{Names: names, Action: specs.ActKillProcess, ErrnoRet: ptr(uint(0))}), "linux.seccomp.syscalls[1].errnoRet 0: SCMP_ACT_KILL_PROCESS returns no errno (want SCMP_ACT_ERRNO or SCMP_ACT_TRACE)"},
		{"large trace data", ruled(R{Names: names, Action: specs.ActTrace, ErrnoRet: ptr(uint(65536))}), "linux.seccomp.syscalls[1].errnoRet 65536: want at most 65535"},
		{"notify for write", ruled(R{Names: []string{"mkdir", "write"}, Action: specs.ActNotify}), "linux.seccomp.syscalls[1]: SCMP_ACT_NOTIFY cannot be used for the write syscall"},
		{"argument 6", ruled(R{Names: names, Action: specs.ActErrno, Args: []A{{Index: 5, Op: specs.OpEqualTo}, {Index: 6, Op: specs.OpEqualTo}}}), "linux.seccomp.syscalls[1].args[1].index 6: want 0 to 5"},
		{"operator", ruled(R{Names: names, Action: specs.ActErrno, Args: []A{{Op: "=="}}}), `linux.seccomp.syscalls[1].args[0].op "==": want SCMP_CMP_NE, _LT, _LE, _EQ, _GE, _GT or _MASKED_EQ`},
	})
}

func TestAcceptSeccomp(t *testing.T) {
	type F = specs.LinuxSeccomp
	type R = specs.LinuxSyscall
	var cases []acceptance
	for _, action := range []specs.LinuxSeccompAction{
		specs.ActKill, specs.ActKillProcess, specs.ActKillThread, specs.ActTrap, specs.ActErrno, specs.ActTrace, specs.ActAllow, specs.ActLog,
	} {
		cases = append(cases,
			acceptance{"default " + string(action), filtered(F{DefaultAction: action}), nil},
			acceptance{string(action), ruled(R{Names: []string{"nosuchcall"}, Action: action}), nil})
	}
	for _, op := range []specs.LinuxSeccompOperator{
		specs.OpNotEqual, specs.OpLessThan, specs.OpLessEqual, specs.OpEqualTo, specs.OpGreaterEqual, specs.OpGreaterThan, specs.OpMaskedEqual,
	} {
		cases = append(cases, acceptance{string(op), ruled(R{Names: []string{"a"}, Action: specs.ActErrno, ErrnoRet: ptr(uint(4095)), Args: []specs.LinuxSeccompArg{{Index: 5, Op: op}}}), nil})
	}
	wantAcceptances(t, append(cases,
		acceptance{"listener without notify", filtered(F{DefaultAction: specs.ActAllow, ListenerPath: "/a", ListenerMetadata: "x"}), nil},
		acceptance{"errno", filtered(F{DefaultAction: specs.ActErrno, DefaultErrnoRet: ptr(uint(38))}), nil}))
}
