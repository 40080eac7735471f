// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// unsupported refuses what this version does not apply. Nothing that asks for protection or a limit is
// ignored (runtime.md, "Errors"). Values that stand for the kernel's default ask for nothing: callers
// write them all the time.
func (v *validator) unsupported() error {
	for _, table := range [...][]request{v.processRequests(), v.linuxRequests(), v.resourceRequests()} {
		for _, r := range table {
			if r.asked {
				return fmt.Errorf("%s: not supported by this version of rt (remove it)", r.member)
			}
		}
	}
	return nil
}

// request is a member that is not applied; asked says that the configuration needs it.
type request struct {
	member string
	asked  bool
}

func (v *validator) processRequests() []request {
	p := v.spec.Process
	if p == nil {
		return nil
	}
	return []request{
		{"process.apparmorProfile", p.ApparmorProfile != ""},
		{"process.selinuxLabel", p.SelinuxLabel != ""},
	}
}

func (v *validator) linuxRequests() []request {
	l := v.linux
	return []request{
		{"linux.mountLabel", l.MountLabel != ""},
		{"linux.seccomp.syscalls with SCMP_ACT_NOTIFY", l.Seccomp != nil && notifies(l.Seccomp)},
	}
}

func (v *validator) resourceRequests() []request {
	r := v.linux.Resources
	if r == nil {
		return nil
	}
	if m := r.Memory; m != nil && given(m.Kernel, -1, 0) { //nolint:staticcheck // deprecated, still written by callers
		v.warn("linux.resources.memory.kernel is ignored: memory of the kernel is part of linux.resources.memory.limit")
	}
	requests := []request{
		{"linux.resources.hugepageLimits", len(r.HugepageLimits) > 0},
		{"linux.resources.rdma", len(r.Rdma) > 0},
		{"linux.resources.unified", len(r.Unified) > 0},
	}
	if n := r.Network; n != nil {
		requests = append(requests,
			request{"linux.resources.network.classID", given(n.ClassID, 0)},
			request{"linux.resources.network.priorities", len(n.Priorities) > 0})
	}
	if b := r.BlockIO; b != nil {
		requests = append(requests, blockIORequests(b)...)
	}
	return requests
}

func blockIORequests(b *specs.LinuxBlockIO) []request {
	return []request{
		{"linux.resources.blockIO.weight", given(b.Weight, 0)},
		{"linux.resources.blockIO.leafWeight", given(b.LeafWeight, 0)},
		{"linux.resources.blockIO.weightDevice", len(b.WeightDevice) > 0},
		{"linux.resources.blockIO.throttleReadBpsDevice", len(b.ThrottleReadBpsDevice) > 0},
		{"linux.resources.blockIO.throttleWriteBpsDevice", len(b.ThrottleWriteBpsDevice) > 0},
		{"linux.resources.blockIO.throttleReadIOPSDevice", len(b.ThrottleReadIOPSDevice) > 0},
		{"linux.resources.blockIO.throttleWriteIOPSDevice", len(b.ThrottleWriteIOPSDevice) > 0},
	}
}

// given says whether a value is there and none of those that mean the default.
func given[T comparable](value *T, defaults ...T) bool {
	if value == nil {
		return false
	}
	for _, d := range defaults {
		if *value == d {
			return false
		}
	}
	return true
}
