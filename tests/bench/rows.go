// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	goruntime "runtime"
	"strings"
	"sync"
	"time"
)

// row compares rt with one peer in one piece of work.
type row struct {
	Layout  string  `json:"layout"`
	Work    string  `json:"work"`
	Unit    string  `json:"unit"`
	Peer    string  `json:"peer"`
	Pairs   int     `json:"pairs"`
	Subject summary `json:"rt"`
	Other   summary `json:"other"`
	// Ratio is that of the medians, rt to peer.
	Ratio float64 `json:"ratio"`
	// Note tells what was done to the layout to make all take the same bundles.
	Note string `json:"note,omitempty"`
	// Problem says why there is no figure.
	Problem string `json:"problem,omitempty"`
}

// work is one way to use a runtime. once does it and returns what it cost, one value per entry of metrics.
type work struct {
	name    string
	pairs   int
	warmUp  int
	metrics []metric
	once    func(r *runtime, id string) ([]float64, error)
}

// metric names a value: its name is added to that of the work.
type metric struct{ suffix, unit string }

var (
	timeMetrics = []metric{{"", "ms"}, {", processor time", "ms"}}
	sizeMetrics = []metric{{"", "KiB"}}
)

var errNoMemoryGroup = errors.New("this layout has no memory controller")

// stand is where the measuring is done.
type stand struct {
	runtimes []*runtime // rt first
	bundles  bundles
	options  options
	note     string
	count    int
}

func newStand(scratch string, runtimes []*runtime, o options) (*stand, error) {
	if err := subreaper(); err != nil {
		return nil, err
	}
	for _, r := range runtimes {
		if err := r.prepare(scratch); err != nil {
			return nil, err
		}
	}
	note, err := allowDeviceRules(o.layout)
	if err != nil {
		return nil, err
	}
	s := &stand{runtimes: runtimes, options: o, note: note}
	s.bundles, err = newBundles(scratch, runtimes[0])
	return s, err
}

// close removes the state directories.
func (s *stand) close() {
	for _, r := range s.runtimes {
		r.leave()
		os.RemoveAll(r.state)
	}
}

const (
	parallelRuns    = 100
	parallelAtATime = 8
	sizePairs       = 10
	parallelPairs   = 5
)

// works are the rows of the table.
func (s *stand) works() []work {
	o, b := s.options, s.bundles
	return []work{
		{"run /bin/true", o.pairs, o.warmUp, timeMetrics, func(r *runtime, id string) ([]float64, error) {
			return times(r.run(b.ends, id))
		}},
		{fmt.Sprintf("run /bin/true, %v pause before each", o.gap), o.pairs, o.warmUp, timeMetrics, func(r *runtime, id string) ([]float64, error) {
			time.Sleep(o.gap)
			return times(r.run(b.ends, id))
		}},
		{"run /bin/true with a large seccomp profile", o.pairs, o.warmUp, timeMetrics, func(r *runtime, id string) ([]float64, error) {
			return times(r.run(b.filtered, id)) // those who keep the compiled filter have it since the first pair that does not count
		}},
		{"create + start + delete of /bin/true", o.pairs, o.warmUp, timeMetrics, func(r *runtime, id string) ([]float64, error) {
			return times(r.cycle(b.ends, id))
		}},
		{
			fmt.Sprintf("%d times run /bin/true, %d at a time", parallelRuns, parallelAtATime), min(o.pairs, parallelPairs), 0, timeMetrics,
			func(r *runtime, id string) ([]float64, error) { return times(parallel(r, b.ends, id)) },
		},
		{"exec /bin/true in a running container", o.pairs, o.warmUp, timeMetrics, func(r *runtime, id string) ([]float64, error) {
			return times(r.exec(b.stays, id))
		}},
		{"memory charged to a created container", min(o.pairs, sizePairs), 1, sizeMetrics, func(r *runtime, id string) ([]float64, error) {
			return kibibytes(r.createdBytes(b.stays, id))
		}},
		{"resident size of run in the foreground", min(o.pairs, sizePairs), 1, sizeMetrics, func(r *runtime, id string) ([]float64, error) {
			return kibibytes(r.residentBytes(b.stays, id))
		}},
	}
}

func times(s sample, err error) ([]float64, error) {
	return []float64{milliseconds(s.wall), milliseconds(s.cpu)}, err
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func kibibytes(bytes float64, err error) ([]float64, error) { return []float64{bytes / 1024}, err }

// parallel runs many containers, some at a time, and returns the time for all of them.
func parallel(r *runtime, bundle, id string) (sample, error) {
	var (
		wait  sync.WaitGroup
		lock  sync.Mutex
		total sample
		first error
	)
	numbers := make(chan int)
	defer goruntime.GOMAXPROCS(goruntime.GOMAXPROCS(goruntime.NumCPU())) // here the launcher has work, too
	begin := time.Now()
	for range parallelAtATime {
		wait.Go(func() {
			for n := range numbers {
				s, err := r.run(bundle, fmt.Sprintf("%s-%d", id, n))
				lock.Lock()
				total = total.plus(s)
				if first == nil {
					first = err
				}
				lock.Unlock()
			}
		})
	}
	for n := range parallelRuns {
		numbers <- n
	}
	close(numbers)
	wait.Wait()
	return sample{wall: time.Since(begin), cpu: total.cpu}, first
}

// measure does all works with each peer.
func (s *stand) measure() []row {
	var rows []row
	for _, w := range s.works() {
		if !strings.Contains(w.name, s.options.works) {
			continue
		}
		for _, peer := range s.runtimes[1:] {
			fmt.Fprintf(os.Stderr, "bench: %s: %s and %s, %s\n", s.options.layout, s.runtimes[0].name, peer.name, w.name)
			rows = append(rows, s.compare(w, peer)...)
		}
	}
	return rows
}

// compare does one work with rt and one peer in turn, and makes a row per metric.
func (s *stand) compare(w work, peer *runtime) []row {
	sides := [2]*runtime{s.runtimes[0], peer}
	values := make([][2][]float64, len(w.metrics))
	var problem string
	for n := -w.warmUp; n < w.pairs && problem == ""; n++ {
		for side, r := range sides {
			s.count++
			id := fmt.Sprintf("bench-%s-%d-%d", r.name, os.Getpid(), s.count)
			got, err := w.once(r, id)
			if err != nil {
				problem = err.Error()
				r.discard(id)
				break
			}
			for m := range w.metrics {
				if n >= 0 {
					values[m][side] = append(values[m][side], got[m])
				}
			}
		}
	}
	var rows []row
	for m, metric := range w.metrics {
		out := row{Work: w.name + metric.suffix, Unit: metric.unit, Peer: peer.name, Pairs: w.pairs, Note: s.note, Problem: problem}
		if problem == "" {
			out.Subject, out.Other = summarize(values[m][0]), summarize(values[m][1])
			out.Ratio = ratio(out.Subject.Median, out.Other.Median)
		}
		rows = append(rows, out)
	}
	return rows
}
