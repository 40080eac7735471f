// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func hostStats(t *testing.T, g *Group) *Stats {
	t.Helper()
	s, err := g.Stats()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestHostStatsCount(t *testing.T) {
	g := createdGroup(t)
	before := hostStats(t, g)
	if before.Pids.Current != 0 {
		t.Errorf("an empty group has %d tasks", before.Pids.Current)
	}
	// Shell arithmetic needs the processor, its variable memory; there are two processes then.
	startInGroup(t, g, "sleep 1000 >&- & x=$(head -c 4000000 /dev/zero | tr '\\0' x); for ((i = 0; i < 100000; i++)); do :; done; echo; exec >&-; wait")
	after := hostStats(t, g)
	if after.Pids.Current != 2 {
		t.Errorf("%d tasks, want 2", after.Pids.Current)
	}
	if used := after.CPU.Usage.Total - before.CPU.Usage.Total; used < uint64(20*time.Millisecond) || used > uint64(time.Minute) {
		t.Errorf("processor time %v", time.Duration(used))
	}
	if after.CPU.Usage.User == 0 {
		t.Error("no processor time in user mode")
	}
	_, v1 := g.controller("memory")
	files, err := filepath.Glob(g.members[0].dir + "/memory.current")
	switch {
	case v1 || err == nil && len(files) > 0:
		if got := after.Memory.Usage.Usage; got < 4000000 || got > 1<<30 || after.Memory.Usage.Max < got {
			t.Errorf("memory: %+v", after.Memory.Usage)
		}
		if !Unlimited(after.Memory.Usage.Limit) {
			t.Errorf("limit of memory: %d, want none", after.Memory.Usage.Limit)
		}
	case after.Memory != nil && after.Memory.Usage != nil:
		t.Errorf("memory without a controller: %+v", after.Memory.Usage)
	}
	if err := g.Kill(unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := g.Remove(5 * time.Second); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Stats(); !errors.Is(err, ErrRemoved) {
		t.Errorf("counters of a removed group: %v", err)
	}
	if _, err := g.Watch(); !errors.Is(err, ErrRemoved) {
		t.Errorf("watch of a removed group: %v", err)
	}
}

func TestHostPressureIsThatOfTheUnifiedTree(t *testing.T) {
	g := createdGroup(t)
	m, ok := g.unified()
	want := false
	if ok {
		_, err := readControl(m.dir, "cpu.pressure")
		want = err == nil
	}
	s := hostStats(t, g)
	if got := s.CPU.PSI != nil && s.Memory.PSI != nil && s.Blkio.PSI != nil; got != want {
		t.Errorf("pressure: got %v, want %v", got, want)
	}
}

func TestHostHugetlbHasTheSizesOfTheMachine(t *testing.T) {
	g := createdGroup(t)
	var want []string
	for _, m := range g.members {
		files, _ := filepath.Glob(m.dir + "/hugetlb.*.rsvd.m*") // rsvd.max, rsvd.max_usage_in_bytes
		want = append(want, files...)
	}
	if got := len(hostStats(t, g).Hugetlb); got != len(want) {
		t.Errorf("%d sizes, want %d: %q", got, len(want), want)
	}
}

// nextEvents collects the events until the watch ends or the time is up.
func nextEvents(t *testing.T, w *Watch, patience time.Duration) []Event {
	t.Helper()
	var events []Event
	for end := time.Now().Add(patience); ; {
		e, err := w.Next(end)
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
		if e != OOMEvent {
			return events
		}
	}
}

func TestHostWatchEndsWithTheLastProcess(t *testing.T) {
	for name, script := range map[string]string{
		"one":        "echo; exec sleep 1000",
		"with heirs": "sleep 1000 >&- & sleep 1000 >&- & echo; exec sleep 0.1",
	} {
		t.Run(name, func(t *testing.T) {
			g := createdGroup(t)
			startInGroup(t, g, script)
			w, err := g.Watch()
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			if got := nextEvents(t, w, 200*time.Millisecond); !slices.Equal(got, []Event{NoEvent}) {
				t.Fatalf("got %v while processes live", got)
			}
			if err := g.Kill(unix.SIGKILL); err != nil {
				t.Fatal(err)
			}
			if got := nextEvents(t, w, 10*time.Second); !slices.Equal(got, []Event{EndEvent}) {
				t.Errorf("got %v after the end", got)
			}
			if err := g.Remove(5 * time.Second); err != nil {
				t.Fatal(err)
			}
			if got := nextEvents(t, w, 10*time.Second); !slices.Equal(got, []Event{EndEvent}) {
				t.Errorf("got %v after the removal", got)
			}
		})
	}
}

// The kernel tells of a change of cgroup.events at most every 10 ms, and never if the group is removed before that.
func TestHostWatchEndsWithAGroupThatIsRemovedAtOnce(t *testing.T) {
	removeAtOnce(t, func(g *Group) func() error {
		w, err := g.Watch()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(w.Close)
		if got := nextEvents(t, w, 0); !slices.Equal(got, []Event{NoEvent}) {
			t.Fatalf("got %v", got)
		}
		return func() error {
			event, err := w.Next(time.Now().Add(time.Minute))
			if err == nil && event != EndEvent {
				err = fmt.Errorf("event %v", event)
			}
			return err
		}
	})
}

func TestHostWaitEmptyEndsWithAGroupThatIsRemovedAtOnce(t *testing.T) {
	removeAtOnce(t, func(g *Group) func() error {
		return func() error { return g.WaitEmpty(time.Minute) }
	})
}

// removeAtOnce has somebody wait for the end of a group, whose last process dies, and which is removed, so soon behind
// a first notification that the kernel drops the second.
func removeAtOnce(t *testing.T, prepare func(*Group) (wait func() error)) {
	for range 10 {
		g := createdGroup(t)
		cmd := startInGroup(t, g, "echo; exec sleep 1000")
		wait, ended := prepare(g), make(chan error, 1)
		go func() { ended <- wait() }()
		freezeByHand(t, g, ".") // a first notification
		for frozen := false; !frozen; {
			var err error
			if frozen, err = g.Frozen(); err != nil {
				t.Fatal(err)
			}
		}
		if err := g.Kill(unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		for unix.Kill(cmd.Process.Pid, 0) == nil {
			runtime.Gosched() // who reaps it
		}
		if err := removeGroup(g); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("goes on")
		}
	}
}

// removeGroup removes the directories without waiting for what Remove waits for.
func removeGroup(g *Group) error {
	for _, m := range g.members {
		for {
			err := unix.Rmdir(m.dir)
			if err == nil {
				break
			}
			if err != unix.EBUSY {
				return &os.PathError{Op: "rmdir", Path: m.dir, Err: err}
			}
			runtime.Gosched()
		}
	}
	return nil
}

// Who moves the processes in the unified tree of a hybrid does not end the container.
func TestHostWatchOfAHybridBelievesTheV1Groups(t *testing.T) {
	g := createdGroup(t)
	if g.Version() != Hybrid {
		t.Skip("this view of the control groups is no hybrid")
	}
	startInGroup(t, g, "echo; exec sleep 1000")
	w, err := g.Watch()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	pids, err := g.Processes()
	if err != nil || len(pids) != 1 {
		t.Fatalf("processes %v, %v", pids, err)
	}
	m, _ := g.unified()
	if err := writeControl(filepath.Dir(m.dir), "cgroup.procs", strconv.Itoa(pids[0])); err != nil {
		t.Fatal(err)
	}
	if got := nextEvents(t, w, 100*time.Millisecond); !slices.Equal(got, []Event{NoEvent}) {
		t.Errorf("got %v after the move", got)
	}
	if err := unix.Kill(pids[0], unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if got := nextEvents(t, w, 10*time.Second); !slices.Equal(got, []Event{EndEvent}) {
		t.Errorf("got %v after the end", got)
	}
}
