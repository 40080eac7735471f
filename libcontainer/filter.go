// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/libcontainer/plan"
	"github.com/rt-oci/rt/libcontainer/seccomp"
)

// compileFilter compiles linux.seccomp; nil without one.
func compileFilter(s *specs.Spec) (*plan.Filter, error) {
	if s.Linux.Seccomp == nil {
		return nil, nil
	}
	filter, err := seccomp.Compile(s.Linux.Seccomp)
	if err != nil {
		return nil, err // it names the member
	}
	return &plan.Filter{Program: filter.Program, Flags: filter.Flags}, nil
}
