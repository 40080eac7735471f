// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestMemoryPolicies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mode, nodes, flags string
		want               MemoryPolicy
	}{
		{"MPOL_DEFAULT", "", "", MemoryPolicy{0, nil}},
		{"MPOL_LOCAL", "", "", MemoryPolicy{4, nil}},
		{"MPOL_PREFERRED", "", "", MemoryPolicy{1, nil}},
		{"MPOL_PREFERRED", "3", "MPOL_F_RELATIVE_NODES", MemoryPolicy{1 | 1<<14, []uint64{8}}},
		{"MPOL_BIND", "0", "MPOL_F_STATIC_NODES MPOL_F_NUMA_BALANCING", MemoryPolicy{2 | 1<<15 | 1<<13, []uint64{1}}},
		{"MPOL_INTERLEAVE", "0-3,7,1-2", "", MemoryPolicy{3, []uint64{0x8f}}},
		{"MPOL_PREFERRED_MANY", "63-65", "", MemoryPolicy{5, []uint64{1 << 63, 3}}},
		{"MPOL_WEIGHTED_INTERLEAVE", "1023", "", MemoryPolicy{6, append(make([]uint64, 15), 1<<63)}},
	} {
		p := &specs.LinuxMemoryPolicy{Mode: specs.MemoryPolicyModeType(c.mode), Nodes: c.nodes}
		for _, flag := range strings.Fields(c.flags) {
			p.Flags = append(p.Flags, specs.MemoryPolicyFlagType(flag))
		}
		got, err := parseMemoryPolicy(p)
		if err != nil || !sameStep(got, c.want) {
			t.Errorf("%+v: %+v, %v, want %+v", *p, got, err, c.want)
		}
	}
}

func TestRefuseMemoryPolicies(t *testing.T) {
	t.Parallel()
	const (
		mode  = "linux.memoryPolicy.mode: invalid memory policy mode %q (want one of MPOL_BIND, MPOL_DEFAULT, MPOL_INTERLEAVE, MPOL_LOCAL, MPOL_PREFERRED, MPOL_PREFERRED_MANY, MPOL_WEIGHTED_INTERLEAVE)"
		flags = `linux.memoryPolicy.flags: invalid memory policy flag "STATIC" (want MPOL_F_NUMA_BALANCING, MPOL_F_RELATIVE_NODES, MPOL_F_STATIC_NODES)`
		nodes = "linux.memoryPolicy.nodes %q: invalid memory policy node: "
	)
	for _, c := range []struct{ mode, nodes, flag, want string }{
		{"", "", "", strings.Replace(mode, "%q", `""`, 1)},
		{"INTERLEAVE", "0", "", strings.Replace(mode, "%q", `"INTERLEAVE"`, 1)},
		{"MPOL_BIND", "0", "STATIC", flags},
		{"MPOL_BIND", "0-9876543210", "", strings.Replace(nodes, "%q", `"0-9876543210"`, 1) + "9876543210 is more than 1023, the last one that Linux can have"},
		{"MPOL_BIND", "1024", "", strings.Replace(nodes, "%q", `"1024"`, 1) + "1024 is more than 1023, the last one that Linux can have"},
		{"MPOL_BIND", "3-1", "", strings.Replace(nodes, "%q", `"3-1"`, 1) + `the range "3-1" ends before it begins`},
		{"MPOL_BIND", "1,", "", strings.Replace(nodes, "%q", `"1,"`, 1) + "a number is missing"},
		{"MPOL_BIND", "+1", "", strings.Replace(nodes, "%q", `"+1"`, 1) + `"+1" is no number`},
		{"MPOL_BIND", "1-2-3", "", strings.Replace(nodes, "%q", `"1-2-3"`, 1) + `"2-3" is no number`},
		{"MPOL_BIND", " 1", "", strings.Replace(nodes, "%q", `" 1"`, 1) + `" 1" is no number`},
		{"MPOL_DEFAULT", "0-7", "", `linux.memoryPolicy.nodes "0-7": invalid memory policy: MPOL_DEFAULT mode requires 0 nodes but got 8`},
		{"MPOL_LOCAL", "5", "", `linux.memoryPolicy.nodes "5": invalid memory policy: MPOL_LOCAL mode requires 0 nodes but got 1`},
		{"MPOL_INTERLEAVE", "", "", "linux.memoryPolicy.nodes: invalid memory policy: MPOL_INTERLEAVE mode requires at least 1 node but got 0"},
	} {
		p := &specs.LinuxMemoryPolicy{Mode: specs.MemoryPolicyModeType(c.mode), Nodes: c.nodes}
		if c.flag != "" {
			p.Flags = []specs.MemoryPolicyFlagType{specs.MemoryPolicyFlagType(c.flag)}
		}
		if err := CheckMemoryPolicy(p); err == nil || err.Error() != c.want {
			t.Errorf("%+v:\n got %v\nwant %s", *p, err, c.want)
		}
	}
	if err := CheckMemoryPolicy(nil); err != nil {
		t.Error(err)
	}
}
