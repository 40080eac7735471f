// SPDX-License-Identifier: Apache-2.0

package spec

// ignored warns of what the specification lets a runtime ignore. Whatever else asks for a protection or a limit is applied,
// or an error (runtime.md, "Errors").
func (v *validator) ignored() error {
	v.warnOfKernelMemory()
	return nil
}

// warnOfKernelMemory is about the one limit that may be ignored (config-linux.md, "Memory").
func (v *validator) warnOfKernelMemory() {
	r := v.linux.Resources
	if r == nil || r.Memory == nil {
		return
	}
	if limit := r.Memory.Kernel; limit != nil && *limit > 0 { //nolint:staticcheck // deprecated, still written by callers
		v.warn("linux.resources.memory.kernel is ignored: memory of the kernel is part of linux.resources.memory.limit")
	}
}
