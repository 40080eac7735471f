// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/sys"
)

// CloneDirectory opens the group's directory in the unified tree, for clone3 with CLONE_INTO_CGROUP, which starts a
// process there without the global lock that a write to cgroup.procs takes. It returns -1 on a pure v1 host.
func (g *Group) CloneDirectory() (int, error) {
	m, ok := g.unified()
	if !ok {
		return -1, nil
	}
	// O_PATH is enough for clone3, and such a descriptor could read or write nothing if it leaked.
	return sys.Open(m.dir, unix.O_PATH|unix.O_DIRECTORY)
}

// TaskFiles opens the "tasks" file of each v1 hierarchy for writing. The stage writes "0" into each, which moves the
// writing thread; a process with one thread so moves as a whole, and does not wait for the lock and the RCU grace
// period that cgroup.procs costs (kernel: cgroup_attach_lock, which only a whole thread group takes). The caller
// closes the files.
func (g *Group) TaskFiles() ([]int, error) {
	var files []int
	for _, m := range g.members {
		if m.unified() {
			continue
		}
		fd, err := sys.Open(m.dir+"/tasks", unix.O_WRONLY)
		if err != nil {
			for _, opened := range files {
				unix.Close(opened)
			}
			return nil, err
		}
		files = append(files, fd)
	}
	return files, nil
}
