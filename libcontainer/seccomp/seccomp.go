// SPDX-License-Identifier: Apache-2.0

// Package seccomp compiles linux.seccomp (runtime-spec: config-linux.md "Seccomp") into a BPF program on the host
// side. It loads nothing: the stage hands the program to seccomp(2) as its last act before execve.
package seccomp

import (
	"errors"
	"fmt"
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	libseccomp "github.com/seccomp/libseccomp-golang"
	"golang.org/x/sys/unix"
)

const (
	// instructionBytes is the size of struct sock_filter.
	instructionBytes = 8
	// maxInstructions is BPF_MAXINSNS, the longest program that the kernel takes.
	maxInstructions = 4096
)

// Filter is what the stage loads.
type Filter struct {
	// Program is an array of struct sock_filter in native byte order; empty if there is no filter.
	Program []byte
	// Flags are the SECCOMP_FILTER_FLAG_* for seccomp(2).
	Flags uint32
	// Skipped are the names in the configuration that libseccomp doesn't know, each once. System calls newer than
	// the library can't be allowed by name.
	Skipped []string
}

// Compile turns the configuration into a filter; nil gives none. The work takes milliseconds and the result
// depends on nothing but the configuration, the architecture, libseccomp, and the kernel's flags.
func Compile(s *specs.LinuxSeccomp) (Filter, error) {
	if s == nil {
		return Filter{}, nil
	}
	if err := Check(s); err != nil {
		return Filter{}, err
	}
	flags, err := loadFlags(s)
	if err != nil {
		return Filter{}, err
	}
	arches, err := filterArches(s)
	if err != nil {
		return Filter{}, err
	}
	program, skipped, err := build(s, arches)
	if err != nil {
		return Filter{}, err
	}
	if action(s.DefaultAction) == libseccomp.ActErrno {
		newer, err := answerNewer(s, arches)
		if err != nil {
			return Filter{}, err
		}
		program = append(newer, program...)
	}
	if n := len(program) / instructionBytes; n > maxInstructions {
		return Filter{}, fmt.Errorf("linux.seccomp: the program has %d instructions (the kernel takes %d; use fewer rules or architectures)",
			n, maxInstructions)
	}
	return Filter{Program: program, Flags: flags, Skipped: skipped}, nil
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
