// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Event is what a Watch has seen.
type Event int

const (
	NoEvent  Event = iota // the time was up
	OOMEvent              // the group has run out of memory
	EndEvent              // no process is left in the group, or it was removed
)

// Watch tells what happens in a group from the moment on at which it was made. It holds files of the group open, so that
// it can't be deceived by another group of the same name, and does not keep the group from being removed.
//
// Sources: cgroup-v2.rst, "[Un]populated Notification" and "Memory Interface Files" (a changed memory.events and
// cgroup.events wake who polls them); admin-guide/cgroup-v1/memory.rst, "OOM Control" (an eventfd that is registered by
// cgroup.event_control).
type Watch struct {
	group      *Group
	populated  *os.File // cgroup.events; nil on pure v1
	memory     *os.File // memory.events (v2) or memory.oom_control (v1); nil without a memory controller
	oomCounter int      // eventfd of v1, or -1
	kills      uint64   // oom_kill of memory.events
	lost       bool     // memory.events went before it was read for the last time
	process    int      // pidfd of one member, or -1
	again      time.Duration
}

// Watch begins to watch the group. A group without a memory controller has no OOM events; that is no error. A group
// that is gone is ErrRemoved.
func (g *Group) Watch() (*Watch, error) {
	w := &Watch{group: g, oomCounter: -1, process: -1, again: firstLook}
	err := w.openFiles()
	if err == nil {
		return w, nil
	}
	w.Close()
	if gone(err) {
		err = ErrRemoved
	}
	return nil, fmt.Errorf("watch control group: %w", err)
}

func (w *Watch) openFiles() (err error) {
	unified, hasUnified := w.group.unified()
	if hasUnified {
		if w.populated, err = open(unified.dir+"/cgroup.events", unix.O_RDONLY); err != nil {
			return err
		}
	}
	if m, ok := w.group.controller("memory"); ok {
		return w.registerOOM(m.dir)
	}
	if !hasUnified {
		return nil
	}
	w.memory, err = open(unified.dir+"/memory.events", unix.O_RDONLY)
	if gone(err) {
		return nil
	}
	if err == nil {
		w.kills, err = w.readKills()
	}
	return err
}

// registerOOM has the v1 kernel add 1 to an eventfd for each time that the group, or one above it, is out of memory.
func (w *Watch) registerOOM(dir string) (err error) {
	if w.memory, err = open(filepath.Join(dir, "memory.oom_control"), unix.O_RDONLY); err != nil {
		return err
	}
	if w.oomCounter, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return fmt.Errorf("eventfd: %w", err)
	}
	pair := strconv.Itoa(w.oomCounter) + " " + strconv.Itoa(int(w.memory.Fd()))
	return writeControl(dir, "cgroup.event_control", pair)
}

// Close ends the watch.
func (w *Watch) Close() {
	for _, f := range []*os.File{w.populated, w.memory} {
		if f != nil {
			f.Close()
		}
	}
	for _, fd := range []int{w.oomCounter, w.process} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// Next waits for the next event, at most until end. Kills that come together may be one event. After EndEvent there is
// nothing more to come.
func (w *Watch) Next(end time.Time) (Event, error) {
	for {
		oom, err := w.outOfMemory()
		if oom || err != nil {
			return OOMEvent, err
		}
		ended, err := w.ended()
		if err == nil && ended {
			// The last process may have been killed between the two looks: it is counted before it dies.
			if oom, err = w.outOfMemory(); oom {
				return OOMEvent, err
			}
			return EndEvent, err
		}
		if err != nil {
			return NoEvent, err
		}
		until := end
		if w.process >= 0 {
			w.again = firstLook
		} else if next := time.Now().Add(w.again); next.Before(end) {
			// Populated, but by one on his last way out, or of a foreign PID namespace: no event is certain.
			until, w.again = next, min(2*w.again, time.Second)
		}
		woken, err := pollAny(w.pollList(), until)
		if err != nil || !woken && until.Equal(end) {
			return NoEvent, err
		}
	}
}

// firstLook is how soon to look again at a group whose last process can't be waited for; then twice as late, and so on.
const firstLook = time.Millisecond

// Lost says that the group was removed before its counters could be read for the last time: what they said, nobody knows.
// On v1 the eventfd outlives the group.
func (w *Watch) Lost() bool { return w.lost }

// pollList returns what to wait for. What happened since it was looked at last wakes as well.
func (w *Watch) pollList() []unix.PollFd {
	var fds []unix.PollFd
	if w.populated != nil {
		fds = append(fds, unix.PollFd{Fd: int32(w.populated.Fd()), Events: unix.POLLPRI})
	}
	if w.process >= 0 {
		fds = append(fds, unix.PollFd{Fd: int32(w.process), Events: unix.POLLIN})
	}
	switch {
	case w.oomCounter >= 0:
		fds = append(fds, unix.PollFd{Fd: int32(w.oomCounter), Events: unix.POLLIN})
	case w.memory != nil:
		fds = append(fds, unix.PollFd{Fd: int32(w.memory.Fd()), Events: unix.POLLPRI})
	}
	return fds
}

// outOfMemory tells whether there was an OOM event since it was asked last.
func (w *Watch) outOfMemory() (bool, error) {
	if w.oomCounter >= 0 {
		return w.outOfMemoryV1()
	}
	if w.memory == nil {
		return false, nil
	}
	kills, err := w.readKills()
	if err != nil {
		if w.lost = gone(err); w.lost {
			err = nil
		}
		return false, err
	}
	more := kills > w.kills
	w.kills = kills
	return more, nil
}

// removalSignal is how long the kernel may take to add 1 for a group that was removed: it does so when nobody can see the
// group any more (mm/memcontrol.c, mem_cgroup_css_offline), while its files are gone at once.
const removalSignal = 500 * time.Millisecond

func (w *Watch) outOfMemoryV1() (bool, error) {
	events, err := w.readEvents()
	if err != nil || events == 0 {
		return false, err
	}
	if _, err := preadControl(w.memory); !gone(err) || events > 1 {
		return true, nil
	}
	// One event of a group that was removed: that of the removal, or there is one more to come.
	more, err := poll(w.oomCounter, unix.POLLIN, time.Now().Add(removalSignal))
	if err != nil || !more {
		return false, err
	}
	_, err = w.readEvents()
	return true, err
}

// readEvents reads the eventfd, which is 0 after that.
func (w *Watch) readEvents() (uint64, error) {
	var count [8]byte
	_, err := unix.Read(w.oomCounter, count[:])
	if errors.Is(err, unix.EAGAIN) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read eventfd: %w", err)
	}
	return binary.NativeEndian.Uint64(count[:]), nil
}

// readKills reads how many processes the kernel has killed for lack of memory, groups below included.
func (w *Watch) readKills() (uint64, error) {
	content, err := preadControl(w.memory)
	if err != nil {
		return 0, err
	}
	return keyed(content, "oom_kill")
}

// ended tells whether no process is left. Where cgroup.events does not say so, as on v1, the lists of processes do.
func (w *Watch) ended() (bool, error) {
	populated, err := w.isPopulated()
	if err != nil {
		return false, err
	}
	if !populated && w.group.Version() == V2 {
		return true, nil
	}
	// In a hybrid somebody may have moved the processes in the unified tree alone: v1 groups have the last word.
	members, err := w.pinMember()
	return err == nil && !members && !populated, err
}

// isPopulated reads cgroup.events. A group that is gone, and one without that file, is not populated.
func (w *Watch) isPopulated() (bool, error) {
	if w.populated == nil {
		return false, nil
	}
	content, err := preadControl(w.populated)
	if gone(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	populated, err := keyed(content, "populated")
	return populated != 0, err
}

// pinMember holds a pidfd of one member: as long as that lives the group is not empty, and its end wakes. That is needed
// on v2 as well: the kernel delays a notification of cgroup.events if there was one in the last 10 ms, and drops it
// when the group is removed meanwhile (kernel: cgroup_file_notify, cgroup_rm_file). It returns false if there is nobody.
func (w *Watch) pinMember() (bool, error) {
	if w.process >= 0 {
		exited, err := poll(w.process, unix.POLLIN, time.Time{})
		if err != nil || !exited {
			return err == nil, err
		}
		unix.Close(w.process)
		w.process = -1
	}
	pids, err := w.group.Processes()
	if err != nil {
		return false, err
	}
	for _, pid := range pids {
		fd, err := unix.PidfdOpen(pid, 0)
		if err == nil {
			w.process = fd
			return true, nil
		}
		// EINVAL: the number is that of a thread by now.
		if !errors.Is(err, unix.ESRCH) && !errors.Is(err, unix.EINVAL) {
			return false, fmt.Errorf("pidfd_open %d: %w", pid, err)
		}
	}
	return len(pids) > 0, nil
}

// preadControl reads a short control file from its beginning, which also makes it silent for poll(2) until it changes.
func preadControl(f *os.File) (string, error) {
	var buffer [1024]byte
	for {
		n, err := unix.Pread(int(f.Fd()), buffer[:], 0)
		switch {
		case err == nil:
			return string(buffer[:n]), nil
		case !errors.Is(err, unix.EINTR):
			return "", fmt.Errorf("read %q: %w", f.Name(), err)
		}
	}
}

// pollAny waits until something happens on one of the descriptors, at most until end. False: the time was up.
func pollAny(fds []unix.PollFd, end time.Time) (bool, error) {
	for {
		remaining := max(0, time.Until(end))
		timeout := unix.NsecToTimespec(int64(remaining))
		n, err := unix.Ppoll(fds, &timeout, nil)
		switch {
		case err == nil:
			return n > 0, nil
		case !errors.Is(err, unix.EINTR):
			return false, fmt.Errorf("ppoll: %w", err)
		}
	}
}
