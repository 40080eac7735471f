// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"errors"
	"fmt"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// flag is a word of linux.seccomp.flags.
type flag struct {
	name specs.LinuxSeccompFlag
	bit  uint32
	load bool // part of Filter.Flags
}

func flags() []flag {
	return []flag{
		// The stage has one thread, there is nothing to synchronise.
		{"SECCOMP_FILTER_FLAG_TSYNC", unix.SECCOMP_FILTER_FLAG_TSYNC, false},
		{specs.LinuxSeccompFlagLog, unix.SECCOMP_FILTER_FLAG_LOG, true},
		{specs.LinuxSeccompFlagSpecAllow, unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW, true},
		// It is about the listener of SCMP_ACT_NOTIFY and invalid without one.
		{specs.LinuxSeccompFlagWaitKillableRecv, unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, true},
	}
}

func flagByName(name specs.LinuxSeccompFlag) (flag, bool) {
	all := flags()
	i := slices.IndexFunc(all, func(f flag) bool { return f.name == name })
	if i < 0 {
		return flag{}, false
	}
	return all[i], true
}

// KnownFlags returns the flags that a configuration may use.
func KnownFlags() []specs.LinuxSeccompFlag {
	return flagNames(func(flag) bool { return true })
}

// SupportedFlags returns those of KnownFlags that this kernel supports.
func SupportedFlags() []specs.LinuxSeccompFlag {
	return flagNames(func(f flag) bool { return kernelSupports(f.bit) })
}

func flagNames(want func(flag) bool) []specs.LinuxSeccompFlag {
	var names []specs.LinuxSeccompFlag
	for _, f := range flags() {
		if want(f) {
			names = append(names, f.name)
		}
	}
	return names
}

// kernelSupports asks the kernel about a flag. With a program at address 0, seccomp(2) fails with EFAULT after it
// has looked at the flags and with EINVAL if it doesn't know one; nothing is ever loaded.
func kernelSupports(bit uint32) bool {
	if bit == unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV {
		bit |= unix.SECCOMP_FILTER_FLAG_NEW_LISTENER
	}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, uintptr(bit), 0)
	return errno == unix.EFAULT
}

// loadFlags returns the flags for seccomp(2). Without linux.seccomp.flags it is SPEC_ALLOW: the mitigation that a
// filter switches on otherwise slows everything and is no part of what the filter is for.
func loadFlags(s *specs.LinuxSeccomp) (uint32, error) {
	bits, err := listedFlags(s)
	switch {
	case err != nil:
		return 0, err
	case !Notifies(s):
		return bits &^ unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, nil
	case !kernelSupports(unix.SECCOMP_FILTER_FLAG_NEW_LISTENER):
		return 0, errNoListener
	}
	return bits | unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, nil
}

// errNoListener has words that callers match.
var errNoListener = errors.New("linux.seccomp: seccomp notify unsupported: the kernel has no SECCOMP_FILTER_FLAG_NEW_LISTENER (leave SCMP_ACT_NOTIFY out)")

func listedFlags(s *specs.LinuxSeccomp) (uint32, error) {
	if s.Flags == nil {
		if kernelSupports(unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW) {
			return unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW, nil
		}
		return 0, nil
	}
	var bits uint32
	for i, name := range s.Flags {
		f, _ := flagByName(name)
		switch {
		case kernelSupports(f.bit):
			if f.load {
				bits |= f.bit
			}
		case f.bit == unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV:
			// Callers match the words before the version.
			return 0, fmt.Errorf("linux.seccomp.flags[%d]: error adding WaitKill flag to seccomp filter: SetWaitKill requires Linux 5.19", i)
		default:
			return 0, fmt.Errorf("linux.seccomp.flags[%d]: %s is not supported by this kernel", i, name)
		}
	}
	return bits, nil
}
