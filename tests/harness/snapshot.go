// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// HostState is what a container must not change of the host, one text per fact.
type HostState struct {
	keys  []string
	root  string
	facts []string
}

// filterCache is where rt keeps compiled seccomp filters in a state root.
const filterCache = "@seccomp"

// Snapshot records the host: the processes, control groups and mounts that belong to the bundle, the mounts outside
// of the directory for temporary files, the bundle's state root, and owner and mode of files that matter. Other tests
// may run meanwhile.
func (b *Bundle) Snapshot(t *testing.T) *HostState {
	t.Helper()
	return snapshot(t, b.Root, b.ID, b.base)
}

func snapshot(t *testing.T, root string, keys ...string) *HostState {
	t.Helper()
	h := &HostState{keys: keys, root: root}
	h.processes()
	h.mounts()
	for _, dir := range CgroupsOf(keys[0]) {
		h.add("control group %s", dir)
	}
	entries, _ := os.ReadDir(root)
	for _, e := range entries {
		if e.Name() == filterCache {
			continue // what it has is of no container, and stays
		}
		h.add("state %s", e.Name())
	}
	h.files()
	if name, err := os.Hostname(); err == nil {
		h.add("host name %s", name)
	}
	return h
}

// WantSame demands that the host is as it was.
func (h *HostState) WantSame(t *testing.T) {
	t.Helper()
	for _, fact := range h.Difference(t) {
		t.Error("host is not as before: " + fact)
	}
}

// WantSameSoon demands that the host is as it was in a while: who was killed with SIGKILL cannot wait for its children.
func (h *HostState) WantSameSoon(t *testing.T) {
	t.Helper()
	Eventually(t, "host is as before: "+strings.Join(h.Difference(t), "; "), func() bool {
		return len(h.Difference(t)) == 0
	})
}

// Difference lists what was added to and what was removed from the host.
func (h *HostState) Difference(t *testing.T) []string {
	t.Helper()
	now := snapshot(t, h.root, h.keys...)
	var list []string
	for _, fact := range now.facts {
		if !slices.Contains(h.facts, fact) {
			list = append(list, "new: "+fact)
		}
	}
	for _, fact := range h.facts {
		if !slices.Contains(now.facts, fact) {
			list = append(list, "gone: "+fact)
		}
	}
	return list
}

func (h *HostState) add(format string, args ...any) {
	h.facts = append(h.facts, fmt.Sprintf(format, args...))
}

func (h *HostState) ours(text string) bool {
	return slices.ContainsFunc(h.keys, func(key string) bool { return strings.Contains(text, key) })
}

// releaseAgents are the programs that the kernel calls with the path of a v1 group that has become empty
// (cgroup-v1/cgroups.rst, "What does notify_on_release do?"): the host's, and not of the container that was there.
func releaseAgents() []string {
	var list []string
	files, _ := filepath.Glob("/sys/fs/cgroup/*/release_agent")
	for _, file := range files {
		if agent, err := os.ReadFile(file); err == nil && len(agent) > 1 {
			list = append(list, strings.TrimSpace(string(agent)))
		}
	}
	return list
}

// processes records who has the id or a path of the bundle in its arguments, environment, control group, root or
// current directory. A zombie is not ours to remove.
func (h *HostState) processes() {
	agents := releaseAgents()
	dirs, _ := os.ReadDir("/proc")
	for _, d := range dirs {
		pid, err := strconv.Atoi(d.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		proc := filepath.Join("/proc", d.Name())
		status, _ := os.ReadFile(filepath.Join(proc, "status"))
		if len(status) == 0 || strings.Contains(string(status), "State:\tZ") {
			continue
		}
		var text strings.Builder
		for _, name := range []string{"cmdline", "environ", "cgroup"} {
			content, _ := os.ReadFile(filepath.Join(proc, name))
			if program, _, _ := strings.Cut(string(content), "\x00"); name == "cmdline" && slices.Contains(agents, program) {
				break
			}
			text.Write(content)
			text.WriteByte('\n')
		}
		for _, name := range []string{"root", "cwd"} {
			target, _ := os.Readlink(filepath.Join(proc, name))
			text.WriteString(target + "\n")
		}
		if h.ours(text.String()) {
			name, _, _ := strings.Cut(string(status), "\n")
			h.add("process %d (%s)", pid, strings.TrimPrefix(name, "Name:\t"))
		}
	}
}

func (h *HostState) mounts() {
	for _, m := range mountinfo() {
		if h.ours(m.line) || !strings.HasPrefix(m.point, os.TempDir()+"/") {
			h.add("mount %s", m.line)
		}
	}
}

// files records owner, mode and device of what a runtime might touch by accident.
func (h *HostState) files() {
	list := []string{"/", "/dev", "/etc/passwd", "/etc/shadow", "/etc/group", "/etc/hosts"}
	nodes, _ := filepath.Glob("/dev/*")
	for _, path := range append(list, nodes...) {
		var s unix.Stat_t
		if unix.Lstat(path, &s) == nil {
			h.add("file %s owner %d:%d mode %o device %x", path, s.Uid, s.Gid, s.Mode, s.Rdev)
		}
	}
}

type mount struct{ line, point string }

// mountinfo reads the mounts that this process sees, without their numbers, which are no more than a history.
func mountinfo() []mount {
	content, _ := os.ReadFile("/proc/self/mountinfo")
	var list []mount
	for line := range strings.Lines(string(content)) {
		if f := strings.SplitN(strings.TrimSpace(line), " ", 5); len(f) == 5 {
			point, _, _ := strings.Cut(f[4], " ")
			list = append(list, mount{line: strings.Join(f[2:], " "), point: point})
		}
	}
	return list
}

// mountsBelow returns the mount points in dir, the innermost first.
func mountsBelow(dir string) []string {
	var list []string
	for _, m := range mountinfo() {
		if strings.HasPrefix(m.point, dir+"/") {
			list = append(list, m.point)
		}
	}
	slices.Reverse(list)
	return list
}

func detach(point string) { _ = unix.Unmount(point, unix.MNT_DETACH) }

// CgroupsOf returns the control groups with text in their path, parents first.
func CgroupsOf(text string) []string {
	var list []string
	_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.Contains(path, text) {
			list = append(list, path)
		}
		return nil
	})
	return list
}

// removeCgroup kills who is in a group and removes it with its children. It is for what a failed test leaves.
func removeCgroup(dir string) {
	for end := time.Now().Add(deadline / 10); exists(dir) && time.Now().Before(end); time.Sleep(time.Millisecond) {
		for _, group := range slices.Backward(CgroupsOf(dir)) {
			procs, _ := os.ReadFile(filepath.Join(group, "cgroup.procs"))
			for _, field := range strings.Fields(string(procs)) {
				if pid, err := strconv.Atoi(field); err == nil && pid > 1 {
					_ = unix.Kill(pid, unix.SIGKILL)
				}
			}
			_ = unix.Rmdir(group)
		}
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
