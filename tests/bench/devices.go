// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// allowDeviceRules makes crun 1.8 take device rules in a layout, and tells how, "" if it takes them anyway.
//
// With cgroup v2 such rules are a BPF program. crun 1.8 lifts its limit of locked memory to load one, although newer
// kernels (5.11) do not count that any more, and gives up where it lacks CAP_SYS_RESOURCE for it.
func allowDeviceRules(layout string) (string, error) {
	if layout != layoutV2 && layout != layoutV2View {
		return "", nil
	}
	const infinity = ^uint64(0)
	if unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: infinity, Max: infinity}) == nil {
		return "", nil
	}
	if err := pretendMemlock(); err != nil {
		return "", err
	}
	return "Root lacks CAP_SYS_RESOURCE here, with which crun 1.8 lifts RLIMIT_MEMLOCK before it loads device rules (no kernel since 5.11 wants that): a seccomp filter, the same for all, lets the call succeed without effect.", nil
}

// pretendMemlock installs a seccomp filter, for this process and its children, that answers each attempt to set
// RLIMIT_MEMLOCK with success, without making it.
func pretendMemlock() error {
	const (
		success = unix.SECCOMP_RET_ERRNO // number 0
		allow   = unix.SECCOMP_RET_ALLOW
	)
	load := func(offset uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
	}
	orAllow := func(value uint32, distance uint8) unix.SockFilter { // goes on if the word is value
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: value, Jf: distance}
	}
	answer := func(action uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: action}
	}
	// struct seccomp_data: the call's number, at 16 its arguments, of 8 bytes each; prlimit64(pid, resource, new, old).
	program := []unix.SockFilter{
		load(0), orAllow(unix.SYS_PRLIMIT64, 5),
		load(24), orAllow(unix.RLIMIT_MEMLOCK, 3),
		load(32),
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: 0, Jt: 1},
		answer(success), answer(allow),
	}
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	const flags = unix.SECCOMP_FILTER_FLAG_TSYNC | unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&filter))); errno != 0 {
		return fmt.Errorf("seccomp: %w", errno)
	}
	return nil
}
