// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"sync"
	"time"
)

// idPrefix begins the ids of all containers, and with that the names of their keyrings.
const idPrefix = "rt-stress-"

// result is what one runtime did under one caller.
type result struct {
	Caller, Runtime, Version string
	Parts                    []part
	Left                     []string // each a sentence
}

// part is one piece of work.
type part struct {
	Name          string
	Seconds       float64
	Before, After census
	While         census // with all containers alive, or after the last exec
	Left          []string
}

// measure does the pieces one after the other.
func (r *result) measure(o options, s *stand, c caller) error {
	// What a daemon makes once, it makes now.
	if err := many(16, 4, func(i int) error { return c.once(id("warm", i), kind(i)%kinds) }); err != nil {
		return err
	}
	for _, p := range []struct {
		name string
		work func(*part) error
	}{
		{fmt.Sprintf("%d containers, %d at a time", o.containers, o.workers), func(*part) error {
			return many(o.containers, o.workers, func(i int) error { return c.once(id("one", i), someKind(i)) })
		}},
		{fmt.Sprintf("4 times %d containers at the same moment", o.parallel), func(*part) error {
			for round := range 4 {
				err := many(o.parallel, o.parallel, func(i int) error { return c.once(id("par", round*o.parallel+i), someKind(i)) })
				if err != nil {
					return err
				}
			}
			return nil
		}},
		{fmt.Sprintf("%d containers alive", o.alive), func(p *part) error { return p.alive(o, s, c) }},
		{fmt.Sprintf("%d processes in one container", o.execs), func(p *part) error { return p.execs(o, s, c) }},
	} {
		if err := r.do(p.name, s, c, p.work); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

func id(word string, i int) string { return fmt.Sprintf("%s%s-%04d", idPrefix, word, i) }

// someKind makes one container in four plain, one with a common filter, one with user namespace; of the last quarter
// each fifth has a filter of its own, as a compilation takes long.
func someKind(i int) kind {
	if k := kind(i) % kinds; k != ownFilter || i%5 == 0 {
		return k
	}
	return plain
}

// many calls work n times, some of them at a time, and returns the first error.
func many(n, workers int, work func(i int) error) error {
	numbers := make(chan int)
	var wait sync.WaitGroup
	var once sync.Once
	var first error
	for range workers {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for i := range numbers {
				if err := work(i); err != nil {
					once.Do(func() { first = err })
				}
			}
		}()
	}
	for i := range n {
		numbers <- i
	}
	close(numbers)
	wait.Wait()
	return first
}

// alive starts containers, looks at them, and removes them.
func (p *part) alive(o options, s *stand, c caller) error {
	if err := many(o.alive, o.workers, func(i int) error { return c.start(id("alive", i), someKind(i)) }); err != nil {
		return err
	}
	n, err := c.running()
	if err != nil {
		return err
	}
	if n != o.alive {
		return fmt.Errorf("%d containers run: want %d", n, o.alive)
	}
	if p.While, err = s.count(c); err != nil {
		return err
	}
	return many(o.alive, o.workers, func(i int) error { return c.stop(id("alive", i)) })
}

// execs starts processes in a container, and looks at it before it is removed.
func (p *part) execs(o options, s *stand, c caller) error {
	name := id("exec", 0)
	if err := c.start(name, filtered); err != nil {
		return err
	}
	if err := many(16, 4, func(i int) error { return c.exec(name, o.execs+i) }); err != nil {
		return err
	}
	before, err := s.count(c)
	if err != nil {
		return err
	}
	if err := many(o.execs, o.workers, func(i int) error { return c.exec(name, i) }); err != nil {
		return err
	}
	if p.While, err = s.settled(c, before); err != nil {
		return err
	}
	for _, l := range leaks(before, p.While) {
		p.Left = append(p.Left, "with the container alive "+l)
	}
	return c.stop(name)
}

// do does one piece, and counts before and after.
func (r *result) do(name string, s *stand, c caller, work func(*part) error) error {
	p := part{Name: name}
	var err error
	if p.Before, err = s.count(c); err != nil {
		return err
	}
	begin := time.Now()
	if err := work(&p); err != nil {
		return err
	}
	p.Seconds = time.Since(begin).Seconds()
	if p.After, err = s.settled(c, p.Before); err != nil {
		return err
	}
	p.Left = append(p.Left, leaks(p.Before, p.After)...)
	for _, l := range p.Left {
		r.Left = append(r.Left, name+": "+l)
	}
	r.Parts = append(r.Parts, p)
	fmt.Printf("%-10s %-5s %-45s %7.1f s  %s\n", r.Caller, r.Runtime, name, p.Seconds, verdict(p.Left))
	for _, name := range []string{shims, shimDescriptors, shimThreads, shimMemory} {
		if p.While[name] > 0 {
			fmt.Printf("%17smeanwhile %s: %d\n", "", name, p.While[name])
		}
	}
	return nil
}

// settled counts until all is as before, or for the time of --settle: a shim ends a moment after its container, and the kernel
// collects keys and network namespaces when it has time.
func (s *stand) settled(c caller, before census) (census, error) {
	for end := time.Now().Add(s.settle); ; time.Sleep(200 * time.Millisecond) {
		after, err := s.count(c)
		if err == nil && len(leaks(before, after)) == 0 || time.Now().After(end) {
			return after, err
		}
	}
}

// leaks says what there is more of than before.
func leaks(before, after census) []string {
	var left []string
	for _, name := range own {
		if after[name] > before[name] {
			left = append(left, fmt.Sprintf("%s: %d, were %d", name, after[name], before[name]))
		}
	}
	if after[filters] > maxFilters {
		left = append(left, fmt.Sprintf("%s: %d, want at most %d", filters, after[filters], maxFilters))
	}
	return left
}
