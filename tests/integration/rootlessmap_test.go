// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/tests/harness"
)

// Ids of the host that the tests give to their users. Nobody else has them.
const (
	subIDs     = 3_000_000
	subIDCount = 65536
)

// withSubIDs lets rt run where /etc has a user with this name, and these lines in subuid and subgid. It is bound over
// the host's /etc in a mount namespace of its own.
func withSubIDs(t *testing.T, b *harness.Bundle, subuid, subgid string) {
	t.Helper()
	etc := b.Path("etc")
	if err := os.MkdirAll(etc, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"passwd": fmt.Sprintf("root:x:0:0::/:/bin/sh\ntester:x:%d:%[1]d::/:/bin/sh\n", b.User),
		"group":  fmt.Sprintf("root:x:0:\ntester:x:%d:\n", b.User),
		"subuid": subuid, "subgid": subgid,
	} {
		if err := os.WriteFile(filepath.Join(etc, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	script := fmt.Sprintf(`mount --bind %s /etc && exec setpriv --reuid %d --regid %[2]d --clear-groups "$@"`, etc, b.User)
	b.Wrapper = []string{"unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh"}
}

// mapRanges maps the user's own id and a range that the user must have been given.
func mapRanges(b *harness.Bundle) {
	ids := []specs.LinuxIDMapping{{ContainerID: 0, HostID: b.User, Size: 1}, {ContainerID: 1, HostID: subIDs, Size: subIDCount}}
	b.Spec.Linux.UIDMappings, b.Spec.Linux.GIDMappings = ids, ids
}

func needMapHelpers(t *testing.T) {
	t.Helper()
	for _, name := range []string{"newuidmap", "newgidmap"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("needs %s (Debian: uidmap)", name)
		}
	}
}

func TestAUserWithRangesOfIDs(t *testing.T) {
	t.Parallel()
	needMapHelpers(t)
	b := userShell(t, "id -u; id -g; echo $(id -G)", "cat /proc/self/setgroups", "awk '{print $1, $2, $3}' /proc/self/uid_map /proc/self/gid_map",
		"stat -c '%u' /tmp/file", "sleep 1000")
	withSubIDs(t, b, fmt.Sprintf("tester:%d:%d\n", subIDs, subIDCount), fmt.Sprintf("%d:%d:%d\n", b.User, subIDs, subIDCount))
	mapRanges(b)
	b.Spec.Process.User = specs.User{UID: 1000, GID: 1000, AdditionalGids: []uint32{5, 7}}
	file := b.InRootfs("tmp/file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(file, subIDs+41, subIDs+41); err != nil {
		t.Fatal(err)
	}
	maps := fmt.Sprintf("0 %d 1\n1 %d %d\n", b.User, subIDs, subIDCount)
	b.Run(t, "--detach").WantExit(t, 0)
	b.WaitForOutput(t, "1000\n1000\n1000 5 7\nallow\n"+maps+maps+"42\n")
	b.Exec(t, []string{"--user", "3:4", "--additional-gids", "9"}, "sh", "-c", "id -u; echo $(id -G)").WantExit(t, 0).WantStdoutIs(t, "3\n4 5 7 9")
	b.Exec(t, nil, "cat", "/proc/1/uid_map").WantExit(t, 0)
	b.Delete(t, "--force").WantExit(t, 0)
}

func TestAUserWhoseRootIsASubordinateID(t *testing.T) {
	t.Parallel()
	needMapHelpers(t)
	b := userShell(t, "id -u; stat -c %u /bin", "cat /proc/self/oom_score_adj", "sleep 1000")
	lines := fmt.Sprintf("tester:%d:%d\n", subIDs, subIDCount)
	withSubIDs(t, b, lines, lines)
	ids := []specs.LinuxIDMapping{{ContainerID: 0, HostID: subIDs, Size: subIDCount}}
	b.Spec.Linux.UIDMappings, b.Spec.Linux.GIDMappings = ids, ids
	score := 600
	b.Spec.Process.OOMScoreAdj = &score
	b.Spec.Root.Readonly = false
	for _, dir := range []string{"proc", "dev", "sys"} { // the container's root is not the owner of the root file system
		if err := os.MkdirAll(b.InRootfs(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	b.Create(t).WantExit(t, 0)
	b.Exec(t, nil, "id", "-u").WantExit(t, 0).WantStdoutIs(t, "0")
	b.Start(t).WantExit(t, 0)
	b.WaitForOutput(t, "0\n65534\n600\n")
	b.Exec(t, nil, "cat", "/proc/self/oom_score_adj").WantExit(t, 0).WantStdoutIs(t, "600")
	b.Kill(t, "KILL").WantExit(t, 0)
	b.WaitFor(t, "stopped")
	b.Delete(t).WantExit(t, 0)
}

func TestRangesThatAUserWasNotGivenAreRefused(t *testing.T) {
	t.Parallel()
	needMapHelpers(t)
	good := fmt.Sprintf("tester:%d:%d\n", subIDs, subIDCount)
	for _, c := range []struct {
		name, subuid, subgid string
		want                 []string
	}{
		{"none", "", good, []string{"linux.uidMappings", "newuidmap", "/etc/subuid lacks a line for user tester that covers 3000000 to 3065535", "tester:3000000:65536"}},
		{"of another user", strings.Replace(good, "tester", "root", 1), good, []string{"linux.uidMappings", "/etc/subuid lacks a line"}},
		{"too small", fmt.Sprintf("tester:%d:%d\n", subIDs, subIDCount-1), good, []string{"linux.uidMappings", "/etc/subuid lacks a line"}},
		{"no groups", good, "", []string{"linux.gidMappings", "newgidmap", "/etc/subgid lacks a line"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := harness.NewUserBundle(t, "echo", "the program has run")
			withSubIDs(t, b, c.subuid, c.subgid)
			mapRanges(b)
			before := b.Snapshot(t)
			b.Run(t).WantOneError(t, c.want...).WantStderr(t, b.ID)
			before.WantSame(t)
			b.Create(t).WantOneError(t, c.want...).WantStderr(t, b.ID)
			before.WantSame(t)
		})
	}
}

// Only a program of the host's root can map ids, and nothing that lies in an image is run on the host.
func TestOnlyTheHostsHelpersAreRun(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		mode os.FileMode
		uid  int // -1: the user
		dir  string
		want []string
	}{
		{"none", 0, 0, "", []string{"newuidmap", "not found in PATH", "uidmap"}},
		{"without rights", 0o755, 0, "tools", []string{"tools/newuidmap", "neither set-user-ID nor has it file capabilities", "uidmap"}},
		{"of the user", 0o755 | os.ModeSetuid, -1, "tools", []string{"tools/newuidmap", "can be changed by others than root"}},
		{"that everybody can write", 0o757 | os.ModeSetuid, 0, "tools", []string{"tools/newuidmap", "can be changed by others than root"}},
		{"that is a directory", os.ModeDir | 0o755, 0, "tools", []string{"tools/newuidmap", "no program"}},
		{"in the image", 0o755 | os.ModeSetuid, 0, "bundle/rootfs/bin", []string{"newuidmap", "not found in PATH"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := harness.NewUserBundle(t, "echo", "the program has run")
			mapRanges(b)
			marker := b.Path("marker")
			dir := b.Path(c.dir)
			b.Env = []string{"PATH=" + dir + ":.:bin"}
			b.Cwd = filepath.Dir(dir)
			b.Spec.Process.Env = []string{"PATH=/bin"}
			if c.mode != 0 {
				makeHelper(t, filepath.Join(dir, "newuidmap"), marker, c.mode, c.uid, int(b.User))
			}
			before := b.Snapshot(t)
			b.Run(t).WantOneError(t, append(c.want, "linux.uidMappings")...)
			before.WantSame(t)
			if _, err := os.Stat(marker); err == nil {
				t.Error("the helper has run")
			}
		})
	}
}

func makeHelper(t *testing.T, path, marker string, mode os.FileMode, uid, user int) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if mode.IsDir() {
		if err := os.Mkdir(path, mode.Perm()); err != nil {
			t.Fatal(err)
		}
		return
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n: >"+marker+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if uid < 0 {
		uid = user
	}
	if err := os.Chown(path, uid, uid); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}
