package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

const runtimeTools = "github.com/opencontainers/runtime-tools"

// A module is one pinned version of the suite: the directory of its go.mod, and the programs that are built from it.
type module struct {
	name     string
	dir      string
	packages []string
}

func modules() []module {
	return []module{
		{"head", ".", []string{"/validation/..."}},
		// Newer versions compare two pointers in these programs and can't pass.
		{"pids2505", "pids2505", []string{
			"/validation/delete_resources", "/validation/linux_cgroups_pids", "/validation/linux_cgroups_relative_pids",
		}},
	}
}

// suite is the directory that holds the built programs, one directory for each module.
type suite string

// dir returns the working directory for the programs of a module: bin/NAME, runtimetest and rootfs-ARCH.tar.gz.
func (s suite) dir(module string) string { return filepath.Join(string(s), module) }

// prepareSuite builds all programs unless an earlier run has left them in the user's cache directory.
func prepareSuite(ctx context.Context) (suite, error) {
	key, err := suiteKey()
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a directory for the programs: %w", err)
	}
	parent := filepath.Join(cache, "rt-conformance")
	dir := filepath.Join(parent, key)
	if _, err := os.Stat(dir); err == nil {
		return suite(dir), nil
	}
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", fmt.Errorf("prepare the cache: %w", err)
	}
	unfinished, err := os.MkdirTemp(parent, "unfinished-")
	if err != nil {
		return "", fmt.Errorf("prepare the cache: %w", err)
	}
	defer os.RemoveAll(unfinished)
	fmt.Println("# building the suite, once; later runs find it in", dir)
	for _, m := range modules() {
		if err := m.build(ctx, filepath.Join(unfinished, m.name)); err != nil {
			return "", fmt.Errorf("build the suite of module %s: %w", m.name, err)
		}
	}
	// Another run may have finished the same build in the meantime; either is good.
	if err := os.Rename(unfinished, dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("keep the suite: %w", err)
	}
	return suite(dir), nil
}

// lockSuite waits until no other run uses the suite: the programs use control groups of fixed names.
func lockSuite(s suite) (unlock func(), err error) {
	f, err := os.Open(string(s))
	if err != nil {
		return nil, fmt.Errorf("lock the suite: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("lock the suite: flock %s: %w", s, err), f.Close())
	}
	return func() { f.Close() }, nil
}

// suiteKey names a build after all that decides what it holds.
func suiteKey() (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, runtime.Version(), runtime.GOARCH)
	for _, m := range modules() {
		for _, name := range []string{"go.mod", "go.sum"} {
			data, err := os.ReadFile(filepath.Join(m.dir, name))
			if err != nil {
				return "", fmt.Errorf("read the pinned versions: %w", err)
			}
			h.Write(data)
		}
		fmt.Fprintln(h, m.packages)
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:8]), nil
}

func (m module) build(ctx context.Context, dir string) error {
	if err := os.MkdirAll(filepath.Join(dir, "bin"), 0o755); err != nil {
		return err
	}
	programs := []string{"build", "-mod=readonly", "-ldflags=-s -w", "-o", filepath.Join(dir, "bin") + "/"}
	for _, p := range m.packages {
		programs = append(programs, runtimeTools+p)
	}
	if _, err := m.goCommand(ctx, programs...); err != nil {
		return err
	}
	// It is copied into the containers, so it must be static.
	if _, err := m.goCommand(ctx, "build", "-mod=readonly", "-tags=netgo,osusergo", "-ldflags=-s -w",
		"-o", filepath.Join(dir, "runtimetest"), runtimeTools+"/cmd/runtimetest"); err != nil {
		return err
	}
	source, err := m.goCommand(ctx, "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", runtimeTools)
	if err != nil {
		return err
	}
	rootfs := "rootfs-" + runtime.GOARCH + ".tar.gz"
	data, err := os.ReadFile(filepath.Join(strings.TrimSpace(source), rootfs))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, rootfs), data, 0o644)
}

// goCommand runs the go command in the module's directory and returns its standard output.
func (m module) goCommand(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = m.dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w", args[0], err)
	}
	return string(out), nil
}
