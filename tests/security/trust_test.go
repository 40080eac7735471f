// SPDX-License-Identifier: Apache-2.0

package security

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/tests/harness"
)

// as runs part of a test as another user than the bundle's.
func as(b *harness.Bundle, user uint32, part func()) {
	own := b.User
	b.User = user
	defer func() { b.User = own }()
	part()
}

// A state names processes to be killed, control groups to be removed and hooks to be run: root must not do that for the
// user who has written it, nor a user for another one.
func TestTheStateOfAnotherUserIsNotBelieved(t *testing.T) {
	t.Parallel()
	b := harness.NewUserBundle(t, "sleep", "1000")
	marker := b.Path("marker")
	b.Spec.Hooks = &specs.Hooks{Poststop: []specs.Hook{{Path: "/usr/bin/touch", Args: []string{"touch", marker}}}}
	b.Run(t, "-d").WantExit(t, 0)
	if err := os.Chmod(b.Root, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, user := range []uint32{0, b.User + 500} {
		as(b, user, func() {
			for _, command := range [][]string{
				{"state", b.ID},
				{"kill", b.ID, "KILL"},
				{"delete", "--force", b.ID},
				{"start", b.ID},
				{"pause", b.ID},
				{"ps", b.ID},
				{"events", "--stats", b.ID},
				{"stats", "--no-stream", b.ID},
				{"stats", "--no-stream"},
				{"list"},
				{"create", "--bundle", b.Dir, "another"},
			} {
				b.RT(t, command...).WantFailure(t)
			}
			if user == 0 {
				b.RT(t, "delete", "--force", b.ID).WantOneError(t, "state can't be trusted", b.Root, "belongs to user", "call rt as that user")
				b.Exec(t, nil, "true").WantExecError(t, "state can't be trusted")
				b.RT(t, "create", "--bundle", b.Dir, "another").WantOneError(t, "state can't be trusted")
				b.RT(t, "list").WantOneError(t, "state can't be trusted")
			}
		})
	}
	if got := b.State(t).Status; got != specs.StateRunning {
		t.Errorf("the container is %s", got)
	}
	if _, err := os.Lstat(marker); err == nil {
		t.Error("the hook of a user has run")
	}
}

// In a directory that everybody can write to, as a careless --root or XDG_RUNTIME_DIR names it, others may have put
// something. What is ours there is used.
func TestTheStateThatSomebodyHasPutThere(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "true")
	foreign := harness.Mkdir(t, filepath.Join(b.Root, "foreign"), 0o777)
	open := harness.Mkdir(t, filepath.Join(b.Root, "open"), 0o700)
	link := filepath.Join(b.Root, "link")
	harness.Symlink(t, foreign, link)
	harness.WriteFile(t, filepath.Join(foreign, "state.json"), `{"id":"foreign"}`, 0o666)
	harness.WriteFile(t, filepath.Join(open, "state.json"), `{"id":"open"}`, 0o600)
	for path, mode := range map[string]os.FileMode{b.Root: 0o777 | os.ModeSticky, open: 0o777} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(foreign, 56999, 56999); err != nil {
		t.Fatal(err)
	}
	b.RT(t, "delete", "--force", "foreign").WantOneError(t, "state can't be trusted", "foreign", "belongs to user 56999")
	b.RT(t, "delete", "--force", "open").WantOneError(t, "state can't be trusted", "open", "can be written by others (mode 777)")
	b.RT(t, "delete", "--force", "link").WantOneError(t, "state can't be trusted", "link", "symbolic link")
	b.Create(t).WantExit(t, 0)
	b.RT(t, "list", "-q").WantExit(t, 0).WantStdoutIs(t, b.ID).WantStderr(t, "foreign", "open")
	b.Delete(t).WantExit(t, 0)
	for _, dir := range []string{foreign, open} {
		if _, err := os.Lstat(filepath.Join(dir, "state.json")); err != nil {
			t.Error(err)
		}
	}

	if err := os.Chmod(b.Root, 0o777); err != nil {
		t.Fatal(err)
	}
	before := b.Snapshot(t)
	b.Create(t).WantOneError(t, "state can't be trusted", b.Root, "can be written by others (chmod go-w")
	before.WantSame(t)
	if err := os.Chmod(b.Root, 0o775); err != nil { // as a umask of 002 makes it; the group is ours
		t.Fatal(err)
	}
	b.Run(t).WantExit(t, 0)
	if err := os.Chown(b.Root, 0, 56999); err != nil {
		t.Fatal(err)
	}
	b.Run(t).WantOneError(t, "state can't be trusted", b.Root, "can be written by others")
	if err := os.Chmod(b.Root, 0o700); err != nil {
		t.Fatal(err)
	}
}
