// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/tests/harness"
)

// hostMount mounts a tmpfs of the test's own that a bundle can take as a source.
func hostMount(t *testing.T, path string, mountFlags uintptr) string {
	t.Helper()
	harness.Mkdir(t, path, 0o755)
	if err := unix.Mount("tmpfs", path, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(path, unix.MNT_DETACH) })
	// Where the host's mounts are shared, as systemd makes them, this one would be too.
	if err := unix.Mount("", path, "", unix.MS_PRIVATE, ""); err != nil {
		t.Fatal(err)
	}
	// Flags of the mount, not of the file system.
	if err := unix.Mount("", path, "", unix.MS_REMOUNT|unix.MS_BIND|mountFlags, ""); err != nil {
		t.Fatal(err)
	}
	return path
}

// words are the mount options of /proc/self/mounts that these tests look at.
var words = []string{"ro", "nosuid", "nodev", "noexec", "noatime", "nodiratime", "relatime", "nosymfollow"}

func wantWords(t *testing.T, got harness.Result, point, want string) {
	t.Helper()
	for line := range strings.Lines(got.Stdout) {
		f := strings.Fields(line)
		if len(f) != 2 || f[0] != point {
			continue
		}
		var have []string
		for _, word := range strings.Split(f[1], ",") {
			for _, known := range words {
				if word == known {
					have = append(have, word)
				}
			}
		}
		if s := strings.Join(have, " "); s != want {
			t.Errorf("%s has %q, want %q (%s)", point, s, want, f[1])
		}
		return
	}
	t.Errorf("no mount at %s:\n%s%s", point, got.Stdout, got.Stderr)
}

func TestFlagsOfABindMountAreThoseAskedFor(t *testing.T) {
	t.Parallel()
	const all = unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_NOSYMFOLLOW
	for _, c := range []struct {
		name    string
		source  uintptr
		options string
		want    string
	}{
		{"none keeps the source's", all, "", "ro nosuid nodev noexec relatime nosymfollow"},
		{"any clears the others", all, "nosuid", "nosuid relatime"},
		{"clearing", all, "dev", "relatime"},
		{"rw", all, "rw", "relatime"},
		{"ro", 0, "ro", "ro relatime"},
		{"all", 0, "ro,nosuid,nodev,noexec,nosymfollow", "ro nosuid nodev noexec relatime nosymfollow"},
		{"the last word wins", 0, "ro,rw,nodev,dev,suid,nosuid", "nosuid relatime"},
		{"noatime", 0, "noatime", "noatime"},
		{"noatime is kept", unix.MS_NOATIME, "nosuid", "nosuid noatime"},
		{"relatime over noatime", unix.MS_NOATIME, "relatime", "relatime"},
		{"nodiratime over noatime", unix.MS_NOATIME, "nodiratime", "nodiratime relatime"},
		{"strictatime over nodiratime", unix.MS_NODIRATIME, "strictatime", ""},
		{"nodiratime and strictatime over noatime", unix.MS_NOATIME, "nodiratime,strictatime", "nodiratime"},
		{"nodiratime and norelatime over noatime", unix.MS_NOATIME, "nodiratime,norelatime", "nodiratime relatime"},
		{"clearing atime words keep", unix.MS_NOATIME, "atime", "noatime"},
		{"nostrictatime keeps", unix.MS_NOATIME, "nostrictatime", "noatime"},
		{"diratime keeps", unix.MS_NODIRATIME, "diratime", "nodiratime relatime"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := shell(t, listing)
			source := hostMount(t, b.Path("source"), c.source)
			options := []string{"bind"}
			if c.options != "" {
				options = append(options, strings.Split(c.options, ",")...)
			}
			b.Spec.Mounts = append(b.Spec.Mounts, bind(source, "/mnt", options...))
			wantWords(t, b.Run(t).WantExit(t, 0), "/mnt", c.want)
		})
	}
}

func TestRecursiveAttributesReachTheMountsBelow(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ options, top, below string }{
		{"ro", "ro relatime", "relatime"},
		{"rro", "ro relatime", "ro relatime"},
		{"ro,rro", "ro relatime", "ro relatime"},
		{"rnosuid,rnodev,rnoexec", "nosuid nodev noexec relatime", "nosuid nodev noexec relatime"},
		{"rnosymfollow", "relatime nosymfollow", "relatime nosymfollow"},
		{"rnoatime", "noatime", "noatime"},
		{"rnodiratime", "nodiratime relatime", "nodiratime relatime"},
		{"ratime", "relatime", "relatime"},
		{"rrelatime", "relatime", "relatime"},
		{"rnorelatime", "relatime", "relatime"},
		{"rnostrictatime", "relatime", "relatime"},
	} {
		t.Run(c.options, func(t *testing.T) {
			t.Parallel()
			b := shell(t, listing)
			source := hostMount(t, b.Path("source"), 0)
			hostMount(t, source+"/below", 0)
			b.Spec.Mounts = append(b.Spec.Mounts, bind(source, "/mnt", append([]string{"rbind"}, strings.Split(c.options, ",")...)...))
			got := b.Run(t).WantExit(t, 0)
			wantWords(t, got, "/mnt", c.top)
			wantWords(t, got, "/mnt/below", c.below)
		})
	}
}

func TestRecursiveClearingReachesTheMountsBelow(t *testing.T) {
	t.Parallel()
	b := shell(t, listing)
	source := hostMount(t, b.Path("source"), 0)
	hostMount(t, source+"/below", unix.MS_RDONLY|unix.MS_NOEXEC)
	b.Spec.Mounts = append(b.Spec.Mounts, bind(source, "/mnt", "rbind", "rrw", "rexec"))
	got := b.Run(t).WantExit(t, 0)
	wantWords(t, got, "/mnt", "relatime")
	wantWords(t, got, "/mnt/below", "relatime")
}

func TestBindIsOneMountAndRbindIsTheTree(t *testing.T) {
	t.Parallel()
	b := shell(t, listing)
	source := hostMount(t, b.Path("source"), 0)
	hostMount(t, source+"/below", 0)
	b.Spec.Mounts = append(b.Spec.Mounts, bind(source, "/one", "bind"), bind(source, "/tree", "rbind"))
	got := b.Run(t).WantExit(t, 0)
	got.WantStdout(t, "\n/tree/below ", "\n/one ")
	got.WantNoStdout(t, "\n/one/below ")
}

func TestPropagationOfMounts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ option, top, below string }{
		{"private", "-", "-"},
		{"rprivate", "-", "-"},
		{"shared", "shared", "-"},
		{"rshared", "shared", "shared"},
		{"unbindable", "unbindable", "-"},
		{"runbindable", "unbindable", "unbindable"},
	} {
		t.Run(c.option, func(t *testing.T) {
			t.Parallel()
			b := shell(t, `awk '{sub(":.*", "", $7); print $5, $7}' /proc/self/mountinfo`)
			source := hostMount(t, b.Path("source"), 0)
			hostMount(t, source+"/below", 0)
			b.Spec.Mounts = append(b.Spec.Mounts, bind(source, "/mnt", "rbind", c.option))
			b.Run(t).WantExit(t, 0).WantStdout(t, "\n/mnt "+c.top+"\n", "\n/mnt/below "+c.below+"\n")
		})
	}
}

func TestPropagationOfTheRoot(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ propagation, host, want string }{
		{"", "private", "-"},
		{"private", "shared", "-"},
		{"rprivate", "shared", "-"},
		{"shared", "private", "shared"},
		{"rshared", "private", "shared"},
		{"slave", "shared", "master"},
		{"rslave", "shared", "master"},
		{"unbindable", "shared", "unbindable"},
		{"runbindable", "private", "unbindable"},
	} {
		t.Run(c.propagation, func(t *testing.T) {
			t.Parallel()
			b := shell(t, `awk '$5 == "/" {sub(":.*", "", $7); print $7}' /proc/self/mountinfo`)
			b.Wrapper = []string{"unshare", "-m", "--propagation", c.host}
			b.Spec.Linux.RootfsPropagation = c.propagation
			b.Run(t).WantExit(t, 0).WantStdoutIs(t, c.want)
		})
	}
}

// What a container mounts must not reach the host, also where all of the host's mounts are shared: none of its own is a
// peer of one of those.
func TestNoMountIsAPeerOfTheHosts(t *testing.T) {
	t.Parallel()
	for _, userns := range []bool{false, true} {
		b := shell(t, `awk '/ shared:/ {print $5}' /proc/self/mountinfo; echo end`)
		b.Wrapper = []string{"unshare", "-m", "--propagation", "shared"}
		b.Spec.Mounts = append(b.Spec.Mounts, bind(b.Path("source"), "/mnt", "rbind"))
		harness.Mkdir(t, b.Path("source"), 0o755)
		if userns {
			mapIDs(t, b)
		}
		b.Run(t).WantExit(t, 0).WantStdoutIs(t, "end")
	}
}

// With a slave root the container sees what the host mounts later, and the host never what the container does.
func TestASlaveRootReceivesMountsOfTheHost(t *testing.T) {
	t.Parallel()
	b := shell(t, "while ! grep -q '/mnt/late ' /proc/self/mounts; do sleep 0.01; done; mount -t tmpfs x /mnt/late; echo seen")
	grant(b, "CAP_SYS_ADMIN")
	source := hostMount(t, b.Path("source"), 0)
	if err := unix.Mount("", source, "", unix.MS_SHARED, ""); err != nil {
		t.Fatal(err)
	}
	harness.Mkdir(t, source+"/late", 0o755)
	b.Spec.Linux.RootfsPropagation = "rslave"
	b.Spec.Mounts = append(b.Spec.Mounts, bind(source, "/mnt", "rbind", "rslave"))
	b.Run(t, "-d").WantExit(t, 0)
	hostMount(t, source+"/late", 0)
	b.WaitForOutput(t, "seen")
	if n := strings.Count(harness.ReadFile(t, "/proc/self/mounts"), source+"/late "); n != 1 {
		t.Errorf("the host has %d mounts there, want its own", n)
	}
}

// With a shared root a container's mount reaches the host, where the option of the mount it is made on says so: what
// Kubernetes calls bidirectional, and CSI drivers live on.
func TestASharedRootGivesMountsToTheHost(t *testing.T) {
	t.Parallel()
	for option, wanted := range map[string]string{"rshared": "tmpfs", "rslave": "", "rprivate": ""} {
		b := shell(t, "mount -t tmpfs from-the-container /mnt/sub && echo mounted && exec sleep 1000")
		grant(b, "CAP_SYS_ADMIN")
		source := hostMount(t, b.Path("source"), 0)
		if err := unix.Mount("", source, "", unix.MS_SHARED, ""); err != nil {
			t.Fatal(err)
		}
		harness.Mkdir(t, source+"/sub", 0o755)
		b.Spec.Linux.RootfsPropagation = "rshared"
		b.Spec.Mounts = append(b.Spec.Mounts, bind(source, "/mnt", "rbind", option))
		b.Run(t, "-d").WantExit(t, 0)
		b.WaitForOutput(t, "mounted")
		var got string
		for line := range strings.Lines(harness.ReadFile(t, "/proc/self/mounts")) {
			if fields := strings.Fields(line); fields[1] == source+"/sub" {
				got = fields[2]
			}
		}
		if got != wanted {
			t.Errorf("%s: the host has %q there, want %q", option, got, wanted)
		}
		if got != "" {
			t.Cleanup(func() { _ = unix.Unmount(source+"/sub", unix.MNT_DETACH) })
		}
	}
}
