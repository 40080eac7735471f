// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/tests/harness"
)

func TestIntelRdtThatCantBeIsRefused(t *testing.T) {
	t.Parallel()
	mounts := harness.ReadFile(t, "/proc/self/mounts")
	for _, c := range []struct {
		name   string
		config specs.LinuxIntelRdt
		want   []string
	}{
		{"no resctrl", specs.LinuxIntelRdt{ClosID: "class"}, []string{"linux.intelRdt: no resctrl file system is mounted"}},
		{"no resctrl, nothing asked for", specs.LinuxIntelRdt{}, []string{"linux.intelRdt: no resctrl file system is mounted"}},
		{"class", specs.LinuxIntelRdt{ClosID: "../class"}, []string{"linux.intelRdt.closID", "../class"}},
		{"cache", specs.LinuxIntelRdt{L3CacheSchema: "0=f"}, []string{"linux.intelRdt.l3CacheSchema"}},
		{"bandwidth", specs.LinuxIntelRdt{MemBwSchema: "L3:0=f"}, []string{"linux.intelRdt.memBwSchema"}},
		{"line", specs.LinuxIntelRdt{Schemata: []string{"L3:0=f\nMB:0=1"}}, []string{"linux.intelRdt.schemata[0]"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if strings.HasPrefix(c.name, "no resctrl") && strings.Contains(mounts, " resctrl ") {
				t.Skip("resctrl is mounted here")
			}
			b := harness.NewBundle(t, "true")
			b.Spec.Linux.IntelRdt = &c.config
			before := b.Snapshot(t)
			b.Run(t).WantOneError(t, c.want...)
			before.WantSame(t)
		})
	}
}

// A container that doesn't ask for it leaves every resctrl file system alone: none is looked for.
func TestIntelRdtIsLeftAlone(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "true")
	b.Run(t, "-d").WantExit(t, 0)
	if state, err := os.ReadFile(b.Root + "/" + b.ID + "/state.json"); err != nil || strings.Contains(string(state), "intel_rdt") {
		t.Errorf("%v: %s", err, state)
	}
}
