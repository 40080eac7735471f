// SPDX-License-Identifier: Apache-2.0

package seccomp

import specs "github.com/opencontainers/runtime-spec/specs-go"

// Actions returns the actions that a configuration may use.
func Actions() []specs.LinuxSeccompAction {
	return []specs.LinuxSeccompAction{
		specs.ActAllow, specs.ActErrno, specs.ActKill, specs.ActKillProcess,
		specs.ActKillThread, specs.ActLog, specs.ActNotify, specs.ActTrace, specs.ActTrap,
	}
}

// Operators returns the operators of conditions.
func Operators() []specs.LinuxSeccompOperator {
	return []specs.LinuxSeccompOperator{
		specs.OpEqualTo, specs.OpGreaterEqual, specs.OpGreaterThan, specs.OpLessEqual,
		specs.OpLessThan, specs.OpMaskedEqual, specs.OpNotEqual,
	}
}

// Architectures returns the names of the architectures that a configuration may name. Those that the library is
// too old for are refused when a filter is compiled.
func Architectures() []specs.Arch {
	return []specs.Arch{
		specs.ArchX86, specs.ArchX86_64, specs.ArchX32, specs.ArchARM, specs.ArchAARCH64,
		specs.ArchMIPS, specs.ArchMIPS64, specs.ArchMIPS64N32, specs.ArchMIPSEL, specs.ArchMIPSEL64, specs.ArchMIPSEL64N32,
		specs.ArchPPC, specs.ArchPPC64, specs.ArchPPC64LE, specs.ArchS390, specs.ArchS390X,
		specs.ArchPARISC, specs.ArchPARISC64, specs.ArchRISCV64, specs.ArchLOONGARCH64,
		specs.ArchM68K, specs.ArchSH, specs.ArchSHEB,
	}
}
