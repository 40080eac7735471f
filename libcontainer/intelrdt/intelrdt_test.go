// SPDX-License-Identifier: Apache-2.0

package intelrdt

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// tree is a directory that stands for a resctrl file system: what is made in it has the files that the kernel would
// give it. The file schemata is a FIFO, so that each write can be told.
type tree struct {
	t    *testing.T
	root string
	full bool // no group can be made any more
}

func newTree(t *testing.T) *tree {
	t.Helper()
	r := &tree{t: t, root: t.TempDir()}
	r.populate(r.root)
	return r
}

func (r *tree) populate(path string) {
	r.t.Helper()
	if filepath.Base(filepath.Dir(path)) != "mon_groups" {
		if err := os.Mkdir(filepath.Join(path, "mon_groups"), 0o755); err != nil {
			r.t.Fatal(err)
		}
		if err := unix.Mkfifo(filepath.Join(path, "schemata"), 0o600); err != nil {
			r.t.Fatal(err)
		}
		fifo, err := os.OpenFile(filepath.Join(path, "schemata"), os.O_RDWR, 0)
		if err != nil {
			r.t.Fatal(err)
		}
		r.t.Cleanup(func() { fifo.Close() })
	}
	r.write(filepath.Join(path, "tasks"), "")
}

func (r *tree) write(path, text string) {
	r.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// class makes a class of service with shares.
func (r *tree) class(name, schemata string) {
	r.t.Helper()
	path := filepath.Join(r.root, name)
	if name != "" {
		if err := os.Mkdir(path, 0o755); err != nil {
			r.t.Fatal(err)
		}
		r.populate(path)
	}
	if err := os.Remove(filepath.Join(path, "schemata")); err != nil {
		r.t.Fatal(err)
	}
	r.write(filepath.Join(path, "schemata"), schemata)
}

func (r *tree) group(id string, config specs.LinuxIntelRdt) *Group {
	g := New(r.root, id, &config)
	g.mkdir = func(path string) error {
		if r.full {
			return &fs.PathError{Op: "mkdir", Path: path, Err: unix.ENOSPC}
		}
		if err := mkdir(path); err != nil {
			return err
		}
		r.populate(path)
		return nil
	}
	g.rmdir = func(path string) error {
		if _, err := os.Lstat(path); err != nil {
			return err
		}
		return os.RemoveAll(path)
	}
	return g
}

// written returns what was written to a FIFO.
func (r *tree) written(path string) string {
	r.t.Helper()
	fd, err := unix.Open(filepath.Join(r.root, path), unix.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	defer unix.Close(fd)
	text := make([]byte, 4096)
	n, err := unix.Read(fd, text)
	if err == unix.EAGAIN {
		return ""
	}
	if err != nil {
		r.t.Fatal(err)
	}
	return string(text[:n])
}

func (r *tree) has(path string) bool {
	_, err := os.Lstat(filepath.Join(r.root, path))
	return err == nil
}

func (r *tree) read(path string) string {
	r.t.Helper()
	text, err := os.ReadFile(filepath.Join(r.root, path))
	if err != nil {
		r.t.Fatal(err)
	}
	return string(text)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestAClassOfItsOwnComesAndGoes(t *testing.T) {
	t.Parallel()
	r := newTree(t)
	g := r.group("c1", specs.LinuxIntelRdt{
		L3CacheSchema: "L3:0=f", MemBwSchema: "MB:0=20", Schemata: []string{"L2:0=1", "L3:0=3"}, EnableMonitoring: true,
	})
	must(t, g.Create())
	if got, want := r.written("c1/schemata"), "L3:0=f\nMB:0=20\nL2:0=1\nL3:0=3\n"; got != want {
		t.Errorf("schemata: %q, want %q", got, want)
	}
	must(t, g.Add(4711))
	for _, path := range []string{"c1/tasks", "c1/mon_groups/c1/tasks"} {
		if got := r.read(path); got != "4711" {
			t.Errorf("%s: %q", path, got)
		}
	}
	again := Open(g.Path, g.Monitor, g.Owned)
	again.rmdir = g.rmdir
	must(t, again.Remove())
	if r.has("c1") {
		t.Error("the class is left")
	}
	must(t, again.Remove()) // a second time there is nothing to do
}

func TestWithoutASchemaNoneIsWritten(t *testing.T) {
	t.Parallel()
	r := newTree(t)
	must(t, r.group("c1", specs.LinuxIntelRdt{}).Create())
	r.class("named", "L3:0=f\n")
	must(t, r.group("c2", specs.LinuxIntelRdt{ClosID: "named"}).Create())
	if got := r.written("c1/schemata") + r.read("named/schemata"); got != "L3:0=f\n" {
		t.Errorf("written: %q", got)
	}
}

// What is there before the container stays behind it; so does what the config names.
func TestClassesOfOthersStay(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, id, closID string }{
		{"named and made", "c1", "new"}, {"named and there", "c1", "there"}, {"root", "c1", "/"}, {"own name and there", "there", ""},
	} {
		r := newTree(t)
		r.class("there", "    L3:0=f\n")
		g := r.group(c.id, specs.LinuxIntelRdt{ClosID: c.closID, Schemata: []string{"L3:0=f"}, EnableMonitoring: true})
		must(t, g.Create())
		must(t, g.Add(1))
		must(t, g.Remove())
		dir := c.closID
		if dir == "" {
			dir = c.id
		}
		if !r.has(filepath.Join(dir, "tasks")) || r.has(filepath.Join(dir, "mon_groups", c.id)) {
			t.Errorf("%s: class there %v, monitoring group there %v", c.name, r.has(dir), r.has(filepath.Join(dir, "mon_groups", c.id)))
		}
	}
}

func TestANamedClassMustHaveTheSharesOfTheConfig(t *testing.T) {
	t.Parallel()
	const have = "    MB:0= 100;1=  20\n    L3:0=007f0;1=0001f\n"
	for _, c := range []struct {
		config specs.LinuxIntelRdt
		want   string // of the error
	}{
		{specs.LinuxIntelRdt{L3CacheSchema: "L3:0=7f0;1=1f"}, ""},
		{specs.LinuxIntelRdt{L3CacheSchema: "L3:1=1F", MemBwSchema: "MB:1=20;0=100"}, ""},
		{specs.LinuxIntelRdt{L3CacheSchema: "L3:0=7f0;1=1e"}, `are not those of "L3:0=7f0;1=1e"`},
		{specs.LinuxIntelRdt{L3CacheSchema: "L3:0=7f0;2=1f"}, `are not those of "L3:0=7f0;2=1f"`},
		{specs.LinuxIntelRdt{L3CacheSchema: "L3:0=7f0", MemBwSchema: "MB:0=10"}, `are not those of "MB:0=10"`},
	} {
		for _, closID := range []string{"named", "/"} {
			r := newTree(t)
			r.class(strings.TrimPrefix(closID, "/"), have)
			c.config.ClosID = closID
			err := r.group("c1", c.config).Create()
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%+v: %v, want %q", c.config, err, c.want)
			}
			if got := r.read(filepath.Join(closID, "schemata")); got != have {
				t.Errorf("%+v: the shares of others were changed to %q", c.config, got)
			}
		}
	}
}

func TestWhatCantBeMadeLeavesNothing(t *testing.T) {
	t.Parallel()
	t.Run("named class without schema", func(t *testing.T) {
		t.Parallel()
		r := newTree(t)
		err := r.group("c1", specs.LinuxIntelRdt{ClosID: "missing", EnableMonitoring: true}).Create()
		if !errors.Is(err, fs.ErrNotExist) || r.has("missing") {
			t.Errorf("%v", err)
		}
	})
	t.Run("no more classes", func(t *testing.T) {
		t.Parallel()
		r := newTree(t)
		r.full = true
		err := r.group("c1", specs.LinuxIntelRdt{}).Create()
		if !errors.Is(err, unix.ENOSPC) || !strings.Contains(err.Error(), "num_closids") {
			t.Errorf("%v", err)
		}
	})
	t.Run("no more monitoring groups", func(t *testing.T) {
		t.Parallel()
		r := newTree(t)
		r.class("named", "L3:0=f\n")
		r.full = true
		err := r.group("c1", specs.LinuxIntelRdt{ClosID: "named", EnableMonitoring: true}).Create()
		if !errors.Is(err, unix.ENOSPC) || !strings.Contains(err.Error(), "num_rmids") || !r.has("named") {
			t.Errorf("%v", err)
		}
	})
	t.Run("monitoring group of another", func(t *testing.T) {
		t.Parallel()
		r := newTree(t)
		must(t, os.Mkdir(filepath.Join(r.root, "mon_groups/c1"), 0o755))
		err := r.group("c1", specs.LinuxIntelRdt{ClosID: "/", EnableMonitoring: true}).Create()
		if !errors.Is(err, fs.ErrExist) || !r.has("mon_groups/c1") {
			t.Errorf("%v", err)
		}
	})
	t.Run("shares refused", func(t *testing.T) {
		t.Parallel()
		r := newTree(t)
		must(t, os.Mkdir(filepath.Join(r.root, "info"), 0o755))
		r.write(filepath.Join(r.root, "info/last_cmd_status"), "Mask out of range\n")
		for _, closID := range []string{"", "named"} {
			g := r.group("c1", specs.LinuxIntelRdt{ClosID: closID, Schemata: []string{"L3:0=ffffffff"}})
			populate := g.mkdir
			g.mkdir = func(path string) error {
				must(t, populate(path))
				return os.Remove(filepath.Join(path, "schemata"))
			}
			err := g.Create()
			if err == nil || !strings.Contains(err.Error(), `"L3:0=ffffffff"`) || !strings.HasSuffix(err.Error(), ": Mask out of range") {
				t.Errorf("%v", err)
			}
			if r.has("c1") || r.has("named") {
				t.Error("a class is left")
			}
		}
	})
	t.Run("undone while others are in it", func(t *testing.T) {
		t.Parallel()
		r := newTree(t)
		g := r.group("c1", specs.LinuxIntelRdt{ClosID: "named", MemBwSchema: "MB:0=10"})
		must(t, g.Create())
		r.write(filepath.Join(r.root, "named/tasks"), "17\n")
		must(t, g.Undo())
		if !r.has("named") {
			t.Error("a class with processes of others was removed")
		}
		r.write(filepath.Join(r.root, "named/tasks"), "")
		must(t, g.Undo())
		if r.has("named") {
			t.Error("the class is left")
		}
	})
}

func TestCheck(t *testing.T) {
	t.Parallel()
	const class = ": no name of a class of service"
	for _, c := range []struct {
		config specs.LinuxIntelRdt
		want   string
	}{
		{specs.LinuxIntelRdt{}, ""},
		{specs.LinuxIntelRdt{ClosID: "/", L3CacheSchema: "L3:0=f", MemBwSchema: "MB:0=1", Schemata: []string{"L2:0=1"}}, ""},
		{specs.LinuxIntelRdt{ClosID: ".."}, `linux.intelRdt.closID ".."` + class},
		{specs.LinuxIntelRdt{ClosID: "info"}, `linux.intelRdt.closID "info"` + class},
		{specs.LinuxIntelRdt{ClosID: "a/b"}, `linux.intelRdt.closID "a/b": want the name of a directory, or "/" for the default class`},
		{specs.LinuxIntelRdt{ClosID: "a\n"}, `linux.intelRdt.closID "a\n": want the name of a directory, or "/" for the default class`},
		{specs.LinuxIntelRdt{L3CacheSchema: "MB:0=1"}, `linux.intelRdt.l3CacheSchema "MB:0=1": want one line that begins with "L3:"`},
		{specs.LinuxIntelRdt{L3CacheSchema: "L3:0=1\nMB:0=1"}, `linux.intelRdt.l3CacheSchema "L3:0=1\nMB:0=1": want one line that begins with "L3:"`},
		{specs.LinuxIntelRdt{MemBwSchema: "0=1"}, `linux.intelRdt.memBwSchema "0=1": want one line that begins with "MB:"`},
		{specs.LinuxIntelRdt{Schemata: []string{"L3:0=1", ""}}, `linux.intelRdt.schemata[1] "": want one line such as "L2:0=f;1=f"`},
		{specs.LinuxIntelRdt{Schemata: []string{"L3:0=1\n"}}, `linux.intelRdt.schemata[0] "L3:0=1\n": want one line such as "L2:0=f;1=f"`},
	} {
		err := Check(&c.config)
		if c.want == "" && err != nil || c.want != "" && (err == nil || err.Error() != c.want) {
			t.Errorf("%+v: %v, want %q", c.config, err, c.want)
		}
	}
	must(t, Check(nil))
}

func TestChangeOfTheSharesOfOwnClasses(t *testing.T) {
	r := newTree(t)
	r.class("c1", "")
	g := Open(filepath.Join(r.root, "c1"), "", true)
	must(t, g.Change(&specs.LinuxIntelRdt{L3CacheSchema: "L3:0=3", MemBwSchema: "MB:0=50"}))
	if got := r.read("c1/schemata"); got != "L3:0=3\nMB:0=50\n" { // with one write
		t.Errorf("schemata: %q", got)
	}
	for _, c := range []struct {
		group  *Group
		config specs.LinuxIntelRdt
		want   string
	}{
		{g, specs.LinuxIntelRdt{L3CacheSchema: "0=f"}, `linux.intelRdt.l3CacheSchema "0=f"`},
		{g, specs.LinuxIntelRdt{MemBwSchema: "MB:0=1\nL3:0=1"}, "linux.intelRdt.memBwSchema"},
		{Open(filepath.Join(r.root, "c1"), "", false), specs.LinuxIntelRdt{MemBwSchema: "MB:0=1"}, "is not the container's alone"},
		{Open(filepath.Join(r.root, "gone"), "", true), specs.LinuxIntelRdt{MemBwSchema: "MB:0=1"}, "no such file or directory"},
	} {
		if err := c.group.Change(&c.config); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: got %v, want %q", c.config, err, c.want)
		}
	}
	if got := r.read("c1/schemata"); got != "L3:0=3\nMB:0=50\n" {
		t.Errorf("schemata after refusals: %q", got)
	}
}
