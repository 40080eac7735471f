// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/tests/harness"
)

// views are the two ways in which a machine shows its control groups.
var views = map[string]func(*testing.T, *harness.Bundle){
	"as mounted": func(*testing.T, *harness.Bundle) {},
	"v2":         func(t *testing.T, b *harness.Bundle) { b.UseV2View(t) },
}

// inEachView runs a test with the control groups as the machine mounts them, and with v2 alone.
func inEachView(t *testing.T, args []string, test func(t *testing.T, b *harness.Bundle)) {
	t.Helper()
	for name, use := range views {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := harness.NewBundle(t, args...)
			use(t, b)
			test(t, b)
		})
	}
}

// groupsOf returns the paths of a process in all hierarchies that rt has put it into.
func groupsOf(t *testing.T, b *harness.Bundle, pid int) []string {
	t.Helper()
	var paths []string
	for line := range strings.Lines(harness.ReadFile(t, "/proc/"+itoa(uint64(pid))+"/cgroup")) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		// A v1 hierarchy that was mounted elsewhere once may linger in the kernel: rt can't know of it.
		mounted := filepath.Join("/sys/fs/cgroup", strings.TrimPrefix(f[1], "name="))
		if _, err := os.Stat(mounted); err != nil {
			continue
		}
		if b.Wrapper == nil && harness.HasCgroup1() || f[0] == "0" {
			paths = append(paths, f[2])
		}
	}
	return paths
}

func TestTheCgroupPathIsThatOfTheConfig(t *testing.T) {
	t.Parallel()
	parent := "/rt-integration-" + itoa(uint64(os.Getpid()))
	inEachView(t, []string{"sleep", "1000"}, func(t *testing.T, b *harness.Bundle) {
		b.Spec.Linux.CgroupsPath = parent + "/sub/" + b.ID
		b.Run(t, "-d").WantExit(t, 0)
		for _, path := range groupsOf(t, b, b.State(t).Pid) {
			if path != b.Spec.Linux.CgroupsPath {
				t.Errorf("init is in %s, want %s", path, b.Spec.Linux.CgroupsPath)
			}
		}
		b.Delete(t, "--force").WantExit(t, 0)
		if left := harness.CgroupsOf(b.ID); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	})
	// The groups above the container's may be somebody else's by now, so rt leaves them.
	t.Cleanup(func() {
		for _, dir := range slices.Backward(harness.CgroupsOf(parent)) {
			_ = os.Remove(dir)
		}
	})
}

func TestTheDefaultCgroupPathEndsInTheID(t *testing.T) {
	t.Parallel()
	inEachView(t, []string{"sleep", "1000"}, func(t *testing.T, b *harness.Bundle) {
		b.Run(t, "-d").WantExit(t, 0)
		for _, path := range groupsOf(t, b, b.State(t).Pid) {
			if filepath.Base(path) != b.CgroupName() {
				t.Errorf("init is in %s", path)
			}
		}
		b.Delete(t, "--force").WantExit(t, 0)
		if left := harness.CgroupsOf(b.ID); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	})
}

func TestACgroupNamespaceHidesThePath(t *testing.T) {
	t.Parallel()
	inEachView(t, []string{"cat", "/proc/self/cgroup"}, func(t *testing.T, b *harness.Bundle) {
		setNamespace(b, specs.CgroupNamespace, "")
		got := b.Run(t).WantExit(t, 0).WantStdout(t, ":/\n").WantNoStdout(t, b.ID)
		for line := range strings.Lines(got.Stdout) {
			if !strings.HasSuffix(line, ":/\n") {
				t.Errorf("it is in %q", line)
			}
		}
	})
}

func TestTheCgroupMountIsReadOnlyAndTheContainersOwn(t *testing.T) {
	t.Parallel()
	script := []string{"sh", "-c", "grep ' /sys/fs/cgroup' /proc/self/mounts; mkdir /sys/fs/cgroup/*/rtprobe /sys/fs/cgroup/rtprobe; find /sys/fs/cgroup -name '*rt-test*'"}
	for _, private := range []bool{true, false} {
		inEachViewNamed(t, map[bool]string{true: "private", false: "host's"}[private], script, func(t *testing.T, b *harness.Bundle) {
			dropNamespace(b, specs.CgroupNamespace)
			if private {
				setNamespace(b, specs.CgroupNamespace, "")
			}
			got := b.Run(t)
			lines := 0
			for line := range strings.Lines(got.Stdout) {
				f := strings.Fields(line)
				if len(f) < 4 {
					if private {
						t.Errorf("a group of the host is visible: %s", line)
					}
					continue
				}
				lines++
				if f[3] != "ro" && !strings.HasPrefix(f[3], "ro,") {
					t.Errorf("not read-only: %s", line)
				}
			}
			if lines == 0 {
				t.Errorf("no mount: %s%s", got.Stdout, got.Stderr)
			}
			got.WantStderr(t, "Read-only file system")
		})
	}
}

func inEachViewNamed(t *testing.T, name string, args []string, test func(t *testing.T, b *harness.Bundle)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		inEachView(t, args, test)
	})
}

func TestAWritableCgroupMountIsTheContainersOwnGroup(t *testing.T) {
	t.Parallel()
	script := `cd /sys/fs/cgroup; [ -d memory ] && cd memory; mkdir below && echo made; read first <cgroup.procs; echo first $first`
	inEachView(t, []string{"sh", "-c", script + "; exec sleep 1000"}, func(t *testing.T, b *harness.Bundle) {
		before := b.Snapshot(t)
		setNamespace(b, specs.CgroupNamespace, "")
		m := mountAt(t, b, "/sys/fs/cgroup")
		m.Options = []string{"nosuid", "noexec", "nodev", "rw"}
		b.Run(t, "-d").WantExit(t, 0)
		b.WaitForOutput(t, "made\nfirst 1\n")
		b.Delete(t, "--force").WantExit(t, 0)
		before.WantSame(t)
	})
}

func TestSubGroupsWithProcessesAreRemoved(t *testing.T) {
	t.Parallel()
	script := `cd /sys/fs/cgroup; for d in memory freezer .; do [ "$d" = . ] || [ -d $d ] || continue
		[ -f $d/cgroup.procs ] || continue; mkdir -p $d/a/b; sh -c "echo \$\$ >$d/a/b/cgroup.procs && echo in && exec sleep 1000" & done; wait`
	inEachView(t, []string{"sh", "-c", script}, func(t *testing.T, b *harness.Bundle) {
		before := b.Snapshot(t)
		setNamespace(b, specs.CgroupNamespace, "")
		mountAt(t, b, "/sys/fs/cgroup").Options = []string{"rw"}
		b.Run(t, "-d").WantExit(t, 0)
		b.WaitForOutput(t, "in\n")
		b.Delete(t, "--force").WantExit(t, 0)
		before.WantSame(t)
	})
}

func TestACgroupWithProcessesIsRefused(t *testing.T) {
	t.Parallel()
	inEachView(t, []string{"sleep", "1000"}, func(t *testing.T, b *harness.Bundle) {
		b.Spec.Linux.CgroupsPath = "/rt-integration-" + b.ID
		b.Run(t, "-d").WantExit(t, 0)
		second := harness.NewBundle(t, "sleep", "1000")
		second.Wrapper = b.Wrapper
		second.Spec.Linux.CgroupsPath = b.Spec.Linux.CgroupsPath
		before := second.Snapshot(t)
		second.Run(t, "-d").WantOneError(t, "container's cgroup is not empty")
		second.Create(t).WantOneError(t, "container's cgroup is not empty")
		before.WantSame(t)
		if status := b.State(t).Status; status != "running" {
			t.Errorf("the first container is %s", status)
		}
	})
}

func TestAFrozenCgroupIsRefusedAndLeftAlone(t *testing.T) {
	t.Parallel()
	inEachView(t, []string{"sleep", "1000"}, func(t *testing.T, b *harness.Bundle) {
		b.Spec.Linux.CgroupsPath = "/rt-integration-" + b.ID
		group := freeze(t, b)
		before := b.Snapshot(t)
		b.Run(t, "-d").WantOneError(t, "container's cgroup unexpectedly frozen")
		b.Create(t).WantOneError(t, "container's cgroup unexpectedly frozen")
		before.WantSame(t)
		if err := os.Remove(group); err != nil {
			t.Error(err)
		}
	})
}

// freeze makes the bundle's control group and freezes it; it returns its directory.
func freeze(t *testing.T, b *harness.Bundle) string {
	t.Helper()
	group, file, word := filepath.Join("/sys/fs/cgroup/freezer", b.Spec.Linux.CgroupsPath), "freezer.state", "FROZEN"
	if b.Wrapper != nil || !harness.HasCgroup1() {
		root := "/sys/fs/cgroup"
		if !harness.IsCgroup2(root) {
			root = "/sys/fs/cgroup/unified"
		}
		group, file, word = filepath.Join(root, b.Spec.Linux.CgroupsPath), "cgroup.freeze", "1"
	}
	if err := os.Mkdir(group, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(group) })
	if err := os.WriteFile(filepath.Join(group, file), []byte(word), 0o644); err != nil {
		t.Fatal(err)
	}
	return group
}

func TestAnExistingEmptyCgroupIsUsed(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "true")
	b.Spec.Linux.CgroupsPath = "/rt-integration-" + b.ID
	group := freeze(t, b)
	for file, word := range map[string]string{"freezer.state": "THAWED", "cgroup.freeze": "0"} {
		path := filepath.Join(group, file)
		if _, err := os.Stat(path); err == nil {
			if err := os.WriteFile(path, []byte(word), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	b.Run(t).WantExit(t, 0)
}

// Without a pid namespace the control group tells which processes are the container's.
func TestKillAndDeleteReachEveryProcessOfASharedPidNamespace(t *testing.T) {
	t.Parallel()
	inEachView(t, []string{"sh", "-c", "sleep 1000 & sleep 1000 & echo up; wait"}, func(t *testing.T, b *harness.Bundle) {
		dropNamespace(b, specs.PIDNamespace)
		before := b.Snapshot(t)
		b.Run(t, "-d").WantExit(t, 0)
		b.WaitForOutput(t, "up")
		b.Kill(t, "KILL").WantExit(t, 0)
		b.WaitFor(t, "stopped")
		b.Delete(t).WantExit(t, 0)
		before.WantSame(t)
	})
}

func TestDeleteKillsWhatAnEndedInitHasLeft(t *testing.T) {
	t.Parallel()
	for _, flags := range [][]string{nil, {"--force"}} {
		b := harness.NewBundle(t, "sh", "-c", "sleep 1000 & sleep 1000 & exit 0")
		dropNamespace(b, specs.PIDNamespace)
		before := b.Snapshot(t)
		b.Run(t, "-d").WantExit(t, 0)
		b.WaitFor(t, "stopped")
		b.Delete(t, flags...).WantExit(t, 0)
		before.WantSame(t)
	}
}

func TestDeleteForceRemovesAFrozenContainer(t *testing.T) {
	t.Parallel()
	inEachView(t, []string{"sleep", "1000"}, func(t *testing.T, b *harness.Bundle) {
		before := b.Snapshot(t)
		b.Run(t, "-d").WantExit(t, 0)
		for _, dir := range harness.CgroupsOf(b.ID) {
			for file, word := range map[string]string{"freezer.state": "FROZEN", "cgroup.freeze": "1"} {
				if path := filepath.Join(dir, file); exists(path) {
					if err := os.WriteFile(path, []byte(word), 0o644); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		b.WaitFor(t, "paused")
		b.Delete(t, "--force").WantExit(t, 0)
		before.WantSame(t)
	})
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
