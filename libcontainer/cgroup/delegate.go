// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// delegateFile lists the files of a group that may belong to whom the group is delegated to (cgroups(7), "cgroup v2
// delegation"; Linux 4.15).
const delegateFile = "/sys/kernel/cgroup/delegate"

// Delegate gives the group to a user of the host, who can then make groups below it and move its processes between
// them. The limits stay root's: they are of the files that the kernel does not list (config-linux.md, "Cgroup
// ownership"). v1 groups are never given away: the specification warns of it, so there it does nothing.
func (g *Group) Delegate(uid int) error { return g.delegate(uid, delegateFile) }

func (g *Group) delegate(uid int, list string) error {
	m, ok := g.unified()
	if !ok || g.Version() != V2 {
		return nil
	}
	files, err := delegatedFiles(list)
	if err != nil {
		return err
	}
	if err := unix.Lchown(m.dir, uid, -1); err != nil {
		return fmt.Errorf("give control group to user %d: chown %q: %w", uid, m.dir, err)
	}
	for _, name := range files {
		path := filepath.Join(m.dir, name)
		// Not every group has every file: memory.oom.group needs the memory controller.
		if err := unix.Lchown(path, uid, -1); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("give control group to user %d: chown %q: %w", uid, path, err)
		}
	}
	return nil
}

// delegatedFiles reads the kernel's list; the specification has one for kernels without it.
func delegatedFiles(list string) ([]string, error) {
	content, err := os.ReadFile(list)
	if errors.Is(err, os.ErrNotExist) {
		return []string{"cgroup.procs", "cgroup.subtree_control", "cgroup.threads"}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read which files of a control group can be given away: %w", err)
	}
	return strings.Fields(string(content)), nil
}
