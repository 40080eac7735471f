// SPDX-License-Identifier: Apache-2.0

// Package systemd tests the driver --systemd-cgroup against a real systemd: what systemctl shows of a container, and
// what is left of it when systemd is reloaded, executed anew, slow or hidden. The tests need systemd as PID 1 and skip
// without; `make vm-test` runs them in virtual machines with each kind of control groups.
package systemd

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rt-oci/rt/tests/harness"
)

// newBundle makes a bundle whose container is to be a scope, and skips without systemd.
func newBundle(t *testing.T, args ...string) *harness.Bundle {
	t.Helper()
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		t.Skip("needs systemd as PID 1: there is no /run/systemd/system")
	}
	b := harness.NewBundle(t, args...)
	b.Systemd = true
	return b
}

// unitOf is the scope of a bundle without cgroupsPath.
func unitOf(b *harness.Bundle) string { return "rt-" + b.ID + ".scope" }

// systemctl runs systemctl and returns what it prints, and its status.
func systemctl(t *testing.T, args ...string) (out string, status int) {
	t.Helper()
	cmd := exec.Command("systemctl", append([]string{"--no-pager"}, args...)...)
	output, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatalf("systemctl: %v", err)
	}
	return string(output), cmd.ProcessState.ExitCode()
}

// Status of `systemctl status` (systemctl(1), "Exit status").
const (
	isActive  = 0
	isDead    = 3
	isUnknown = 4
)

func wantStatus(t *testing.T, unit string, want int) {
	t.Helper()
	if out, status := systemctl(t, "status", unit); status != want {
		t.Errorf("systemctl status %s: status %d, want %d\n%s", unit, status, want, out)
	}
}

// wantProperties demands lines of `systemctl show`.
func wantProperties(t *testing.T, unit string, want ...string) {
	t.Helper()
	out, _ := systemctl(t, "show", unit)
	lines := strings.Split(out, "\n")
	for _, w := range want {
		if !slices.Contains(lines, w) {
			name, _, _ := strings.Cut(w, "=")
			have, _ := systemctl(t, "show", "-p", name, unit)
			t.Errorf("%s: want %s, have %s", unit, w, strings.TrimSpace(have))
		}
	}
}

// needControllers skips the test on a machine without some controllers, as the unified tree of a hybrid has none.
func needControllers(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if !harness.HasController(name) {
			t.Skipf("needs the controller %s, which this machine's control groups don't have", name)
		}
	}
}

// isV2 says that the host has the unified hierarchy alone.
func isV2() bool { return harness.IsCgroup2("/sys/fs/cgroup") }

// control returns the path of a control file of the container: of the first name on v2, of the second on v1, where the
// controller comes first.
func control(t *testing.T, b *harness.Bundle, v2, controller, v1 string) string {
	t.Helper()
	if isV2() {
		return filepath.Join("/sys/fs/cgroup", groupOf(t, b, ""), v2)
	}
	return filepath.Join("/sys/fs/cgroup", controller, groupOf(t, b, controller), v1)
}

// groupOf returns the path of the container's control group in one hierarchy.
func groupOf(t *testing.T, b *harness.Bundle, controller string) string {
	t.Helper()
	content := harness.ReadFile(t, fmt.Sprintf("/proc/%d/cgroup", b.State(t).Pid))
	for line := range strings.Lines(content) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if slices.Contains(strings.Split(f[1], ","), controller) {
			return f[2]
		}
	}
	t.Fatalf("no hierarchy %q in\n%s", controller, content)
	return ""
}

func wantFile(t *testing.T, path, want string) {
	t.Helper()
	if got := strings.TrimSpace(harness.ReadFile(t, path)); got != want {
		t.Errorf("%s has %q, want %q", path, got, want)
	}
}
