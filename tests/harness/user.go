// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// firstUser is the first of the user numbers that the tests take, which nobody else has.
const firstUser = 56000

var userCount atomic.Uint32

// NewUserBundle is NewBundle for an ordinary user of its own: rt runs with the user's id and no other group, the bundle
// is the user's, and its config is that of `rt spec --rootless`.
func NewUserBundle(t *testing.T, args ...string) *Bundle {
	t.Helper()
	return NewBundleOf(t, firstUser+uint32(os.Getpid()%1000)+1000*userCount.Add(1), args...)
}

// NewBundleOf is NewUserBundle for one user.
func NewBundleOf(t *testing.T, user uint32, args ...string) *Bundle {
	t.Helper()
	b := NewBundle(t, args...)
	b.User = user
	b.Systemd = false // most users have no systemd
	// Where the program under test lies, the user need not get at it. The copy is made by another process: children that
	// are started meanwhile would inherit a descriptor of ours that is open for writing, and execve would fail.
	b.program = filepath.Join(b.base, "rt")
	if out, err := exec.Command("install", "-m", "755", Binary(t), b.program).CombinedOutput(); err != nil {
		t.Fatalf("copy rt: %v: %s", err, out)
	}
	err := filepath.WalkDir(b.base, func(path string, _ fs.DirEntry, err error) error {
		if err == nil {
			err = os.Lchown(path, int(b.User), int(b.User))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	b.Raw(t, "spec", "--rootless", "--bundle", b.Dir).WantExit(t, 0)
	b.Spec = &specs.Spec{}
	if err := json.Unmarshal([]byte(ReadFile(t, filepath.Join(b.Dir, "config.json"))), b.Spec); err != nil {
		t.Fatal(err)
	}
	b.Spec.Process.Terminal = false
	b.Spec.Process.Args = args
	return b
}

// asUser lets a command run as the bundle's user. A wrapper is root's, and has to become the user by itself.
func (b *Bundle) asUser(cmd *exec.Cmd) {
	if b.User != 0 && len(b.Wrapper) == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: b.User, Gid: b.User, Groups: b.Groups}}
	}
}

// ProcessesOf lists the processes of a user, by the first id in their status.
func ProcessesOf(user uint32) []string {
	var list []string
	files, _ := filepath.Glob("/proc/[0-9]*/status")
	for _, file := range files {
		status, _ := os.ReadFile(file)
		if strings.Contains(string(status), "\nUid:\t"+strconv.FormatUint(uint64(user), 10)+"\t") && !strings.Contains(string(status), "State:\tZ") {
			list = append(list, filepath.Dir(file))
		}
	}
	return list
}
