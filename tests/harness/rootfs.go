// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

const passwd = `root:x:0:0:root:/root:/bin/sh
user:x:1000:1000:user:/home/user:/bin/sh
`

const group = `root:x:0:
tty:x:5:
user:x:1000:
`

type busyboxProgram struct {
	program []byte
	applets []string
}

var busybox = sync.OnceValues(func() (busyboxProgram, error) {
	path, err := exec.LookPath("busybox")
	if err != nil {
		return busyboxProgram{}, fmt.Errorf("find busybox (Debian: busybox-static): %w", err)
	}
	program, err := os.ReadFile(path)
	if err != nil {
		return busyboxProgram{}, err
	}
	list, err := exec.Command(path, "--list").Output()
	return busyboxProgram{program, strings.Fields(string(list))}, err
})

// MakeRootfs makes a root file system for a test that has no Bundle.
func MakeRootfs(t *testing.T, rootfs string) {
	t.Helper()
	if err := makeRootfs(rootfs); err != nil {
		t.Fatalf("make rootfs: %v", err)
	}
}

// makeRootfs makes a root file system of a static busybox. The mount points of the default config are missing, as
// rt has to make them.
func makeRootfs(rootfs string) error {
	box, err := busybox()
	if err != nil {
		return err
	}
	for _, d := range []struct {
		path string
		mode os.FileMode
	}{
		{"bin", 0o755}, {"etc", 0o755}, {"home/user", 0o755}, {"root", 0o700}, {"tmp", 0o777 | os.ModeSticky},
	} {
		dir := filepath.Join(rootfs, d.path)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := os.Chmod(dir, d.mode); err != nil {
			return err
		}
	}
	program := filepath.Join(rootfs, "bin", "busybox")
	if err := write(program, box.program, 0o755); err != nil {
		return err
	}
	for _, applet := range box.applets {
		if applet == "busybox" {
			continue
		}
		if err := os.Link(program, filepath.Join(rootfs, "bin", applet)); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(rootfs, "etc/passwd"), []byte(passwd), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(rootfs, "etc/group"), []byte(group), 0o644); err != nil {
		return err
	}
	return os.Chown(filepath.Join(rootfs, "home/user"), 1000, 1000)
}

// write writes a file while nothing is forked: a child that has a program open for writing, until its own execve, would
// make that of the program fail with ETXTBSY.
func write(path string, content []byte, mode os.FileMode) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return os.WriteFile(path, content, mode)
}

// Mkdir makes a directory with its parents, with exactly this mode, and returns its path.
func Mkdir(t *testing.T, path string, mode os.FileMode) string {
	t.Helper()
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// WriteFile makes a file with exactly this mode, and the directories that lead to it, and returns its path.
func WriteFile(t *testing.T, path, content string, mode os.FileMode) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := write(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// Symlink makes a symbolic link and the directories that lead to it.
func Symlink(t *testing.T, target, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}

// ReadFile returns the content of a file.
func ReadFile(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// BuildProgram builds a static program of a test, in a directory of its package, and returns the program. Where there is
// no Go, RT_TEST_PROGRAMS is a directory with programs that were built before.
func BuildProgram(directory string) (string, error) {
	if built := os.Getenv("RT_TEST_PROGRAMS"); built != "" {
		program, err := os.ReadFile(filepath.Join(built, filepath.Base(directory)))
		return string(program), err
	}
	dir, err := os.MkdirTemp("", "rt-program-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	cmd := exec.Command("go", "build", "-o", filepath.Join(dir, "program"), directory)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w: %s", directory, err, out)
	}
	program, err := os.ReadFile(filepath.Join(dir, "program"))
	return string(program), err
}
