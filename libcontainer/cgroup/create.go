// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ErrFrozen refuses a group in which a new process would stand still at once. Callers match the text.
var ErrFrozen = errors.New("container's cgroup unexpectedly frozen")

// Create makes the group's directory in every hierarchy and readies it for its first process. Nothing is left when
// it returns an error. A group that exists already is accepted if it is empty: some callers make it, with limits,
// before they call. Sharing one with running processes is refused, since kill and delete act on whole groups.
func (g *Group) Create() (err error) {
	defer func() {
		if err != nil {
			g.unmake()
		}
	}()
	for _, m := range g.members {
		existed, err := g.makeDirectory(m.mount, m.dir)
		if err != nil {
			return err
		}
		if existed && g.keeper == nil {
			err = walk(m.dir, g.keepFound)
		}
		if err != nil {
			return err
		}
	}
	if g.keeper == nil { // otherwise a placeholder is in it, and StartUnit has looked
		if err := g.checkEmpty(); err != nil {
			return err
		}
	}
	// Also for new directories: below a frozen group everything is born frozen.
	if err := g.checkThawed(); err != nil {
		return err
	}
	for _, m := range g.members {
		switch {
		case slices.Contains(m.controllers, "cpuset"):
			err = inheritCpuset(m.mount, m.dir)
		case m.unified() && g.Version() == V2:
			// In a hybrid the controllers of the unified tree are the host's business: enabling one would take
			// it from whoever wants to mount it as v1.
			err = enableControllers(m.mount, m.dir)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// checkThawed refuses a group in which a process would stand still.
func (g *Group) checkThawed() error {
	frozen, err := g.Frozen()
	if err == nil && frozen {
		err = ErrFrozen
	}
	return err
}

// keepFound adds a directory that was there before to those that Remove leaves. Their paths go into the state file,
// so a nesting that is too deep to have a usable path is refused rather than written down level by level.
func (g *Group) keepFound(d directory) error {
	if len(d.path) >= unix.PathMax {
		return fmt.Errorf("use control group %q, which was there before: %w", d, unix.ENAMETOOLONG)
	}
	g.kept = append(g.kept, string(d.path))
	return nil
}

// Rollback undoes a Create whose container did not come to life: Remove, and then the parents that Create made, if
// nobody else has moved in. After a successful create the parents stay (see Remove), so this is not for delete.
func (g *Group) Rollback(deadline time.Duration) error {
	err := g.Remove(deadline)
	g.unmake()
	return err
}

// unmake removes what Create made, innermost first.
func (g *Group) unmake() {
	for _, dir := range slices.Backward(g.made) {
		// The directories are empty, or gone; EBUSY is a neighbour who has put his group into a common parent.
		_ = unix.Rmdir(dir)
	}
	g.made = nil
}

// makeDirectory makes dir and what is missing between it and mount, and tells whether dir existed already.
func (g *Group) makeDirectory(mount, dir string) (existed bool, err error) {
	// A neighbour's Rollback may take a common parent away before we are in it: then once more.
	for range 10 {
		err = unix.Mkdir(dir, 0o755)
		switch {
		case err == nil:
			g.made = append(g.made, dir)
			return false, nil
		case errors.Is(err, unix.EEXIST):
			return true, isDirectory(dir)
		case !errors.Is(err, unix.ENOENT):
			return false, mkdirError(dir, err)
		}
		parent := mount
		for component := range strings.SplitSeq(strings.TrimPrefix(filepath.Dir(dir), mount), "/") {
			parent = filepath.Join(parent, component)
			parentErr := unix.Mkdir(parent, 0o755)
			if parentErr == nil {
				g.made = append(g.made, parent)
			} else if !errors.Is(parentErr, unix.EEXIST) && !errors.Is(parentErr, unix.ENOENT) {
				return false, mkdirError(parent, parentErr)
			}
		}
	}
	return false, mkdirError(dir, err)
}

func mkdirError(dir string, err error) error {
	if errors.Is(err, unix.EAGAIN) {
		return fmt.Errorf("mkdir %q: %w (cgroup.max.descendants or cgroup.max.depth of a parent is reached)", dir, err)
	}
	return fmt.Errorf("mkdir %q: %w", dir, err)
}

// isDirectory refuses a path that leads to a control file, such as cgroupsPath "/cgroup.procs".
func isDirectory(path string) error {
	info, err := os.Lstat(path)
	if err == nil && !info.IsDir() {
		err = &os.PathError{Op: "mkdir", Path: path, Err: unix.ENOTDIR}
	}
	return err
}

// checkEmpty refuses a group that has processes, which only one that was there before can have.
func (g *Group) checkEmpty() error {
	existing := &Group{}
	for _, m := range g.members {
		if slices.Contains(g.kept, m.dir) {
			existing.members = append(existing.members, m)
		}
	}
	n, err := existing.count()
	if err != nil {
		return err
	}
	if n > 0 {
		// Callers match the text.
		return fmt.Errorf("container's cgroup is not empty: %d process(es) found", n)
	}
	return nil
}

// inheritCpuset gives dir, and the parents it needs, the processors and memory nodes of the nearest group above that
// has some. A v1 cpuset starts without any and takes no process until then (cpuset(7), ENOSPC).
func inheritCpuset(mount, dir string) error {
	for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
		var empty []string // dir and its ancestors, innermost first
		value := ""
		for d := dir; value == "" && len(d) >= len(mount); d = filepath.Dir(d) {
			var err error
			if value, err = readControl(d, name); err != nil {
				return err
			}
			if value == "" {
				empty = append(empty, d)
			}
		}
		for _, d := range slices.Backward(empty) {
			if err := writeControl(d, name, value); err != nil {
				return err
			}
		}
	}
	return nil
}

// enableControllers gives dir all controllers that the root of the mount offers, by adding those that are missing in
// cgroup.subtree_control of each group between (cgroup-v2.rst, "Controlling Controllers"). A parent that refuses one
// is no error here: it may hold processes (EBUSY), be threaded (EOPNOTSUPP), or not be ours to change (EACCES), and
// the container may do without. Whoever writes a limit finds its file missing then.
func enableControllers(mount, dir string) error {
	offered, err := readControl(mount, "cgroup.controllers")
	if err != nil {
		return err
	}
	got, err := readControl(dir, "cgroup.controllers")
	if err != nil || got == offered {
		return err
	}
	parent := mount
	for component := range strings.SplitSeq(strings.TrimPrefix(dir, mount+"/"), "/") {
		available, err := readControl(parent, "cgroup.controllers")
		if err != nil {
			return err
		}
		enabled, err := readControl(parent, "cgroup.subtree_control")
		if err != nil {
			return err
		}
		enableMissing(parent, strings.Fields(available), strings.Fields(enabled))
		parent = filepath.Join(parent, component)
	}
	return nil
}

// enableMissing writes cgroup.subtree_control of parent: all at once, as each write walks the whole subtree, and one
// by one when the kernel has refused the set because of one member.
func enableMissing(parent string, available, enabled []string) {
	var missing []string
	for _, controller := range available {
		if !slices.Contains(enabled, controller) {
			missing = append(missing, "+"+controller)
		}
	}
	if len(missing) == 0 || writeControl(parent, "cgroup.subtree_control", strings.Join(missing, " ")) == nil {
		return
	}
	for _, controller := range missing {
		_ = writeControl(parent, "cgroup.subtree_control", controller)
	}
}

// handDown gives a group of a hybrid one controller of the unified tree, which Create has left alone there, if the host
// has enabled it below the root. As with enableControllers, whoever writes a limit finds out whether it came to that.
func handDown(m member, controller string) {
	var parents []string // innermost first
	for parent := filepath.Dir(m.dir); m.mount != "" && len(parent) > len(m.mount); parent = filepath.Dir(parent) {
		parents = append(parents, parent)
	}
	for _, parent := range slices.Backward(parents) {
		enabled, err := readControl(parent, "cgroup.subtree_control")
		if err == nil && !slices.Contains(strings.Fields(enabled), controller) {
			_ = writeControl(parent, "cgroup.subtree_control", "+"+controller)
		}
	}
}
