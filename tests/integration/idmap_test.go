// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/tests/harness"
)

// mapped is a bind mount whose ids from 0 on are on disk what they are for the host's user with the id first.
func mapped(source, destination string, first uint32, options ...string) specs.Mount {
	m := bind(source, destination, options...)
	m.UIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: first, Size: 65536}}
	m.GIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: first + 100000, Size: 65536}}
	return m
}

// owned makes a file that belongs to a user and a group on disk.
func owned(t *testing.T, path string, uid, gid int) string {
	t.Helper()
	harness.WriteFile(t, path, "content\n", 0o644)
	if err := os.Chown(path, uid, gid); err != nil {
		t.Fatal(err)
	}
	return path
}

// ownerOnDisk is what the host sees.
func ownerOnDisk(t *testing.T, path string) string {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d:%d", st.Uid, st.Gid)
}

// hostTree is a directory with a tmpfs mounted on its subdirectory "sub", both with a file of user 1 and group 2.
func hostTree(t *testing.T, b *harness.Bundle) string {
	t.Helper()
	dir := harness.Mkdir(t, b.Path("tree"), 0o755)
	sub := harness.Mkdir(t, filepath.Join(dir, "sub"), 0o755)
	if err := unix.Mount("tmpfs", sub, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(sub, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	owned(t, filepath.Join(dir, "file"), 1, 2)
	owned(t, filepath.Join(sub, "file"), 1, 2)
	return dir
}

// Without a user namespace the container sees the host's ids: those that the mapping leads to. A mapping asks by itself.
func TestIDMappedMountsWithoutAUserNamespace(t *testing.T) {
	t.Parallel()
	const show = "cd /mnt; stat -c '%n %u:%g' plain/file twice/file dir/file file; touch dir/new"
	for _, options := range [][]string{{"bind"}, {"rbind"}, {"bind", "idmap"}, {"rbind", "ridmap"}} {
		b := shell(t, show)
		source := filepath.Dir(owned(t, b.Path("source/file"), 1, 2))
		harness.Mkdir(t, source, 0o777)
		b.Spec.Mounts = append(
			b.Spec.Mounts,
			bind(source, "/mnt/plain", "bind"), mapped(source, "/mnt/dir", 100000, options...),
			mapped(source, "/mnt/twice", 300000, options...), mapped(source+"/file", "/mnt/file", 100000, options...),
		)
		b.Run(t).WantExit(t, 1).
			WantStdoutIs(t, "plain/file 1:2\ntwice/file 300001:400002\ndir/file 100001:200002\nfile 100001:200002").
			WantStderr(t, "dir/new: Value too large") // root has no id on that disk
		if got := ownerOnDisk(t, source+"/file"); got != "1:2" {
			t.Errorf("%q: on disk the file belongs to %s", options, got)
		}
	}
}

// A user namespace takes the mapping back: disk ids are the container's. Only mapped mounts show that.
func TestIDMappedMountsInAUserNamespace(t *testing.T) {
	t.Parallel()
	b := shell(t,
		"cd /mnt; stat -c '%n %u:%g' plain/file own/file shifted/file implied/file odd/file; touch own/new; stat -c '%u:%g' own/new",
		"touch plain/new")
	closed := harness.Mkdir(t, b.Path("closed"), 0o755)
	source := filepath.Dir(owned(t, filepath.Join(closed, "source/file"), 1, 2))
	mapIDs(t, b)
	harness.Mkdir(t, closed, 0o700) // the container's root, which is 100000 on the host, gets no further
	shifted := mapped(source, "/mnt/shifted", 100010)
	shifted.Options = []string{"rbind", "idmap"}
	odd := bind(source, "/mnt/odd", "bind", "idmap")
	odd.UIDMappings = []specs.LinuxIDMapping{{ContainerID: 1, HostID: 100001, Size: 1}}
	odd.GIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: 200000, Size: 5}, {ContainerID: 100, HostID: 200100, Size: 50}}
	b.Spec.Mounts = append(
		b.Spec.Mounts,
		bind(source, "/mnt/plain", "bind"), mapped(source, "/mnt/own", 100000, "bind"), shifted,
		bind(source, "/mnt/implied", "bind", "idmap"), odd,
	)
	b.Run(t).WantExit(t, 1).
		WantStdoutIs(t, "plain/file 65534:65534\nown/file 1:2\nshifted/file 11:12\nimplied/file 1:2\nodd/file 1:2\n0:0").
		WantStderr(t, "plain/new: Permission denied")
	if got := ownerOnDisk(t, filepath.Join(source, "new")); got != "0:0" {
		t.Errorf("what the container has made belongs to %s on disk", got)
	}
}

func TestIDMappingOfAUserNamespaceThatIsJoined(t *testing.T) {
	t.Parallel()
	first := harness.NewBundle(t, "sleep", "1000")
	mapIDs(t, first)
	first.Run(t, "-d").WantExit(t, 0)
	b := shell(t, "stat -c %u:%g /mnt/dir/file /mnt/other/file")
	giveRoot(t, b)
	setNamespace(b, specs.UserNamespace, fmt.Sprintf("/proc/%d/ns/user", first.State(t).Pid))
	source := filepath.Dir(owned(t, b.Path("source/file"), 1, 2))
	b.Spec.Mounts = append(b.Spec.Mounts, bind(source, "/mnt/dir", "bind", "idmap"), mapped(source, "/mnt/other", 100007, "bind", "idmap"))
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "1:2\n8:9")
}

// idmap is for the mount, ridmap for all mounts below it.
func TestRecursiveIDMappings(t *testing.T) {
	t.Parallel()
	needMappableTmpfs(t)
	for _, c := range []struct {
		user    bool
		options []string
		want    string
	}{
		{false, []string{"rbind"}, "100001:200002\n1:2"},
		{false, []string{"rbind", "idmap"}, "100001:200002\n1:2"},
		{false, []string{"rbind", "ridmap"}, "100001:200002\n100001:200002"},
		{true, []string{"rbind", "idmap"}, "1:2\n65534:65534"},
		{true, []string{"rbind", "ridmap", "shared"}, "1:2\n1:2"},
	} {
		b := shell(t, "stat -c %u:%g /mnt/file /mnt/sub/file")
		if c.user {
			mapIDs(t, b)
		}
		b.Spec.Mounts = append(b.Spec.Mounts, mapped(hostTree(t, b), "/mnt", 100000, c.options...))
		b.Run(t).WantExit(t, 0).WantStdoutIs(t, c.want)
	}
}

func TestIDMappedMountsTakeOtherOptionsToo(t *testing.T) {
	t.Parallel()
	for _, user := range []bool{false, true} {
		b := shell(t, "grep ' /mnt ' /proc/self/mountinfo; touch /mnt/file")
		if user {
			mapIDs(t, b)
		}
		source := filepath.Dir(owned(t, b.Path("source/file"), 0, 0))
		b.Spec.Mounts = append(b.Spec.Mounts, mapped(source, "/mnt", 100000, "bind", "idmap", "shared", "ro", "nosuid"))
		b.Run(t).WantExit(t, 1).WantStdout(t, " shared:", "ro,nosuid").WantStderr(t, "Read-only file system")
	}
}

// A source in the container's root is what earlier mounts have put there.
func TestIDMappedSourcesInTheContainersRoot(t *testing.T) {
	t.Parallel()
	for _, user := range []bool{false, true} {
		b := shell(t, "stat -c %u:%g /mnt/2/file")
		harness.Mkdir(t, b.InRootfs("mnt/1"), 0o755)
		want := "100001:200002"
		if user {
			mapIDs(t, b)
			want = "1:2"
		}
		source := filepath.Dir(owned(t, b.Path("source/file"), 1, 2))
		b.Spec.Mounts = append(b.Spec.Mounts, bind(source, "/mnt/1", "bind"), mapped(b.InRootfs("mnt/1"), "/mnt/2", 100000, "bind", "idmap"))
		b.Run(t).WantExit(t, 0).WantStdoutIs(t, want)
	}
}

// A new file system can be mapped too; in a user namespace it has the container's mapping without that.
func TestIDMappedNewFileSystems(t *testing.T) {
	t.Parallel()
	needMappableTmpfs(t)
	for _, c := range []struct {
		user   bool
		option string
		first  uint32
		want   string
	}{{false, "idmap", 100000, "100000:200000"}, {false, "ridmap", 100000, "100000:200000"}, {true, "idmap", 100000, "0:0"}, {true, "ridmap", 7, "7:65534"}} {
		b := shell(t, "stat -c %u:%g /scratch")
		if c.user {
			mapIDs(t, b)
		}
		m := tmpfs("/scratch", c.option)
		maps := mapped("", "", c.first)
		m.UIDMappings, m.GIDMappings = maps.UIDMappings, maps.GIDMappings
		if c.user && c.first != 100000 { // ids on both sides are the container's
			m.UIDMappings[0].HostID, m.GIDMappings[0].HostID = 100007, 1
		}
		b.Spec.Mounts = append(b.Spec.Mounts, m)
		b.Run(t).WantExit(t, 0).WantStdoutIs(t, c.want)
	}
}

// Descriptors of sources and of user namespaces don't count against the container's limit.
func TestManyIDMappedMountsUnderASmallLimitOfOpenFiles(t *testing.T) {
	t.Parallel()
	for _, user := range []bool{false, true} {
		b := shell(t, "ulimit -n; stat -c %u /mnt/*/file | sort | uniq -c | wc -l")
		if user {
			mapIDs(t, b)
		}
		b.Spec.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 20, Hard: 20}}
		source := filepath.Dir(owned(t, b.Path("source/file"), 1, 2))
		for i := range 20 {
			b.Spec.Mounts = append(b.Spec.Mounts, mapped(source, fmt.Sprintf("/mnt/%d", i), uint32(100000+i), "bind", "idmap"))
		}
		b.Run(t).WantExit(t, 0).WantStdoutIs(t, "20\n20")
	}
}

func TestAnIDMappingThatCantBeIsRefused(t *testing.T) {
	t.Parallel()
	first := uint32(100000)
	for _, c := range []struct {
		name string
		edit func(*testing.T, *harness.Bundle) specs.Mount
		want []string
	}{
		{"file system of the source", func(*testing.T, *harness.Bundle) specs.Mount {
			return mapped("/sys/kernel", "/mnt", first, "bind", "idmap")
		}, []string{"mounts[7] \"/mnt\": id mapping: mount_setattr", "invalid argument", "can't id-map file system sysfs"}},
		{"file system of a mount below", func(t *testing.T, b *harness.Bundle) specs.Mount {
			dir := hostTree(t, b)
			if err := unix.Mount("proc", dir+"/sub", "proc", 0, ""); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = unix.Unmount(dir+"/sub", unix.MNT_DETACH) })
			return mapped(dir, "/mnt", first, "rbind", "ridmap")
		}, []string{"mounts[7] \"/mnt\": id mapping", "a mount below the source", "use idmap"}},
		{"file system that is new", func(*testing.T, *harness.Bundle) specs.Mount {
			m := mapped("mqueue", "/mnt", first)
			m.Type, m.Options = "mqueue", nil
			return m
		}, []string{"mounts[7] \"/mnt\": id mapping", "invalid argument"}},
		{"twice", func(t *testing.T, b *harness.Bundle) specs.Mount {
			owned(t, b.Path("source/file"), 1, 2)
			b.Spec.Mounts = append(b.Spec.Mounts, mapped(b.Path("source"), "/mnt", first, "bind"))
			return mapped(b.InRootfs("mnt"), "/again", first, "bind")
		}, []string{"mounts[8] \"/again\": id mapping", "operation not permitted", "id-mapped already"}},
		{"mount point in it", func(t *testing.T, b *harness.Bundle) specs.Mount {
			m := mapped(harness.Mkdir(t, b.Path("source"), 0o755), "/mnt", first, "bind")
			m.UIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: first, Size: 1}}
			b.Spec.Mounts = append(b.Spec.Mounts, m)
			return tmpfs("/mnt/missing")
		}, []string{"mounts[8] \"/mnt/missing\"", "value too large", "make it in the source"}},
		{"no maps", func(_ *testing.T, b *harness.Bundle) specs.Mount {
			return bind(b.Dir, "/mnt", "bind", "idmap")
		}, []string{"mounts[7] \"/mnt\": option idmap wants uidMappings and gidMappings"}},
		{"one map", func(_ *testing.T, b *harness.Bundle) specs.Mount {
			m := mapped(b.Dir, "/mnt", first, "bind", "idmap")
			m.GIDMappings = nil
			return m
		}, []string{"mounts[7] \"/mnt\": want both uidMappings and gidMappings"}},
		{"control groups", func(*testing.T, *harness.Bundle) specs.Mount {
			m := mapped("cgroup", "/mnt", first)
			m.Type, m.Options = "cgroup", nil
			return m
		}, []string{"mounts[7] \"/mnt\": control groups can't be id-mapped"}},
		{"remount", func(_ *testing.T, b *harness.Bundle) specs.Mount {
			return mapped(b.Dir, "/mnt", first, "bind", "remount", "idmap")
		}, []string{"mounts[7] \"/mnt\": a remount can't change the id mapping"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := harness.NewBundle(t, "true")
			m := c.edit(t, b)
			b.Spec.Mounts = append(b.Spec.Mounts, m)
			before := b.Snapshot(t)
			got := b.Run(t).WantOneError(t, c.want...)
			if strings.Contains(got.Stderr, "can't id-map") && !strings.Contains(got.Stderr, "Linux "+release(t)) {
				t.Errorf("the kernel is not named: %s", got.Stderr)
			}
			before.WantSame(t)
		})
	}
}

// needMappableTmpfs skips a test that maps mounts of a tmpfs.
func needMappableTmpfs(t *testing.T) {
	t.Helper()
	var major, minor int
	if _, err := fmt.Sscanf(release(t), "%d.%d", &major, &minor); err == nil && (major < 6 || major == 6 && minor < 3) {
		t.Skipf("Linux %d.%d can't id-map tmpfs: 6.3 is needed", major, minor)
	}
}

func release(t *testing.T) string {
	t.Helper()
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		t.Fatal(err)
	}
	return unix.ByteSliceToString(name.Release[:])
}
