// SPDX-License-Identifier: Apache-2.0

package main

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"
	libseccomp "github.com/seccomp/libseccomp-golang"
)

// action returns libseccomp's value for an action, ActInvalid if there is none.
func action(name specs.LinuxSeccompAction) libseccomp.ScmpAction {
	switch name {
	case specs.ActAllow:
		return libseccomp.ActAllow
	case specs.ActErrno:
		return libseccomp.ActErrno
	case specs.ActKill, specs.ActKillThread:
		return libseccomp.ActKillThread
	case specs.ActKillProcess:
		return libseccomp.ActKillProcess
	case specs.ActLog:
		return libseccomp.ActLog
	case specs.ActNotify:
		return libseccomp.ActNotify
	case specs.ActTrace:
		return libseccomp.ActTrace
	case specs.ActTrap:
		return libseccomp.ActTrap
	}
	return libseccomp.ActInvalid
}

// operator returns libseccomp's value for an operator, CompareInvalid if there is none. For SCMP_CMP_MASKED_EQ,
// value is the mask and valueTwo what the masked argument must equal.
func operator(name specs.LinuxSeccompOperator) libseccomp.ScmpCompareOp {
	switch name {
	case specs.OpEqualTo:
		return libseccomp.CompareEqual
	case specs.OpGreaterEqual:
		return libseccomp.CompareGreaterEqual
	case specs.OpGreaterThan:
		return libseccomp.CompareGreater
	case specs.OpLessEqual:
		return libseccomp.CompareLessOrEqual
	case specs.OpLessThan:
		return libseccomp.CompareLess
	case specs.OpMaskedEqual:
		return libseccomp.CompareMaskedEqual
	case specs.OpNotEqual:
		return libseccomp.CompareNotEqual
	}
	return libseccomp.CompareInvalid
}
