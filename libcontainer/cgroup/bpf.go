// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// instruction is struct bpf_insn: eight bytes in the byte order of the machine (Documentation/bpf/standardization/
// instruction-set.rst).
type instruction struct {
	code      uint8
	registers uint8 // destination in bits 0 to 3, source in bits 4 to 7, on little-endian machines
	offset    int16 // of a load, in bytes
	value     int32
}

// Operation codes, composed as the standard names them: with a register (X) or a constant (K) as the right side.
const (
	opLoadWord   = unix.BPF_LDX | unix.BPF_MEM | unix.BPF_W
	opExit       = unix.BPF_JMP | unix.BPF_EXIT
	opCopy       = unix.BPF_ALU64 | unix.BPF_MOV | unix.BPF_X
	opSet        = unix.BPF_ALU64 | unix.BPF_MOV | unix.BPF_K
	opOr         = unix.BPF_ALU64 | unix.BPF_OR | unix.BPF_X
	opAnd        = unix.BPF_ALU64 | unix.BPF_AND | unix.BPF_X
	opXor        = unix.BPF_ALU64 | unix.BPF_XOR | unix.BPF_X
	opAndConst   = unix.BPF_ALU | unix.BPF_AND | unix.BPF_K // 32 bits; the upper ones become 0
	opXorConst   = unix.BPF_ALU | unix.BPF_XOR | unix.BPF_K // the same
	opMulConst   = unix.BPF_ALU | unix.BPF_MUL | unix.BPF_K // the same
	opAddConst   = unix.BPF_ALU64 | unix.BPF_ADD | unix.BPF_K
	opShiftRight = unix.BPF_ALU64 | unix.BPF_RSH | unix.BPF_K
)

// Registers. The kernel passes the context in r1 and expects the answer, 1 for yes, in r0.
const (
	regAnswer  = 0
	regContext = 1
	regKind    = 2 // BPF_DEVCG_DEV_*
	regWanted  = 3 // the accesses asked for that no rule has decided about yet
	regMajor   = 4
	regMinor   = 5
	regHit     = 6 // the accesses that the present rule decides about
	regOther   = 7
	regDenied  = 8 // the accesses asked for that some rule denies
)

// filterName marks our programs among those attached to a group (bpftool shows it): at most 15 characters.
const filterName = "rt_devices"

// deviceFilter compiles rules to a BPF_PROG_TYPE_CGROUP_DEVICE program. The context is struct bpf_cgroup_dev_ctx
// { u32 access_type; u32 major; u32 minor; } with the accesses in the upper half of access_type.
//
// It goes from the last rule to the first, since the last one that covers an access decides, for each access of its
// own: reading may be allowed by one rule and writing by another. What no rule covers is denied.
//
// The program has no jump. With jumps the kernel's verifier has to follow every combination of rules that match and
// don't: 0.45 ms for the default rules alone, on every create, against 0.14 ms for this (Linux 6.18).
func deviceFilter(rules []rule) []instruction {
	program := []instruction{
		{opLoadWord, pair(regKind, regContext), 0, 0},
		{opLoadWord, pair(regWanted, regContext), 0, 0},
		{opLoadWord, pair(regMajor, regContext), 4, 0},
		{opLoadWord, pair(regMinor, regContext), 8, 0},
		{opAndConst, pair(regKind, 0), 0, 0xffff},
		{opShiftRight, pair(regWanted, 0), 0, 16},
		{opSet, pair(regDenied, 0), 0, 0},
	}
	for i := len(rules) - 1; i >= 0; i-- {
		program = append(program, compileRule(rules[i])...)
	}
	program = append(program,
		instruction{opOr, pair(regDenied, regWanted), 0, 0},
		instruction{opCopy, pair(regAnswer, regDenied), 0, 0})
	program = append(program, oneIfZero(regAnswer)...)
	return append(program, instruction{opExit, 0, 0, 0})
}

// compileRule moves the accesses that the rule decides about out of regWanted, and into regDenied if it denies.
func compileRule(r rule) []instruction {
	var code []instruction
	// regHit becomes 0 if kind and numbers are equal to the rule's: the bits that differ, of all three together.
	target := uint8(regHit)
	compare := func(register uint8, value uint32) {
		code = append(code,
			instruction{opCopy, pair(target, register), 0, 0},
			instruction{opXorConst, pair(target, 0), 0, int32(value)})
		if target == regOther {
			code = append(code, instruction{opOr, pair(regHit, regOther), 0, 0})
		}
		target = regOther
	}
	switch r.kind {
	case 'b':
		compare(regKind, unix.BPF_DEVCG_DEV_BLOCK)
	case 'c':
		compare(regKind, unix.BPF_DEVCG_DEV_CHAR)
	}
	if r.major != anyNumber {
		compare(regMajor, uint32(r.major))
	}
	if r.minor != anyNumber {
		compare(regMinor, uint32(r.minor))
	}
	if len(code) == 0 {
		code = append(code, instruction{opSet, pair(regHit, 0), 0, 0})
	}

	code = append(code, oneIfZero(regHit)...)
	code = append(code,
		instruction{opMulConst, pair(regHit, 0), 0, int32(r.access)},
		instruction{opAnd, pair(regHit, regWanted), 0, 0},
		instruction{opXor, pair(regWanted, regHit), 0, 0})
	if !r.allow {
		code = append(code, instruction{opOr, pair(regDenied, regHit), 0, 0})
	}
	return code
}

// oneIfZero turns 0 into 1 and any other number of 32 bits into 0: only 0 - 1 has the highest of 64 bits set.
// (An arithmetic shift and a mask instead of the multiplication mean the same, but the verifier of Linux 6.18 takes
// 36 ms for the default rules then.)
func oneIfZero(register uint8) []instruction {
	return []instruction{
		{opAddConst, pair(register, 0), 0, -1},
		{opShiftRight, pair(register, 0), 0, 63},
	}
}

// pair packs two register numbers; the order of the two is a bit-field's, so it depends on the machine.
func pair(destination, source uint8) uint8 {
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		return source<<4 | destination
	}
	return destination<<4 | source
}

// bpfAttr is union bpf_attr, larger than any kernel's so far, which have 168 bytes at most. The size matters: on a
// short one BPF_PROG_QUERY of Linux 6.17 to 7.1 writes its last member behind the end, into our memory. A kernel
// that knows less accepts the rest as long as it is zero (kernel: bpf_check_uarg_tail_zero).
type bpfAttr [256]byte

func (a *bpfAttr) set32(offset int, value uint32) { binary.NativeEndian.PutUint32(a[offset:], value) }
func (a *bpfAttr) set64(offset int, value uint64) { binary.NativeEndian.PutUint64(a[offset:], value) }

// setPointer stores an address; the pinner keeps what is there alive and in place.
func setPointer[T any](a *bpfAttr, pinner *runtime.Pinner, offset int, p *T) {
	pinner.Pin(p)
	a.set64(offset, uint64(uintptr(unsafe.Pointer(p))))
}

// bpf calls bpf(2).
func bpf(command uintptr, a *bpfAttr) (int, error) {
	for {
		n, _, errno := unix.Syscall(unix.SYS_BPF, command, uintptr(unsafe.Pointer(a)), unsafe.Sizeof(*a))
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR, unix.EAGAIN: // EAGAIN: the verifier saw a signal (kernel: signal_pending in do_check)
		default:
			return -1, errno
		}
	}
}

// setDevicesBPF attaches a device filter to a group of the unified tree. If one of ours is attached the kernel
// exchanges the two at once, so that no access falls between; programs of others stay, and all must agree.
func setDevicesBPF(dir string, rules []rule) error {
	group, err := open(dir, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return fmt.Errorf("filter devices: %w", err)
	}
	defer group.Close()
	filter, err := loadFilter(deviceFilter(rules))
	if err != nil {
		return fmt.Errorf("filter devices of %q: %w", dir, err)
	}
	defer filter.Close()
	old, err := attachedFilter(group)
	if err != nil {
		return fmt.Errorf("filter devices of %q: %w", dir, err)
	}

	var a bpfAttr
	a.set32(0, uint32(group.Fd()))
	a.set32(4, uint32(filter.Fd()))
	a.set32(8, unix.BPF_CGROUP_DEVICE)
	a.set32(12, unix.BPF_F_ALLOW_MULTI)
	if old != nil {
		defer old.Close()
		a.set32(12, unix.BPF_F_ALLOW_MULTI|unix.BPF_F_REPLACE)
		a.set32(16, uint32(old.Fd()))
	}
	if _, err := bpf(unix.BPF_PROG_ATTACH, &a); err != nil {
		return fmt.Errorf("filter devices of %q: bpf BPF_PROG_ATTACH: %w", dir, err)
	}
	return nil
}

// loadFilter gives the program to the kernel (bpf(2), BPF_PROG_LOAD).
func loadFilter(program []instruction) (*os.File, error) {
	var a bpfAttr
	var pinner runtime.Pinner
	defer pinner.Unpin()
	license := []byte("Apache-2.0\x00") // no helper is called, so none that demands the GPL
	a.set32(0, unix.BPF_PROG_TYPE_CGROUP_DEVICE)
	a.set32(4, uint32(len(program)))
	setPointer(&a, &pinner, 8, &program[0])
	setPointer(&a, &pinner, 16, &license[0])
	copy(a[48:63], filterName)
	fd, err := bpf(unix.BPF_PROG_LOAD, &a)
	if err != nil {
		return nil, fmt.Errorf("bpf BPF_PROG_LOAD, %d instructions: %w", len(program), err)
	}
	return os.NewFile(uintptr(fd), filterName), nil
}

// attachedFilter returns the filter of ours that is attached to the group itself, nil if there is none.
func attachedFilter(group *os.File) (*os.File, error) {
	var a bpfAttr
	var pinner runtime.Pinner
	defer pinner.Unpin()
	ids := make([]uint32, 64) // the kernel attaches no more (kernel/bpf/cgroup.c, BPF_CGROUP_MAX_PROGS)
	a.set32(0, uint32(group.Fd()))
	a.set32(4, unix.BPF_CGROUP_DEVICE)
	setPointer(&a, &pinner, 16, &ids[0])
	a.set32(24, uint32(len(ids)))
	if _, err := bpf(unix.BPF_PROG_QUERY, &a); err != nil {
		return nil, fmt.Errorf("bpf BPF_PROG_QUERY: %w", err)
	}
	for _, id := range ids[:binary.NativeEndian.Uint32(a[24:])] {
		var byID bpfAttr
		byID.set32(0, id)
		fd, err := bpf(unix.BPF_PROG_GET_FD_BY_ID, &byID)
		if errors.Is(err, unix.ENOENT) { // detached meanwhile
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("bpf BPF_PROG_GET_FD_BY_ID: %w", err)
		}
		f := os.NewFile(uintptr(fd), filterName)
		name, err := programName(fd)
		if err == nil && name == filterName {
			return f, nil
		}
		f.Close()
		if err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// programName returns the name a program was loaded with: 16 bytes at 64 of struct bpf_prog_info (linux/bpf.h).
func programName(fd int) (string, error) {
	var a bpfAttr
	var pinner runtime.Pinner
	defer pinner.Unpin()
	info := make([]byte, 80)
	a.set32(0, uint32(fd))
	a.set32(4, uint32(len(info)))
	setPointer(&a, &pinner, 8, &info[0])
	if _, err := bpf(unix.BPF_OBJ_GET_INFO_BY_FD, &a); err != nil {
		return "", fmt.Errorf("bpf BPF_OBJ_GET_INFO_BY_FD: %w", err)
	}
	name, _, _ := bytes.Cut(info[64:80], []byte{0})
	return string(name), nil
}
