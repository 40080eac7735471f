// SPDX-License-Identifier: Apache-2.0

// Command bench measures rt against other OCI runtimes of the machine. Each figure comes from pairs, one run of rt
// and one of the peer in turn, so that both see the same state of the machine. It judges nothing: a benchmark is not
// a test.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"time"

	_ "github.com/rt-oci/rt/libcontainer/startup" // which calms the monitor thread
)

// options are the flags.
type options struct {
	subject           string
	peers             string
	pairs             int
	warmUp            int
	gap               time.Duration
	works             string
	jsonFile, svgFile string
	markdownFile      string
	layout            string
}

func parseFlags() options {
	var o options
	flag.StringVar(&o.subject, "rt", "./rt", "the `binary` that is measured")
	flag.StringVar(&o.peers, "peers", "crun,runc", "names or paths of the runtimes that it is compared with")
	flag.IntVar(&o.pairs, "pairs", 50, "measured pairs per row and peer")
	flag.IntVar(&o.warmUp, "warm-up", 5, "pairs before these that do not count")
	flag.DurationVar(&o.gap, "gap", 10*time.Millisecond, "pause between runs, in the row that has one")
	flag.StringVar(&o.works, "works", "", "only rows whose name contains this `text`")
	flag.StringVar(&o.jsonFile, "json", "", "write the results to this `file`")
	flag.StringVar(&o.svgFile, "svg", "", "draw a chart into this `file`")
	flag.StringVar(&o.markdownFile, "markdown", "", "write a table to this `file`")
	flag.StringVar(&o.layout, "in-layout", "", "internal: measure in this layout and write results to descriptor 3")
	flag.Parse()
	return o
}

func main() {
	// What measures is to be still while it does: a thread that wakes up on another processor takes 2 to 4 ms from each
	// of the runtimes on a virtual machine.
	goruntime.GOMAXPROCS(1)
	o := parseFlags()
	var err error
	if o.layout != "" {
		err = measureHere(o)
	} else {
		err = measureAll(o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// measureAll measures in each layout and writes what was asked for.
func measureAll(o options) error {
	if os.Geteuid() != 0 {
		return errors.New("needs root")
	}
	runtimes, err := findRuntimes(o)
	if err != nil {
		return err
	}
	r := newReport(runtimes, o)
	for _, l := range layouts() {
		rows, err := measureInLayout(l)
		if err != nil {
			return fmt.Errorf("measure in layout %q: %w", l, err)
		}
		r.Rows = append(r.Rows, rows...)
	}
	r.writeText(os.Stdout)
	for _, out := range []struct {
		file  string
		write func(*os.File) error
	}{{o.jsonFile, r.writeJSON}, {o.svgFile, r.writeChart}, {o.markdownFile, r.writeMarkdown}} {
		if out.file == "" {
			continue
		}
		if err := writeFile(out.file, out.write); err != nil {
			return err
		}
	}
	return nil
}

func writeFile(name string, write func(*os.File) error) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

// measureHere is the child of measureInLayout: it has a mount namespace of its own.
func measureHere(o options) error {
	leave, err := enterLayout(o.layout)
	if err != nil {
		return err
	}
	defer leave()
	runtimes, err := findRuntimes(o)
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "rt-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	s, err := newStand(scratch, runtimes, o)
	if err != nil {
		return err
	}
	defer s.close()
	rows := s.measure()
	for i := range rows {
		rows[i].Layout = o.layout
	}
	return json.NewEncoder(os.NewFile(3, "results")).Encode(rows)
}

// findRuntimes gives rt, and the peers that are there.
func findRuntimes(o options) ([]*runtime, error) {
	path, err := exec.LookPath(o.subject)
	if err != nil {
		return nil, fmt.Errorf("find the binary to measure: %w", err)
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	all := []*runtime{{name: filepath.Base(path), path: path}}
	for peer := range strings.SplitSeq(o.peers, ",") {
		path, err := exec.LookPath(peer)
		if err != nil {
			fmt.Fprintf(os.Stderr, "bench: %s is not here, no comparison with it\n", peer)
			continue
		}
		if path, err = filepath.Abs(path); err != nil {
			return nil, err
		}
		all = append(all, &runtime{name: filepath.Base(path), path: path})
	}
	return all, nil
}
