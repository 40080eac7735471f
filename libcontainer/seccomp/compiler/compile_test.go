// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	libseccomp "github.com/seccomp/libseccomp-golang"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/seccomp/wire"
)

// answer interprets a program for one system call. It knows the instructions that filters without conditions on
// arguments consist of.
func answer(t *testing.T, program []byte, audit, number uint32) uint32 {
	t.Helper()
	var accumulator uint32
	for at := 0; at >= 0 && (at+1)*wire.InstructionBytes <= len(program); at++ {
		in := program[at*wire.InstructionBytes:]
		code, k := binary.NativeEndian.Uint16(in), binary.NativeEndian.Uint32(in[4:])
		holds := false
		switch code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			accumulator = map[uint32]uint32{numberOffset: number, archOffset: audit}[k]
			continue
		case unix.BPF_RET | unix.BPF_K:
			return k
		case unix.BPF_JMP | unix.BPF_JA:
			at += int(k)
			continue
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
			holds = accumulator == k
		case unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K:
			holds = accumulator > k
		case unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K:
			holds = accumulator >= k
		default:
			t.Fatalf("instruction %d has code %#x", at, code)
		}
		if holds {
			at += int(in[2])
		} else {
			at += int(in[3])
		}
	}
	t.Fatal("the program has no end")
	return 0
}

func TestNewerCallsOnEachArchitecture(t *testing.T) {
	const (
		enosys = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
		eperm  = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
		allow  = unix.SECCOMP_RET_ALLOW
		kill   = unix.SECCOMP_RET_KILL_THREAD
	)
	profile := newerProfile()
	profile.Syscalls = append(profile.Syscalls, specs.LinuxSyscall{Names: []string{"set_tls"}, Action: specs.ActAllow})
	all, err := compile(profile)
	if err != nil {
		t.Fatal(err)
	}
	profile.Architectures = nil
	native, err := compile(profile)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name          string
		program       []byte
		audit, number uint32
		want          uint32
	}{
		{"x86-64 newest", all.Program, unix.AUDIT_ARCH_X86_64, 437, allow},
		{"x86-64 newer", all.Program, unix.AUDIT_ARCH_X86_64, 438, enosys},
		{"x86-64 last", all.Program, unix.AUDIT_ARCH_X86_64, x32Bit - 1, enosys},
		{"x32 newest", all.Program, unix.AUDIT_ARCH_X86_64, x32Bit + 437, allow},
		{"x32 unlisted", all.Program, unix.AUDIT_ARCH_X86_64, x32Bit + 272, eperm},
		{"x32 own", all.Program, unix.AUDIT_ARCH_X86_64, x32Bit + 520, allow},
		{"x32 own unlisted", all.Program, unix.AUDIT_ARCH_X86_64, x32Bit + 547, eperm},
		{"x32 after its own", all.Program, unix.AUDIT_ARCH_X86_64, x32Bit + 548, enosys},
		{"x32 newer", all.Program, unix.AUDIT_ARCH_X86_64, x32Bit + 438, enosys},
		{"x86 newest", all.Program, unix.AUDIT_ARCH_I386, 437, allow},
		{"x86 unlisted", all.Program, unix.AUDIT_ARCH_I386, 310, eperm},
		{"x86 newer", all.Program, unix.AUDIT_ARCH_I386, 1000, enosys},
		{"arm newer", all.Program, unix.AUDIT_ARCH_ARM, 438, enosys},
		{"arm private", all.Program, unix.AUDIT_ARCH_ARM, armPrivate.first + 5, allow},
		{"arm private unlisted", all.Program, unix.AUDIT_ARCH_ARM, armPrivate.first + 4, eperm},
		{"aarch64 newer", all.Program, unix.AUDIT_ARCH_AARCH64, 438, enosys},
		{"foreign architecture", all.Program, unix.AUDIT_ARCH_S390X, 438, kill},
		{"native only: newer", native.Program, unix.AUDIT_ARCH_X86_64, 438, enosys},
		{"native only: x32", native.Program, unix.AUDIT_ARCH_X86_64, x32Bit + 438, kill},
		{"native only: x86", native.Program, unix.AUDIT_ARCH_I386, 438, kill},
	} {
		if got := answer(t, c.program, c.audit, c.number); got != c.want {
			t.Errorf("%s: %#x, want %#x", c.name, got, c.want)
		}
	}
}

// TestActionsAreTheKernels: each action is the value that the kernel knows it by (seccomp(2)), as a rule's and as the
// default, for programs of both word lengths.
func TestActionsAreTheKernels(t *testing.T) {
	errno := uint(55)
	for _, c := range []struct {
		action specs.LinuxSeccompAction
		errno  *uint
		want   uint32
	}{
		{specs.ActKill, nil, unix.SECCOMP_RET_KILL_THREAD},
		{specs.ActKillThread, nil, unix.SECCOMP_RET_KILL_THREAD},
		{specs.ActKillProcess, nil, unix.SECCOMP_RET_KILL_PROCESS},
		{specs.ActTrap, nil, unix.SECCOMP_RET_TRAP},
		{specs.ActErrno, nil, unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
		{specs.ActErrno, &errno, unix.SECCOMP_RET_ERRNO | 55},
		{specs.ActTrace, nil, unix.SECCOMP_RET_TRACE | uint32(unix.EPERM)},
		{specs.ActTrace, &errno, unix.SECCOMP_RET_TRACE | 55},
		{specs.ActLog, nil, unix.SECCOMP_RET_LOG},
		{specs.ActAllow, nil, unix.SECCOMP_RET_ALLOW},
		{specs.ActNotify, nil, unix.SECCOMP_RET_USER_NOTIF},
	} {
		other, otherValue := specs.ActAllow, uint32(unix.SECCOMP_RET_ALLOW)
		if c.action == other {
			other, otherValue = specs.ActLog, unix.SECCOMP_RET_LOG
		}
		profiles := []*specs.LinuxSeccomp{{
			DefaultAction: other, Syscalls: []specs.LinuxSyscall{{Names: []string{"mkdir"}, Action: c.action, ErrnoRet: c.errno}},
		}}
		if c.action != specs.ActNotify { // is refused as the default
			profiles = append(profiles, &specs.LinuxSeccomp{
				DefaultAction: c.action, DefaultErrnoRet: c.errno, Syscalls: []specs.LinuxSyscall{{Names: []string{"rmdir"}, Action: other}},
			})
		}
		for i, profile := range profiles {
			profile.Architectures = []specs.Arch{specs.ArchX86_64, specs.ArchX86}
			filter, err := compile(profile)
			if err != nil {
				t.Fatalf("%s: %v", c.action, err)
			}
			for _, call := range []struct{ audit, mkdir, rmdir uint32 }{{unix.AUDIT_ARCH_X86_64, 83, 84}, {unix.AUDIT_ARCH_I386, 39, 40}} {
				got, rest := answer(t, filter.Program, call.audit, call.mkdir), answer(t, filter.Program, call.audit, call.rmdir)
				if got != c.want || rest != otherValue {
					t.Errorf("%s, profile %d, architecture %#x: %#x and %#x, want %#x and %#x", c.action, i, call.audit, got, rest, c.want, otherValue)
				}
			}
		}
	}
}

// TestAuditArchitectures compares the table with libseccomp: a filter that kills everything on an architecture
// other than the native one answers differently from one without it.
func TestAuditArchitectures(t *testing.T) {
	native, err := libseccomp.GetNativeArch()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range arches() {
		filter, err := compile(&specs.LinuxSeccomp{
			DefaultAction: specs.ActLog, Architectures: []specs.Arch{a.name},
			Syscalls: []specs.LinuxSyscall{{Names: []string{"read"}, Action: specs.ActTrap}},
		})
		if err != nil {
			if a.lib == native || !strings.Contains(err.Error(), "add architecture "+string(a.name)) {
				t.Errorf("%s: %v", a.name, err)
			}
			t.Logf("%s: not compiled by libseccomp %s here: %v", a.name, version(), err)
			continue
		}
		read, err := libseccomp.GetSyscallFromNameByArch("read", a.lib)
		if err != nil {
			t.Fatal(err)
		}
		if got := answer(t, filter.Program, a.audit, uint32(read)); got != unix.SECCOMP_RET_TRAP {
			t.Errorf("%s: %#x", a.name, got)
		}
	}
}

// newerProfile names calls up to openat2 (437) on all architectures of the test machine's family.
func newerProfile() *specs.LinuxSeccomp {
	return &specs.LinuxSeccomp{
		DefaultAction: specs.ActErrno,
		Architectures: []specs.Arch{specs.ArchX86, specs.ArchX32, specs.ArchX86_64, specs.ArchAARCH64, specs.ArchARM},
		Syscalls: []specs.LinuxSyscall{
			{Names: []string{"write", "exit_group", "rt_sigreturn", "execve", "openat2", "no_such_call"}, Action: specs.ActAllow},
		},
	}
}
