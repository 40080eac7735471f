// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/tests/harness"
)

func TestMountsOfTheHostBelowTheRootAreInTheContainer(t *testing.T) {
	t.Parallel()
	b := shell(t, "cat /data/file")
	hostMount(t, b.InRootfs("data"), 0)
	harness.WriteFile(t, b.InRootfs("data/file"), "content", 0o644)
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "content")
}

func TestTheRootMayBeAnOverlay(t *testing.T) {
	t.Parallel()
	b := writable(shell(t, "echo new >/new; cat /etc/passwd"))
	merged := harness.Mkdir(t, b.Path("merged"), 0o755)
	options := "lowerdir=" + b.Rootfs + ",upperdir=" + harness.Mkdir(t, b.Path("over/upper"), 0o755) +
		",workdir=" + harness.Mkdir(t, b.Path("over/work"), 0o755)
	if err := unix.Mount("overlay", merged, "overlay", 0, options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(merged, unix.MNT_DETACH) })
	b.Spec.Root.Path = merged
	before := b.Snapshot(t)
	b.Run(t).WantExit(t, 0).WantStdout(t, "root:x:0:0")
	before.WantSame(t)
	wantFile(t, b.Path("over/upper/new"), "new\n")
}

// The caller may take the root away at once. An overlay that is still mounted anywhere keeps its directories for itself
// (overlayfs.rst, "index"). It runs alone: a container that another test makes has a copy of the host's mounts for a while.
func TestNothingOfTheContainersMountsIsLeftWhenRunReturns(t *testing.T) {
	b := writable(harness.NewBundle(t, "true"))
	merged := harness.Mkdir(t, b.Path("merged"), 0o755)
	options := "index=on,lowerdir=" + b.Rootfs + ",upperdir=" + harness.Mkdir(t, b.Path("over/upper"), 0o755) +
		",workdir=" + harness.Mkdir(t, b.Path("over/work"), 0o755)
	b.Spec.Root.Path = merged
	t.Cleanup(func() { _ = unix.Unmount(merged, unix.MNT_DETACH) })
	for range 20 {
		if err := unix.Mount("overlay", merged, "overlay", 0, options); err != nil {
			t.Fatalf("the overlay is still mounted somewhere: %v", err)
		}
		b.Run(t).WantExit(t, 0)
		if err := unix.Unmount(merged, 0); err != nil {
			t.Fatal(err)
		}
	}
}

// Nothing has to be made when the mount points are there.
func TestTheRootMayBeAReadOnlyFileSystem(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "echo", "hello")
	for _, name := range []string{"proc", "dev", "sys"} {
		harness.Mkdir(t, b.InRootfs(name), 0o755)
	}
	if err := unix.Mount(b.Rootfs, b.Rootfs, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(b.Rootfs, unix.MNT_DETACH) })
	if err := unix.Mount("", b.Rootfs, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "hello")
	b.Spec.Mounts = append(b.Spec.Mounts, tmpfs("/missing"))
	b.Run(t).WantOneError(t, "mounts[7]", `"/missing"`, "read-only file system")
}

func TestTheHostsTreeMayBeMountedReadOnly(t *testing.T) {
	t.Parallel()
	b := shell(t, "cat /host"+"/etc/passwd | head -1; touch /host/tmp/x; ls -d /host/proc/1")
	b.Spec.Mounts = append(b.Spec.Mounts, bind("/", "/host", "rbind", "rslave", "rro"))
	before := b.Snapshot(t)
	b.Run(t).WantExit(t, 0).WantStdout(t, "root:", "/host/proc/1").WantStderr(t, "Read-only file system")
	before.WantSame(t)
}

func TestOptionsOfFileSystemsReachThem(t *testing.T) {
	t.Parallel()
	b := shell(t, listing, "stat -c '%u %g %a' /mnt")
	mountAt(t, b, "/proc").Options = []string{"hidepid=invisible", "nosuid"}
	b.Spec.Mounts = append(b.Spec.Mounts, tmpfs("/mnt", "size=50%", "uid=1000", "gid=5", "mode=2750", "huge=never"))
	b.Run(t).WantExit(t, 0).WantStdout(t, "/proc rw,nosuid,relatime,hidepid=invisible\n", "1000 5 2750")
}

func TestTheCallersUmaskAndDirectoryDoNotMatterForWhatRtMakes(t *testing.T) {
	t.Parallel()
	b := shell(t, "stat -c '%n %a' /dev/null /dev/shm /mnt /mnt/deep; cat /mnt/deep/file")
	harness.WriteFile(t, b.Path("file"), "content\n", 0o644)
	b.Spec.Mounts = append(b.Spec.Mounts, tmpfs("/mnt", "mode=0777"), bind(b.Path("file"), "/mnt/deep/file", "bind"))
	script := `mkdir "$0" && cd "$0" && rmdir "$0" && umask 077 && exec "$@"`
	b.Wrapper = []string{"sh", "-c", script, b.Path("gone")}
	b.Run(t).WantExit(t, 0).WantStdout(t, "/dev/null 666\n", "/dev/shm 1777\n", "/mnt 777\n", "/mnt/deep 755\n", "content\n")
}

// What the caller ignores must not keep rt from hearing of its children.
func TestSignalsThatTheCallerIgnores(t *testing.T) {
	t.Parallel()
	b := shell(t, "exit 9")
	b.Wrapper = []string{"env", "--ignore-signal=CHLD", "--ignore-signal=PIPE", "--ignore-signal=TERM"}
	addHook(b, "createRuntime", "exit 0")
	b.Run(t).WantExit(t, 9)
}

func TestBlockedSignalsOfTheCallerAreNotTheContainers(t *testing.T) {
	t.Parallel()
	b := shell(t, "grep -E '^(SigBlk|SigIgn)' /proc/self/status")
	want := b.Run(t).WantExit(t, 0).Stdout
	if !strings.Contains(want, "SigBlk:\t0000000000000000") {
		t.Errorf("signals of the container: %s", want)
	}
}

func TestALongIDIsAnErrorOrWorks(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "echo", "hello")
	b.Write(t)
	long := b.ID + strings.Repeat("x", 300)
	before := b.Snapshot(t)
	b.RT(t, "run", "--bundle", b.Dir, long).WantOneError(t, "file name too long")
	before.WantSame(t)
	b.RT(t, "run", "--bundle", b.Dir, long[:200]).WantExit(t, 0).WantStdoutIs(t, "hello")
	before.WantSame(t)
}

func TestBindMountsOfSpecialFiles(t *testing.T) {
	t.Parallel()
	b := shell(t, "stat -c '%n %F' /mnt/fifo /mnt/socket /mnt/null; cat /mnt/null; grep -c . /mnt/link")
	if err := unix.Mkfifo(b.Path("fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	harness.Listen(t, b.Path("socket"))
	harness.Symlink(t, "/etc/passwd", b.Path("link"))
	b.Spec.Mounts = append(
		b.Spec.Mounts, bind(b.Path("fifo"), "/mnt/fifo", "bind"), bind(b.Path("socket"), "/mnt/socket", "bind"),
		bind("/dev/null", "/mnt/null", "bind", "dev"), bind(b.Path("link"), "/mnt/link", "bind"),
	)
	b.Run(t).WantExit(t, 0).WantStdout(t, "/mnt/fifo fifo\n", "/mnt/socket socket\n", "/mnt/null character special file\n")
}

func TestDevMayBeTheHosts(t *testing.T) {
	t.Parallel()
	b := shell(t, "ls /dev | wc -l; echo x >/dev/null; cat /etc/passwd | head -1")
	for _, destination := range []string{"/dev", "/dev/pts", "/dev/shm", "/dev/mqueue"} {
		dropMount(b, destination)
	}
	b.Spec.Mounts = append(b.Spec.Mounts, bind("/dev", "/dev", "rbind"))
	b.Spec.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/rt-test", Type: "c", Major: 1, Minor: 3}}
	before := b.Snapshot(t)
	b.Run(t).WantExit(t, 0).WantStdout(t, "root:x:0:0")
	before.WantSame(t)
}
