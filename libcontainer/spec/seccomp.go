// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"errors"
	"fmt"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Highest values that fit where the kernel keeps them: MAX_ERRNO, and the data of SECCOMP_RET_TRACE.
const (
	errnoMax     = 4095
	traceDataMax = 1<<16 - 1
)

// seccompArgsMax is the number of arguments of a system call.
const seccompArgsMax = 6

// seccomp checks the form of the filter; what the library on the host knows of names, architectures
// and flags shows when it is compiled.
func (v *validator) seccomp() error {
	s := v.linux.Seccomp
	if s == nil {
		return nil
	}
	if s.DefaultAction == "" {
		return errors.New("linux.seccomp.defaultAction: missing (remove linux.seccomp for no filter)")
	}
	if err := checkAction("linux.seccomp.defaultAction", s.DefaultAction); err != nil {
		return err
	}
	if s.DefaultAction == specs.ActNotify {
		return errors.New("linux.seccomp.defaultAction: SCMP_ACT_NOTIFY cannot be used as default action (the container could not even start)")
	}
	if err := checkErrno("linux.seccomp.defaultErrnoRet", s.DefaultAction, s.DefaultErrnoRet); err != nil {
		return err
	}
	if s.ListenerMetadata != "" && s.ListenerPath == "" {
		return errors.New("linux.seccomp.listenerMetadata: it wants a listenerPath")
	}
	for i := range s.Syscalls {
		if err := checkSyscall(fmt.Sprintf("linux.seccomp.syscalls[%d]", i), &s.Syscalls[i]); err != nil {
			return err
		}
	}
	if notifies(s) && s.ListenerPath == "" {
		return errors.New("linux.seccomp.listenerPath: missing (SCMP_ACT_NOTIFY wants the socket of an agent)")
	}
	return nil
}

func notifies(s *specs.LinuxSeccomp) bool {
	return slices.ContainsFunc(s.Syscalls, func(c specs.LinuxSyscall) bool { return c.Action == specs.ActNotify })
}

func checkSyscall(member string, c *specs.LinuxSyscall) error {
	if len(c.Names) == 0 {
		return fmt.Errorf("%s.names: missing (want at least one system call)", member)
	}
	if c.Action == "" {
		return fmt.Errorf("%s.action: missing", member)
	}
	if err := checkAction(member+".action", c.Action); err != nil {
		return err
	}
	if err := checkErrno(member+".errnoRet", c.Action, c.ErrnoRet); err != nil {
		return err
	}
	if c.Action == specs.ActNotify && slices.Contains(c.Names, "write") {
		// The runtime itself writes before the program starts, and would wait for itself.
		return fmt.Errorf("%s: SCMP_ACT_NOTIFY cannot be used for the write syscall", member)
	}
	for i, arg := range c.Args {
		if arg.Index >= seccompArgsMax {
			return fmt.Errorf("%s.args[%d].index %d: want 0 to %d", member, i, arg.Index, seccompArgsMax-1)
		}
		switch arg.Op {
		case specs.OpNotEqual, specs.OpLessThan, specs.OpLessEqual, specs.OpEqualTo,
			specs.OpGreaterEqual, specs.OpGreaterThan, specs.OpMaskedEqual:
		default:
			return fmt.Errorf("%s.args[%d].op %q: want SCMP_CMP_NE, _LT, _LE, _EQ, _GE, _GT or _MASKED_EQ", member, i, arg.Op)
		}
	}
	return nil
}

func checkAction(member string, action specs.LinuxSeccompAction) error {
	switch action {
	case specs.ActKill, specs.ActKillProcess, specs.ActKillThread, specs.ActTrap, specs.ActErrno,
		specs.ActTrace, specs.ActAllow, specs.ActLog, specs.ActNotify:
		return nil
	}
	return fmt.Errorf("%s %q: want SCMP_ACT_KILL, _KILL_PROCESS, _KILL_THREAD, _TRAP, _ERRNO, _TRACE, _ALLOW, _LOG or _NOTIFY", member, action)
}

func checkErrno(member string, action specs.LinuxSeccompAction, errno *uint) error {
	if errno == nil {
		return nil
	}
	switch action {
	case specs.ActErrno:
		if *errno > errnoMax {
			return fmt.Errorf("%s %d: want at most %d", member, *errno, errnoMax)
		}
	case specs.ActTrace:
		if *errno > traceDataMax {
			return fmt.Errorf("%s %d: want at most %d", member, *errno, traceDataMax)
		}
	default:
		return fmt.Errorf("%s %d: %s returns no errno (want SCMP_ACT_ERRNO or SCMP_ACT_TRACE)", member, *errno, action)
	}
	return nil
}
