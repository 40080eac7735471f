// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The tests named TestHost work on the control groups of this machine, as root. On a hybrid they run twice more, in
// processes that see what a pure v2 and a pure v1 host would show: TestPureViews.

const viewVariable = "RT_CGROUP_TEST_VIEW"

// views are the mounts, in a mount namespace of their own, that make a hybrid look like one of its halves.
var views = map[string]func() error{
	"v1": func() error { return unix.Mount("none", "/sys/fs/cgroup/unified", "tmpfs", 0, "") },
	"v2": func() error { return unix.Mount("/sys/fs/cgroup/unified", "/sys/fs/cgroup", "", unix.MS_BIND, "") },
}

func TestMain(m *testing.M) {
	if mount, ok := views[os.Getenv(viewVariable)]; ok {
		if err := mount(); err != nil {
			fmt.Fprintln(os.Stderr, "change the view of the control groups:", err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

func TestPureViews(t *testing.T) {
	if l := hostLayout(t); l.Version != Hybrid {
		t.Skipf("the host has %v, not a hybrid that can be made to look like v1 or v2", l)
	}
	keepSubtreeControl(t)
	for view := range views {
		t.Run(view, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.run=^TestHost", "-test.v="+strconv.FormatBool(testing.Verbose()))
			cmd.Env = append(os.Environ(), viewVariable+"="+view)
			cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
			output, err := cmd.CombinedOutput()
			if err != nil || testing.Verbose() {
				t.Logf("%s", output)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestHostIsWhatTheViewShows(t *testing.T) {
	if view := os.Getenv(viewVariable); view != "" && hostLayout(t).Version.String() != view {
		t.Errorf("the layout is %v, want %s", hostLayout(t), view)
	}
}

// keepSubtreeControl disables again, after the test, what a v2 host would have enabled in the root group.
func keepSubtreeControl(t *testing.T) {
	const root = "/sys/fs/cgroup/unified"
	before, err := readControl(root, "cgroup.subtree_control")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		after, _ := readControl(root, "cgroup.subtree_control")
		for controller := range strings.FieldsSeq(after) {
			if !slices.Contains(strings.Fields(before), controller) {
				// Someone may use it by now; it is his then.
				_ = writeControl(root, "cgroup.subtree_control", "-"+controller)
			}
		}
	})
}

func hostLayout(t *testing.T) Layout {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("control groups of the host can be made by root only")
	}
	l, err := Detect()
	if err != nil {
		t.Skip(err)
	}
	return l
}

// hostGroup places a group with a parent of its own, and removes both after the test.
func hostGroup(t *testing.T) *Group {
	t.Helper()
	g, err := hostLayout(t).Place(fmt.Sprintf("/rt-test-%d-%s/leaf", os.Getpid(), strings.ReplaceAll(t.Name(), "/", "-")), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		parents, err := FromPaths(maps.Collect(func(yield func(string, string) bool) {
			for controller, dir := range g.Paths() {
				if !yield(controller, filepath.Dir(dir)) {
					return
				}
			}
		}))
		if err == nil {
			err = parents.Kill(unix.SIGKILL)
		}
		if err == nil {
			err = parents.Remove(5 * time.Second)
		}
		if err != nil {
			t.Error(err)
		}
	})
	return g
}

func createdGroup(t *testing.T) *Group {
	t.Helper()
	g := hostGroup(t)
	if err := g.Create(); err != nil {
		t.Fatal(err)
	}
	return g
}

// inGroup prepares a shell script that runs in the group from its beginning: in the way the stage is put there.
func inGroup(t *testing.T, g *Group, script string) *exec.Cmd {
	t.Helper()
	files, err := g.TaskFiles()
	if err != nil {
		t.Fatal(err)
	}
	join := ""
	for i := range files {
		join += fmt.Sprintf("echo 0 >&%d; exec %d>&-; ", 3+i, 3+i)
	}
	cmd := exec.Command("bash", "-c", join+script)
	for _, fd := range files {
		cmd.ExtraFiles = append(cmd.ExtraFiles, os.NewFile(uintptr(fd), "tasks"))
	}
	directory, err := g.CloneDirectory()
	if err != nil {
		t.Fatal(err)
	}
	if directory >= 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: directory}
	}
	t.Cleanup(func() {
		for _, f := range cmd.ExtraFiles {
			f.Close()
		}
		unix.Close(directory)
	})
	return cmd
}

// startInGroup starts a script that prints a line when it is ready, and waits for that.
func startInGroup(t *testing.T, g *Group, script string) *exec.Cmd {
	t.Helper()
	cmd := inGroup(t, g, script)
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	cmd.Stdout = writer
	err = cmd.Start()
	writer.Close()
	if err != nil {
		t.Fatal(err)
	}
	go cmd.Wait() // zombies have left their group, but not the process table
	if _, err := reader.Read(make([]byte, 1)); err != nil {
		t.Fatalf("the script %q did not get ready: %v", script, err)
	}
	return cmd
}

func wantMissing(t *testing.T, g *Group) {
	t.Helper()
	for controller, dir := range g.Paths() {
		if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("directory %q of controller %q is still there (%v)", dir, controller, err)
		}
	}
}

func TestHostCreateJoinRemove(t *testing.T) {
	g := createdGroup(t)
	if len(g.Kept()) != 0 {
		t.Errorf("kept %q", g.Kept())
	}
	output, err := inGroup(t, g, "cat /proc/self/cgroup").Output()
	if err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(t.TempDir(), "own")
	if err := os.WriteFile(own, output, 0o600); err != nil {
		t.Fatal(err)
	}
	in, err := readOwn(own)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range g.members {
		if got := filepath.Join(m.mount, in[m.controllers[0]]); got != m.dir {
			t.Errorf("controllers %q: the process is in %q, not in %q", m.controllers, got, m.dir)
		}
	}
	if kills, err := g.OOMKills(); kills != 0 || err != nil {
		t.Errorf("OOM kills: %d, %v", kills, err)
	}
	if g.Version() == V2 {
		offered, _ := readControl(g.members[0].mount, "cgroup.controllers")
		if got, _ := readControl(g.members[0].dir, "cgroup.controllers"); got != offered {
			t.Errorf("controllers: got %q, want %q", got, offered)
		}
	}
	if err := g.Remove(time.Second); err != nil {
		t.Fatal(err)
	}
	wantMissing(t, g)
	pids, err := g.Processes()
	frozen, frozenErr := g.Frozen()
	if len(pids) != 0 || frozen || err != nil || frozenErr != nil || g.Kill(unix.SIGKILL) != nil || g.WaitEmpty(0) != nil {
		t.Errorf("a removed group: processes %v, %v; frozen %v, %v", pids, err, frozen, frozenErr)
	}
}

func TestHostRollbackRemovesParents(t *testing.T) {
	g := createdGroup(t)
	if err := g.Rollback(time.Second); err != nil {
		t.Fatal(err)
	}
	for _, dir := range g.Paths() {
		if _, err := os.Lstat(filepath.Dir(dir)); err == nil {
			t.Errorf("parent of %q is still there", dir)
		}
	}
}

func TestHostCreateRefusesAGroupInUse(t *testing.T) {
	g := createdGroup(t)
	startInGroup(t, g, "sleep 1000 >&- & echo; exec sleep 1000")
	second, err := FromPaths(g.Paths())
	if err != nil {
		t.Fatal(err)
	}
	copy(second.members, g.members) // with the mount points, which FromPaths doesn't need
	err = second.Create()
	if err == nil || !strings.HasPrefix(err.Error(), "container's cgroup is not empty: 2 process(es) found") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Lstat(g.members[0].dir); err != nil {
		t.Error(err)
	}
}

// freezeByHand does to dir what an administrator would.
func freezeByHand(t *testing.T, g *Group, below string) {
	t.Helper()
	name, value := "freezer.state", "FROZEN"
	m, ok := g.controller("freezer")
	if !ok {
		m, _ = g.unified()
		name, value = "cgroup.freeze", "1"
	}
	dir := filepath.Join(m.dir, below)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := writeControl(dir, name, value); err != nil {
		t.Fatal(err)
	}
}

func TestHostCreateRefusesAFrozenGroup(t *testing.T) {
	for _, below := range []string{".", ".."} { // the group itself, and the one above it
		g := hostGroup(t)
		freezeByHand(t, g, below)
		if err := g.Create(); !errors.Is(err, ErrFrozen) {
			t.Errorf("%s: got %v", below, err)
		}
		left := 0
		for _, m := range g.members {
			if os.Remove(m.dir) == nil {
				left++
			}
		}
		if want := map[string]int{".": 1, "..": 0}[below]; left != want {
			t.Errorf("%s: %d directories are left, want %d", below, left, want)
		}
	}
}

// BenchmarkHostCreateRemove measures what a container pays for its group, without joining it.
func BenchmarkHostCreateRemove(b *testing.B) {
	l, err := Detect()
	if err != nil || os.Geteuid() != 0 {
		b.Skip("needs control groups and root", err)
	}
	for i := range b.N {
		g, err := l.Place(fmt.Sprintf("/rt-test-bench-%d-%d", os.Getpid(), i), "")
		if err == nil {
			err = g.Create()
		}
		if err == nil {
			err = g.SetDevices(nil)
		}
		if err == nil {
			err = g.Remove(time.Second)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
