// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"fmt"
	"math"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

const (
	// argumentCount is the number of arguments a filter sees (struct seccomp_data).
	argumentCount = 6
	// maxErrno is the largest error number that libseccomp takes, one below the kernel's MAX_ERRNO.
	maxErrno = 4094
)

// Check reports the first mistake in the configuration without looking at the host.
func Check(s *specs.LinuxSeccomp) error {
	if s == nil {
		return nil
	}
	if s.DefaultAction == specs.ActNotify {
		return fmt.Errorf("linux.seccomp.defaultAction: SCMP_ACT_NOTIFY cannot be used as the default action (nobody could answer the first system call)")
	}
	if err := checkAction(s.DefaultAction, s.DefaultErrnoRet, "defaultAction", "defaultErrnoRet"); err != nil {
		return fmt.Errorf("linux.seccomp.%w", err)
	}
	for i, name := range s.Architectures {
		if !slices.Contains(Architectures(), name) {
			return fmt.Errorf("linux.seccomp.architectures[%d]: %q is unknown", i, name)
		}
	}
	for i, name := range s.Flags {
		if _, ok := flagByName(name); !ok {
			return fmt.Errorf("linux.seccomp.flags[%d]: %q is unknown", i, name)
		}
	}
	for i := range s.Syscalls {
		if err := checkRule(&s.Syscalls[i]); err != nil {
			return fmt.Errorf("linux.seccomp.syscalls[%d].%w", i, err)
		}
	}
	if s.ListenerMetadata != "" && s.ListenerPath == "" {
		return fmt.Errorf("linux.seccomp.listenerMetadata: set without listenerPath")
	}
	if Notifies(s) && s.ListenerPath == "" {
		return fmt.Errorf("linux.seccomp.listenerPath: missing (SCMP_ACT_NOTIFY wants the socket of an agent)")
	}
	return nil
}

// Notifies says that an agent decides about system calls: without a rule for that, listenerPath means nothing
// (config-linux.md "Seccomp"). A filter for it gives the process that loads it a descriptor, the listener.
func Notifies(s *specs.LinuxSeccomp) bool {
	return s != nil && slices.ContainsFunc(s.Syscalls, func(rule specs.LinuxSyscall) bool { return rule.Action == specs.ActNotify })
}

func checkRule(rule *specs.LinuxSyscall) error {
	if len(rule.Names) == 0 {
		return fmt.Errorf("names: empty (it takes at least one name)")
	}
	for i, name := range rule.Names {
		if name == "" {
			return fmt.Errorf("names[%d]: empty", i)
		}
		if name == "write" && rule.Action == specs.ActNotify {
			return fmt.Errorf("action: SCMP_ACT_NOTIFY cannot be used for the write syscall")
		}
	}
	if err := checkAction(rule.Action, rule.ErrnoRet, "action", "errnoRet"); err != nil {
		return err
	}
	for i, arg := range rule.Args {
		if arg.Index >= argumentCount {
			return fmt.Errorf("args[%d].index: %d is not in the range 0 to %d", i, arg.Index, argumentCount-1)
		}
		if !slices.Contains(Operators(), arg.Op) {
			return fmt.Errorf("args[%d].op: %q is unknown", i, arg.Op)
		}
	}
	return nil
}

// checkAction checks an action and its error number, whose names in the configuration are given.
func checkAction(name specs.LinuxSeccompAction, errno *uint, actionField, errnoField string) error {
	limit := uint(0)
	switch {
	case name == "":
		return fmt.Errorf("%s: missing", actionField)
	case !slices.Contains(Actions(), name):
		return fmt.Errorf("%s: %q is unknown", actionField, name)
	case name == specs.ActErrno:
		limit = maxErrno
	case name == specs.ActTrace:
		limit = math.MaxUint16
	case errno != nil:
		return fmt.Errorf("%s: set for %s, which returns none (only SCMP_ACT_ERRNO and SCMP_ACT_TRACE do)", errnoField, name)
	}
	if errno != nil && *errno > limit {
		return fmt.Errorf("%s: %d is greater than %d", errnoField, *errno, limit)
	}
	return nil
}
