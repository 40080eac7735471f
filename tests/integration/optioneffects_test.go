// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go/features"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/tests/harness"
)

// optionEffect is what one word does to a new tmpfs and to a tree that is bound: two mounts, one below the other. An
// effect is the words of mountinfo for the mount, then "/" and those for the file system, then ":" and the propagation.
type optionEffect struct {
	word   string
	before string  // words given before it, of which it takes back or replaces something
	source uintptr // flags of both mounts of the source
	new    string
	top    string // of the bound tree
	below  string
}

const allRestrictions = unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_NOSYMFOLLOW

// optionEffects has each word of config.md, "Linux mount options", but for those in optionsElsewhere. rw and relatime are
// what a mount has by itself. "=" is for a mount that keeps what the source's has.
var optionEffects = []optionEffect{
	// Restrictions. A plain word changes the top mount only, which then has none but those that are named.
	{word: "ro", new: "ro,relatime", top: "ro,relatime", below: "="},
	{word: "nosuid", new: "rw,nosuid,relatime", top: "rw,nosuid,relatime", below: "="},
	{word: "nodev", new: "rw,nodev,relatime", top: "rw,nodev,relatime", below: "="},
	{word: "noexec", new: "rw,noexec,relatime", top: "rw,noexec,relatime", below: "="},
	{word: "nosymfollow", new: "rw,relatime,nosymfollow", top: "rw,relatime,nosymfollow", below: "="},
	{word: "rw", before: "ro", source: allRestrictions, new: "rw,relatime", top: "rw,relatime", below: "="},
	{word: "suid", before: "nosuid", source: allRestrictions, new: "rw,relatime", top: "rw,relatime", below: "="},
	{word: "dev", before: "nodev", source: allRestrictions, new: "rw,relatime", top: "rw,relatime", below: "="},
	{word: "exec", before: "noexec", source: allRestrictions, new: "rw,relatime", top: "rw,relatime", below: "="},
	{word: "symfollow", before: "nosymfollow", source: allRestrictions, new: "rw,relatime", top: "rw,relatime", below: "="},
	{word: "rro", new: "ro,relatime", top: "ro,relatime", below: "ro,relatime"},
	{word: "rnosuid", new: "rw,nosuid,relatime", top: "rw,nosuid,relatime", below: "rw,nosuid,relatime"},
	{word: "rnodev", new: "rw,nodev,relatime", top: "rw,nodev,relatime", below: "rw,nodev,relatime"},
	{word: "rnoexec", new: "rw,noexec,relatime", top: "rw,noexec,relatime", below: "rw,noexec,relatime"},
	{word: "rnosymfollow", new: "rw,relatime,nosymfollow", top: "rw,relatime,nosymfollow", below: "rw,relatime,nosymfollow"},
	// An r-word takes back what it names, and leaves the rest.
	{word: "rrw", before: "rro", source: allRestrictions, new: "rw,relatime", top: "rw,nosuid,nodev,noexec,relatime,nosymfollow", below: "rw,nosuid,nodev,noexec,relatime,nosymfollow"},
	{word: "rsuid", before: "rnosuid", source: allRestrictions, new: "rw,relatime", top: "ro,nodev,noexec,relatime,nosymfollow", below: "ro,nodev,noexec,relatime,nosymfollow"},
	{word: "rdev", before: "rnodev", source: allRestrictions, new: "rw,relatime", top: "ro,nosuid,noexec,relatime,nosymfollow", below: "ro,nosuid,noexec,relatime,nosymfollow"},
	{word: "rexec", before: "rnoexec", source: allRestrictions, new: "rw,relatime", top: "ro,nosuid,nodev,relatime,nosymfollow", below: "ro,nosuid,nodev,relatime,nosymfollow"},
	{word: "rsymfollow", before: "rnosymfollow", source: allRestrictions, new: "rw,relatime", top: "ro,nosuid,nodev,noexec,relatime", below: "ro,nosuid,nodev,noexec,relatime"},

	// Access times. A plain word that only takes something back leaves those of the source (mount(2), MS_REMOUNT).
	{word: "noatime", source: unix.MS_NODIRATIME, new: "rw,noatime", top: "rw,noatime", below: "="},
	{word: "nodiratime", source: unix.MS_NOATIME, new: "rw,nodiratime,relatime", top: "rw,nodiratime,relatime", below: "="},
	{word: "relatime", before: "noatime", source: unix.MS_NOATIME, new: "rw,relatime", top: "rw,relatime", below: "="},
	{word: "strictatime", before: "noatime", source: unix.MS_NOATIME, new: "rw", top: "rw", below: "="},
	{word: "atime", before: "noatime", source: unix.MS_NOATIME, new: "rw,relatime", top: "=", below: "="},
	{word: "diratime", before: "nodiratime", source: unix.MS_NODIRATIME, new: "rw,relatime", top: "=", below: "="},
	{word: "norelatime", before: "relatime", source: unix.MS_NOATIME, new: "rw,relatime", top: "=", below: "="},
	{word: "nostrictatime", before: "strictatime", source: unix.MS_NOATIME, new: "rw,relatime", top: "=", below: "="},
	{word: "rnoatime", new: "rw,noatime", top: "rw,noatime", below: "rw,noatime"},
	{word: "rnodiratime", new: "rw,nodiratime,relatime", top: "rw,nodiratime,relatime", below: "rw,nodiratime,relatime"},
	{word: "rrelatime", before: "rnoatime", source: unix.MS_NOATIME, new: "rw,relatime", top: "rw,relatime", below: "rw,relatime"},
	{word: "rstrictatime", before: "rnoatime", source: unix.MS_NOATIME, new: "rw", top: "rw", below: "rw"},
	{word: "ratime", before: "rnoatime", source: unix.MS_NOATIME, new: "rw,relatime", top: "rw,relatime", below: "rw,relatime"},
	{word: "rdiratime", before: "rnodiratime", source: unix.MS_NODIRATIME, new: "rw,relatime", top: "rw,relatime", below: "rw,relatime"},
	{word: "rnorelatime", source: unix.MS_NOATIME, new: "rw,relatime", top: "rw,relatime", below: "rw,relatime"},
	{word: "rnostrictatime", before: "rstrictatime", source: unix.MS_STRICTATIME, new: "rw,relatime", top: "rw,relatime", below: "rw,relatime"},

	// The file system's own, which a bind mount shares with its source.
	{word: "sync", new: "rw,relatime/rw,sync", top: "=", below: "="},
	{word: "dirsync", new: "rw,relatime/rw,dirsync", top: "=", below: "="},
	{word: "lazytime", new: "rw,relatime/rw,lazytime", top: "=", below: "="},
	{word: "mand", new: "rw,relatime/rw,mand", top: "=", below: "="},
	{word: "async", before: "sync", new: "rw,relatime", top: "=", below: "="},
	{word: "nolazytime", before: "lazytime", new: "rw,relatime", top: "=", below: "="},
	{word: "nomand", before: "mand", new: "rw,relatime", top: "=", below: "="},

	// Propagation. The source is shared; a bound tree is a slave of it by default.
	{word: "shared", new: "rw,relatime:shared", top: "rw,relatime:shared,master", below: "="},
	{word: "rshared", new: "rw,relatime:shared", top: "rw,relatime:shared,master", below: "rw,relatime:shared,master"},
	{word: "slave", before: "shared", new: "rw,relatime", top: "=", below: "="},
	{word: "rslave", before: "rshared", new: "rw,relatime", top: "=", below: "="},
	{word: "private", before: "shared", new: "rw,relatime", top: "rw,relatime:", below: "="},
	{word: "rprivate", before: "rshared", new: "rw,relatime", top: "rw,relatime:", below: "rw,relatime:"},
	{word: "unbindable", new: "rw,relatime:unbindable", top: "rw,relatime:unbindable", below: "="},
	{word: "runbindable", new: "rw,relatime:unbindable", top: "rw,relatime:unbindable", below: "rw,relatime:unbindable"},

	// Words without an effect.
	{word: "defaults", source: allRestrictions, new: "rw,relatime", top: "=", below: "="},
	{word: "iversion", source: allRestrictions, new: "rw,relatime", top: "=", below: "="},
	{word: "noiversion", source: allRestrictions, new: "rw,relatime", top: "=", below: "="},
	{word: "silent", source: allRestrictions, new: "rw,relatime", top: "=", below: "="},
	{word: "loud", source: allRestrictions, new: "rw,relatime", top: "=", below: "="},
}

// optionsElsewhere are the words with a test of their own: TestBindIsOneMountAndRbindIsTheTree,
// TestRemountByItsEffect, TestTmpcopyupKeepsWhatIsCovered, and the tests of id mappings.
var optionsElsewhere = []string{"bind", "idmap", "rbind", "remount", "ridmap", "tmpcopyup"}

func TestEachMountOptionByItsEffect(t *testing.T) {
	t.Parallel()
	tested := slices.Clone(optionsElsewhere)
	for _, c := range optionEffects {
		tested = append(tested, c.word)
		t.Run(c.word, func(t *testing.T) {
			t.Parallel()
			testOptionEffect(t, c)
		})
	}
	slices.Sort(tested)
	var f features.Features
	if err := json.Unmarshal([]byte(harness.NewBundle(t).Raw(t, "features").Stdout), &f); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(tested, f.MountOptions) {
		t.Errorf("tested are %q, and rt knows %q", tested, f.MountOptions)
	}
}

func testOptionEffect(t *testing.T, c optionEffect) {
	b := shell(t, "cat /proc/self/mountinfo")
	source := hostMount(t, b.Path("source"), 0)
	below := hostMount(t, source+"/below", 0)
	for _, path := range []string{below, source} {
		for _, flags := range []uintptr{unix.MS_REMOUNT | unix.MS_BIND | c.source, unix.MS_SHARED} {
			if err := unix.Mount("", path, "", flags, ""); err != nil {
				t.Fatal(err)
			}
		}
	}
	words := []string{c.word}
	if c.before != "" {
		words = []string{c.before, c.word}
	}
	b.Spec.Mounts = append(b.Spec.Mounts, tmpfs("/new", words...), bind(source, "/tree", append([]string{"rbind"}, words...)...))
	effects := mountEffects(harness.ReadFile(t, "/proc/self/mountinfo"))
	unchanged := strings.Replace(effects[source], ":shared", ":master", 1)
	effects = mountEffects(b.Run(t).WantExit(t, 0).Stdout)
	for point, want := range map[string]string{"/new": c.new, "/tree": c.top, "/tree/below": c.below} {
		switch {
		case want == "=":
			want = unchanged
		case point != "/new" && !strings.Contains(want, ":"):
			want += ":master"
		}
		if got := effects[point]; got != strings.TrimSuffix(want, ":") {
			t.Errorf("%s with %q: %s is %q, want %q", c.word, words, point, got, want)
		}
	}
}

// mountEffects returns what mountinfo (proc_pid_mountinfo(5)) says of each mount point, in the form of an optionEffect. Of a
// file system it has the words that options can set, if they are not "rw" alone.
func mountEffects(mountinfo string) map[string]string {
	effects := map[string]string{}
	for line := range strings.Lines(mountinfo) {
		f := strings.Fields(line)
		effect, dash := f[5], slices.Index(f, "-")
		var super, propagation []string
		for _, word := range strings.Split(f[dash+3], ",") {
			if slices.Contains([]string{"ro", "rw", "sync", "dirsync", "lazytime", "mand"}, word) {
				super = append(super, word)
			}
		}
		if words := strings.Join(super, ","); words != "rw" {
			effect += "/" + words
		}
		for _, tag := range f[6:dash] {
			name, _, _ := strings.Cut(tag, ":")
			propagation = append(propagation, name)
		}
		if len(propagation) > 0 {
			effect += ":" + strings.Join(propagation, ",")
		}
		effects[f[4]] = effect
	}
	return effects
}

// Options of the mount reach each hierarchy that the control groups are shown by; plain ones and r-options alike.
func TestOptionsOfTheCgroupMount(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ options, want string }{
		{"ro,nosuid", "ro,nosuid,relatime"},
		{"rro", "ro,relatime"},
		{"rnosuid,rnodev,rnoexec,rro", "ro,nosuid,nodev,noexec,relatime"},
		{"ro,rrw,rnoatime", "rw,noatime"},
		{"nosuid,memory=all", "rw,nosuid,relatime"},
	} {
		inEachViewNamed(t, strings.ReplaceAll(c.options, "=", "-"), []string{"cat", "/proc/self/mountinfo"}, func(t *testing.T, b *harness.Bundle) {
			mountAt(t, b, "/sys/fs/cgroup").Options = strings.Split(c.options, ",")
			got, seen := b.Run(t).WantExit(t, 0), 0
			for point, effect := range mountEffects(got.Stdout) {
				if !strings.HasPrefix(point, "/sys/fs/cgroup") {
					continue
				}
				seen++
				if words, _, _ := strings.Cut(strings.TrimSuffix(effect, ":master"), "/"); words != c.want {
					t.Errorf("%s: %s is %q, want %q", c.options, point, effect, c.want)
				}
			}
			if seen == 0 {
				t.Errorf("no mount of control groups:\n%s", got.Stdout)
			}
			if strings.Contains(c.options, "=") {
				got.WantStderr(t, "warning", "ignore option ", "memory=all")
			}
		})
	}
}

// A remount gives a mount of the config other options, and leaves those below it.
func TestRemountByItsEffect(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ options, top, below string }{
		{"ro", "ro,relatime", "rw,relatime"},
		{"nosuid,noexec", "rw,nosuid,noexec,relatime", "rw,relatime"},
		{"rro", "ro,relatime", "ro,relatime"},
		{"rnodev", "rw,nodev,relatime", "rw,nodev,relatime"},
		{"shared", "rw,relatime:shared", "rw,relatime"},
		{"noatime,ro", "ro,noatime", "rw,relatime"},
	} {
		b := shell(t, "cat /proc/self/mountinfo")
		b.Spec.Mounts = append(b.Spec.Mounts, tmpfs("/mnt"), tmpfs("/mnt/below"), bind("", "/mnt", append([]string{"remount", "rbind"}, strings.Split(c.options, ",")...)...))
		effects := mountEffects(b.Run(t).WantExit(t, 0).Stdout)
		if effects["/mnt"] != c.top || effects["/mnt/below"] != c.below {
			t.Errorf("%s: %q and %q below, want %q and %q", c.options, effects["/mnt"], effects["/mnt/below"], c.top, c.below)
		}
	}
}

// In a user namespace the kernel locks the flags of the host's mounts, the access times among them (mount_namespaces(7),
// "Restrictions on mount namespaces"): what no option takes back by name stays, and what one does is refused.
func TestLockedFlagsInAUserNamespace(t *testing.T) {
	t.Parallel()
	const (
		noatime, nodiratime, relatime, strictatime = unix.MS_NOATIME, unix.MS_NODIRATIME, unix.MS_RELATIME, unix.MS_STRICTATIME
		refused                                    = "refused"
	)
	for _, c := range []struct {
		source  uintptr
		options string
		want    string
	}{
		{allRestrictions, "", "ro nosuid nodev noexec relatime nosymfollow"},
		{unix.MS_RDONLY | unix.MS_NOEXEC, "nosuid", "ro nosuid noexec relatime"},
		{unix.MS_NODEV | unix.MS_NOSYMFOLLOW, "ro", "ro nodev relatime"}, // nosymfollow is never locked
		{unix.MS_RDONLY, "rw", refused},
		{unix.MS_NODEV, "dev,atime", refused},
		{unix.MS_NOSUID, "suid,atime", refused},
		{unix.MS_NOEXEC, "exec,atime", refused},
		{0, "exec,dev,suid,rw", "relatime"},
		{unix.MS_RDONLY, "rrw", refused},
		{strictatime, "nosuid", "nosuid"},
		{noatime | nodiratime, "nosuid", "nosuid noatime nodiratime"},
		{nodiratime, "strictatime", refused},
		{relatime, "strictatime", refused},
		{noatime, "strictatime", refused},
		{nodiratime, "noatime", refused},
		{relatime, "noatime", refused},
		{relatime, "nodiratime", refused},
		{strictatime, "relatime", refused},
		{strictatime, "noatime", refused},
		{strictatime, "nodiratime", refused},
		{noatime, "relatime", refused},
		{strictatime, "nostrictatime", ""},
		{nodiratime, "diratime", "nodiratime relatime"},
		{nodiratime, "norelatime", "nodiratime relatime"},
		{relatime, "norelatime", "relatime"},
		{noatime, "atime", "noatime"},
		{noatime | nodiratime, "atime", "noatime nodiratime"},
		{noatime | nodiratime, "norelatime", "noatime nodiratime"},
	} {
		t.Run(c.want+" "+c.options, func(t *testing.T) {
			t.Parallel()
			b := shell(t, listing)
			source := hostMount(t, b.Path("source"), c.source)
			mapIDs(t, b)
			options := []string{"bind"}
			if c.options != "" {
				options = append(options, strings.Split(c.options, ",")...)
			}
			b.Spec.Mounts = append(b.Spec.Mounts, bind(source, "/mnt", options...))
			if got := b.Run(t); c.want == refused {
				got.WantOneError(t, `mounts[7] "/mnt"`, "operation not permitted")
			} else {
				wantWords(t, got.WantExit(t, 0), "/mnt", c.want)
			}
		})
	}
}
