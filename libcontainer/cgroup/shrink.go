// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Pauses between two attempts at reclaiming, when the last one has freed nothing.
const (
	reclaimFirstPause = 5 * time.Millisecond
	reclaimLastPause  = 100 * time.Millisecond
)

// MakeRoom has the kernel reclaim memory of the group until limit bytes are enough for it, so that setting that limit
// kills nobody. Meanwhile, and until release is called, memory.high slows down what would use more than that.
// If it has not succeeded when deadline is over, or a signal comes, everything is as before and that is an error.
//
// It is for v2: v1 refuses a limit below what is in use and can't be reclaimed (EBUSY).
func (g *Group) MakeRoom(limit int64, deadline time.Duration) (release func() error, err error) {
	nothing := func() error { return nil }
	if _, isV1 := g.controller("memory"); isV1 {
		return nothing, nil
	}
	m, ok := g.unified()
	if !ok {
		return nothing, nil // the write of the limit will say what is missing
	}
	used, err := readNumber(m.dir, "memory.current")
	if gone(err) || err == nil && used <= uint64(limit) {
		return nothing, nil
	}
	if err != nil {
		return nil, err
	}
	former, err := readControl(m.dir, "memory.high")
	if err != nil {
		return nil, err
	}
	release = func() error { return writeControl(m.dir, "memory.high", former) }
	i, err := catchInterrupts()
	if err != nil {
		return nil, err
	}
	defer i.release()
	if err = reclaim(m.dir, uint64(limit), deadline, i); err == nil {
		return release, nil
	}
	if undoErr := release(); undoErr != nil {
		err = fmt.Errorf("%w; put memory.high back: %w", err, undoErr)
	}
	return nil, err
}

// reclaim lowers memory.high, which reclaims already (cgroup-v2.rst, "Memory Interface Files"), and asks for more by
// memory.reclaim (Linux 5.19), or by memory.high again where there is no such file.
func reclaim(dir string, limit uint64, deadline time.Duration, i *interrupt) error {
	end := time.Now().Add(deadline)
	high := strconv.FormatUint(limit, 10)
	if err := writeControl(dir, "memory.high", high); err != nil {
		return err
	}
	pause, before := reclaimFirstPause, uint64(0)
	for {
		used, err := readNumber(dir, "memory.current")
		switch {
		case err != nil:
			return err
		case used <= limit:
			return nil
		case !time.Now().Before(end):
			return fmt.Errorf("linux.resources.memory.limit %d: %d bytes are in use, and reclaiming for %v has not made room (all is as before)", limit, used, deadline)
		}
		if used != before {
			pause = reclaimFirstPause
		} else if i.within(min(pause, time.Until(end))) {
			return fmt.Errorf("reclaim memory: %w (all is as before)", errInterrupted)
		} else {
			pause = min(2*pause, reclaimLastPause)
		}
		before = used
		err = writeControl(dir, "memory.reclaim", strconv.FormatUint(used-limit, 10))
		if errors.Is(err, unix.ENOENT) {
			err = writeControl(dir, "memory.high", high)
		}
		if err != nil && !errors.Is(err, unix.EAGAIN) { // EAGAIN: less was reclaimed than was asked for
			return err
		}
		if i.caught() {
			return fmt.Errorf("reclaim memory: %w (all is as before)", errInterrupted)
		}
	}
}
