// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// bpfAttr is union bpf_attr, with room for what later kernels may add. The size matters: on a
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

// LoadProgram gives a program to the kernel (bpf(2), BPF_PROG_LOAD). kind is a BPF_PROG_TYPE_*, name has at most 15
// characters, code is an array of struct bpf_insn.
func LoadProgram(kind uint32, name string, code []byte) (*os.File, error) {
	var a bpfAttr
	var pinner runtime.Pinner
	defer pinner.Unpin()
	license := []byte("Apache-2.0\x00") // not compatible with the GPL of v2: the helpers that demand it are refused
	a.set32(0, kind)
	a.set32(4, uint32(len(code)/8))
	setPointer(&a, &pinner, 8, &code[0])
	setPointer(&a, &pinner, 16, &license[0])
	copy(a[48:63], name)
	fd, err := bpf(unix.BPF_PROG_LOAD, &a)
	if err != nil {
		return nil, fmt.Errorf("bpf BPF_PROG_LOAD %q, %d instructions: %w", name, len(code)/8, err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// AttachedPrograms returns the ids of the programs that are attached to a control group itself, not to one above it.
// kind is the attach type, BPF_CGROUP_*.
func AttachedPrograms(group *os.File, kind uint32) ([]uint32, error) {
	var a bpfAttr
	var pinner runtime.Pinner
	defer pinner.Unpin()
	ids := make([]uint32, 64) // the kernel attaches no more (kernel/bpf/cgroup.c, BPF_CGROUP_MAX_PROGS)
	a.set32(0, uint32(group.Fd()))
	a.set32(4, kind)
	setPointer(&a, &pinner, 16, &ids[0])
	a.set32(24, uint32(len(ids)))
	if _, err := bpf(unix.BPF_PROG_QUERY, &a); err != nil {
		return nil, fmt.Errorf("bpf BPF_PROG_QUERY: %w", err)
	}
	return ids[:binary.NativeEndian.Uint32(a[24:])], nil
}

// OpenProgram opens a loaded program by its id; the error is ENOENT when it is gone.
func OpenProgram(id uint32) (*os.File, error) {
	var a bpfAttr
	a.set32(0, id)
	fd, err := bpf(unix.BPF_PROG_GET_FD_BY_ID, &a)
	if err != nil {
		return nil, fmt.Errorf("bpf BPF_PROG_GET_FD_BY_ID %d: %w", id, err)
	}
	return os.NewFile(uintptr(fd), "bpf program"), nil
}

// ProgramName returns the name a program was loaded with: 16 bytes at 64 of struct bpf_prog_info (linux/bpf.h).
func ProgramName(program *os.File) (string, error) {
	var a bpfAttr
	var pinner runtime.Pinner
	defer pinner.Unpin()
	info := make([]byte, 80)
	a.set32(0, uint32(program.Fd()))
	a.set32(4, uint32(len(info)))
	setPointer(&a, &pinner, 8, &info[0])
	if _, err := bpf(unix.BPF_OBJ_GET_INFO_BY_FD, &a); err != nil {
		return "", fmt.Errorf("bpf BPF_OBJ_GET_INFO_BY_FD: %w", err)
	}
	name, _, _ := bytes.Cut(info[64:80], []byte{0})
	return string(name), nil
}

// AttachProgram attaches a program to a control group, beside those of others, or in one step in the place of old
// unless that is nil. kind is the attach type, BPF_CGROUP_*.
func AttachProgram(group, program, old *os.File, kind uint32) error {
	var a bpfAttr
	a.set32(0, uint32(group.Fd()))
	a.set32(4, uint32(program.Fd()))
	a.set32(8, kind)
	a.set32(12, unix.BPF_F_ALLOW_MULTI)
	if old != nil {
		a.set32(12, unix.BPF_F_ALLOW_MULTI|unix.BPF_F_REPLACE)
		a.set32(16, uint32(old.Fd()))
	}
	if _, err := bpf(unix.BPF_PROG_ATTACH, &a); err != nil {
		return fmt.Errorf("bpf BPF_PROG_ATTACH: %w", err)
	}
	return nil
}
