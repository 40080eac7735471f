// SPDX-License-Identifier: Apache-2.0

// Package harness drives a finished rt binary from the outside: it makes bundles, runs commands on them, waits for
// conditions, and compares the host before and after. Everything that a bundle makes lies in one temporary directory,
// and goes when its test ends.
package harness

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Bundle is a bundle with its own state root and container id.
type Bundle struct {
	ID     string
	Dir    string      // of the bundle
	Rootfs string      // Dir/rootfs
	Root   string      // state root, the value of --root
	Spec   *specs.Spec // written to config.json before each Create and Run

	Config  []byte     // written in place of Spec, if it is set
	Env     []string   // added to the environment of rt
	Cwd     string     // of rt; the test's own if it is empty
	Stdin   *os.File   // of rt; /dev/null if it is nil
	Files   []*os.File // descriptors of rt from 3 on
	Wrapper []string   // command in front of rt, which ends in an exec of its arguments
	Systemd bool       // Create and Run let systemd make the control group

	User   uint32   // that rt runs as, with the group of the same number; see NewUserBundle
	Groups []uint32 // of that user, besides

	program string // in place of the binary under test, a copy
	base    string
	output  string // file that has the stdout of the last Create or Run
	calls   int
}

var bundleCount atomic.Int64

// NewBundle makes a bundle whose config is that of `rt spec`, without a terminal and with args as the program.
func NewBundle(t *testing.T, args ...string) *Bundle {
	t.Helper()
	needRoot(t)
	base, err := os.MkdirTemp("", "rt-test-")
	if err != nil {
		t.Fatal(err)
	}
	// A process of a user namespace has to get through.
	if err := os.Chmod(base, 0o755); err != nil {
		t.Fatal(err)
	}
	b := &Bundle{
		ID:     newID(t),
		Dir:    filepath.Join(base, "bundle"),
		Rootfs: filepath.Join(base, "bundle", "rootfs"),
		Root:   filepath.Join(base, "state"),
		Spec:   DefaultSpec(t),
		base:   base,

		Systemd: withSystemd,
	}
	t.Cleanup(func() { b.clean(t) })
	if err := makeRootfs(b.Rootfs); err != nil {
		t.Fatalf("make rootfs: %v", err)
	}
	if err := os.Mkdir(b.Root, 0o700); err != nil {
		t.Fatal(err)
	}
	b.Spec.Process.Terminal = false
	b.Spec.Process.Args = args
	return b
}

// newID returns an id that has the test's name in it and that nobody else has.
func newID(t *testing.T) string {
	name := strings.Map(func(r rune) rune {
		if r == '/' || r == '#' || r > 127 || strings.ContainsRune(" ,:()\"'", r) {
			return '-'
		}
		return r
	}, strings.TrimPrefix(t.Name(), "Test"))
	if len(name) > 60 {
		name = name[:60]
	}
	return fmt.Sprintf("rt-test-%s-%d-%04d", name, os.Getpid(), bundleCount.Add(1))
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: containers of the host's root are made")
	}
}

var findBinary = sync.OnceValues(func() (string, error) {
	path := os.Getenv("RT")
	if path == "" {
		path = filepath.Join("..", "..", "rt")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if info, err := os.Stat(path); err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
		return "", fmt.Errorf("find rt: %q is not a program (build it with make rt, or set RT to its path)", path)
	}
	return path, nil
})

// Binary returns the path of the rt under test.
func Binary(t *testing.T) string {
	t.Helper()
	path, err := findBinary()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var writeDefault = sync.OnceValues(func() ([]byte, error) {
	path, err := findBinary()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "rt-spec-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if out, err := exec.Command(path, "spec", "--bundle", dir).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("rt spec: %w: %s", err, out)
	}
	return os.ReadFile(filepath.Join(dir, "config.json"))
})

// DefaultSpec returns what `rt spec` writes.
func DefaultSpec(t *testing.T) *specs.Spec {
	t.Helper()
	config, err := writeDefault()
	if err != nil {
		t.Fatal(err)
	}
	s := &specs.Spec{}
	if err := json.Unmarshal(config, s); err != nil {
		t.Fatalf("decode the default config: %v", err)
	}
	return s
}

// CgroupName is the last element of the control group's path, if the config has no cgroupsPath.
func (b *Bundle) CgroupName() string {
	if b.Systemd {
		return "rt-" + b.ID + ".scope"
	}
	return b.ID
}

// Write writes config.json.
func (b *Bundle) Write(t *testing.T) {
	t.Helper()
	config := b.Config
	if config == nil {
		var err error
		if config, err = json.MarshalIndent(b.Spec, "", "\t"); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(b.Dir, "config.json")
	if err := os.WriteFile(path, config, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, int(b.User), int(b.User)); err != nil {
		t.Fatal(err)
	}
}

// Path returns a path of a file beside the bundle, outside of the container.
func (b *Bundle) Path(name string) string { return filepath.Join(b.base, name) }

// InRootfs returns the host's path of a file of the container.
func (b *Bundle) InRootfs(name string) string { return filepath.Join(b.Rootfs, name) }

// clean removes the container and everything that the test made. What rt should have removed is an error.
func (b *Bundle) clean(t *testing.T) {
	if got := b.RT(t, "delete", "--force", b.ID); got.Exit != 0 {
		t.Errorf("clean up: delete --force: exit %d: %s", got.Exit, got.Stderr)
	}
	for _, dir := range CgroupsOf(b.ID) {
		t.Errorf("clean up: control group left: %s", dir)
		removeCgroup(dir)
	}
	if b.User >= firstUser {
		for _, process := range ProcessesOf(b.User) {
			t.Errorf("clean up: process left: %s", process)
		}
	}
	for _, point := range mountsBelow(b.base) {
		t.Errorf("clean up: mount left: %s", point)
		detach(point)
	}
	if len(mountsBelow(b.base)) > 0 {
		return // removing would reach through the mount
	}
	if err := os.RemoveAll(b.base); err != nil {
		t.Errorf("clean up: %v", err)
	}
}
