// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"errors"
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	libseccomp "github.com/seccomp/libseccomp-golang"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/seccomp/wire"
)

// Offsets in struct seccomp_data (seccomp(2)).
const (
	numberOffset = 0
	archOffset   = 4
)

// answerNewer returns a program to stand before the filter, which answers ENOSYS to system calls that came after
// those the profile names. A C library takes ENOSYS as the sign to fall back to an older call; EPERM, the usual
// default, it hands to the program. Which calls are refused doesn't change.
//
// "Newer" means a number above the largest one that the profile names for the architecture, whatever the rule:
// numbers are given out in ascending order. Everything else goes on to the filter.
//
//	    ld arch
//	for each AUDIT_ARCH:
//	    jne AUDIT_ARCH, to the next one
//	    ld number
//	    if first <= number <= last: return ENOSYS     (for each range)
//	    ja to the filter
//
// It looks only at arch and number, so that the kernel's table of calls that are always allowed (Linux 5.11,
// seccomp_cache_prepare) still serves.
func answerNewer(s *specs.LinuxSeccomp, arches []arch) ([]byte, error) {
	var audits []uint32
	ranges := map[uint32][]numbers{}
	for _, a := range arches {
		newest, found, err := newestKnown(s, a)
		if err != nil {
			return nil, err
		}
		if !found {
			continue
		}
		if ranges[a.audit] == nil {
			audits = append(audits, a.audit)
		}
		ranges[a.audit] = append(ranges[a.audit], newerThan(newest, a)...)
	}
	if audits == nil {
		return nil, nil
	}
	var program []unix.SockFilter
	for i := len(audits) - 1; i >= 0; i-- {
		program = append(block(audits[i], ranges[audits[i]], len(program)), program...)
	}
	program = append([]unix.SockFilter{load(archOffset)}, program...)
	return encode(program), nil
}

// newestKnown returns the largest number that the profile names on an architecture; found is false if it names none.
func newestKnown(s *specs.LinuxSeccomp, a arch) (newest uint32, found bool, err error) {
	for i := range s.Syscalls {
		for _, name := range s.Syscalls[i].Names {
			call, err := libseccomp.GetSyscallFromNameByArch(name, a.lib)
			if errors.Is(err, libseccomp.ErrSyscallDoesNotExist) {
				continue
			}
			if err != nil {
				return 0, false, fmt.Errorf("linux.seccomp.syscalls[%d]: look up %q on %s: %w", i, name, a.name, err)
			}
			// libseccomp gives negative numbers to calls that exist only on other architectures.
			if call < 0 || a.apart.contains(uint32(call)) {
				continue
			}
			newest, found = max(newest, uint32(call)), true
		}
	}
	return newest, found, nil
}

// newerThan returns the numbers above newest.
func newerThan(newest uint32, a arch) []numbers {
	var list []numbers
	add := func(first, last uint32) {
		if first <= last {
			list = append(list, numbers{first, last})
		}
	}
	if a.apart == none || newest > a.apart.last {
		add(newest+1, a.last)
		return list
	}
	add(newest+1, a.apart.first-1)
	add(a.apart.last+1, a.last)
	return list
}

// block returns the instructions for one AUDIT_ARCH; rest is the number of instructions between them and the filter.
func block(audit uint32, ranges []numbers, rest int) []unix.SockFilter {
	body := []unix.SockFilter{load(numberOffset)}
	for _, r := range ranges {
		body = append(body,
			jump(unix.BPF_JGE, r.first, 0, 2),
			jump(unix.BPF_JGT, r.last, 1, 0),
			unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)})
	}
	body = append(body, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JA, K: uint32(rest)})
	return append([]unix.SockFilter{jump(unix.BPF_JEQ, audit, 0, uint8(len(body)))}, body...)
}

// load reads a word of struct seccomp_data.
func load(offset uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
}

// jump compares with k and skips yes or no instructions.
func jump(comparison uint16, k uint32, yes, no uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | comparison | unix.BPF_K, Jt: yes, Jf: no, K: k}
}

func encode(program []unix.SockFilter) []byte {
	out := make([]byte, 0, len(program)*wire.InstructionBytes)
	for _, in := range program {
		out = binary.NativeEndian.AppendUint16(out, in.Code)
		out = append(out, in.Jt, in.Jf)
		out = binary.NativeEndian.AppendUint32(out, in.K)
	}
	return out
}
