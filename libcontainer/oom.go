// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/cgroup"
	"github.com/rt-oci/rt/libcontainer/sys"
)

// Who runs out of memory is killed without a word, or is told ENOMEM. What is written here finds out, and says so with
// the limit. It is for failures only: nobody looks at the counters of a container that is well.

// oomPatience is how long to wait for the watch, which ends with the group.
const oomPatience = time.Second

// watchOOM notes what happens in a scope with a memory limit: systemd removes its group, and the counters in it, as soon
// as the last process ends, perhaps before we can look. What can't be watched is looked at in the end, as elsewhere.
func (n *creation) watchOOM() {
	if n.c.saved.Unit == "" || !n.c.saved.MemoryLimited {
		return
	}
	limit, err := n.group.MemoryLimit()
	if err != nil || limit < 0 {
		return
	}
	watch, err := n.group.Watch()
	if err != nil {
		return
	}
	n.oom = make(chan string, 1)
	go func() {
		defer watch.Close()
		const forEver = 100 * 365 * 24 * time.Hour
		verdict := ""
		if event, err := watch.Next(time.Now().Add(forEver)); err == nil && event == cgroup.OOMEvent {
			verdict = limitVerdict(limit)
		}
		n.oom <- verdict
	}()
}

func limitVerdict(limit int64) string {
	return fmt.Sprintf("the kernel's OOM killer ended it: linux.resources.memory.limit is %d bytes", limit)
}

// oomVerdict says that the kernel has killed processes of the container for want of memory, or nothing.
func (c *Container) oomVerdict(group *cgroup.Group) string {
	kills, err := group.OOMKills()
	if err != nil || kills <= c.saved.OOMKills {
		return ""
	}
	limit, err := group.MemoryLimit()
	if err != nil || limit < 0 {
		return "the kernel's OOM killer ended it: a control group above, or the machine, has no memory left"
	}
	return limitVerdict(limit)
}

// explainMemory adds the limit to an error that is for want of memory.
func explainMemory(err error, group *cgroup.Group) error {
	if group == nil || !errors.Is(err, unix.ENOMEM) {
		return err
	}
	limit, limitErr := group.MemoryLimit()
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
	if verdict == "" && n.oom != nil {
		select {
		case verdict = <-n.oom:
		case <-time.After(oomPatience): // who is left in the group keeps it, and its counters
		}
	}
	if verdict != "" {
		n.c.runtime.Log.Warnf("the container's process was killed: %s", verdict)
	}
}

// checkStarted tells a program that was executed from a stage that was killed just before, for want of memory. The end
// of what it talks through looks the same. Only containers with a memory limit are asked about.
func (c *Container) checkStarted() error {
	if !c.saved.MemoryLimited {
		return nil
	}
	init, err := c.openInit()
	if err == nil {
		defer unix.Close(init)
		ended, err := sys.WaitProcess(init, 0)
		if err != nil || !ended {
			return err
		}
	}
	group, err := c.cgroup()
	if err != nil || group == nil {
		return err
	}
	if verdict := c.oomVerdict(group); verdict != "" {
		return errors.New("the container's process was killed while it started: " + verdict)
	}
	return nil
}
