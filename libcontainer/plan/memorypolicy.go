// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// memoryNodesMax is how many memory nodes Linux can be built for on any architecture (CONFIG_NODES_SHIFT).
const memoryNodesMax = 1024

// wantedNodes says how many nodes a mode of set_mempolicy(2) wants.
type wantedNodes int

const (
	noNodes wantedNodes = iota
	anyNodes
	someNodes
)

// memoryMode is a mode of set_mempolicy(2).
type memoryMode struct {
	name  specs.MemoryPolicyModeType
	mode  uint32
	nodes wantedNodes
}

// The numbers are those of linux/mempolicy.h, which are the interface of set_mempolicy(2).
var (
	memoryModes = [...]memoryMode{
		{specs.MpolBind, 2, someNodes},
		{specs.MpolDefault, 0, noNodes},
		{specs.MpolInterleave, 3, someNodes},
		{specs.MpolLocal, 4, noNodes},
		{specs.MpolPreferred, 1, anyNodes}, // without nodes: the one where the process runs
		{specs.MpolPreferredMany, 5, someNodes},
		{specs.MpolWeightedInterleave, 6, someNodes},
	}
	memoryFlags = [...]struct {
		name specs.MemoryPolicyFlagType
		flag uint32
	}{
		{specs.MpolFNumaBalancing, 1 << 13},
		{specs.MpolFRelativeNodes, 1 << 14},
		{specs.MpolFStaticNodes, 1 << 15},
	}
)

// MemoryPolicyModes returns the modes of memory policies, sorted.
func MemoryPolicyModes() []string {
	names := make([]string, len(memoryModes))
	for i := range memoryModes {
		names[i] = string(memoryModes[i].name)
	}
	return names
}

// MemoryPolicyFlags returns the flags of memory policies, sorted.
func MemoryPolicyFlags() []string {
	names := make([]string, len(memoryFlags))
	for i := range memoryFlags {
		names[i] = string(memoryFlags[i].name)
	}
	return names
}

// memoryPolicy sets where pages are taken from (config-linux.md, "Memory policy"): after the cpuset, within whose
// nodes the policy lies. Children and execve keep it.
func memoryPolicy(b *builder) error {
	if b.spec.Linux.MemoryPolicy == nil {
		return nil
	}
	b.member = "linux.memoryPolicy"
	step, err := parseMemoryPolicy(b.spec.Linux.MemoryPolicy)
	if err != nil {
		return err
	}
	b.add(step)
	return nil
}

// CheckMemoryPolicy refuses a memory policy that can't be set.
func CheckMemoryPolicy(p *specs.LinuxMemoryPolicy) error {
	if p == nil {
		return nil
	}
	_, err := parseMemoryPolicy(p)
	return err
}

// parseMemoryPolicy reads the words of a policy. The errors contain what callers know from runc.
func parseMemoryPolicy(p *specs.LinuxMemoryPolicy) (MemoryPolicy, error) {
	const member = "linux.memoryPolicy"
	i := slices.IndexFunc(memoryModes[:], func(m memoryMode) bool { return m.name == p.Mode })
	if i < 0 {
		return MemoryPolicy{}, fmt.Errorf("%s.mode: invalid memory policy mode %q (want one of %s)", member, p.Mode, strings.Join(MemoryPolicyModes(), ", "))
	}
	step := MemoryPolicy{Mode: memoryModes[i].mode}
	for _, name := range p.Flags {
		flag := memoryFlag(name)
		if flag == 0 {
			return MemoryPolicy{}, fmt.Errorf("%s.flags: invalid memory policy flag %q (want %s)", member, name, strings.Join(MemoryPolicyFlags(), ", "))
		}
		step.Mode |= flag
	}
	var count int
	var err error
	if step.Nodes, count, err = parseNodes(p.Nodes); err != nil {
		return MemoryPolicy{}, fmt.Errorf("%s.nodes %q: invalid memory policy node: %w", member, p.Nodes, err)
	}
	switch wanted := memoryModes[i].nodes; {
	case wanted == noNodes && count > 0:
		return MemoryPolicy{}, fmt.Errorf("%s.nodes %q: invalid memory policy: %s mode requires 0 nodes but got %d", member, p.Nodes, p.Mode, count)
	case wanted == someNodes && count == 0:
		return MemoryPolicy{}, fmt.Errorf("%s.nodes: invalid memory policy: %s mode requires at least 1 node but got 0", member, p.Mode)
	}
	return step, nil
}

func memoryFlag(name specs.MemoryPolicyFlagType) uint32 {
	for i := range memoryFlags {
		if memoryFlags[i].name == name {
			return memoryFlags[i].flag
		}
	}
	return 0
}

// parseNodes reads a list such as "0-3,7" into a mask of 64 nodes a word, and counts the nodes.
func parseNodes(list string) (mask []uint64, count int, err error) {
	if list == "" {
		return nil, 0, nil
	}
	for entry := range strings.SplitSeq(list, ",") {
		first, last, isRange := strings.Cut(entry, "-")
		if !isRange {
			last = first
		}
		from, err := parseNode(first)
		if err != nil {
			return nil, 0, err
		}
		to, err := parseNode(last)
		if err != nil {
			return nil, 0, err
		}
		if to < from {
			return nil, 0, fmt.Errorf("the range %q ends before it begins", entry)
		}
		for node := from; node <= to; node++ {
			for len(mask) <= node/64 {
				mask = append(mask, 0)
			}
			if mask[node/64]&(1<<(node%64)) == 0 {
				mask[node/64] |= 1 << (node % 64)
				count++
			}
		}
	}
	return mask, count, nil
}

func parseNode(text string) (int, error) {
	for _, digit := range []byte(text) {
		if digit < '0' || digit > '9' {
			return 0, fmt.Errorf("%q is no number", text)
		}
	}
	node, err := strconv.ParseUint(text, 10, 16)
	switch {
	case text == "":
		return 0, fmt.Errorf("a number is missing")
	case err != nil || node >= memoryNodesMax:
		return 0, fmt.Errorf("%s is more than %d, the last one that Linux can have", text, memoryNodesMax-1)
	}
	return int(node), nil
}
