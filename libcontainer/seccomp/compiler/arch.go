// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	libseccomp "github.com/seccomp/libseccomp-golang"
	"golang.org/x/sys/unix"
)

const (
	// x32Bit marks the numbers of x32, which shares its AUDIT_ARCH with x86-64.
	x32Bit = 0x40000000
	// anyNumber is the last number of the other architectures. The negative ones are no system calls.
	anyNumber = 0x7fffffff
)

// arch is an architecture of the configuration.
type arch struct {
	name  specs.Arch
	lib   libseccomp.ScmpArch
	audit uint32  // seccomp_data.arch
	last  uint32  // the last number that a system call of this architecture can get
	apart numbers // numbers that are not given out in ascending order
}

// numbers are the system call numbers from first to last.
type numbers struct {
	first, last uint32
}

func (n numbers) contains(number uint32) bool {
	return n.last != 0 && n.first <= number && number <= n.last
}

var (
	none numbers
	// x32Own are the calls of x32 whose structures differ from those of x86-64 (arch/x86/entry/syscalls).
	x32Own = numbers{x32Bit + 512, x32Bit + 547}
	// armPrivate are the calls of 32-bit ARM only, such as set_tls (arch/arm/include/uapi/asm/unistd.h).
	armPrivate = numbers{0xf0000, anyNumber}
)

// arches returns all architectures of the specification.
func arches() []arch {
	return []arch{
		{specs.ArchX86, libseccomp.ArchX86, unix.AUDIT_ARCH_I386, anyNumber, none},
		{specs.ArchX86_64, libseccomp.ArchAMD64, unix.AUDIT_ARCH_X86_64, x32Bit - 1, none},
		{specs.ArchX32, libseccomp.ArchX32, unix.AUDIT_ARCH_X86_64, anyNumber, x32Own},
		{specs.ArchARM, libseccomp.ArchARM, unix.AUDIT_ARCH_ARM, anyNumber, armPrivate},
		{specs.ArchAARCH64, libseccomp.ArchARM64, unix.AUDIT_ARCH_AARCH64, anyNumber, none},
		{specs.ArchMIPS, libseccomp.ArchMIPS, unix.AUDIT_ARCH_MIPS, anyNumber, none},
		{specs.ArchMIPS64, libseccomp.ArchMIPS64, unix.AUDIT_ARCH_MIPS64, anyNumber, none},
		{specs.ArchMIPS64N32, libseccomp.ArchMIPS64N32, unix.AUDIT_ARCH_MIPS64N32, anyNumber, none},
		{specs.ArchMIPSEL, libseccomp.ArchMIPSEL, unix.AUDIT_ARCH_MIPSEL, anyNumber, none},
		{specs.ArchMIPSEL64, libseccomp.ArchMIPSEL64, unix.AUDIT_ARCH_MIPSEL64, anyNumber, none},
		{specs.ArchMIPSEL64N32, libseccomp.ArchMIPSEL64N32, unix.AUDIT_ARCH_MIPSEL64N32, anyNumber, none},
		{specs.ArchPPC, libseccomp.ArchPPC, unix.AUDIT_ARCH_PPC, anyNumber, none},
		{specs.ArchPPC64, libseccomp.ArchPPC64, unix.AUDIT_ARCH_PPC64, anyNumber, none},
		{specs.ArchPPC64LE, libseccomp.ArchPPC64LE, unix.AUDIT_ARCH_PPC64LE, anyNumber, none},
		{specs.ArchS390, libseccomp.ArchS390, unix.AUDIT_ARCH_S390, anyNumber, none},
		{specs.ArchS390X, libseccomp.ArchS390X, unix.AUDIT_ARCH_S390X, anyNumber, none},
		{specs.ArchPARISC, libseccomp.ArchPARISC, unix.AUDIT_ARCH_PARISC, anyNumber, none},
		{specs.ArchPARISC64, libseccomp.ArchPARISC64, unix.AUDIT_ARCH_PARISC64, anyNumber, none},
		{specs.ArchRISCV64, libseccomp.ArchRISCV64, unix.AUDIT_ARCH_RISCV64, anyNumber, none},
		{specs.ArchLOONGARCH64, libseccomp.ArchLOONGARCH64, unix.AUDIT_ARCH_LOONGARCH64, anyNumber, none},
		{specs.ArchM68K, libseccomp.ArchM68K, unix.AUDIT_ARCH_M68K, anyNumber, none},
		{specs.ArchSH, libseccomp.ArchSH, unix.AUDIT_ARCH_SHEL, anyNumber, none},
		{specs.ArchSHEB, libseccomp.ArchSHEB, unix.AUDIT_ARCH_SH, anyNumber, none},
	}
}

func archByName(name specs.Arch) (arch, bool) {
	return findArch(func(a arch) bool { return a.name == name })
}

func findArch(match func(arch) bool) (arch, bool) {
	all := arches()
	i := slices.IndexFunc(all, match)
	if i < 0 {
		return arch{}, false
	}
	return all[i], true
}

// filterArches returns the architectures of a filter: the native one, then the configured ones, each once.
func filterArches(s *specs.LinuxSeccomp) ([]arch, error) {
	native, err := libseccomp.GetNativeArch()
	if err != nil {
		return nil, fmt.Errorf("linux.seccomp: find the native architecture: %w", err)
	}
	own, ok := findArch(func(a arch) bool { return a.lib == native })
	if !ok {
		return nil, fmt.Errorf("linux.seccomp: the native architecture %v is not in the specification", native)
	}
	list := []arch{own}
	for _, name := range s.Architectures {
		a, ok := archByName(name)
		if !ok {
			return nil, fmt.Errorf("linux.seccomp.architectures: %q is unknown to the filter compiler", name)
		}
		if !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	return list, nil
}
