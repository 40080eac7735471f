// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// fakeRoot makes directories (links, if they have a target after "->") that pretend to be mounted hierarchies.
func fakeRoot(t *testing.T, types map[string]int64, entries ...string) (Layout, string, error) {
	t.Helper()
	root := t.TempDir()
	for _, entry := range entries {
		name, target, isLink := strings.Cut(entry, "->")
		var err error
		if isLink {
			err = os.Symlink(target, filepath.Join(root, name))
		} else {
			err = os.MkdirAll(filepath.Join(root, name), 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	magic := func(path string) (int64, error) {
		name, err := filepath.Rel(root, path)
		return types[name], err
	}
	l, err := detect(root, filepath.Join(root, "own"), magic)
	return l, root, err
}

const (
	v1Type = unix.CGROUP_SUPER_MAGIC
	v2Type = unix.CGROUP2_SUPER_MAGIC
)

func TestDetect(t *testing.T) {
	for name, test := range map[string]struct {
		types   map[string]int64
		entries []string
		want    string
		version Version
	}{
		"v2": {map[string]int64{".": v2Type}, []string{"system.slice"}, "v2", V2},
		"v1": {
			map[string]int64{"cpu,cpuacct": v1Type, "memory": v1Type, "systemd": v1Type},
			[]string{"cpu,cpuacct", "cpu->cpu,cpuacct", "cpuacct->cpu,cpuacct", "memory", "systemd"},
			"v1 (cpu,cpuacct memory name=systemd)", V1,
		},
		"hybrid": {
			map[string]int64{"pids": v1Type, "unified": v2Type, "systemd": v1Type},
			[]string{"pids", "systemd", "unified"},
			"hybrid (pids name=systemd)", Hybrid,
		},
		"plain directories": {
			map[string]int64{"pids": v1Type}, []string{"pids", "memory", "unified"}, "v1 (pids)", V1,
		},
		"only unified": {map[string]int64{"unified": v2Type}, []string{"unified"}, "v2", V2},
	} {
		t.Run(name, func(t *testing.T) {
			l, _, err := fakeRoot(t, test.types, test.entries...)
			if err != nil {
				t.Fatal(err)
			}
			if l.String() != test.want || l.Version != test.version {
				t.Errorf("got %q (version %v), want %q", l, l.Version, test.want)
			}
		})
	}
}

func TestDetectNothing(t *testing.T) {
	if l, _, err := fakeRoot(t, nil, "memory"); err == nil {
		t.Errorf("got %v, want an error", l)
	}
	if _, err := detect("/nonexistent", "", magic); err == nil {
		t.Error("a missing root is no error")
	}
}

// hybridRoot is a layout with two v1 hierarchies, a named one and a unified one; own is /proc/self/cgroup.
func hybridRoot(t *testing.T, own string, entries ...string) (Layout, string) {
	t.Helper()
	types := map[string]int64{"cpu,cpuacct": v1Type, "pids": v1Type, "systemd": v1Type, "unified": v2Type}
	l, root, err := fakeRoot(t, types, append(entries, "cpu,cpuacct", "pids", "systemd", "unified")...)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(l.ownFile, []byte(own), 0o600); err != nil {
		t.Fatal(err)
	}
	return l, root
}

func TestPlace(t *testing.T) {
	own := "4:pids:/a:b\n3:cpu,cpuacct:/not/mounted/here\n2:name=systemd:/../outside\n0::/c\n"
	for _, test := range []struct{ path, cpu, pids, systemd, unified string }{
		{"/x/y", "/x/y", "/x/y", "/x/y", "/x/y"},
		{"//x/./y/", "/x/y", "/x/y", "/x/y", "/x/y"},
		{"x/y", "/x/y", "/a:b/x/y", "/x/y", "/c/x/y"},
		{"", "/id", "/a:b/id", "/id", "/c/id"},
	} {
		l, root := hybridRoot(t, own, "pids/a:b", "unified/c")
		g, err := l.Place(test.path, "id")
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{
			"cpu": root + "/cpu,cpuacct" + test.cpu, "cpuacct": root + "/cpu,cpuacct" + test.cpu,
			"pids": root + "/pids" + test.pids, "name=systemd": root + "/systemd" + test.systemd,
			"": root + "/unified" + test.unified,
		}
		if got := g.Paths(); !maps.Equal(got, want) {
			t.Errorf("path %q: got %v, want %v", test.path, got, want)
		}
	}
}

// On v2, and for an absolute path, it doesn't matter where the caller is: the file with that isn't there here.
func TestPlaceWithoutOwnGroup(t *testing.T) {
	l, root, err := fakeRoot(t, map[string]int64{".": v2Type})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"": "/id", "rel/x": "/rel/x", "/abs": "/abs"} {
		g, err := l.Place(path, "id")
		if err != nil {
			t.Fatal(err)
		}
		if got := g.Paths()[""]; got != root+want {
			t.Errorf("path %q: got %q, want %q", path, got, root+want)
		}
	}
	hybrid, _ := hybridRoot(t, "")
	os.Remove(hybrid.ownFile)
	if _, err := hybrid.Place("/abs", "id"); err != nil {
		t.Error(err)
	}
	if _, err := hybrid.Place("rel", "id"); err == nil {
		t.Error("a missing /proc/self/cgroup is no error for a relative path")
	}
}

func TestPlaceRefuses(t *testing.T) {
	l, _ := hybridRoot(t, "0::/\n")
	for _, path := range []string{"..", "/..", "/a/../b", "a/../../b", "/", "//", ".", "./.", "/a/.."} {
		if g, err := l.Place(path, "id"); err == nil {
			t.Errorf("path %q became %v", path, g.Paths())
		} else if !strings.Contains(err.Error(), "linux.cgroupsPath") {
			t.Errorf("path %q: error %q does not name the member", path, err)
		}
	}
	if g, err := l.Place("", ".."); err == nil {
		t.Errorf("an id of %q became %v", "..", g.Paths())
	}
}

func TestFromPaths(t *testing.T) {
	l, _ := hybridRoot(t, "")
	g, err := l.Place("/x", "")
	if err != nil {
		t.Fatal(err)
	}
	again, err := FromPaths(g.Paths())
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(again.Paths(), g.Paths()) || again.Version() != Hybrid || len(again.members) != len(g.members) {
		t.Errorf("got %+v from %+v", again, g)
	}
	for key, version := range map[string]Version{"": V2, "memory": V1} {
		g, err := FromPaths(map[string]string{key: "/sys/fs/cgroup/x"})
		if err != nil || g.Version() != version {
			t.Errorf("key %q: got %v, %v", key, g.Version(), err)
		}
	}
	for _, dir := range []string{"", "/", "x", "/x/../y", "/x/"} {
		if _, err := FromPaths(map[string]string{"memory": dir}); err == nil {
			t.Errorf("directory %q is accepted", dir)
		}
	}
}

func TestCreateLeavesNothingWhenItFails(t *testing.T) {
	l, root := hybridRoot(t, "")
	// The third hierarchy refuses: a file is where a parent should be.
	if err := os.WriteFile(root+"/systemd/p", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	os.Mkdir(root+"/pids/p", 0o755)
	g, err := l.Place("/p/q", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Create(); err == nil {
		t.Fatal("no error")
	}
	for name, want := range map[string]bool{"/cpu,cpuacct/p": false, "/pids/p": true, "/pids/p/q": false, "/unified/p": false} {
		if _, err := os.Stat(root + name); (err == nil) != want {
			t.Errorf("%s exists: %v, want %v", name, err == nil, want)
		}
	}
}

func TestRemoveKeepsWhatWasThereBefore(t *testing.T) {
	l, root := hybridRoot(t, "", "pids/p/q/theirs")
	g, err := l.Place("/p/q", "")
	if err != nil {
		t.Fatal(err)
	}
	g.members = slices.DeleteFunc(g.members, member.unified) // whose control files no temporary directory has
	if err := g.Create(); err != nil {
		t.Fatal(err)
	}
	if want := []string{root + "/pids/p/q/theirs", root + "/pids/p/q"}; !slices.Equal(g.Kept(), want) {
		t.Errorf("kept %q, want %q", g.Kept(), want)
	}
	os.Mkdir(root+"/pids/p/q/ours", 0o755)
	os.MkdirAll(root+"/systemd/p/q/deep/deeper", 0o755)

	again, err := FromPaths(g.Paths())
	if err != nil {
		t.Fatal(err)
	}
	again.Keep(g.Kept())
	if err := again.Remove(0); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{
		"/pids/p/q/theirs": true, "/pids/p/q/ours": false, "/systemd/p/q": false, "/systemd/p": true, "/cpu,cpuacct/p/q": false,
	} {
		if _, err := os.Stat(root + name); (err == nil) != want {
			t.Errorf("%s exists: %v, want %v", name, err == nil, want)
		}
	}
	if err := again.Remove(0); err != nil {
		t.Errorf("a second Remove: %v", err)
	}
}
