// SPDX-License-Identifier: Apache-2.0

// Package security has one black-box test for each known way out of a container that a runtime has left open, and for
// each promise that keeps it closed. A hostile image, or a hostile neighbour, is made; rt must either refuse it or do
// what was meant inside of the container, and the host must be as before.
package security

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/tests/harness"
)

// buildProbe builds the program that a container runs where a shell can't do it. It is static, as the image has no
// libraries.
var buildProbe = sync.OnceValues(func() (string, error) { return harness.BuildProgram("./probe") })

// addProbe puts the probe into the container, as /bin/probe.
func addProbe(t *testing.T, b *harness.Bundle) {
	t.Helper()
	program, err := buildProbe()
	if err != nil {
		t.Fatal(err)
	}
	harness.WriteFile(t, b.InRootfs("bin/probe"), program, 0o755)
}

// script is a bundle whose program is a shell with these lines, on a root that can be written to.
func script(t *testing.T, lines ...string) *harness.Bundle {
	t.Helper()
	b := harness.NewBundle(t, "sh", "-c", strings.Join(lines, "\n"))
	b.Spec.Root.Readonly = false
	return b
}

// makeVictim makes a directory on the host, outside of the container, that nothing may touch.
func makeVictim(t *testing.T, b *harness.Bundle) string {
	t.Helper()
	dir := harness.Mkdir(t, b.Path("victim"), 0o755)
	for _, name := range []string{"ptmx", "null", "console", "file"} {
		harness.WriteFile(t, filepath.Join(dir, name), "precious", 0o640)
	}
	harness.Mkdir(t, filepath.Join(dir, "sub"), 0o755)
	return dir
}

// contents is what a tree of files is made of: one text per file.
type contents struct {
	dir   string
	files []string
}

// look records a tree: names, types, owners, permissions, sizes, times of change.
func look(t *testing.T, dir string) contents {
	t.Helper()
	c := contents{dir: dir}
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var s unix.Stat_t
		if err := unix.Lstat(path, &s); err != nil {
			return err
		}
		c.files = append(c.files, fmt.Sprintf("%s %o %d:%d %x %d bytes, changed %d.%09d",
			path, s.Mode, s.Uid, s.Gid, s.Rdev, s.Size, s.Ctim.Sec, s.Ctim.Nsec))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// wantSame demands that nothing in the tree was made, removed or changed.
func (c contents) wantSame(t *testing.T) {
	t.Helper()
	now := look(t, c.dir)
	for _, file := range now.files {
		if !slices.Contains(c.files, file) {
			t.Errorf("the host was changed: new or different: %s", file)
		}
	}
	for _, file := range c.files {
		if !slices.Contains(now.files, file) {
			t.Errorf("the host was changed: gone or different: %s", file)
		}
	}
}

// wantNoCrash demands that an outcome, whatever it is, was decided and not suffered.
func wantNoCrash(t *testing.T, got harness.Result) {
	t.Helper()
	for _, sign := range []string{"goroutine ", "panic:", "fatal error:", "signal SIG"} {
		if strings.Contains(got.Stderr, sign) {
			t.Errorf("%s: crashed:\n%s", got.Command, got.Stderr)
		}
	}
}

const mappedRoot = 100000 // the host's id of root in a container with a user namespace

// useUserNamespace gives the container a user namespace, in which the root file system belongs to its root.
func useUserNamespace(t *testing.T, b *harness.Bundle) {
	t.Helper()
	b.Spec.Linux.Namespaces = append(b.Spec.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
	ids := []specs.LinuxIDMapping{{ContainerID: 0, HostID: mappedRoot, Size: 65536}}
	b.Spec.Linux.UIDMappings, b.Spec.Linux.GIDMappings = ids, ids
	err := filepath.WalkDir(b.Rootfs, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, mappedRoot, mappedRoot)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// addCapabilities gives the container's process more capabilities than it has by default.
func addCapabilities(b *harness.Bundle, names ...string) {
	c := b.Spec.Process.Capabilities
	for _, set := range []*[]string{&c.Bounding, &c.Effective, &c.Permitted} {
		*set = append(slices.Clone(*set), names...)
	}
}

// dropMounts takes the mounts at and below these places out of the config.
func dropMounts(b *harness.Bundle, places ...string) {
	b.Spec.Mounts = slices.DeleteFunc(b.Spec.Mounts, func(m specs.Mount) bool {
		return slices.ContainsFunc(places, func(place string) bool {
			return m.Destination == place || strings.HasPrefix(m.Destination, place+"/")
		})
	})
}

// bind mounts a file or directory of the host.
func bind(b *harness.Bundle, source, destination string, options ...string) {
	b.Spec.Mounts = append(b.Spec.Mounts, specs.Mount{
		Source: source, Destination: destination, Type: "bind", Options: append([]string{"rbind"}, options...),
	})
}

// tmpfs mounts an empty file system.
func tmpfs(b *harness.Bundle, destination string) {
	b.Spec.Mounts = append(b.Spec.Mounts, specs.Mount{Source: "tmpfs", Destination: destination, Type: "tmpfs"})
}

// namespace returns the config's entry for a namespace.
func namespace(t *testing.T, b *harness.Bundle, kind specs.LinuxNamespaceType) *specs.LinuxNamespace {
	t.Helper()
	for i := range b.Spec.Linux.Namespaces {
		if n := &b.Spec.Linux.Namespaces[i]; n.Type == kind {
			return n
		}
	}
	t.Fatalf("the default config has no %s namespace", kind)
	return nil
}

// dropNamespace takes a namespace out of the config: the container then shares that of the host.
func dropNamespace(b *harness.Bundle, kind specs.LinuxNamespaceType) {
	b.Spec.Linux.Namespaces = slices.DeleteFunc(b.Spec.Linux.Namespaces, func(n specs.LinuxNamespace) bool {
		return n.Type == kind
	})
}

// openTerminal returns the slave of a new terminal.
func openTerminal(t *testing.T) *os.File {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("needs a terminal of the host: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	return slave
}

// addHook gives the container a createRuntime hook, a shell on the host.
func addHook(b *harness.Bundle, line string) {
	b.Spec.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", line}}}}
}

// killHook ends a hook that has outlived its runtime: it is the host's process, and nobody's to end but ours.
func killHook(t *testing.T, pidFile string) {
	t.Helper()
	pid, err := strconv.Atoi(strings.TrimSpace(harness.ReadFile(t, pidFile)))
	if err != nil {
		t.Fatal(err)
	}
	_ = unix.Kill(-pid, unix.SIGKILL) // it leads a session
}
