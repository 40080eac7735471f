// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/seccomp/wire"
)

// small is a profile that answers mkdir with an error number.
func small(errno uint) *specs.LinuxSeccomp {
	return &specs.LinuxSeccomp{
		DefaultAction: specs.ActAllow,
		Syscalls:      []specs.LinuxSyscall{{Names: []string{"mkdir", "no_such_call"}, Action: specs.ActErrno, ErrnoRet: &errno}},
	}
}

// stand is a cache with one entry.
type stand struct {
	dir, entry string
	profile    *specs.LinuxSeccomp
	want       Filter
}

func newStand(t *testing.T) *stand {
	t.Helper()
	s := &stand{dir: filepath.Join(t.TempDir(), CacheName), profile: small(7)}
	var err error
	if s.want, err = Compile(s.profile, s.dir); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(s.want.Origin, "compiled") || strings.Contains(s.want.Origin, ";") {
		t.Fatalf("at first it is %s", s.want.Origin)
	}
	names := s.names(t)
	if len(names) != 1 {
		t.Fatalf("entries %q", names)
	}
	s.entry = filepath.Join(s.dir, names[0])
	return s
}

func (s *stand) names(t *testing.T) []string {
	t.Helper()
	list, err := os.ReadDir(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

// compile wants the right filter, and Origin to begin with and to contain these words.
func (s *stand) compile(t *testing.T, origin string, words ...string) {
	t.Helper()
	got, err := Compile(s.profile, s.dir)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Program, s.want.Program) || got.Flags != s.want.Flags || !slices.Equal(got.Skipped, []string{"no_such_call"}) {
		t.Errorf("another filter than at first: %+v", got)
	}
	if !strings.HasPrefix(got.Origin, origin) {
		t.Errorf("origin %q, want %q", got.Origin, origin)
	}
	for _, word := range words {
		if !strings.Contains(got.Origin, word) {
			t.Errorf("origin %q does not say %q", got.Origin, word)
		}
	}
}

func TestAFilterIsCompiledOnce(t *testing.T) {
	s := newStand(t)
	s.compile(t, "from the cache")
	for path, want := range map[string]uint32{s.dir: unix.S_IFDIR | 0o700, s.entry: unix.S_IFREG | 0o600} {
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil || st.Mode != want || int(st.Uid) != os.Geteuid() {
			t.Errorf("%s: mode %o, owner %d, %v", path, st.Mode, st.Uid, err)
		}
	}
	other, err := Compile(small(8), s.dir)
	if err != nil || !strings.HasPrefix(other.Origin, "compiled") || bytes.Equal(other.Program, s.want.Program) {
		t.Errorf("another profile: %+v, %v", other, err)
	}
	// Flags are not compiled, but asked of the kernel each time.
	s.profile.Flags = []specs.LinuxSeccompFlag{specs.LinuxSeccompFlagLog}
	s.want.Flags = unix.SECCOMP_FILTER_FLAG_LOG
	s.compile(t, "from the cache")
	if names := s.names(t); len(names) != 2 {
		t.Errorf("entries %q", names)
	}
}

// Removing all of it, or the whole directory, costs nothing but time.
func TestTheCacheCanBeRemoved(t *testing.T) {
	s := newStand(t)
	for _, path := range []string{s.entry, s.dir} {
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
		s.compile(t, "compiled")
		s.compile(t, "from the cache")
	}
}

func TestEverythingIsInTheKey(t *testing.T) {
	request := wire.EncodeRequest(small(7))
	first, err := newKey(request)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := newKey(request); !bytes.Equal(again, first) {
		t.Error("the same inputs give another key")
	}
	if other, _ := newKey(wire.EncodeRequest(small(8))); bytes.Equal(other, first) {
		t.Error("another profile gives the same key")
	}
	defer func(before string) { identity = before }(identity)
	identity = "2.5.5" + identity[5:]
	if other, _ := newKey(request); bytes.Equal(other, first) {
		t.Error("another compiler gives the same key")
	}
}

func TestDamagedEntriesAreReplaced(t *testing.T) {
	s := newStand(t)
	good, err := os.ReadFile(s.entry)
	if err != nil {
		t.Fatal(err)
	}
	k, err := newKey(wire.EncodeRequest(s.profile))
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		damaged := slices.Clone(good)
		damaged[i] ^= 1
		if a, err := k.decode(damaged); err == nil {
			t.Errorf("with byte %d changed: %v", i, a)
		}
		if a, err := k.decode(good[:i]); err == nil {
			t.Errorf("the first %d bytes: %v", i, a)
		}
	}
	if a, err := k.decode(append(slices.Clone(good), 0)); err == nil {
		t.Errorf("with a byte more: %v", a)
	}
	for name, content := range map[string][]byte{
		"empty": {}, "cut off": good[:len(good)-1], "changed": append(good[:len(good)-1:len(good)-1], good[len(good)-1]^1),
		"huge": make([]byte, maxEntryBytes+1), "text": []byte("hello"),
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(s.entry, content, 0o600); err != nil {
				t.Fatal(err)
			}
			s.compile(t, "compiled", "; not from the cache: ")
			s.compile(t, "from the cache")
		})
	}
}

// TestForeignEntriesAreReplaced puts something in the place of the entry that is not as rt makes it.
func TestForeignEntriesAreReplaced(t *testing.T) {
	for name, change := range map[string]func(s *stand) error{
		"mode 0644":                    func(s *stand) error { return os.Chmod(s.entry, 0o644) },
		"mode 0620":                    func(s *stand) error { return os.Chmod(s.entry, 0o620) },
		"setuid":                       func(s *stand) error { return os.Chmod(s.entry, 0o600|os.ModeSetuid) },
		"another owner":                func(s *stand) error { return os.Chown(s.entry, 1000, 0) },
		"a link to another good entry": func(s *stand) error { return relink(s.entry, os.Symlink) },
		"a FIFO": func(s *stand) error {
			_ = os.Remove(s.entry)
			return unix.Mkfifo(s.entry, 0o600)
		},
		"the entry of another profile": func(s *stand) error {
			other, err := Compile(small(9), s.dir)
			if err != nil {
				return err
			}
			_, key, _ := strings.Cut(other.Origin, ", ")
			return os.Rename(filepath.Join(s.dir, key), s.entry)
		},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "another owner" && os.Geteuid() != 0 {
				t.Skip("needs root: only root gives files away")
			}
			s := newStand(t)
			if err := change(s); err != nil {
				t.Fatal(err)
			}
			s.compile(t, "compiled", "; not from the cache: ")
			s.compile(t, "from the cache")
		})
	}
}

// relink moves a file away and leaves a link to it.
func relink(path string, link func(from, to string) error) error {
	if err := os.Rename(path, path+".moved"); err != nil {
		return err
	}
	return link(path+".moved", path)
}

// TestAForeignDirectoryIsNotUsed makes the directory one that others may have written in.
func TestAForeignDirectoryIsNotUsed(t *testing.T) {
	for name, change := range map[string]func(s *stand) error{
		"mode 0755":     func(s *stand) error { return os.Chmod(s.dir, 0o755) },
		"mode 0770":     func(s *stand) error { return os.Chmod(s.dir, 0o770) },
		"mode 1700":     func(s *stand) error { return os.Chmod(s.dir, 0o700|os.ModeSticky) },
		"another owner": func(s *stand) error { return os.Chown(s.dir, 1000, 0) },
		"a link":        func(s *stand) error { return relink(s.dir, os.Symlink) },
		"a file": func(s *stand) error {
			_ = os.RemoveAll(s.dir)
			return os.WriteFile(s.dir, nil, 0o600)
		},
		"a path through a file": func(s *stand) error {
			s.dir = filepath.Join(s.entry, "x")
			return nil
		},
		"a path that is not there": func(s *stand) error {
			s.dir = filepath.Join(s.dir, "x", "y")
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "another owner" && os.Geteuid() != 0 {
				t.Skip("needs root: only root gives files away")
			}
			s := newStand(t)
			if err := change(s); err != nil {
				t.Fatal(err)
			}
			s.compile(t, "compiled", "; not kept: ")
			s.compile(t, "compiled", "; not kept: ")
		})
	}
}

func TestAFullDiskIsNoError(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: mounts a small file system")
	}
	for name, options := range map[string]string{"no blocks": "size=4k", "no inodes": "nr_inodes=2", "read-only": ""} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t)
			where := t.TempDir()
			flags := uintptr(0)
			if options == "" {
				flags = unix.MS_RDONLY
			}
			if err := unix.Mount("rt-test", where, "tmpfs", flags, options); err != nil {
				t.Skipf("mount a tmpfs: %v", err)
			}
			defer func() { _ = unix.Unmount(where, unix.MNT_DETACH) }()
			s.dir = filepath.Join(where, CacheName)
			s.profile, s.want = largeProfile(t), Filter{}
			got, err := Compile(s.profile, s.dir)
			if err != nil || len(got.Program) == 0 || !strings.Contains(got.Origin, "; not kept: ") {
				t.Errorf("%d bytes, %s, %v", len(got.Program), got.Origin, err)
			}
			if list, _ := os.ReadDir(s.dir); len(list) > 0 {
				t.Errorf("there is left: %v", list)
			}
		})
	}
}

func TestTheCacheIsBounded(t *testing.T) {
	s := newStand(t)
	for _, name := range []string{"README", strings.Repeat("z", nameBytes), "abc"} {
		if err := os.WriteFile(filepath.Join(s.dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	day := time.Now().Add(-24 * time.Hour)
	draft := strings.Repeat("a", nameBytes) + ".0123456789abcdef" // of one that was killed
	if err := os.WriteFile(filepath.Join(s.dir, draft), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(filepath.Join(s.dir, draft), day, day); err != nil {
		t.Fatal(err)
	}
	c := &cache{s.dir}
	for i := range maxEntries + 10 {
		k := key{byte(i), 1}
		if err := c.store(k, &wire.Answer{Program: make([]byte, 8)}); err != nil {
			t.Fatal(err)
		}
		when := day.Add(time.Duration(i+1) * time.Minute)
		if err := os.Chtimes(filepath.Join(s.dir, k.name()), when, when); err != nil {
			t.Fatal(err)
		}
	}
	names := s.names(t)
	if len(names) != maxEntries+3 {
		t.Errorf("%d files: %q", len(names), names)
	}
	for _, name := range []string{"README", strings.Repeat("z", nameBytes), "abc", filepath.Base(s.entry), key{maxEntries + 9, 1}.name()} {
		if !slices.Contains(names, name) {
			t.Errorf("%s is gone", name)
		}
	}
	for _, name := range []string{draft, key{0, 1}.name()} {
		if slices.Contains(names, name) {
			t.Errorf("%s, the oldest, is still there", name)
		}
	}
	huge := &wire.Answer{Program: make([]byte, 8), Skipped: []string{strings.Repeat("x", maxEntryBytes)}}
	if err := c.store(key{}, huge); err == nil {
		t.Error("an answer that is too large is kept")
	}
}

func TestManyUseTheCacheAtOnce(t *testing.T) {
	s := newStand(t)
	want := map[uint][]byte{}
	for errno := range uint(4) {
		f, err := compile(small(errno))
		if err != nil {
			t.Fatal(err)
		}
		want[errno] = f.Program
	}
	done := make(chan struct{})
	var remover, users sync.WaitGroup
	remover.Go(func() { // damages and removes what is there all the time
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
			}
			list, _ := os.ReadDir(s.dir)
			for _, e := range list {
				path := filepath.Join(s.dir, e.Name())
				if i%2 == 0 {
					_ = os.Remove(path)
				} else {
					_ = os.Truncate(path, 50)
				}
			}
			time.Sleep(100 * time.Microsecond)
		}
	})
	for range 8 {
		users.Go(func() {
			for i := range uint(25) {
				f, err := Compile(small(i%4), s.dir)
				if err != nil || !bytes.Equal(f.Program, want[i%4]) {
					t.Error(fmt.Errorf("%w, %d bytes, %s", err, len(f.Program), f.Origin))
				}
			}
		})
	}
	users.Wait()
	close(done)
	remover.Wait()
	s.compile(t, "")
	s.compile(t, "from the cache")
}
