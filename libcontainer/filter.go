// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"path/filepath"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/libcontainer/plan"
	"github.com/rt-oci/rt/libcontainer/seccomp"
)

// compileFilter compiles linux.seccomp, once in each command; nil without one. The state root has the cache.
func (c *Container) compileFilter(s *specs.Spec) (*plan.Filter, error) {
	if s.Linux.Seccomp == nil || c.filter != nil {
		return c.filter, nil
	}
	filter, err := seccomp.Compile(s.Linux.Seccomp, filepath.Join(c.runtime.Root, seccomp.CacheName))
	if err != nil {
		return nil, err // it names the member
	}
	c.runtime.Log.Debugf("seccomp filter flags: %d", filter.Flags)
	c.runtime.Log.Debugf("seccomp filter: %d bytes, %s", len(filter.Program), filter.Origin)
	if len(filter.Skipped) > 0 {
		c.runtime.Log.Debugf("seccomp filter: libseccomp %s does not know %q", seccomp.Version(), filter.Skipped)
	}
	c.filter = &plan.Filter{Program: filter.Program, Flags: filter.Flags}
	return c.filter, nil
}
