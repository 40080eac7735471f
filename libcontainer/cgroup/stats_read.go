// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// counters reads the files of one group. The first error stays, and stops all further reading: whoever composes the
// values needs no branches for it.
type counters struct {
	sources []source
	err     error
}

// source is the open directory of the group in one hierarchy.
type source struct {
	directory
	controllers []string
	v2          bool
	reader      *counters
}

// openCounters opens the group's directories. All reading goes through them, so that a group of the same name which
// is made meanwhile is not taken for this one.
func (g *Group) openCounters() (*counters, error) {
	r := &counters{}
	for _, m := range g.members {
		fd, err := unix.Open(m.dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			r.close()
			if gone(err) {
				return nil, fmt.Errorf("open control group %q: %w", m.dir, ErrRemoved)
			}
			return nil, fmt.Errorf("open control group %q: %w", m.dir, err)
		}
		r.sources = append(r.sources, source{
			directory:   directory{parentFD: fd, name: ".", path: []byte(m.dir)},
			controllers: m.controllers, v2: m.unified(), reader: r,
		})
	}
	return r, nil
}

func (r *counters) close() {
	for _, s := range r.sources {
		unix.Close(s.parentFD)
	}
}

// checkThere finds out whether the group still stands, in which case missing files are those of missing controllers.
func (r *counters) checkThere() {
	for _, s := range r.sources {
		var st unix.Stat_t
		if err := unix.Fstatat(s.parentFD, "cgroup.procs", &st, 0); gone(err) {
			r.err = fmt.Errorf("read control group %q: %w", s, ErrRemoved)
			return
		}
	}
}

// of returns where to look for the files of a controller: in its v1 hierarchy, or in the unified one. Whether the
// latter has the controller shows when its files are opened.
func (r *counters) of(controller string) (source, bool) {
	for _, s := range r.sources {
		if slices.Contains(s.controllers, controller) {
			return s, true
		}
	}
	return r.unified()
}

func (r *counters) unified() (source, bool) {
	for _, s := range r.sources {
		if s.v2 {
			return s, true
		}
	}
	return source{}, false
}

// text returns the content of a file; false if there is none: the kernel, its configuration or the group lacks it.
func (s source) text(name string) (string, bool) {
	if s.reader.err != nil {
		return "", false
	}
	content, err := s.read(name)
	// EOPNOTSUPP: pressure is switched off, for the host or for this group (cgroup.pressure).
	if gone(err) || errors.Is(err, unix.EOPNOTSUPP) {
		return "", false
	}
	if err != nil {
		s.reader.err = err
		return "", false
	}
	return content, true
}

// number returns the number that is all of a file's content, 0 if there is no file. "max" is the largest number.
func (s source) number(name string) uint64 {
	n, _ := s.value(name)
	return n
}

// value is number for who has to know whether there is such a file.
func (s source) value(name string) (uint64, bool) {
	content, ok := s.text(name)
	if !ok {
		return 0, false
	}
	return s.parse(name, content), true
}

func (s source) parse(name, number string) uint64 {
	if number == "max" {
		return math.MaxUint64
	}
	n, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		s.malformed(name, number)
	}
	return n
}

func (s source) malformed(name, text string) {
	if s.reader.err == nil {
		s.reader.err = fmt.Errorf("parse %q: unexpected %q", s.String()+"/"+name, text)
	}
}

// keyed returns the lines "KEY NUMBER" of a flat keyed file, nil if there is no such file.
func (s source) keyed(name string) map[string]uint64 {
	content, ok := s.text(name)
	if !ok {
		return nil
	}
	values := make(map[string]uint64, 64)
	for line := range strings.Lines(content) {
		key, number, found := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case key == "":
		case !found:
			s.malformed(name, line)
		default:
			values[key] = s.parse(name, number)
		}
	}
	return values
}

// nested returns the lines "NAME KEY=VALUE KEY=VALUE ..." of a nested keyed file (cgroup-v2.rst, "Format"), pair by
// pair. A name without pairs comes with an empty key.
func (s source) nested(name string) iter.Seq2[string, [2]string] {
	return func(yield func(string, [2]string) bool) {
		content, _ := s.text(name)
		for line := range strings.Lines(content) {
			fields := strings.Fields(line)
			for _, pair := range fields[min(1, len(fields)):] {
				key, value, found := strings.Cut(pair, "=")
				if !found {
					s.malformed(name, pair)
					return
				}
				if !yield(fields[0], [2]string{key, value}) {
					return
				}
			}
		}
	}
}

// pressure reads a file of pressure stall information, which only the unified hierarchy has.
func (r *counters) pressure(name string) *Pressure {
	s, ok := r.unified()
	if !ok {
		return nil
	}
	var p *Pressure
	for kind, pair := range s.nested(name) {
		if p == nil {
			p = &Pressure{}
		}
		values := &p.Some
		if kind == "full" {
			values = &p.Full
		}
		var err error
		switch pair[0] {
		case "avg10":
			values.Avg10, err = strconv.ParseFloat(pair[1], 64)
		case "avg60":
			values.Avg60, err = strconv.ParseFloat(pair[1], 64)
		case "avg300":
			values.Avg300, err = strconv.ParseFloat(pair[1], 64)
		case "total":
			values.Total = s.parse(name, pair[1])
		}
		if err != nil {
			s.malformed(name, pair[1])
		}
	}
	return p
}
