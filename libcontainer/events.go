// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/libcontainer/cgroup"
)

// Event is what `events` prints, one JSON object on a line: {"type":"stats","id":ID,"data":{...}} or
// {"type":"oom","id":ID}. Callers compare the latter as a text.
type Event struct {
	Type string        `json:"type"`
	ID   string        `json:"id"`
	Data *cgroup.Stats `json:"data,omitempty"`
}

// Stats returns an event with the present counters. A container that has stopped has none: ErrNotRunning.
func (c *Container) Stats() (Event, error) {
	group, err := c.runningGroup()
	if err != nil {
		return Event{}, err
	}
	return c.statsEvent(group)
}

func (c *Container) statsEvent(group *cgroup.Group) (Event, error) {
	stats, err := group.Stats()
	if errors.Is(err, cgroup.ErrRemoved) {
		err = ErrNotRunning
	}
	return Event{Type: "stats", ID: c.saved.ID, Data: stats}, err
}

func (c *Container) runningGroup() (*cgroup.Group, error) {
	if c.Status() == specs.StateStopped {
		return nil, ErrNotRunning
	}
	group, err := c.cgroup()
	if err == nil && group == nil {
		err = errNoGroup
	}
	return group, err
}

// Events calls emit with the counters at once and then at each interval, and with each event of running out of memory as
// it comes. It returns when the container has no process any more, or with emit's error.
func (c *Container) Events(interval time.Duration, emit func(Event) error) error {
	group, err := c.runningGroup()
	if err != nil {
		return err
	}
	watch, err := group.Watch()
	if errors.Is(err, cgroup.ErrRemoved) {
		return ErrNotRunning
	}
	if err != nil {
		return err
	}
	defer watch.Close()
	for due := time.Now(); ; {
		seen, err := watch.Next(due)
		event := Event{Type: "oom", ID: c.saved.ID}
		if err == nil && seen == cgroup.NoEvent {
			event, err = c.statsEvent(group)
			// No catching up after a time in which rt was stopped.
			if due = due.Add(interval); due.Before(time.Now()) {
				due = time.Now().Add(interval)
			}
		}
		if seen == cgroup.EndEvent || errors.Is(err, ErrNotRunning) {
			return nil
		}
		if err == nil {
			err = emit(event)
		}
		if err != nil {
			return err
		}
	}
}
