// SPDX-License-Identifier: Apache-2.0

// Command stress uses a runtime for a long time, from its command line and under containerd, and counts before and after
// each part what it may have left: processes, mounts, control groups, state, keyrings, descriptors. What is left is a
// failure. The same work with runc is the control.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// options are the flags.
type options struct {
	runtimes     string
	callers      string
	containers   int
	alive        int
	parallel     int
	execs        int
	workers      int
	settle       time.Duration
	jsonFile     string
	markdownFile string
}

func parseFlags() options {
	var o options
	flag.StringVar(&o.runtimes, "runtimes", "./rt,runc", "names or paths of the `runtimes`; the last one is the control")
	flag.StringVar(&o.callers, "callers", "cli,containerd", "who calls them: cli, containerd")
	flag.IntVar(&o.containers, "containers", 2000, "containers that are created and deleted")
	flag.IntVar(&o.alive, "alive", 200, "containers that live at the same time")
	flag.IntVar(&o.parallel, "parallel", 64, "containers that are created at the same moment, four times")
	flag.IntVar(&o.execs, "execs", 2000, "processes that are executed in one container")
	flag.IntVar(&o.workers, "workers", 8, "commands at a time where not told otherwise")
	flag.DurationVar(&o.settle, "settle", 30*time.Second, "how long what ends by itself may take")
	flag.StringVar(&o.jsonFile, "json", "", "write the results to this `file`")
	flag.StringVar(&o.markdownFile, "markdown", "", "write tables to this `file`")
	flag.Parse()
	return o
}

func main() {
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "stress: needs root")
		os.Exit(1)
	}
	status, inside := isolate()
	if !inside {
		os.Exit(status)
	}
	leaks, err := stress(parseFlags())
	if err != nil {
		fmt.Fprintln(os.Stderr, "stress:", err)
		os.Exit(1)
	}
	if leaks > 0 {
		fmt.Printf("stress: %d leaks\n", leaks)
		os.Exit(1)
	}
}

// stress does all work with each runtime under each caller, and tells how many checks found something left.
func stress(o options) (int, error) {
	scratch := os.Getenv(scratchEnv)
	var results []*result
	for _, name := range strings.Split(o.callers, ",") {
		for _, runtime := range strings.Split(o.runtimes, ",") {
			r, err := stressOne(o, scratch, name, runtime)
			if err != nil {
				return 0, fmt.Errorf("%s under %s: %w", runtime, name, err)
			}
			results = append(results, r)
		}
	}
	leaks := 0
	for _, r := range results {
		leaks += len(r.Left)
	}
	return leaks, report(o, results)
}

// stressOne does all work with one runtime under one caller.
func stressOne(o options, scratch, callerName, runtime string) (r *result, err error) {
	path, err := exec.LookPath(runtime)
	if err != nil {
		return nil, fmt.Errorf("find the runtime: %w", err)
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	dir := filepath.Join(scratch, callerName+"-"+filepath.Base(path))
	s, err := newStand(dir, path, o.settle)
	if err != nil {
		return nil, err
	}
	var c caller
	switch callerName {
	case "cli":
		c = &cli{stand: s}
	case "containerd":
		c = &containerd{stand: s}
	default:
		return nil, fmt.Errorf("no such caller: %q", callerName)
	}
	if err := c.open(); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	r = &result{Caller: callerName, Runtime: filepath.Base(path), Version: version(path)}
	return r, r.measure(o, s, c)
}

// version is the first line of --version.
func version(path string) string {
	out, err := exec.Command(path, "--version").Output()
	if err != nil {
		return err.Error()
	}
	first, _, _ := strings.Cut(string(out), "\n")
	return first
}
