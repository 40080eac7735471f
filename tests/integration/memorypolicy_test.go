// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/tests/harness"
)

// memoryPolicy is linux.memoryPolicy.
func memoryPolicy(mode, nodes string, flags ...specs.MemoryPolicyFlagType) *specs.LinuxMemoryPolicy {
	return &specs.LinuxMemoryPolicy{Mode: specs.MemoryPolicyModeType(mode), Nodes: nodes, Flags: flags}
}

func TestMemoryPolicy(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/numa_maps"); err != nil {
		t.Skipf("the kernel has no NUMA: %v", err)
	}
	for _, c := range []struct {
		policy *specs.LinuxMemoryPolicy
		want   string // of the second field of numa_maps
	}{
		{memoryPolicy("MPOL_INTERLEAVE", "0"), "^interleave:0$"},
		{memoryPolicy("MPOL_BIND", "0", specs.MpolFStaticNodes), "^bind.*static.*0$"},
		{memoryPolicy("MPOL_PREFERRED", "0", specs.MpolFRelativeNodes), "^prefer.*relative.*0$"},
		{memoryPolicy("MPOL_PREFERRED_MANY", "0"), "^prefer$"}, // "prefer (many):0"
		{memoryPolicy("MPOL_DEFAULT", ""), "^default$"},
		{memoryPolicy("MPOL_LOCAL", ""), "^local$"},
	} {
		for _, user := range []bool{false, true} {
			const show = "head -n 1 /proc/self/numa_maps | cut -d ' ' -f 2"
			b := shell(t, show+"; exec sleep 1000")
			if user {
				mapIDs(t, b)
			}
			b.Spec.Linux.MemoryPolicy = c.policy
			b.Run(t, "--detach").WantExit(t, 0)
			b.WaitForOutput(t, "\n")
			execed := b.Exec(t, nil, "sh", "-c", show).WantExit(t, 0)
			for name, field := range map[string]string{"run": b.Output(t), "exec": execed.Stdout} {
				if field = strings.TrimSpace(field); !regexp.MustCompile(c.want).MatchString(field) {
					t.Errorf("%s: %+v: %q, want %s", name, *c.policy, field, c.want)
				}
			}
		}
	}
}

func TestAMemoryPolicyThatCantBeSetIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		policy *specs.LinuxMemoryPolicy
		want   []string
	}{
		{"empty", &specs.LinuxMemoryPolicy{}, []string{"invalid memory policy mode"}},
		{"mode", memoryPolicy("INTERLEAVE", "0"), []string{"invalid memory policy mode", "INTERLEAVE"}},
		{"flag", memoryPolicy("MPOL_BIND", "0", "badflag"), []string{"invalid memory policy flag", "badflag"}},
		{"node", memoryPolicy("MPOL_BIND", "0-9876543210"), []string{"invalid memory policy node", "9876543210"}},
		{"nodes of the default", memoryPolicy("MPOL_DEFAULT", "0-7"), []string{"mode requires 0 nodes but got 8"}},
		{"node that is not there", memoryPolicy("MPOL_BIND", "1023"), []string{"linux.memoryPolicy: set_mempolicy: invalid argument", "a node is not there"}},
		{"flags that exclude each other", memoryPolicy("MPOL_BIND", "0", specs.MpolFStaticNodes, specs.MpolFRelativeNodes), []string{"linux.memoryPolicy: set_mempolicy: invalid argument"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := harness.NewBundle(t, "true")
			b.Spec.Linux.MemoryPolicy = c.policy
			before := b.Snapshot(t)
			b.Run(t).WantOneError(t, c.want...)
			before.WantSame(t)
		})
	}
}
