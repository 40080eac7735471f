// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/tests/harness"
)

// listing prints the mount points and options that a container sees.
const listing = `awk '{print $2, $4}' /proc/self/mounts`

func TestBindMountsOfFilesAndDirectories(t *testing.T) {
	t.Parallel()
	b := shell(t, "cat /mnt/dir/file /mnt/deep/file /tmp/relative/file; stat -c %a /mnt/deep; stat -c %F /mnt/dir")
	harness.WriteFile(t, b.Dir+"/source/file", "content\n", 0o644)
	b.Spec.Mounts = append(
		b.Spec.Mounts,
		bind(b.Dir+"/source", "/mnt/dir", "bind"),
		bind("source/file", "/mnt/deep/file", "bind"),
		specs.Mount{Source: "./source", Destination: "tmp/relative", Options: []string{"rbind"}},
	)
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "content\ncontent\ncontent\n755\ndirectory")
}

func TestBindNeedsNoType(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"", "none", "bind"} {
		b := shell(t, "cat /mnt/file")
		harness.WriteFile(t, b.Dir+"/source/file", "content", 0o644)
		b.Spec.Mounts = append(b.Spec.Mounts, specs.Mount{Source: "source", Destination: "/mnt", Type: kind, Options: []string{"bind"}})
		b.Run(t).WantExit(t, 0).WantStdoutIs(t, "content")
	}
}

func TestASourceThatIsALinkIsFollowed(t *testing.T) {
	t.Parallel()
	b := shell(t, "cat /mnt/file")
	harness.WriteFile(t, b.Dir+"/source/file", "content", 0o644)
	harness.Symlink(t, "source", b.Dir+"/link")
	b.Spec.Mounts = append(b.Spec.Mounts, bind("link", "/mnt", "bind"))
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "content")
}

func TestMissingMountPointsAreMade(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "true")
	source := harness.WriteFile(t, b.Path("file"), "", 0o600)
	b.Spec.Mounts = append(b.Spec.Mounts, tmpfs("/new/dir"), bind(source, "/other/file", "bind"))
	b.Run(t).WantExit(t, 0)
	for path, want := range map[string]string{
		"new": "drwxr-xr-x", "new/dir": "drwxr-xr-x", "other": "drwxr-xr-x", "other/file": "-rw-r--r--", "proc": "drwxr-xr-x",
	} {
		info, err := os.Lstat(b.InRootfs(path))
		if err != nil || info.Mode().String() != want {
			t.Errorf("%s: %v, %v, want %s", path, info.Mode(), err, want)
		}
	}
}

func TestMadeDirectoriesInheritSetgid(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "true")
	harness.Mkdir(t, b.InRootfs("top"), os.ModeSetuid|os.ModeSetgid|os.ModeSticky|0o755)
	b.Spec.Mounts = append(b.Spec.Mounts, tmpfs("/top/a/b"))
	b.Run(t).WantExit(t, 0)
	for path, want := range map[string]os.FileMode{
		"top":     os.ModeDir | os.ModeSetuid | os.ModeSetgid | os.ModeSticky | 0o755,
		"top/a":   os.ModeDir | os.ModeSetgid | 0o755,
		"top/a/b": os.ModeDir | os.ModeSetgid | 0o755,
	} {
		info, err := os.Lstat(b.InRootfs(path))
		if err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v, want %v", path, info.Mode(), err, want)
		}
	}
}

func TestLinksInADestinationAreResolvedInTheRoot(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name        string
		links       [][2]string // path, target
		destination string
		resolved    string
	}{
		{"absolute", [][2]string{{"conf", "/real/conf"}}, "/conf/stack", "/real/conf/stack"},
		{"dangling on the way", [][2]string{{"etc/hosts", "/jump/baz/hosts"}, {"jump", "/tmp/foo/bar"}}, "/etc/hosts", "/tmp/foo/bar/baz/hosts"},
		{"dangling at the end", [][2]string{{"etc/hosts", "/tmp/hosts"}}, "/etc/hosts", "/tmp/hosts"},
		{"upwards", [][2]string{{"up", "../../../../tmp/x"}}, "/up", "/tmp/x"},
	} {
		for _, kind := range []string{"file", "directory"} {
			t.Run(c.name+" "+kind, func(t *testing.T) {
				t.Parallel()
				b := shell(t, listing, "stat -L -c %i "+c.destination)
				source := harness.Mkdir(t, b.Path("source"), 0o755)
				if kind == "file" {
					source = harness.WriteFile(t, b.Path("source/file"), "", 0o644)
				}
				for _, link := range c.links {
					harness.Symlink(t, link[1], b.InRootfs(link[0]))
				}
				b.Spec.Mounts = append(b.Spec.Mounts, bind(source, c.destination, "bind"))
				got := b.Run(t).WantExit(t, 0)
				got.WantStdout(t, "\n"+c.resolved+" ", "\n"+inode(t, source)+"\n")
			})
		}
	}
}

func TestProcAndSysMustBeOrdinaryDirectories(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"proc", "sys"} {
		for _, target := range []string{"/tmp", "/nosuch"} {
			b := harness.NewBundle(t, "true")
			harness.Symlink(t, target, b.InRootfs(name))
			before := b.Snapshot(t)
			b.Run(t).WantOneError(t, "must be mounted on ordinary directory")
			before.WantSame(t)
		}
	}
}

func TestTmpfsModes(t *testing.T) {
	t.Parallel()
	all := os.ModeSetuid | os.ModeSetgid | os.ModeSticky
	for _, c := range []struct {
		name    string
		below   os.FileMode // of the directory that is covered; 0: none
		options []string
		mode    string
		listed  string
	}{
		{"of the covered directory", 0o710, nil, "710", "mode=710"},
		{"all bits of the covered directory", all | 0o755, nil, "7755", "mode=7755"},
		{"explicit", 0o710, []string{"mode=0444"}, "444", "mode=444"},
		{"explicit sticky", 0o755, []string{"mode=1500"}, "1500", "mode=1500"},
		{"nothing covered", 0, nil, "1777", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := shell(t, "stat -c %a /mnt; "+listing+" | grep '^/mnt '")
			if c.below != 0 {
				harness.Mkdir(t, b.InRootfs("mnt"), c.below)
			}
			b.Spec.Mounts = append(b.Spec.Mounts, tmpfs("/mnt", c.options...))
			got := b.Run(t).WantExit(t, 0)
			if first, _, _ := strings.Cut(got.Stdout, "\n"); first != c.mode {
				t.Errorf("mode is %s, want %s", first, c.mode)
			}
			got.WantStdout(t, c.listed)
			if c.below != 0 {
				if info, err := os.Stat(b.InRootfs("mnt")); err != nil || info.Mode() != os.ModeDir|c.below {
					t.Errorf("the covered directory has become %v, %v", info.Mode(), err)
				}
			}
		})
	}
}

func TestTmpfsOptions(t *testing.T) {
	t.Parallel()
	b := shell(t, listing+" | grep '^/mnt'; touch /mnt/ro/x; touch /mnt/rw/x")
	b.Spec.Mounts = append(
		b.Spec.Mounts, tmpfs("/mnt/ro", "ro", "noexec", "nosuid", "nodev", "rprivate"), tmpfs("/mnt/rw", "size=64k", "nr_inodes=10", "noatime"),
	)
	got := b.Run(t).WantExit(t, 0)
	got.WantStdout(t, "/mnt/ro ro,nosuid,nodev,noexec", "/mnt/rw rw,noatime,size=64k,nr_inodes=10")
	got.WantStderr(t, "/mnt/ro/x: Read-only file system")
}

func TestTmpcopyupKeepsWhatIsCovered(t *testing.T) {
	t.Parallel()
	b := shell(t, "cd /data; stat -c '%n %a %u %F' . dir dir/file link; cat dir/file; readlink link; touch new")
	harness.Mkdir(t, b.InRootfs("data/dir"), 0o777)
	harness.WriteFile(t, b.InRootfs("data/dir/file"), "content\n", 0o604)
	harness.Symlink(t, "dir/file", b.InRootfs("data/link"))
	if err := os.Lchown(b.InRootfs("data/dir/file"), 1000, 1000); err != nil {
		t.Fatal(err)
	}
	b.Spec.Mounts = append(b.Spec.Mounts, tmpfs("/data", "tmpcopyup"))
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, strings.Join([]string{
		". 755 0 directory", "dir 777 0 directory", "dir/file 604 1000 regular file", "link 777 0 symbolic link", "content", "dir/file",
	}, "\n"))
	if _, err := os.Lstat(b.InRootfs("data/new")); err == nil {
		t.Error("what was written to the tmpfs is in the root file system")
	}
}

func TestAReadOnlyDevHasItsNodes(t *testing.T) {
	t.Parallel()
	b := shell(t, "echo x >/dev/null && touch /dev/x")
	dev := mountAt(t, b, "/dev")
	dev.Options = append(dev.Options, "ro")
	b.Run(t).WantExit(t, 1).WantStderr(t, "/dev/x: Read-only file system")
}

func TestMountsAreMadeInTheOrderOfTheConfig(t *testing.T) {
	t.Parallel()
	b := shell(t, "cat /one/two/file; ls /two")
	harness.WriteFile(t, b.Path("a/file"), "a\n", 0o644)
	harness.WriteFile(t, b.Path("b/file"), "b\n", 0o644)
	harness.Mkdir(t, b.Path("a/two"), 0o755)
	b.Spec.Mounts = append(
		b.Spec.Mounts,
		bind(b.Path("a"), "/one", "bind"), bind(b.Path("b"), "/one/two", "bind"), // second over first
		bind(b.Path("b"), "/two", "bind"), tmpfs("/two"), // covered
	)
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "b")
}

// A source below the rootfs means what earlier mounts have put there.
func TestALaterMountTakesAnEarlierOneAsSource(t *testing.T) {
	t.Parallel()
	b := shell(t, "cat /mnt/4/file")
	harness.WriteFile(t, b.Path("source/file"), "content", 0o644)
	b.Spec.Mounts = append(
		b.Spec.Mounts, bind(b.Path("source"), "/mnt/1", "bind"), bind(b.InRootfs("mnt/1"), "/mnt/2", "rbind"),
		bind(b.InRootfs("mnt/2"), b.InRootfs("mnt/3"), "bind"), bind(b.InRootfs("mnt/3"), "/mnt/4", "rbind"),
	)
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "content")
}

func TestAllFileSystemsOfTheDefaultConfig(t *testing.T) {
	t.Parallel()
	b := shell(t, "awk '$2 !~ /cgroup\\// {print $2, $3}' /proc/self/mounts")
	b.Run(t).WantExit(t, 0).WantStdout(
		t, "/proc proc\n", "/dev tmpfs\n", "/dev/pts devpts\n", "/dev/shm tmpfs\n", "/dev/mqueue mqueue\n", "/sys sysfs\n", "/sys/fs/cgroup ",
	)
}

func TestOverlayMounts(t *testing.T) {
	t.Parallel()
	b := shell(t, "cat /mnt/file; echo changed >/mnt/file; cat /mnt/file")
	harness.WriteFile(t, b.Path("over/lower/file"), "lower\n", 0o644)
	for _, name := range []string{"upper", "work"} {
		harness.Mkdir(t, b.Path("over/"+name), 0o755)
	}
	b.Spec.Mounts = append(b.Spec.Mounts, specs.Mount{Destination: "/mnt", Type: "overlay", Source: "overlay", Options: []string{
		"lowerdir=" + b.Path("over/lower"), "upperdir=" + b.Path("over/upper"), "workdir=" + b.Path("over/work"),
	}})
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "lower\nchanged")
	if got := harness.ReadFile(t, b.Path("over/upper/file")); got != "changed\n" {
		t.Errorf("the upper layer has %q", got)
	}
}
