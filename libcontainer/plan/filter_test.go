// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// instruction is a struct sock_filter.
type instruction struct {
	code   uint16
	jt, jf uint8
	k      uint32
}

func filterOf(instructions ...instruction) *Filter {
	f := new(Filter)
	for _, i := range instructions {
		f.Program = binary.NativeEndian.AppendUint16(f.Program, i.code)
		f.Program = append(f.Program, i.jt, i.jf)
		f.Program = binary.NativeEndian.AppendUint32(f.Program, i.k)
	}
	return f
}

// refusing refuses one system call, if cond says so for its arguments, and allows all others.
func refusing(number uint32, cond ...instruction) *Filter {
	program := []instruction{
		{bpfLoad, 0, 0, 0},
		{bpfJumpEqual, 0, uint8(len(cond) + 1), number},
	}
	program = append(program, cond...)
	return filterOf(append(program, instruction{bpfReturn, 0, 0, 0x50001}, instruction{bpfReturn, 0, 0, returnAllow})...)
}

func TestFiltersThatLetAProcessAppear(t *testing.T) {
	t.Parallel()
	// As the profile of container engines: clone3 is answered with ENOSYS, clone must not make namespaces.
	engines := refusing(unix.SYS_CLONE, instruction{bpfLoad, 0, 0, 16}, instruction{bpfAnd, 0, 0, 0x7e020000}, instruction{bpfJumpEqual, 1, 0, 0})
	for name, c := range map[string]struct {
		filter         *Filter
		lets, terminal bool
	}{
		"allow":         {filterOf(instruction{bpfReturn, 0, 0, returnAllow}), true, true},
		"log":           {filterOf(instruction{bpfReturn, 0, 0, returnLog}), true, true},
		"kill":          {filterOf(instruction{bpfReturn, 0, 0, 0}), false, false},
		"errno":         {filterOf(instruction{bpfReturn, 0, 0, 0x50000}), false, false},
		"trace":         {filterOf(instruction{bpfReturn, 0, 0, 0x7ff00000}), false, false},
		"engines":       {engines, true, true},
		"clone3":        {refusing(unix.SYS_CLONE3), true, true},
		"mkdirat":       {refusing(unix.SYS_MKDIRAT), true, true},
		"clone":         {refusing(unix.SYS_CLONE), false, false},
		"setsid":        {refusing(unix.SYS_SETSID), false, false},
		"sendmsg":       {refusing(unix.SYS_SENDMSG), true, true},
		"write":         {refusing(unix.SYS_WRITE), false, false},
		"read":          {refusing(unix.SYS_READ), false, false},
		"close":         {refusing(unix.SYS_CLOSE), true, true},
		"exit_group":    {refusing(unix.SYS_EXIT_GROUP), false, false},
		"ioctl":         {refusing(unix.SYS_IOCTL), true, false},
		"TIOCSTI":       {refusing(unix.SYS_IOCTL, instruction{bpfLoad, 0, 0, 24}, instruction{bpfJumpEqual, 0, 1, unix.TIOCSTI}), true, true},
		"prctl":         {refusing(unix.SYS_PRCTL), true, true},
		"of a number":   {refusing(unix.SYS_READ, instruction{bpfLoad, 0, 0, 16}, instruction{bpfJumpEqual, 0, 1, 77}), false, false}, // nobody knows
		"of an address": {filterOf(instruction{bpfLoad, 0, 0, 8}, instruction{bpfReturn, 0, 0, returnAllow}), false, false},
		"other machine": {filterOf(instruction{bpfLoad, 0, 0, 4}, instruction{bpfJumpEqual, 0, 1, unix.AUDIT_ARCH_I386}, instruction{bpfReturn, 0, 0, returnAllow}, instruction{bpfReturn, 0, 0, 0}), false, false},
		"jump behind":   {filterOf(instruction{bpfJump, 0, 0, 0xffffffff}, instruction{bpfReturn, 0, 0, returnAllow}), false, false},
		"unknown":       {filterOf(instruction{unix.BPF_MISC | unix.BPF_TAX, 0, 0, 0}, instruction{bpfReturn, 0, 0, returnAllow}), false, false},
		"empty":         {filterOf(), false, false},
		"jumps": {filterOf(instruction{bpfLoad, 0, 0, 0}, instruction{bpfJumpAtLeast, 1, 0, 0x40000000}, instruction{bpfJumpGreater, 0, 1, 0x3fffffff},
			instruction{bpfReturn, 0, 0, 0}, instruction{bpfJumpAnyBit, 0, 1, 1 << 31}, instruction{bpfReturn, 0, 0, 0},
			instruction{bpfJump, 0, 0, 1}, instruction{bpfReturn, 0, 0, 0}, instruction{bpfReturn, 0, 0, returnAllow}), true, true},
	} {
		if got := c.filter.letsAppear(true, false); got != c.lets {
			t.Errorf("%s: lets a process appear: %v, want %v", name, got, c.lets)
		}
		if got, want := c.filter.letsWait(false), name != "close" && (c.lets || slices.Contains(strings.Fields("clone setsid write exit_group"), name)); got != want {
			t.Errorf("%s: lets a process wait: %v, want %v", name, got, want)
		}
		if got, want := c.filter.letsAppear(false, false), name != "prctl" && (c.lets || name == "clone"); got != want {
			t.Errorf("%s: lets a process appear without a fork: %v, want %v", name, got, want)
		}
		listener := &Filter{Program: c.filter.Program, Flags: unix.SECCOMP_FILTER_FLAG_NEW_LISTENER}
		if got, want := listener.letsAppear(true, false), name != "close" && c.lets; got != want {
			t.Errorf("%s: lets a process with a listener appear: %v, want %v", name, got, want)
		}
		if got := c.filter.letsAppear(true, true); got != c.terminal {
			t.Errorf("%s: lets a process with a terminal appear: %v, want %v", name, got, c.terminal)
		}
	}
}
