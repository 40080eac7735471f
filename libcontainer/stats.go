// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/libcontainer/cgroup"
)

// Usage is what one container uses at one time.
type Usage struct {
	ID, Bundle string
	Status     specs.ContainerState
	Time       time.Time
	Counters   *cgroup.Stats // nil: it has stopped, or they could not be read
	CPUPercent *float64      // of one processor, since the sample before; nil if there was none
}

// Sampler reads the counters of several containers, again and again. Containers may come and go meanwhile, and what
// is wrong with one of them, which is logged once, does not keep the others from being read.
type Sampler struct {
	runtime *Runtime
	ids     []string // of the containers that were named; nil: all of the root
	stopped bool     // with those that have stopped, if none was named
	last    map[string]reading
}

// reading is a sample of the processor time of one container, not of another one with the same id.
type reading struct {
	start uint64
	time  time.Time
	total uint64
}

// NewSampler prepares to read the containers with these ids, all of which must be there, or without ids those of the
// root that have a process, and with stopped the others as well.
func (r *Runtime) NewSampler(ids []string, stopped bool) (*Sampler, error) {
	quiet := *r
	quiet.Log = onceLogger{Logger: r.Log, said: map[string]bool{}}
	s := &Sampler{runtime: &quiet, stopped: stopped, last: map[string]reading{}}
	for _, id := range ids {
		if _, err := r.Load(id); err != nil {
			return nil, fmt.Errorf("%s: %w", shorten(id), err)
		}
		if !slices.Contains(s.ids, id) {
			s.ids = append(s.ids, id)
		}
	}
	return s, nil
}

// Sample reads the counters now, sorted by id or in the order in which the ids were named. ErrNotExist: all that were
// named are gone.
func (s *Sampler) Sample() ([]Usage, error) {
	containers, err := s.containers()
	if err != nil {
		return nil, err
	}
	var all []Usage
	last := map[string]reading{}
	for _, c := range containers {
		status := c.Status()
		if status == specs.StateStopped && s.ids == nil && !s.stopped {
			continue
		}
		u := Usage{ID: c.saved.ID, Bundle: c.saved.Bundle, Status: status, Time: time.Now()}
		if status != specs.StateStopped {
			u.Counters = s.counters(c)
		}
		if u.Counters != nil && u.Counters.CPU != nil {
			now := reading{c.saved.InitStart, time.Now(), u.Counters.CPU.Usage.Total}
			last[u.ID] = now
			u.CPUPercent = now.since(s.last[u.ID])
		}
		all = append(all, u)
	}
	s.last = last
	return all, nil
}

// counters reads those of one container, nil if that can't be done.
func (s *Sampler) counters(c *Container) *cgroup.Stats {
	group, err := c.cgroup()
	var counters *cgroup.Stats
	if err == nil && group != nil {
		counters, err = group.Stats()
	}
	if err != nil && !errors.Is(err, cgroup.ErrRemoved) { // that one is about to be deleted
		s.runtime.Log.Warnf("counters of %q: %v", c.saved.ID, err)
	}
	return counters
}

// since returns the share of one processor that was used between two readings of the same container.
func (now reading) since(before reading) *float64 {
	passed := now.time.Sub(before.time)
	if before.time.IsZero() || before.start != now.start || before.total > now.total || passed <= 0 {
		return nil
	}
	percent := 100 * float64(now.total-before.total) / float64(passed)
	return &percent
}

func (s *Sampler) containers() ([]*Container, error) {
	if s.ids == nil {
		return s.runtime.List()
	}
	var containers []*Container
	s.ids = slices.DeleteFunc(s.ids, func(id string) bool {
		c, err := s.runtime.Load(id)
		switch {
		case err == nil:
			containers = append(containers, c)
		case !errors.Is(err, ErrNotExist):
			s.runtime.Log.Warnf("leave out %q: %v", id, err)
		}
		return errors.Is(err, ErrNotExist)
	})
	if len(s.ids) == 0 {
		return nil, ErrNotExist
	}
	return containers, nil
}

// onceLogger leaves out warnings that it has given before.
type onceLogger struct {
	Logger
	said map[string]bool
}

func (l onceLogger) Warnf(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if !l.said[text] {
		l.said[text] = true
		l.Logger.Warnf("%s", text)
	}
}
