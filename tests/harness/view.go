// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const (
	cgroupRoot    = "/sys/fs/cgroup"
	cgroupUnified = "/sys/fs/cgroup/unified"
)

// IsCgroup2 says that a directory is in a cgroup v2 hierarchy.
func IsCgroup2(path string) bool {
	var s unix.Statfs_t
	return unix.Statfs(path, &s) == nil && s.Type == unix.CGROUP2_SUPER_MAGIC
}

// HasCgroup1 says that this machine has cgroup v1 hierarchies.
func HasCgroup1() bool {
	_, err := os.Stat(cgroupRoot + "/memory/cgroup.procs")
	return err == nil
}

// HasController says that a v1 hierarchy of this machine has a controller, or that it is a cgroup v2 machine that does.
func HasController(name string) bool {
	if HasCgroup1() {
		_, err := os.Stat(filepath.Join(cgroupRoot, name, "cgroup.procs"))
		return err == nil
	}
	if name == "blkio" {
		name = "io"
	}
	offered, _ := os.ReadFile(cgroupRoot + "/cgroup.controllers")
	return slices.Contains(strings.Fields(string(offered)), name)
}

// InV2View returns a command that runs cmd where /sys/fs/cgroup is a cgroup v2 hierarchy and nothing else is mounted
// there. It skips the test if the machine has none.
func InV2View(t *testing.T, cmd ...string) []string {
	t.Helper()
	command, reason := V2View(cmd...)
	if reason != "" {
		t.Skip(reason)
	}
	return command
}

// V2View is InV2View for who has no test: it returns the reason why there is no such view.
func V2View(cmd ...string) (command []string, reason string) {
	if IsCgroup2(cgroupRoot) {
		return cmd, ""
	}
	if !IsCgroup2(cgroupUnified) {
		return nil, "needs cgroup v2: neither " + cgroupRoot + " nor " + cgroupUnified + " is a v2 hierarchy"
	}
	script := "mount --bind " + cgroupUnified + " " + cgroupRoot + ` && exec "$@"`
	return append([]string{"unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh"}, cmd...), ""
}

// UseV2View makes all later calls of rt for this bundle see cgroup v2 only.
func (b *Bundle) UseV2View(t *testing.T) {
	t.Helper()
	b.Wrapper = InV2View(t)
}

// UseOwnMounts makes every later call of rt for this bundle run in a mount namespace of its own, which does not hand
// mounts back to the test's.
func (b *Bundle) UseOwnMounts() {
	b.Wrapper = []string{"unshare", "-m", "--propagation", "private"}
}

// HasCapability says that this process, and so rt, has a capability.
func HasCapability(capability int) bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	return unix.Capget(&header, &sets[0]) == nil && sets[capability/32].Effective&(1<<(capability%32)) != 0
}

// UseV1View makes all later calls of rt for this bundle see cgroup v1 only, without the controllers named. It skips the
// test if the machine has no such hierarchies.
func (b *Bundle) UseV1View(t *testing.T, without ...string) {
	t.Helper()
	if !HasCgroup1() || IsCgroup2(cgroupRoot) {
		t.Skip("needs cgroup v1: no hierarchy of it is mounted below " + cgroupRoot)
	}
	script := ""
	for _, name := range append(without, "unified") {
		script += "{ [ ! -d " + cgroupRoot + "/" + name + " ] || mount -t tmpfs none " + cgroupRoot + "/" + name + "; } && "
	}
	b.Wrapper = []string{"unshare", "-m", "--propagation", "private", "sh", "-c", script + `exec "$@"`, "sh"}
}
