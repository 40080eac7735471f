// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// nestings are deeper, or have longer paths, than a walk by absolute path gets along with.
var nestings = map[string]struct {
	levels int
	name   string
}{
	"long names":  {30, strings.Repeat("n", 250)},
	"many levels": {300, "n"},
}

// nest makes levels of directories, each in the one before, and returns the innermost.
func nest(t *testing.T, dir string, levels int, name string) *os.File {
	t.Helper()
	f, err := open(dir, unix.O_RDONLY|unix.O_DIRECTORY)
	for range levels {
		if err == nil {
			err = unix.Mkdirat(int(f.Fd()), name, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
		outer := f
		f, err = openAt(int(outer.Fd()), name, unix.O_RDONLY|unix.O_DIRECTORY, name)
		outer.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// writeIn writes a file below an open directory, and makes it if it is a plain one.
func writeIn(t *testing.T, dir *os.File, name, value string) {
	t.Helper()
	fd, err := unix.Openat(int(dir.Fd()), name, unix.O_WRONLY|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
	if err == nil {
		_, err = unix.Write(fd, []byte(value))
		unix.Close(fd)
	}
	if err != nil {
		t.Fatalf("write %q: %v", name, err)
	}
}

func plainGroup(t *testing.T, dir string) *Group {
	t.Helper()
	g, err := FromPaths(map[string]string{"pids": dir})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestWalkVisitsChildrenFirst(t *testing.T) {
	top := t.TempDir() + "/top"
	for _, dir := range []string{"/a/b/c", "/a/b/d", "/a/e", "/f"} {
		if err := os.MkdirAll(top+dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	os.Symlink("/", top+"/a/link")
	var visited []string
	err := walk(top, func(d directory) error {
		path := string(d.path)
		if !d.is(path) || d.String() != path {
			t.Errorf("the directory %q does not know its path", path)
		}
		below := slices.IndexFunc(visited, func(earlier string) bool { return strings.HasPrefix(path, earlier+"/") })
		if below >= 0 {
			t.Errorf("%q comes after %q", path, visited[below])
		}
		visited = append(visited, path)
		return nil
	})
	slices.Sort(visited)
	want := []string{top, top + "/a", top + "/a/b", top + "/a/b/c", top + "/a/b/d", top + "/a/e", top + "/f"}
	if err != nil || !slices.Equal(visited, want) {
		t.Errorf("got %q, %v, want %q", visited, err, want)
	}
}

func TestWalkPassesOverWhatGoesAway(t *testing.T) {
	top := t.TempDir() + "/top"
	for _, dir := range []string{"/a/b/c", "/d/e/f"} {
		if err := os.MkdirAll(top+dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	visits := 0
	err := walk(top, func(d directory) error {
		if visits++; visits == 1 {
			return os.RemoveAll(top)
		}
		return d.remove()
	})
	if err != nil || visits < 2 {
		t.Errorf("%d visits, %v", visits, err)
	}
}

// Nothing in a hierarchy changes its parent, but should it: what is outside of the group is not the walk's.
func TestWalkStaysInside(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"/top/a/b", "/outside"} {
		if err := os.MkdirAll(root+dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var visited []string
	err := walk(root+"/top", func(d directory) error {
		visited = append(visited, string(d.path))
		return os.Rename(root+"/top/a", root+"/outside/moved")
	})
	if err == nil || !strings.Contains(err.Error(), "moved out of it") || !slices.Equal(visited, []string{root + "/top/a/b"}) {
		t.Errorf("visited %q, %v", visited, err)
	}
}

func TestWalkAtAnyDepth(t *testing.T) {
	for name, n := range nestings {
		t.Run(name, func(t *testing.T) {
			top := filepath.Join(t.TempDir(), "top")
			os.Mkdir(top, 0o755)
			innermost := nest(t, top, n.levels, n.name)
			before := openDescriptors(t)
			visits, most := 0, 0
			err := walk(top, func(d directory) error {
				visits++
				most = max(most, openDescriptors(t)-before)
				_, err := d.read("cgroup.procs")
				if !errors.Is(err, unix.ENOENT) || len(err.Error()) > 2048 {
					t.Errorf("reading what is not there: %v", err)
				}
				return nil
			})
			if err != nil || visits != n.levels+1 || most > 1 {
				t.Errorf("%d visits with up to %d open descriptors, %v", visits, most, err)
			}
			if after := openDescriptors(t); after != before {
				t.Errorf("%d open descriptors, %d before", after, before)
			}

			writeIn(t, innermost, "busy", "")
			g := plainGroup(t, top)
			if err := g.removeTree(top); !errors.Is(err, unix.ENOTEMPTY) || len(err.Error()) > 2048 {
				t.Errorf("removing a directory that is not empty: %v", err)
			}
			unix.Unlinkat(int(innermost.Fd()), "busy", 0)
			if err := g.Remove(0); err != nil {
				t.Fatal(err)
			}
			wantMissing(t, g)
		})
	}
}

func TestProcessesAtAnyDepth(t *testing.T) {
	for name, n := range nestings {
		t.Run(name, func(t *testing.T) {
			top := t.TempDir()
			writeIn(t, nest(t, top, n.levels, n.name), "cgroup.procs", "7\n0\n9\n")
			g := plainGroup(t, top)
			if pids, err := g.Processes(); err != nil || !slices.Equal(pids, []int{7, 9}) {
				t.Errorf("got %v, %v", pids, err)
			}
		})
	}
}

func TestRemoveKeepsAtAnyDepth(t *testing.T) {
	top := t.TempDir()
	if err := os.MkdirAll(top+"/kept/too", 0o755); err != nil {
		t.Fatal(err)
	}
	nest(t, top+"/kept/too", 30, strings.Repeat("n", 250))
	g := plainGroup(t, top)
	g.Keep([]string{top + "/kept/too", top + "/kept", top})
	if err := g.Remove(0); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(top + "/kept/too"); err != nil || len(entries) != 0 {
		t.Errorf("left: %v, %v", entries, err)
	}
	nest(t, top, 30, strings.Repeat("n", 250))
	if err := walk(top, g.keepFound); !errors.Is(err, unix.ENAMETOOLONG) || len(err.Error()) > 2048 {
		t.Errorf("keeping a path that can't be used: %v", err)
	}
}

func openDescriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// A container with a writable cgroupfs nests groups, hides in the innermost, and freezes it.
func TestHostEndsNestedGroups(t *testing.T) {
	for name, n := range nestings {
		t.Run(name, func(t *testing.T) {
			g := createdGroup(t)
			cmd := startInGroup(t, g, "echo; exec sleep 1000")
			paths := map[string]string{}
			for _, controller := range []string{"pids", "freezer", unifiedKey} {
				m, ok := g.controller(controller)
				if !ok {
					continue
				}
				paths[controller] = m.dir
				innermost := nest(t, m.dir, n.levels, n.name)
				writeIn(t, innermost, "cgroup.procs", strconv.Itoa(cmd.Process.Pid))
				if controller == "freezer" {
					writeIn(t, innermost, "freezer.state", "FROZEN")
				}
			}
			for controller, dir := range paths {
				one, err := FromPaths(map[string]string{controller: dir})
				if err != nil {
					t.Fatal(err)
				}
				if pids, err := one.Processes(); err != nil || !slices.Equal(pids, []int{cmd.Process.Pid}) {
					t.Errorf("controller %q: processes %v, %v", controller, pids, err)
				}
			}
			if err := g.Kill(unix.SIGKILL); err != nil {
				t.Fatal(err)
			}
			if err := g.Remove(5 * time.Second); err != nil {
				t.Fatal(err)
			}
			wantMissing(t, g)
		})
	}
}
