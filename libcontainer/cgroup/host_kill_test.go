// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestHostKillEverybody(t *testing.T) {
	g := createdGroup(t)
	startInGroup(t, g, "(setsid sleep 1000 >&- & ); sleep 1000 >&- & trap '' TERM; echo; exec sleep 1000")
	pids, err := g.Processes()
	if err != nil || len(pids) != 3 {
		t.Fatalf("processes: %v, %v", pids, err)
	}
	if err := g.Kill(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	err = g.WaitEmpty(100 * time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), `"sleep" in state S`) {
		t.Errorf("waiting for a process that ignores SIGTERM: %v", err)
	}
	err = g.Remove(20 * time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), `"sleep" in state S`) || !strings.Contains(err.Error(), "busy") {
		t.Errorf("removing a group in use: %v", err)
	}
	if err := g.Kill(unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := g.WaitEmpty(5 * time.Second); err != nil {
		t.Fatal(err)
	}
	if err := g.Remove(5 * time.Second); err != nil {
		t.Fatal(err)
	}
	wantMissing(t, g)
}

func TestHostKillAFrozenGroup(t *testing.T) {
	g := createdGroup(t)
	cmd := startInGroup(t, g, "sleep 1000 >&- & echo; exec sleep 1000")
	freezeByHand(t, g, "nested")
	for _, m := range g.members {
		if err := os.Mkdir(m.dir+"/nested", 0o755); err == nil && slices.Contains(m.controllers, "cpuset") {
			inheritCpuset(m.mount, m.dir+"/nested")
		}
		if m.dir == g.members[0].dir || slices.Contains(m.controllers, "freezer") {
			if err := writeControl(m.dir+"/nested", "cgroup.procs", strconv.Itoa(cmd.Process.Pid)); err != nil {
				t.Fatal(err)
			}
		}
	}
	freezeByHand(t, g, ".")
	if frozen, err := g.Frozen(); !frozen || err != nil {
		t.Errorf("frozen: %v, %v", frozen, err)
	}
	if err := g.Kill(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if frozen, _ := g.Frozen(); !frozen {
		t.Error("SIGTERM has thawed the group")
	}
	if err := g.Kill(unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := g.Remove(5 * time.Second); err != nil {
		t.Fatal(err)
	}
	wantMissing(t, g)
}

func TestHostRemoveThreadedGroup(t *testing.T) {
	g := createdGroup(t)
	if g.Version() != V2 {
		t.Skip("threads of a process share their group on v1")
	}
	cmd := startInGroup(t, g, "echo; exec sleep 1000")
	child := g.members[0].dir + "/child"
	if err := os.Mkdir(child, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := writeControl(child, "cgroup.type", "threaded"); err != nil {
		t.Skipf("the kernel makes no threaded group here: %v", err)
	}
	if err := writeControl(child, "cgroup.threads", strconv.Itoa(cmd.Process.Pid)); err != nil {
		t.Fatal(err)
	}
	if pids, err := g.Processes(); err != nil || !slices.Equal(pids, []int{cmd.Process.Pid}) {
		t.Errorf("processes: %v, %v", pids, err)
	}
	if err := g.Kill(unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := g.Remove(5 * time.Second); err != nil {
		t.Fatal(err)
	}
	wantMissing(t, g)
}
