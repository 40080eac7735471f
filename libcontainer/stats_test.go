// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// warnings collects what is logged.
type warnings struct {
	silent
	said []string
}

func (w *warnings) Warnf(format string, args ...any) {
	w.said = append(w.said, fmt.Sprintf(format, args...))
}

// fakeContainer makes a container whose init is this process and whose control group is an ordinary directory.
func fakeContainer(t *testing.T, r *Runtime, id string, usageMicroseconds string) *Container {
	t.Helper()
	_, start, err := processStat(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	c := &Container{runtime: r, saved: savedState{
		ID: id, InitPID: os.Getpid(), InitStart: start, BootID: bootID(),
		CgroupPaths: map[string]string{"": filepath.Join(t.TempDir(), "group")},
	}}
	if err := os.Mkdir(c.dir(), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(c.saved.CgroupPaths[""], 0o700); err != nil {
		t.Fatal(err)
	}
	setCounter(t, c, "cgroup.procs", "")
	setCounter(t, c, "cgroup.threads", "7\n")
	setCounter(t, c, "cpu.stat", "usage_usec "+usageMicroseconds+"\n")
	if err := c.save(); err != nil {
		t.Fatal(err)
	}
	return c
}

func setCounter(t *testing.T, c *Container, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(c.saved.CgroupPaths[""], name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func sampleOf(t *testing.T, s *Sampler) []Usage {
	t.Helper()
	all, err := s.Sample()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func newSampler(t *testing.T, r *Runtime, stopped bool, ids ...string) *Sampler {
	t.Helper()
	s, err := r.NewSampler(ids, stopped)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func idsOf(all []Usage) (ids []string) {
	for _, u := range all {
		ids = append(ids, u.ID)
	}
	return ids
}

func TestSamplesShowTheProcessorTimeBetweenThem(t *testing.T) {
	r := &Runtime{Root: t.TempDir(), Log: silent{}}
	c := fakeContainer(t, r, "a", "1000000")
	s := newSampler(t, r, false)
	first := sampleOf(t, s)[0]
	if first.CPUPercent != nil || first.Status != specs.StateRunning || first.Counters.CPU.Usage.Total != 1e9 || first.Counters.Pids.Current != 1 {
		t.Fatalf("first sample: %+v", first)
	}
	begin := time.Now()
	time.Sleep(10 * time.Millisecond)
	setCounter(t, c, "cpu.stat", "usage_usec 1005000\n")
	second := sampleOf(t, s)[0]
	// 5 ms in a little more than 10 ms.
	if most, least := 50.0, 100*0.005/(time.Since(begin).Seconds()+0.005); second.CPUPercent == nil || *second.CPUPercent > most || *second.CPUPercent < least {
		t.Errorf("second sample: %v, want %v to %v", second.CPUPercent, least, most)
	}
	setCounter(t, c, "cpu.stat", "usage_usec 7\n")
	if got := sampleOf(t, s)[0].CPUPercent; got != nil {
		t.Errorf("after the counter went back: %v", *got)
	}
}

func TestReadingsAreOfTheSameContainer(t *testing.T) {
	now := time.Now()
	before := reading{start: 5, time: now.Add(-time.Second), total: 100}
	for name, tc := range map[string]struct {
		now  reading
		want float64 // below 0: none
	}{
		"one processor":  {reading{5, now, 100 + 1e9}, 100},
		"two processors": {reading{5, now, 100 + 2e9}, 200},
		"idle":           {reading{5, now, 100}, 0},
		"another one":    {reading{6, now, 100 + 1e9}, -1},
		"went back":      {reading{5, now, 99}, -1},
		"no time":        {reading{5, before.time, 200}, -1},
	} {
		got := tc.now.since(before)
		if (got == nil) != (tc.want < 0) || got != nil && *got != tc.want {
			t.Errorf("%s: got %v, want %v", name, got, tc.want)
		}
	}
	if got := before.since(reading{}); got != nil {
		t.Errorf("without a reading before: %v", *got)
	}
}

func TestContainersComeAndGoBetweenSamples(t *testing.T) {
	r := &Runtime{Root: t.TempDir(), Log: silent{}}
	a := fakeContainer(t, r, "a", "1")
	all, named := newSampler(t, r, false), newSampler(t, r, false, "a", "a")
	if got := idsOf(sampleOf(t, named)); !slices.Equal(got, []string{"a"}) {
		t.Errorf("named: %q", got)
	}
	b := fakeContainer(t, r, "b", "1")
	if got := idsOf(sampleOf(t, all)); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("after b came: %q", got)
	}
	if err := os.RemoveAll(a.dir()); err != nil {
		t.Fatal(err)
	}
	if got := idsOf(sampleOf(t, all)); !slices.Equal(got, []string{"b"}) {
		t.Errorf("after a went: %q", got)
	}
	if _, err := named.Sample(); !errors.Is(err, ErrNotExist) {
		t.Errorf("named, after a went: %v", err)
	}
	if _, err := r.NewSampler([]string{"b", "a"}, false); !errors.Is(err, ErrNotExist) || !strings.HasPrefix(err.Error(), "a: ") {
		t.Errorf("name of one that is not there: %v", err)
	}
	b.saved.InitStart++ // no such process
	if err := b.save(); err != nil {
		t.Fatal(err)
	}
	for want, s := range map[int]*Sampler{0: all, 1: newSampler(t, r, true), 2: newSampler(t, r, false, "b")} {
		got := sampleOf(t, s)
		if len(got) != min(want, 1) || want > 0 && (got[0].Status != specs.StateStopped || got[0].Counters != nil) {
			t.Errorf("%d: stopped container: %+v", want, got)
		}
	}
}

// What is wrong with one container is said once, and is no reason not to show the others.
func TestABrokenContainerDoesNotEndTheSamples(t *testing.T) {
	log := &warnings{}
	r := &Runtime{Root: t.TempDir(), Log: log}
	fakeContainer(t, r, "a", "1")
	fakeContainer(t, r, "b", "not a number")
	c := fakeContainer(t, r, "c", "1")
	if err := os.RemoveAll(c.saved.CgroupPaths[""]); err != nil {
		t.Fatal(err)
	}
	d := fakeContainer(t, r, "d", "1")
	all, named := newSampler(t, r, false), newSampler(t, r, false, "d", "a")
	if err := os.WriteFile(d.file(stateName), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		got := sampleOf(t, all)
		if !slices.Equal(idsOf(got), []string{"a", "b", "c"}) || got[0].Counters == nil || got[1].Counters != nil || got[2].Counters != nil {
			t.Fatalf("got %+v", got)
		}
	}
	if len(log.said) != 2 || !strings.Contains(log.said[0]+log.said[1], `counters of "b": parse `) || !strings.Contains(log.said[0]+log.said[1], `leave out "d": decode `) {
		t.Errorf("warnings: %q", log.said)
	}
	for range 2 {
		if got := sampleOf(t, named); !slices.Equal(idsOf(got), []string{"a"}) {
			t.Errorf("named: %q", idsOf(got))
		}
	}
	if len(log.said) != 3 {
		t.Errorf("warnings: %q", log.said)
	}
}

func TestCountersOfWhatDoesNotRun(t *testing.T) {
	r := &Runtime{Root: t.TempDir(), Log: silent{}}
	c := fakeContainer(t, r, "a", "1")
	if e, err := c.Stats(); err != nil || e.Type != "stats" || e.ID != "a" || e.Data.CPU.Usage.Total != 1000 {
		t.Errorf("got %+v, %v", e, err)
	}
	if err := os.RemoveAll(c.saved.CgroupPaths[""]); err != nil {
		t.Fatal(err)
	}
	none := func(Event) error { return errors.New("no event was due") }
	for _, tc := range []struct {
		what   string
		change func()
		want   error
	}{
		{"the group is gone", func() {}, ErrNotRunning},
		{"no group", func() { c.saved.CgroupPaths = nil }, errNoGroup},
		{"init has ended", func() { c.saved.InitStart++ }, ErrNotRunning},
	} {
		tc.change()
		if _, err := c.Stats(); !errors.Is(err, tc.want) {
			t.Errorf("%s: stats: %v", tc.what, err)
		}
		if err := c.Events(time.Hour, none); !errors.Is(err, tc.want) {
			t.Errorf("%s: events: %v", tc.what, err)
		}
	}
}
