// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"encoding/binary"
	"runtime"

	"golang.org/x/sys/unix"
)

// letsAppear says that a filter allows all that the stage does from the moment that it is loaded until the program is
// executed, though a process of the container's pid namespace is made meanwhile, if it forks. What can't be told counts as refused.
func (f *Filter) letsAppear(forks, terminal bool) bool {
	calls := []filteredCall{
		call(unix.SYS_SETSID, 0, 0, 0, 0, 0, 0),
		call(unix.SYS_EXIT_GROUP, 0, 0, 0, 0, 0, 0),
		{number: unix.SYS_WRITE},
		{number: unix.SYS_READ},
	}
	if forks {
		calls = append(calls, call(unix.SYS_CLONE, unix.CLONE_PARENT, 0, 0, 0, 0, 0))
	} else {
		calls = append(calls, call(unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, 0, 0, 0, 0, 0))
	}
	if f.hasListener() {
		calls = append(calls, filteredCall{number: unix.SYS_CLOSE})
	}
	if terminal {
		calls = append(calls, call(unix.SYS_IOCTL, 0, unix.TIOCSCTTY, 0, 0, 0, 0))
	}
	for i := range calls {
		if !f.allows(&calls[i]) {
			return false
		}
	}
	return true
}

// letsWait says that a filter allows what the stage does from the moment that it is loaded until the program is executed,
// besides what a filter without no_new_privs has to allow in any case: it closes its socket, reads exec.fifo, and asks for
// its label once more.
func (f *Filter) letsWait(labelled bool) bool {
	calls := []filteredCall{{number: unix.SYS_CLOSE}, {number: unix.SYS_READ}}
	if labelled {
		calls = append(calls, filteredCall{number: unix.SYS_WRITE})
	}
	for i := range calls {
		if !f.allows(&calls[i]) {
			return false
		}
	}
	return true
}

// letsChangeRights says that a filter allows what gives rights up behind it, if it is without no_new_privs.
func (f *Filter) letsChangeRights() bool {
	for _, number := range []uint32{unix.SYS_PRCTL, unix.SYS_SETRESGID, unix.SYS_SETRESUID, unix.SYS_CHDIR, unix.SYS_GETCWD, unix.SYS_CAPSET} {
		if !f.allows(&filteredCall{number: number}) {
			return false
		}
	}
	return true
}

// hasListener says that the filter asks an agent (SCMP_ACT_NOTIFY).
func (f *Filter) hasListener() bool { return f.Flags&unix.SECCOMP_FILTER_FLAG_NEW_LISTENER != 0 }

// filteredCall is a system call as a filter sees it (struct seccomp_data), as far as it is known.
type filteredCall struct {
	number    uint32
	arguments [6]uint64
	known     bool // the arguments
}

func call(number uint32, arguments ...uint64) filteredCall {
	c := filteredCall{number: number, known: true}
	copy(c.arguments[:], arguments)
	return c
}

// load returns a word of struct seccomp_data (seccomp(2)); both architectures have the lower half of a number first.
func (c *filteredCall) load(offset uint32) (uint32, bool) {
	const numberAt, architectureAt, argumentsAt, end = 0, 4, 16, 64
	switch {
	case offset == numberAt:
		return c.number, true
	case offset == architectureAt:
		if runtime.GOARCH == "arm64" {
			return unix.AUDIT_ARCH_AARCH64, true
		}
		return unix.AUDIT_ARCH_X86_64, runtime.GOARCH == "amd64"
	case offset < argumentsAt || offset >= end || offset%4 != 0 || !c.known:
		return 0, false
	}
	argument := c.arguments[(offset-argumentsAt)/8]
	if offset%8 != 0 {
		argument >>= 32
	}
	return uint32(argument), true
}

// Instructions of classic BPF (linux/bpf_common.h), those that a filter compiler has a use for.
const (
	bpfLoad        = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
	bpfAnd         = unix.BPF_ALU | unix.BPF_AND | unix.BPF_K
	bpfJump        = unix.BPF_JMP | unix.BPF_JA
	bpfJumpEqual   = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	bpfJumpGreater = unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K
	bpfJumpAtLeast = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
	bpfJumpAnyBit  = unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K
	bpfReturn      = unix.BPF_RET | unix.BPF_K

	instructionBytes = 8

	returnAction = 0xffff0000 // SECCOMP_RET_ACTION_FULL
	returnAllow  = 0x7fff0000 // SECCOMP_RET_ALLOW
	returnLog    = 0x7ffc0000 // SECCOMP_RET_LOG, which allows too
)

// allows runs the filter. Jumps only lead forward, so that it ends.
func (f *Filter) allows(c *filteredCall) bool {
	var a uint32
	for at := uint64(0); (at+1)*instructionBytes <= uint64(len(f.Program)); at++ {
		instruction := f.Program[at*instructionBytes:]
		code, k := binary.NativeEndian.Uint16(instruction), binary.NativeEndian.Uint32(instruction[4:])
		var holds, known bool
		switch code {
		case bpfLoad:
			if a, known = c.load(k); !known {
				return false
			}
			continue
		case bpfAnd:
			a &= k
			continue
		case bpfReturn:
			return k&returnAction == returnAllow || k&returnAction == returnLog
		case bpfJump:
			at += uint64(k)
			continue
		case bpfJumpEqual:
			holds = a == k
		case bpfJumpGreater:
			holds = a > k
		case bpfJumpAtLeast:
			holds = a >= k
		case bpfJumpAnyBit:
			holds = a&k != 0
		default:
			return false
		}
		if holds {
			at += uint64(instruction[2])
		} else {
			at += uint64(instruction[3])
		}
	}
	return false
}
