// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/tests/harness"
)

func TestTheRootMayBeRelativeAbsoluteOrALink(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "cat", "/etc/passwd")
	harness.Symlink(t, "rootfs", b.Dir+"/link")
	for _, path := range []string{"rootfs", "./rootfs/", b.Rootfs, b.Rootfs + "/../rootfs", "link"} {
		b.Spec.Root.Path = path
		b.Run(t).WantExit(t, 0).WantStdout(t, "root:x:0:0:")
	}
}

func TestTheBundleMayBeTheRoot(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "ls", "/config.json")
	b.Dir = b.Rootfs
	b.Spec.Root.Path = "."
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "/config.json")
}

func TestAReadOnlyRootRefusesWriting(t *testing.T) {
	t.Parallel()
	b := shell(t, "touch /x")
	b.Run(t).WantExit(t, 1).WantStderr(t, "Read-only file system")
	b.Spec.Root.Readonly = false
	b.Run(t).WantExit(t, 0)
	if _, err := os.Stat(b.InRootfs("x")); err != nil {
		t.Error(err)
	}
}

func TestTheOldRootIsGone(t *testing.T) {
	t.Parallel()
	b := shell(t, "cat /proc/self/mountinfo; ls -a /")
	got := b.Run(t).WantExit(t, 0)
	for line := range strings.Lines(got.Stdout) {
		if f := strings.Fields(line); len(f) > 9 && !known(f[4]) {
			t.Errorf("a mount that the config does not have: %s", line)
		}
	}
	got.WantNoStdout(t, "old", "pivot", "put")
}

func known(point string) bool {
	if point == "/" {
		return true
	}
	for _, dir := range []string{"/proc", "/sys", "/dev"} {
		if point == dir || strings.HasPrefix(point, dir+"/") {
			return true
		}
	}
	return false
}

func TestNoPivotWorksAndShowsNoUnmaskedProc(t *testing.T) {
	t.Parallel()
	b := shell(t, "cat /etc/passwd; unshare -mrpf sh -c 'mount -t proc none /proc && echo GOT IT'")
	grant(b, "CAP_SETFCAP") // which mapping uid 0 needs
	got := b.Run(t, "--no-pivot").WantExit(t, 1)
	got.WantStdout(t, "root:x:0:0").WantNoStdout(t, "GOT IT")
	got.WantStderr(t, "mount: permission denied")
}

func TestAHostMountNamespaceIsAChroot(t *testing.T) {
	t.Parallel()
	b := shell(t, "cat /etc/passwd; ls /")
	b.UseOwnMounts() // what is mounted there stays
	dropNamespace(b, specs.MountNamespace)
	b.Spec.Linux.MaskedPaths, b.Spec.Linux.ReadonlyPaths, b.Spec.Root.Readonly = nil, nil, false
	b.Spec.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/bin/touch", Args: []string{"touch", "hooked"}}}}
	got := b.Run(t).WantExit(t, 0)
	got.WantStdout(t, "root:x:0:0:", "\nproc\n")
	got.WantNoStdout(t, "\nboot\n")
	if _, err := os.Stat(filepath.Join(b.Dir, "hooked")); err != nil {
		t.Error(err)
	}
}

func TestMaskedPathsAreEmpty(t *testing.T) {
	t.Parallel()
	for _, readonly := range []bool{true, false} {
		b := shell(t,
			"cat /secret/file; ls -A /secret/dir; stat -c %d /secret/dir /secret/dir2 | uniq | wc -l",
			"rm /secret/file; touch /secret/dir/x; rm -rf /secret/dir; umount /secret/file; umount /secret/dir",
			"grep -c /secret/file /proc/self/mounts; echo x >/secret/file; cat /secret/file")
		harness.WriteFile(t, b.InRootfs("secret/file"), "secret", 0o666)
		harness.WriteFile(t, b.InRootfs("secret/dir/file"), "secret", 0o666)
		harness.WriteFile(t, b.InRootfs("secret/dir2/file"), "secret", 0o666)
		b.Spec.Linux.MaskedPaths = []string{"/secret/file", "/secret/dir", "/nosuch", "/secret/file", "/secret/dir2"}
		b.Spec.Root.Readonly = readonly
		got := b.Run(t).WantExit(t, 0)
		got.WantStdoutIs(t, "1\n1")
		got.WantStderr(t, "/secret/dir/x: Read-only file system", "/secret/file: Operation not permitted", "/secret/dir: Operation not permitted")
		if !strings.Contains(got.Stderr, "rm: ") {
			t.Errorf("a masked path could be removed: %s", got.Stderr)
		}
	}
}

func TestReadonlyPathsRefuseWriting(t *testing.T) {
	t.Parallel()
	b := writable(shell(t, "touch /data/x; echo x >/proc/sys/kernel/hostname; touch /file; echo >>/etc/passwd"))
	harness.Mkdir(t, b.InRootfs("data"), 0o777)
	b.Spec.Linux.ReadonlyPaths = []string{"/data", "/proc/sys", "/nosuch", "/etc/passwd"}
	got := b.Run(t).WantExit(t, 1)
	got.WantStderr(t, "/data/x: Read-only file system", "/proc/sys/kernel/hostname: Read-only file system",
		"/etc/passwd: Read-only file system")
	if _, err := os.Stat(b.InRootfs("file")); err != nil {
		t.Error(err)
	}
}

// A container must not see, and so not be able to hold, anything of the host's that was open when it was made.
func TestACreatedContainersInitHoldsNothingOfTheHost(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "true")
	b.Create(t).WantExit(t, 0)
	dir := "/proc/" + itoa(uint64(b.State(t).Pid)) + "/fd"
	out, err := exec.Command("ls", "-l", dir).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		_, target, found := strings.Cut(strings.TrimSpace(line), " -> ")
		if !found || allowedInInit(target, b) {
			continue
		}
		t.Errorf("init holds %s", target)
	}
}

func allowedInInit(target string, b *harness.Bundle) bool {
	switch {
	case target == "/dev/null", target == "/", target == "/proc":
		return true
	case strings.HasPrefix(target, b.Path("std")): // the caller's own stdio
		return true
	}
	for _, prefix := range []string{"socket:", "pipe:", "anon_inode:", "/dev/pts/"} {
		if strings.HasPrefix(target, prefix) {
			return true
		}
	}
	return strings.HasSuffix(target, "/exec.fifo") || strings.HasSuffix(target, "/exec.result")
}

// On most hosts everything is shared: whatever rt mounted in such a peer group would be on the host too.
func TestAHostWithSharedMountsSeesNoneOfTheContainers(t *testing.T) {
	t.Parallel()
	const record = `mount --make-rshared / && cat /proc/self/mountinfo >"$0".1 && "$@"; s=$?; cat /proc/self/mountinfo >"$0".2; exit $s`
	for _, flags := range [][]string{nil, {"--no-pivot"}} {
		b := shell(t, "mount -t tmpfs x /tmp && echo mounted")
		grant(b, "CAP_SYS_ADMIN")
		// The hook looks while the container's mounts are all there.
		b.Spec.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/bin/sh", Args: []string{
			"sh", "-c", "cat /proc/self/mountinfo >" + b.Path("mounts.3"),
		}}}}
		b.Wrapper = []string{"unshare", "-m", "--propagation", "private", "sh", "-c", record, b.Path("mounts")}
		b.Run(t, flags...).WantExit(t, 0).WantStdoutIs(t, "mounted")
		before := harness.ReadFile(t, b.Path("mounts.1"))
		for _, moment := range []string{"3", "2"} {
			if now := harness.ReadFile(t, b.Path("mounts."+moment)); now != before {
				t.Errorf("moment %s: mounts of the host were\n%s\nand are\n%s", moment, before, now)
			}
		}
	}
}
