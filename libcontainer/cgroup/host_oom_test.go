// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// memoryLimit limits the memory of a group, or skips the test where no group can be limited.
func memoryLimit(t *testing.T, g *Group, below, value string) {
	t.Helper()
	m, ok := g.controller("memory")
	name := "memory.limit_in_bytes"
	if !ok {
		m, _ = g.unified()
		name = "memory.max"
	}
	if _, err := os.Stat(filepath.Join(m.dir, name)); err != nil {
		t.Skipf("no memory controller in this view of the control groups: %v", err)
	}
	if err := writeControl(filepath.Join(m.dir, below), name, value); err != nil {
		t.Fatal(err)
	}
}

// glutton takes more memory than it is allowed, step by step.
const glutton = "x=xxxxxxxxxxxxxxxx; while :; do x=$x$x; done"

func TestHostWatchSeesOOM(t *testing.T) {
	g := createdGroup(t)
	memoryLimit(t, g, ".", "20000000")
	startInGroup(t, g, "(read; "+glutton+") <&- >&- & echo; exec sleep 1000")
	w, err := g.Watch()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if got, err := w.Next(time.Now().Add(20 * time.Second)); got != OOMEvent || err != nil {
		t.Fatalf("got %v, %v", got, err)
	}
	// One victim is one event, and the other process lives.
	if got := nextEvents(t, w, 300*time.Millisecond); !slices.Equal(got, []Event{NoEvent}) {
		t.Errorf("got %v after the event", got)
	}
	if kills := hostStats(t, g).Memory.OOMKills; kills != 1 {
		t.Errorf("%d OOM kills, want 1", kills)
	}
}

// When the last process is the victim the event still comes, before the end; the removal is no event.
func TestHostWatchSeesOOMOfTheLastProcess(t *testing.T) {
	g := createdGroup(t)
	memoryLimit(t, g, ".", "20000000")
	w, err := g.Watch()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	startInGroup(t, g, "echo; exec >&-; "+glutton)
	if err := g.WaitEmpty(20 * time.Second); err != nil {
		t.Fatal(err)
	}
	if got := nextEvents(t, w, 10*time.Second); !slices.Equal(got, []Event{OOMEvent, EndEvent}) {
		t.Errorf("got %v", got)
	}
	if err := g.Remove(5 * time.Second); err != nil {
		t.Fatal(err)
	}
	if got := nextEvents(t, w, 0); !slices.Equal(got, []Event{EndEvent}) {
		t.Errorf("got %v after the removal", got)
	}
}

// groupBelow makes a group below a v2 group that has the memory controller.
func groupBelow(t *testing.T, g *Group) *Group {
	t.Helper()
	if g.Version() != V2 {
		t.Skip("the memory controller is one of v1 here")
	}
	memoryLimit(t, g, ".", "max") // skips where there is no controller
	m := g.members[0]
	below, err := hostLayout(t).Place(strings.TrimPrefix(m.dir, m.mount)+"/below", "")
	if err == nil {
		err = below.Create()
	}
	if err != nil {
		t.Fatal(err)
	}
	return below
}

// v2 counts what happens below a group in the group itself. On v1 the kernel tells those below, not those above.
func TestHostWatchSeesOOMBelowOnV2(t *testing.T) {
	g := createdGroup(t)
	below := groupBelow(t, g)
	memoryLimit(t, below, ".", "20000000")
	w, err := g.Watch()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	startInGroup(t, below, "echo; exec >&-; "+glutton)
	if err := g.WaitEmpty(20 * time.Second); err != nil {
		t.Fatal(err)
	}
	if got := nextEvents(t, w, 10*time.Second); !slices.Equal(got, []Event{OOMEvent, EndEvent}) {
		t.Errorf("got %v", got)
	}
}

// Who comes after the group was removed finds the kills in the group above.
func TestHostKillsAroundOutliveTheGroup(t *testing.T) {
	g := createdGroup(t)
	below := groupBelow(t, g)
	top := g.Paths()
	for controller, dir := range top {
		top[controller] = filepath.Dir(dir)
	}
	parent, err := FromPaths(top)
	if err != nil {
		t.Fatal(err)
	}
	if kills, ok := parent.OOMKillsAround(); ok {
		t.Errorf("the root of the hierarchy has a counter: %d", kills)
	}
	for _, limit := range []string{"max", "20000000"} { // the second one kills
		w, err := below.Watch()
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		before, ok := below.OOMKillsAround()
		if !ok {
			t.Fatal("the group above has no counter")
		}
		program := "echo; exec >&-"
		if limit != "max" {
			program += "; " + glutton
		}
		memoryLimit(t, below, ".", limit)
		startInGroup(t, below, program)
		if err := below.WaitEmpty(20 * time.Second); err != nil {
			t.Fatal(err)
		}
		if w.Lost() {
			t.Error("counters that are there count as lost")
		}
		if err := below.Remove(5 * time.Second); err != nil {
			t.Fatal(err)
		}
		if got := nextEvents(t, w, 10*time.Second); !slices.Equal(got, []Event{EndEvent}) || !w.Lost() {
			t.Errorf("got %v, lost %v", got, w.Lost())
		}
		if now, ok := below.OOMKillsAround(); !ok || (now > before) != (limit != "max") {
			t.Errorf("limit %s: %d kills around, then %d, %v", limit, before, now, ok)
		}
		if err := below.Create(); err != nil {
			t.Fatal(err)
		}
	}
}
