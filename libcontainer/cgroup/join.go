// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"os"

	"golang.org/x/sys/unix"
)

// CloneDirectory opens the group's directory in the unified tree, for clone3 with CLONE_INTO_CGROUP, which starts a
// process there without the global lock that a write to cgroup.procs takes. It returns nil on a pure v1 host.
func (g *Group) CloneDirectory() (*os.File, error) {
	m, ok := g.unified()
	if !ok {
		return nil, nil
	}
	// O_PATH is enough for clone3, and such a descriptor could read or write nothing if it leaked.
	return open(m.dir, unix.O_PATH|unix.O_DIRECTORY)
}

// TaskFiles opens the "tasks" file of each v1 hierarchy for writing. The stage writes "0" into each, which moves the
// writing thread; a process with one thread so moves as a whole, and does not wait for the lock and the RCU grace
// period that cgroup.procs costs (kernel: cgroup_attach_lock, which only a whole thread group takes). The caller
// closes the files.
func (g *Group) TaskFiles() ([]*os.File, error) {
	var files []*os.File
	for _, m := range g.members {
		if m.unified() {
			continue
		}
		f, err := open(m.dir+"/tasks", unix.O_WRONLY)
		if err != nil {
			for _, opened := range files {
				opened.Close()
			}
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}
