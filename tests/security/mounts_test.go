// SPDX-License-Identifier: Apache-2.0

package security

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/rt-oci/rt/tests/harness"
)

// An image leads mount points out of its root by symbolic links (CVE-2021-30465, CVE-2019-18837, CVE-2015-3629). A
// mount then appears where the link leads seen from the container, or is refused.
func TestMountPointsBehindLinks(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"tmpfs", "directory", "file"} {
		b := script(t, "cut -d ' ' -f 5 /proc/self/mountinfo")
		victim := makeVictim(t, b)
		plantLinks(t, b, victim)
		mounts := len(b.Spec.Mounts)
		for _, place := range []string{
			"/a/VICTIM/new", "/a/VICTIM/sub", "/a/VICTIM/file", "/up/new", "/up/sub", "/abs/new", "/abs/sub",
			"/c/d/VICTIM/new", "/dangling/x", "/dangling", "/loop1/x", "/loop1", "/abs", "/up/../up/new",
		} {
			destination := strings.ReplaceAll(place, "/VICTIM", victim)
			b.Spec.Mounts = b.Spec.Mounts[:mounts]
			switch kind {
			case "tmpfs":
				tmpfs(b, destination)
			case "directory":
				bind(b, harness.Mkdir(t, b.Path("directory"), 0o755), destination)
			case "file":
				bind(b, harness.WriteFile(t, b.Path("file"), "source", 0o644), destination)
			}
			before, host := look(t, victim), b.Snapshot(t)
			got := b.Run(t)
			before.wantSame(t)
			host.WantSame(t)
			wantNoCrash(t, got)
			if got.Exit == 0 && !strings.Contains(got.Stdout, "\n"+filepath.Dir(victim)+"/") {
				t.Errorf("rt says that all is well, but nothing is mounted at %s:\n%s", destination, got.Stdout)
			}
		}
	}
}

// plantLinks puts links into the image that lead out of it, if they are taken for the host's.
func plantLinks(t *testing.T, b *harness.Bundle, victim string) {
	t.Helper()
	harness.Symlink(t, "/", b.InRootfs("a"))
	harness.Symlink(t, strings.Repeat("../", 20)+victim[1:], b.InRootfs("up"))
	harness.Symlink(t, victim, b.InRootfs("abs"))
	harness.Symlink(t, "/proc/self/root", b.InRootfs("c/d"))
	harness.Symlink(t, filepath.Join(victim, "dangling/deeper"), b.InRootfs("dangling"))
	harness.Symlink(t, "loop2", b.InRootfs("loop1"))
	harness.Symlink(t, "loop1", b.InRootfs("loop2"))
}

// The mount point is a dangling link, as in ordinary images: it must work, and make the link's target in the container.
func TestMountPointIsDanglingLink(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"/usr/share/zoneinfo/Europe/Paris", "../usr/share/zoneinfo/Europe/Paris", "../../../../usr/share/zone"} {
		b := script(t, "cat /etc/localtime")
		harness.Symlink(t, target, b.InRootfs("etc/localtime"))
		bind(b, harness.WriteFile(t, b.Path("zone"), "the time", 0o644), "/etc/localtime", "ro")
		b.Run(t).WantExit(t, 0).WantStdoutIs(t, "the time")
	}
}

// Odd spellings of mount points mean what they mean to the kernel.
func TestSpellingsOfMountPoints(t *testing.T) {
	t.Parallel()
	for _, destination := range []string{"/m/n/", "//m//n", "/./m/./n/.", "/m/n//", "/m/../m/n", "m/n", "/../../m/n"} {
		b := script(t, "cat /m/n/file")
		source := harness.Mkdir(t, b.Path("source"), 0o755)
		harness.WriteFile(t, filepath.Join(source, "file"), "content", 0o644)
		bind(b, source, destination)
		b.Run(t).WantExit(t, 0).WantStdoutIs(t, "content")
	}
}

// A slash after a link must not change where it leads (CVE-2026-39822).
func TestMountPointIsLinkWithSlash(t *testing.T) {
	t.Parallel()
	for _, destination := range []string{"/link/", "/link//", "/link/.", "/link/./", "/link/sub/..", "/link/sub/", "/flink/"} {
		b := script(t, "true")
		victim := makeVictim(t, b)
		harness.Symlink(t, victim, b.InRootfs("link"))
		harness.Symlink(t, filepath.Join(victim, "file"), b.InRootfs("flink"))
		before, host := look(t, victim), b.Snapshot(t)
		tmpfs(b, destination)
		wantNoCrash(t, b.Run(t))
		before.wantSame(t)
		host.WantSame(t)
	}
}

// A link to the root makes a volume cover all of the container, behind which nothing is as rt has made it.
func TestMountPointIsLinkToTheRoot(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"/", "/etc/..", "/proc/..", "..", "/../.."} {
		b := script(t, "ls -A /.. | grep -c volume-file; true")
		source := harness.Mkdir(t, b.Path("source"), 0o755)
		harness.WriteFile(t, filepath.Join(source, "volume-file"), "", 0o644)
		harness.Symlink(t, target, b.InRootfs("data"))
		bind(b, source, "/data")
		got := b.Run(t)
		wantNoCrash(t, got)
		got.WantNoStdout(t, "1")
	}
}

// What a container puts where rt made a mount point must not be followed when the container is removed
// (CVE-2024-23652).
func TestCleaningUpFollowsNoLinks(t *testing.T) {
	t.Parallel()
	b := script(t, "")
	victim := makeVictim(t, b)
	volume := harness.Mkdir(t, b.Path("volume"), 0o755)
	bind(b, volume, "/volume")
	tmpfs(b, "/volume/stub/deeper")
	b.Spec.Process.Args = []string{"sh", "-c", "sleep 60"}
	b.Create(t).WantExit(t, 0)
	before := look(t, victim)
	if err := replaceByLink(filepath.Join(volume, "stub"), victim); err != nil {
		t.Fatal(err)
	}
	b.Delete(t, "--force").WantExit(t, 0)
	before.wantSame(t)
}

// The same source twice, once below the other, in a tree that was shared: nothing of it may reach the host.
func TestMountsStayInTheContainer(t *testing.T) {
	t.Parallel()
	b := script(t, "touch /volume/inner/file && grep -c /volume/inner /proc/self/mountinfo")
	volume := harness.Mkdir(t, b.Path("volume"), 0o755)
	bind(b, volume, "/volume")
	tmpfs(b, "/volume/inner")
	host := b.Snapshot(t)
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "1")
	host.WantSame(t)
}

// A config without a mount namespace must not leave the container's mounts on the host.
func TestNoMountNamespaceNoMountsOnTheHost(t *testing.T) {
	t.Parallel()
	b := script(t, "true")
	dropNamespace(b, "mount")
	b.Spec.Linux.MaskedPaths, b.Spec.Linux.ReadonlyPaths = nil, nil
	b.UseOwnMounts()
	b.Wrapper = append(b.Wrapper, "sh", "-c", `"$@"; code=$?; grep -c `+b.Rootfs+` /proc/self/mountinfo; exit $code`, "sh")
	got := b.Run(t)
	got.WantExit(t, 0)
	if got := strings.TrimSpace(got.Stdout); got != "0" {
		t.Errorf("mounts left in the namespace of rt: %s", got)
	}
}

// The flags of a mount of the host hold in a user namespace, whose root may do much: a mount that the host has made
// read-only stays so.
func TestUserNamespaceKeepsReadonlyMountsOfTheHost(t *testing.T) {
	t.Parallel()
	b := script(t, "mount -o remount,bind,rw /data && echo remounted", "echo x >/data/file && echo WRITTEN", "true")
	source := harness.Mkdir(t, b.Path("source"), 0o777)
	harness.WriteFile(t, filepath.Join(source, "file"), "precious", 0o666)
	bind(b, source, "/data")
	useUserNamespace(t, b)
	addCapabilities(b, "CAP_SYS_ADMIN")
	b.UseOwnMounts()
	b.Wrapper = append(b.Wrapper, "sh", "-c", "mount --bind "+source+" "+source+" && mount -o remount,bind,ro "+source+` && exec "$@"`, "sh")
	b.Run(t).WantExit(t, 0).WantNoStdout(t, "WRITTEN")
	if got := harness.ReadFile(t, filepath.Join(source, "file")); got != "precious" {
		t.Errorf("the host's file is now %q", got)
	}
}
