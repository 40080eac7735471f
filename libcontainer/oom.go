// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/cgroup"
	"github.com/rt-oci/rt/libcontainer/sys"
)

// Who runs out of memory is killed without a word, or is told ENOMEM. What is written here finds out, and says so with
// the limit. It is for failures only: nobody looks at the counters of a container that is well.

// oomPatience is how long to wait for the watch, which ends with the group.
const oomPatience = time.Second

// finding is what a watch has to say about processes that have ended.
type finding struct {
	verdict string // "" for nothing
	likely  bool   // the counters were gone: it is what those of the slice say
}

// watchOOM notes what happens in a scope with a memory limit: systemd removes its group, and the counters in it, as soon
// as the last process ends, perhaps before we can look. What can't be watched, nil, is looked at in the end, as elsewhere.
func (c *Container) watchOOM(group *cgroup.Group) <-chan finding {
	if c.saved.Unit == "" || !c.saved.MemoryLimited || group == nil {
		return nil
	}
	limit, err := group.MemoryLimit()
	if err != nil || limit < 0 {
		return nil
	}
	around, hasAround := group.OOMKillsAround()
	watch, err := group.Watch()
	if err != nil {
		return nil
	}
	oom := make(chan finding, 1)
	background(func() {
		defer watch.Close()
		const forEver = 100 * 365 * 24 * time.Hour
		var found finding
		event, err := watch.Next(time.Now().Add(forEver))
		switch {
		case err == nil && event == cgroup.OOMEvent:
			found.verdict = limitVerdict(limit)
		case err == nil && watch.Lost() && hasAround:
			if now, ok := group.OOMKillsAround(); ok && now > around {
				found = finding{sliceVerdict(limit), true}
			}
		}
		oom <- found
	})
	return oom
}

// watchScope is watchOOM for a start.
func (c *Container) watchScope() <-chan finding {
	if c.saved.Unit == "" || !c.saved.MemoryLimited {
		return nil
	}
	group, _ := c.cgroup() // for a remark only
	return c.watchOOM(group)
}

// watchedOOM is what watchOOM has found about processes that have ended.
func watchedOOM(oom <-chan finding) finding {
	if oom == nil {
		return finding{}
	}
	select {
	case found := <-oom:
		return found
	case <-time.After(oomPatience): // who is left in the group keeps it, and its counters
		return finding{}
	}
}

// sliceVerdict is that about a scope whose own counters nobody could read any more: systemd was faster.
func sliceVerdict(limit int64) string {
	return fmt.Sprintf("the kernel's OOM killer was at work in its slice, and the counters of its scope are gone: linux.resources.memory.limit is %d bytes", limit)
}

func limitVerdict(limit int64) string {
	return fmt.Sprintf("the kernel's OOM killer ended it: linux.resources.memory.limit is %d bytes", limit)
}

// oomVerdict says that the kernel has killed processes of the container for want of memory, or nothing.
func (c *Container) oomVerdict(group *cgroup.Group) string {
	limit, err := group.MemoryLimit() // first: a group that is removed meanwhile would look like one without a limit
	if err != nil {
		return ""
	}
	if kills, err := group.OOMKills(); err != nil || kills <= c.saved.OOMKills {
		return ""
	}
	if limit < 0 {
		return "the kernel's OOM killer ended it: a control group above, or the machine, has no memory left"
	}
	return limitVerdict(limit)
}

// lostScope returns the process whose end has cost us the scope, as systemd then removes it, or nil if err is another
// matter: the stage, or the placeholder that was to hold its place.
func (n *creation) lostScope(err error) *stage {
	who := n.stage
	if who == nil {
		who = n.holder
	} else if !errors.Is(err, unix.ENOENT) {
		return nil
	}
	if who == nil || n.c.saved.Unit == "" || !n.group.Removed() {
		return nil
	}
	if ended, err := sys.WaitProcess(who.pidFD, 0); err != nil || !ended {
		return nil
	}
	return who
}

// withoutCounters is what can be said about a process that was killed in a scope which systemd has removed since.
func (n *creation) withoutCounters(who *stage) string {
	if !who.killed || n.c.saved.Unit == "" || !n.group.Removed() {
		return ""
	}
	return goneVerdict(n.spec)
}

// goneVerdict is what can be said when no counter is left.
func goneVerdict(s *specs.Spec) string {
	limit := configuredLimit(s)
	if limit <= 0 {
		return ""
	}
	return fmt.Sprintf("the counters of the kernel's OOM killer are gone with the scope: linux.resources.memory.limit is %d bytes", limit)
}

// configuredLimit is linux.resources.memory.limit, or 0.
func configuredLimit(s *specs.Spec) int64 {
	if s == nil || s.Linux == nil {
		return 0
	}
	if r := s.Linux.Resources; r != nil && r.Memory != nil && r.Memory.Limit != nil {
		return *r.Memory.Limit
	}
	return 0
}

// explainMemory adds the limit to an error that is for want of memory. A scope may go at any moment: it is looked for last.
func (n *creation) explainMemory(err error) error {
	if n.group == nil || !errors.Is(err, unix.ENOMEM) {
		return err
	}
	limit, limitErr := n.group.MemoryLimit()
	if configured := configuredLimit(n.spec); (limitErr != nil || limit < 0) && configured > 0 && n.c.saved.Unit != "" && n.group.Removed() {
		limit, limitErr = configured, nil
	}
	return withLimit(err, limit, limitErr)
}

// explainMemory adds the limit to an error that is for want of memory.
func explainMemory(err error, group *cgroup.Group) error {
	if group == nil || !errors.Is(err, unix.ENOMEM) {
		return err
	}
	limit, limitErr := group.MemoryLimit()
	return withLimit(err, limit, limitErr)
}

func withLimit(err error, limit int64, limitErr error) error {
	if limitErr != nil || limit < 0 {
		return err
	}
	return fmt.Errorf("%w (linux.resources.memory.limit is %d bytes)", err, limit)
}

// exitOfKilled is the status that shells give for a child that SIGKILL ended.
const exitOfKilled = 128 + int(unix.SIGKILL)

// warnOfOOM tells why the container's process has ended, if it was for want of memory: of it or of a child that it
// waited for.
func (n *creation) warnOfOOM(exit int) {
	if exit != exitOfKilled {
		return
	}
	verdict := n.c.oomVerdict(n.group)
	if verdict == "" {
		verdict = watchedOOM(n.oom).verdict
	}
	if verdict != "" {
		n.c.runtime.Log.Warnf("the container's process was killed: %s", verdict)
	}
}

// checkStarted tells a program that was executed from a stage that was killed just before, for want of memory. The end
// of what it talks through looks the same. Only containers with a memory limit are asked about. What is but likely is no
// error: the program may have run, and another one of the slice have been killed meanwhile.
func (c *Container) checkStarted(oom <-chan finding) error {
	if !c.saved.MemoryLimited {
		return nil
	}
	init, err := c.openInit()
	if err == nil {
		defer unix.Close(init)
		ended, err := sys.WaitProcess(init, 0)
		if err != nil || !ended && !isExiting(c.saved.InitPID) {
			return err
		}
	}
	group, err := c.cgroup()
	if err != nil || group == nil {
		return err
	}
	found := finding{verdict: c.oomVerdict(group)}
	if found.verdict == "" {
		found = watchedOOM(oom)
	}
	switch {
	case found.likely:
		c.runtime.Log.Warnf("the container's process has ended: %s", found.verdict)
	case found.verdict != "":
		return errors.New("the container's process was killed while it started: " + found.verdict)
	}
	return nil
}
