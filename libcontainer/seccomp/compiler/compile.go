// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	libseccomp "github.com/seccomp/libseccomp-golang"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/seccomp/wire"
)

// argumentCount is the number of arguments a filter sees (struct seccomp_data).
const argumentCount = 6

// compile turns a profile, which rt has checked, into a program. The result depends on nothing but the profile, the
// architecture, libseccomp, and the actions that libseccomp finds the kernel to know.
func compile(s *specs.LinuxSeccomp) (*wire.Answer, error) {
	if err := checkWords(s); err != nil {
		return nil, err
	}
	arches, err := filterArches(s)
	if err != nil {
		return nil, err
	}
	program, skipped, err := build(s, arches)
	if err != nil {
		return nil, err
	}
	if action(s.DefaultAction) == libseccomp.ActErrno {
		newer, err := answerNewer(s, arches)
		if err != nil {
			return nil, err
		}
		program = append(newer, program...)
	}
	if n := len(program) / wire.InstructionBytes; n > wire.MaxInstructions {
		return nil, fmt.Errorf("linux.seccomp: the program has %d instructions (the kernel takes %d; use fewer rules or architectures)",
			n, wire.MaxInstructions)
	}
	return &wire.Answer{Program: program, Skipped: skipped}, nil
}

// checkWords makes sure that rt's tables have no word that ours lack.
func checkWords(s *specs.LinuxSeccomp) error {
	if action(s.DefaultAction) == libseccomp.ActInvalid {
		return fmt.Errorf("linux.seccomp.defaultAction: %q is unknown to the filter compiler", s.DefaultAction)
	}
	for i, rule := range s.Syscalls {
		if action(rule.Action) == libseccomp.ActInvalid {
			return fmt.Errorf("linux.seccomp.syscalls[%d].action: %q is unknown to the filter compiler", i, rule.Action)
		}
		for _, arg := range rule.Args {
			if operator(arg.Op) == libseccomp.CompareInvalid || arg.Index >= argumentCount {
				return fmt.Errorf("linux.seccomp.syscalls[%d].args: %q on argument %d is unknown to the filter compiler", i, arg.Op, arg.Index)
			}
		}
	}
	return nil
}

// build lets libseccomp compile the rules. The result decides by a binary search on the system call's number.
func build(s *specs.LinuxSeccomp, arches []arch) (program []byte, skipped []string, err error) {
	fallback := withErrno(s.DefaultAction, s.DefaultErrnoRet)
	filter, err := libseccomp.NewFilter(fallback)
	if err != nil {
		return nil, nil, fmt.Errorf("linux.seccomp: create filter: %w", err)
	}
	defer filter.Release()
	if err := filter.SetOptimize(2); err != nil {
		return nil, nil, fmt.Errorf("linux.seccomp: set optimisation level: %w", err)
	}
	for _, a := range arches {
		if err := filter.AddArch(a.lib); err != nil {
			return nil, nil, fmt.Errorf("linux.seccomp: add architecture %s: %w%s", a.name, err, architectureHint(err))
		}
	}
	seen := map[string]bool{}
	for i := range s.Syscalls {
		rule := &s.Syscalls[i]
		act := withErrno(rule.Action, rule.ErrnoRet)
		for _, name := range rule.Names {
			call, err := libseccomp.GetSyscallFromName(name)
			if errors.Is(err, libseccomp.ErrSyscallDoesNotExist) {
				if !seen[name] {
					seen[name] = true
					skipped = append(skipped, name)
				}
				continue
			}
			if err == nil && act != fallback {
				err = addRule(filter, call, act, rule.Args)
			}
			if errors.Is(err, unix.EEXIST) {
				err = fmt.Errorf("%w (another rule has the same conditions and another action)", err)
			}
			if err != nil {
				return nil, nil, fmt.Errorf("linux.seccomp.syscalls[%d]: add rule for %q: %w", i, name, err)
			}
		}
	}
	program, err = export(filter)
	return program, skipped, err
}

// addRule adds the rule for one system call. Conditions on different arguments must all hold. When an argument has
// several, any one condition of the rule is enough: existing profiles are written for that.
func addRule(filter *libseccomp.ScmpFilter, call libseccomp.ScmpSyscall, act libseccomp.ScmpAction, args []specs.LinuxSeccompArg) error {
	if len(args) == 0 {
		return filter.AddRule(call, act)
	}
	var used [argumentCount]bool
	repeated := false
	conditions := make([]libseccomp.ScmpCondition, len(args))
	for i, arg := range args {
		condition, err := libseccomp.MakeCondition(arg.Index, operator(arg.Op), arg.Value, arg.ValueTwo)
		if err != nil {
			return fmt.Errorf("args[%d]: %w", i, err)
		}
		conditions[i] = condition
		repeated = repeated || used[arg.Index]
		used[arg.Index] = true
	}
	if !repeated {
		return filter.AddRuleConditional(call, act, conditions)
	}
	for i := range conditions {
		if err := filter.AddRuleConditional(call, act, conditions[i:i+1]); err != nil {
			return fmt.Errorf("args[%d]: %w", i, err)
		}
	}
	return nil
}

// withErrno returns an action with its error number, EPERM by default.
func withErrno(a specs.LinuxSeccompAction, errno *uint) libseccomp.ScmpAction {
	code := uint(unix.EPERM)
	if errno != nil {
		code = *errno
	}
	return action(a).SetReturnCode(int16(uint16(code)))
}

// architectureHint explains what libseccomp says of an architecture.
func architectureHint(err error) string {
	if errors.Is(err, syscall.EDOM) {
		return " (an architecture of the other byte order can't be in one filter)"
	}
	return ""
}
