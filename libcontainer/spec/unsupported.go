// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"fmt"
)

// unsupported refuses what this version does not apply. Nothing that asks for protection or a limit is
// ignored (runtime.md, "Errors"). Values that stand for the kernel's default ask for nothing: callers
// write them all the time.
func (v *validator) unsupported() error {
	v.warnOfKernelMemory()
	for _, r := range v.linuxRequests() {
		if r.asked {
			return fmt.Errorf("%s: not supported by this version of rt (remove it)", r.member)
		}
	}
	return nil
}

// warnOfKernelMemory is about the one limit that the specification lets a runtime ignore.
func (v *validator) warnOfKernelMemory() {
	r := v.linux.Resources
	if r == nil || r.Memory == nil {
		return
	}
	if limit := r.Memory.Kernel; limit != nil && *limit > 0 { //nolint:staticcheck // deprecated, still written by callers
		v.warn("linux.resources.memory.kernel is ignored: memory of the kernel is part of linux.resources.memory.limit")
	}
}

// request is a member that is not applied; asked says that the configuration needs it.
type request struct {
	member string
	asked  bool
}

func (v *validator) linuxRequests() []request {
	l := v.linux
	return []request{
		{"linux.seccomp.syscalls with SCMP_ACT_NOTIFY", l.Seccomp != nil && notifies(l.Seccomp)},
	}
}
