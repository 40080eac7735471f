// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// WaitEmpty waits until the group and the groups below it have no live process, at most for deadline. A group that
// is gone is empty. The error after the deadline names who is left.
func (g *Group) WaitEmpty(deadline time.Duration) error {
	w := &Watch{group: g, oomCounter: -1, process: -1, again: firstLook}
	defer w.Close()
	if m, ok := g.unified(); ok {
		f, err := open(m.dir+"/cgroup.events", unix.O_RDONLY)
		if err != nil && !gone(err) {
			return err
		}
		w.populated = f
	}
	event, err := w.Next(time.Now().Add(deadline))
	if err == nil && event != EndEvent {
		err = fmt.Errorf("wait for the end of all processes in the control group: deadline exceeded (%s)", g.left())
	}
	return err
}

// waitEvent waits until cgroup.events of dir has want behind key. The kernel announces a change of that file by POLLPRI
// (cgroup-v2.rst, "[Un]populated Notification"), but not that the group is removed: that is looked for now and then. The
// error is errDeadline when end has come.
func waitEvent(dir, key string, want uint64, end time.Time, i *interrupt) error {
	f, err := open(dir+"/cgroup.events", unix.O_RDONLY)
	if err != nil {
		return err
	}
	defer f.Close()
	buffer := make([]byte, 256)
	for again := 10 * firstLook; ; again = min(2*again, time.Second) {
		n, err := unix.Pread(int(f.Fd()), buffer, 0)
		if err != nil {
			return &os.PathError{Op: "read", Path: f.Name(), Err: err}
		}
		value, err := keyed(string(buffer[:n]), key)
		if err != nil || value == want {
			return err
		}
		until := end
		if next := time.Now().Add(again); next.Before(end) {
			until = next
		}
		changed, err := pollInterruptibly(int(f.Fd()), unix.POLLPRI, until, i)
		if err != nil {
			return err
		}
		if !changed && until.Equal(end) {
			return errDeadline
		}
	}
}

// poll waits for an event until end, and returns false if none came.
func poll(fd int, events int16, end time.Time) (bool, error) {
	return pollInterruptibly(fd, events, end, nil)
}

// pollInterruptibly is poll with the error errInterrupted once a signal has come.
func pollInterruptibly(fd int, events int16, end time.Time, i *interrupt) (bool, error) {
	for {
		remaining := max(0, time.Until(end))
		timeout := int((remaining + time.Millisecond - 1) / time.Millisecond)
		fds := []unix.PollFd{{Fd: int32(fd), Events: events}, i.pollFD()}
		n, err := unix.Poll(fds, timeout)
		switch {
		case err == nil && fds[1].Revents != 0:
			return false, errInterrupted
		case err == nil:
			return n > 0, nil
		case !errors.Is(err, unix.EINTR):
			return false, fmt.Errorf("poll: %w", err)
		}
	}
}

// Remove removes the group with all groups below it, in every hierarchy. It signals nobody: Kill comes before it. While
// a directory is busy it waits for the processes to go, at most for deadline; the error then names who is left. A
// group that is gone already is no error.
//
// What Create did not make stays (runtime.md, "Delete": resources "not created by this container, MUST NOT be
// deleted"): those that were there before, see Kept. The directories above the group stay as well, even those that
// Create made: by now others may have set limits on them or be about to put a group into them.
func (g *Group) Remove(deadline time.Duration) error {
	end := time.Now().Add(deadline)
	var first error
	for _, m := range g.members {
		// One hierarchy that can't be cleared is no reason to leave the others.
		if err := g.removeBefore(end, m.dir); err != nil && first == nil {
			first = err
		}
	}
	if first == nil && g.keeper != nil {
		first = g.keeper.stop()
	}
	return first
}

// removeBefore removes dir with what is below it, and while it is busy tries again until end.
func (g *Group) removeBefore(end time.Time, dir string) error {
	for {
		err := g.removeTree(dir)
		if !errors.Is(err, unix.EBUSY) {
			return err
		}
		if !time.Now().Before(end) {
			return fmt.Errorf("%w (%s)", err, g.left())
		}
		if waitErr := g.WaitEmpty(time.Until(end)); waitErr != nil {
			return fmt.Errorf("%w: %w", err, waitErr)
		}
		// Nobody is left, yet the kernel may need a moment to let go of the last task: no event tells.
		time.Sleep(time.Millisecond)
	}
}

// removeTree removes dir once, children first, except what is to be kept.
func (g *Group) removeTree(dir string) error {
	// The usual group has no children; trying costs less than looking.
	if len(g.kept) == 0 && unix.Rmdir(dir) == nil {
		return nil
	}
	return walk(dir, func(d directory) error {
		if slices.ContainsFunc(g.kept, d.is) {
			return nil
		}
		return d.remove()
	})
}

// left describes up to five processes that keep the group busy, with their state: a "D" in it explains most cases.
func (g *Group) left() string {
	pids, err := g.Processes()
	if err != nil {
		return "left: " + err.Error()
	}
	if len(pids) == 0 {
		return "no process of this PID namespace is left in it"
	}
	const most = 5
	var names []string
	for i, pid := range pids {
		if i == most {
			names = append(names, fmt.Sprintf("and %d more", len(pids)-most))
			break
		}
		names = append(names, describe(pid))
	}
	return "left: " + strings.Join(names, ", ")
}

// describe returns a process's id, command name and state (proc_pid_stat(5), fields 1 to 3: "7 (name) S ...").
func describe(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return fmt.Sprintf("process %d", pid)
	}
	// The name may hold blanks and parentheses; the last one ends it.
	open, end := strings.IndexByte(string(stat), '('), strings.LastIndexByte(string(stat), ')')
	if open < 0 || end < open || len(stat) < end+3 {
		return fmt.Sprintf("process %d", pid)
	}
	return fmt.Sprintf("process %d %q in state %c", pid, stat[open+1:end], stat[end+2])
}
