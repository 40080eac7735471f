// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/tests/harness"
)

func bind(source, destination string, options ...string) specs.Mount {
	return specs.Mount{Source: source, Destination: destination, Type: "bind", Options: options}
}

func tmpfs(destination string, options ...string) specs.Mount {
	return specs.Mount{Source: "tmpfs", Destination: destination, Type: "tmpfs", Options: options}
}

// shell makes a bundle that runs a script.
func shell(t *testing.T, lines ...string) *harness.Bundle {
	t.Helper()
	return harness.NewBundle(t, "sh", "-c", strings.Join(lines, "\n"))
}

// writable makes the bundle's root file system writable, as the default is not.
func writable(b *harness.Bundle) *harness.Bundle {
	b.Spec.Root.Readonly = false
	return b
}

func pointer[T any](v T) *T { return &v }

// setNamespace gives the bundle a namespace; path is "" for a new one.
func setNamespace(b *harness.Bundle, kind specs.LinuxNamespaceType, path string) {
	dropNamespace(b, kind)
	b.Spec.Linux.Namespaces = append(b.Spec.Linux.Namespaces, specs.LinuxNamespace{Type: kind, Path: path})
}

// dropNamespace makes the container share a namespace with the host.
func dropNamespace(b *harness.Bundle, kind specs.LinuxNamespaceType) {
	b.Spec.Linux.Namespaces = slices.DeleteFunc(b.Spec.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == kind })
}

// dropMount removes the mount at destination.
func dropMount(b *harness.Bundle, destination string) {
	b.Spec.Mounts = slices.DeleteFunc(b.Spec.Mounts, func(m specs.Mount) bool { return m.Destination == destination })
}

// mountAt returns the config's mount at destination.
func mountAt(t *testing.T, b *harness.Bundle, destination string) *specs.Mount {
	t.Helper()
	for i := range b.Spec.Mounts {
		if b.Spec.Mounts[i].Destination == destination {
			return &b.Spec.Mounts[i]
		}
	}
	t.Fatalf("the config has no mount at %s", destination)
	return nil
}

// grant adds capabilities to the sets that a program of uid 0 uses.
func grant(b *harness.Bundle, names ...string) {
	c := b.Spec.Process.Capabilities
	c.Bounding = append(c.Bounding, names...)
	c.Effective = append(c.Effective, names...)
	c.Permitted = append(c.Permitted, names...)
}

// mapIDs gives the bundle a user namespace in which the ids from 0 on are those from 100000 and 200000 on of the host,
// who own the root file system from then on.
func mapIDs(t *testing.T, b *harness.Bundle) {
	t.Helper()
	giveRoot(t, b)
	setNamespace(b, specs.UserNamespace, "")
	b.Spec.Linux.UIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: 100000, Size: 65536}}
	b.Spec.Linux.GIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: 200000, Size: 65536}}
}

// giveRoot makes the users of mapIDs own the root file system.
func giveRoot(t *testing.T, b *harness.Bundle) {
	t.Helper()
	err := filepath.WalkDir(b.Rootfs, func(path string, _ fs.DirEntry, err error) error {
		var s unix.Stat_t
		if err == nil {
			err = unix.Lstat(path, &s)
		}
		if err != nil || s.Uid >= 100000 {
			return err
		}
		if err := os.Lchown(path, int(s.Uid)+100000, int(s.Gid)+200000); err != nil || s.Mode&unix.S_IFMT == unix.S_IFLNK {
			return err
		}
		return unix.Chmod(path, s.Mode&0o7777)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func itoa(n uint64) string { return strconv.FormatUint(n, 10) }

func inode(t *testing.T, path string) string {
	t.Helper()
	var s unix.Stat_t
	if err := unix.Stat(path, &s); err != nil {
		t.Fatal(err)
	}
	return itoa(s.Ino)
}
