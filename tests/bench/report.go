// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	goruntime "runtime"
	"strings"
	"text/tabwriter"
	"time"
)

// report is what is written as JSON, and what table and chart are made from.
type report struct {
	Taken    string   `json:"taken"`
	Kernel   string   `json:"kernel"`
	CPU      string   `json:"cpu"`
	CPUs     int      `json:"cpus"`
	Runtimes []string `json:"runtimes"` // first lines of --version; the one that is measured first
	Rows     []row    `json:"rows"`

	subject string
	gap     time.Duration
}

func newReport(runtimes []*runtime, o options) *report {
	r := &report{
		Taken: time.Now().UTC().Format(time.DateOnly), Kernel: kernelRelease(), CPU: cpuModel(), CPUs: goruntime.NumCPU(),
		subject: runtimes[0].name, gap: o.gap,
	}
	for _, one := range runtimes {
		r.Runtimes = append(r.Runtimes, one.version())
	}
	return r
}

func kernelRelease() string {
	content, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "unknown"
	}
	// The name of a build says nothing to others.
	version, _, _ := strings.Cut(strings.TrimSpace(string(content)), "-")
	return version
}

func cpuModel() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return goruntime.GOARCH
}

func (r *report) machine() string {
	return fmt.Sprintf("%d × %s, Linux %s, %s", r.CPUs, r.CPU, r.Kernel, r.Taken)
}

// byLayout calls each with the rows of one layout, in order.
func (r *report) byLayout(each func(layout string, rows []row)) {
	for first := 0; first < len(r.Rows); {
		end := first
		for end < len(r.Rows) && r.Rows[end].Layout == r.Rows[first].Layout {
			end++
		}
		each(r.Rows[first].Layout, r.Rows[first:end])
		first = end
	}
}

func (r *report) writeText(w io.Writer) {
	fmt.Fprintf(w, "\n%s\n%s\n", r.machine(), strings.Join(r.Runtimes, "; "))
	r.byLayout(func(layout string, rows []row) {
		fmt.Fprintf(w, "\n%s\n%s", layout, lineOf(rows[0].Note, "\n"))
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintf(table, "  work\tpeer\tunit\t%s median\tp95\tpeer median\tp95\tratio\n", r.subject)
		for _, one := range rows {
			if one.Problem != "" {
				fmt.Fprintf(table, "  %s\t%s\t%s\tnot measured: %s\n", one.Work, one.Peer, one.Unit, one.Problem)
				continue
			}
			fmt.Fprintf(table, "  %s\t%s\t%s\t%s\t%s\t%s\t%s\t%.2f\n", one.Work, one.Peer, one.Unit,
				figure(one.Subject.Median), figure(one.Subject.P95), figure(one.Other.Median), figure(one.Other.P95), one.Ratio)
		}
		table.Flush()
	})
}

// lineOf is a text and its end, or nothing.
func lineOf(text, end string) string {
	if text == "" {
		return ""
	}
	return text + end
}

// figure writes a value with three digits or so.
func figure(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func (r *report) writeJSON(f *os.File) error {
	encoder := json.NewEncoder(f)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

func (r *report) writeMarkdown(f *os.File) error {
	w := bufio.NewWriter(f)
	fmt.Fprintf(w, "# Measured\n\nMade by `make bench`. Pairs of one run of each, in turn, on %s. State directories in %s. Ratios of medians; below 1, %s is better.\n\n",
		r.machine(), stateHome(), r.subject)
	for _, version := range r.Runtimes {
		fmt.Fprintf(w, "* %s\n", version)
	}
	r.byLayout(func(layout string, rows []row) {
		fmt.Fprintf(w, "\n## %s\n\n%s| work | peer | %s, median (p95) | peer, median (p95) | ratio | pairs |\n|---|---|---|---|---|---|\n",
			layout, lineOf(rows[0].Note, "\n\n"), r.subject)
		for _, one := range rows {
			if one.Problem != "" {
				fmt.Fprintf(w, "| %s | %s | not measured: %s | | | |\n", one.Work, one.Peer, strings.ReplaceAll(one.Problem, "|", "\\|"))
				continue
			}
			fmt.Fprintf(w, "| %s | %s | %s (%s) %s | %s (%s) %s | %.2f | %d |\n", one.Work, one.Peer,
				figure(one.Subject.Median), figure(one.Subject.P95), one.Unit,
				figure(one.Other.Median), figure(one.Other.P95), one.Unit, one.Ratio, one.Pairs)
		}
	})
	return w.Flush()
}
