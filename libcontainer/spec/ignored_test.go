// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"math"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// The specification lets a runtime ignore it; there is no such limit any more.
func TestTheKernelMemoryLimitIsIgnored(t *testing.T) {
	memory := func(kernel int64) func(*specs.Spec) {
		return func(s *specs.Spec) {
			s.Linux.Resources.Memory = &specs.LinuxMemory{Kernel: &kernel} //nolint:staticcheck // deprecated, still written by callers
		}
	}
	wantAcceptances(t, []acceptance{
		{"a limit", memory(1 << 20), []string{"linux.resources.memory.kernel is ignored: memory of the kernel is part of linux.resources.memory.limit"}},
		{"none", memory(-1), nil},
	})
}

// TestAcceptWhatAsksForNothing has the objects that callers write without meaning a limit.
func TestAcceptWhatAsksForNothing(t *testing.T) {
	wantAcceptances(t, []acceptance{
		{"empty objects", func(s *specs.Spec) {
			s.Linux.Resources = &specs.LinuxResources{
				Memory: new(specs.LinuxMemory), CPU: new(specs.LinuxCPU), Pids: new(specs.LinuxPids), BlockIO: new(specs.LinuxBlockIO),
				Network: new(specs.LinuxNetwork), HugepageLimits: []specs.LinuxHugepageLimit{}, Rdma: map[string]specs.LinuxRdma{}, Unified: map[string]string{},
			}
			s.Linux.NetDevices = map[string]specs.LinuxNetDevice{}
		}, nil},
		{"defaults", func(s *specs.Spec) {
			s.Linux.Resources = &specs.LinuxResources{
				Memory: &specs.LinuxMemory{
					Limit: ptr(int64(-1)), Swap: ptr(int64(-1)), Swappiness: ptr(uint64(math.MaxUint64)), DisableOOMKiller: ptr(false),
					UseHierarchy: ptr(true), CheckBeforeUpdate: ptr(true),
				},
				CPU:     &specs.LinuxCPU{Shares: ptr(uint64(0)), Quota: ptr(int64(-1)), Period: ptr(uint64(0)), Idle: ptr(int64(0))},
				Pids:    &specs.LinuxPids{Limit: ptr(int64(-1))},
				BlockIO: &specs.LinuxBlockIO{Weight: ptr(uint16(0))},
				Network: &specs.LinuxNetwork{ClassID: ptr(uint32(0))},
			}
		}, nil},
	})
}

// Members of former versions of the specification ask for nothing any more (config-linux.md, "IntelRdt").
func TestMembersOfFormerVersionsAreIgnored(t *testing.T) {
	t.Parallel()
	config := `{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "linux": {"intelRdt": {"schemata": ["MB:0=50"], "enableCMT": true, "enableMBM": true}}}`
	s, err := Load([]byte(config))
	if err != nil {
		t.Fatal(err)
	}
	if r := s.Linux.IntelRdt; r == nil || r.EnableMonitoring || len(r.Schemata) != 1 {
		t.Errorf("intelRdt: %+v", r)
	}
}
