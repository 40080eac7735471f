package main

import (
	"errors"
	"fmt"
	"strings"
)

// A report prints a line for each program and counts.
type report struct {
	host    machine
	verbose bool
	counts  map[verdict]int // actual results
	good    int             // as expected
	bad     int
	skips   int
	flaky   []string
}

func newReport(host machine, verbose bool) *report {
	return &report{host: host, verbose: verbose, counts: map[verdict]int{}}
}

func (r *report) skipped(row row, reason string) {
	r.skips++
	fmt.Printf("skip  %-33s %s\n", row.program, reason)
}

// add prints the result of one program and compares it with what was expected.
func (r *report) add(row row, want expectation, got result) {
	r.counts[got.verdict]++
	diffs := want.differences(got)
	word, text := "ok", got.String()
	switch {
	case len(diffs) > 0:
		word = "FAIL"
		r.bad++
	case got.verdict == fail || got.verdict == hollowErr:
		word = "pin"
		r.good++
	default:
		r.good++
	}
	switch {
	case want.verdict == flaky:
		text += " (flaky): " + row.reason
		r.flaky = append(r.flaky, row.program+" "+got.String())
	case word == "pin":
		text += ": " + row.reason
	case got.verdict == pass:
		text += fmt.Sprintf(" (%d points)", got.points-got.skipped)
	}
	fmt.Printf("%-5s %-33s %s\n", word, row.program, text)
	for _, d := range diffs {
		fmt.Println("        " + d)
	}
	if len(diffs) > 0 && got.verdict != pass {
		r.explain(row, got)
	}
	if r.verbose {
		if got.left != "" {
			fmt.Println("      | left behind: " + got.left)
		}
		fmt.Println(quote(got.output))
	}
}

// explain prints what a person needs to find the cause, and the rows that would pin the failures.
func (r *report) explain(row row, got result) {
	if len(got.failures) > 0 {
		fmt.Println("      as rows of points.tsv:")
	}
	for _, f := range got.failures {
		fmt.Printf("%s\t%s\t%s\t%s\n", row.program, r.host.cgroup, f.point, f.name)
	}
	if r.verbose {
		return // all of the output follows
	}
	const last = 30
	lines := strings.Split(strings.TrimRight(got.output, "\n"), "\n")
	if len(lines) > last {
		lines = append([]string{fmt.Sprintf("(%d lines not shown; -v shows all)", len(lines)-last)}, lines[len(lines)-last:]...)
	}
	fmt.Println(quote(strings.Join(lines, "\n")))
}

func quote(text string) string {
	return "      | " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n      | ")
}

// finish prints the totals; the last line is for machines.
func (r *report) finish() error {
	green := r.counts[pass] + r.counts[hollowOK]
	fmt.Printf("# %d green (%d asserting, %d hollow), %d fail, %d hollow with an error; cgroup %s\n",
		green, r.counts[pass], r.counts[hollowOK], r.counts[fail], r.counts[hollowErr], r.host.cgroup)
	if len(r.flaky) > 0 {
		fmt.Println("# flaky, either result is accepted:", strings.Join(r.flaky, ", "))
	}
	summary := fmt.Sprintf("%d passed, %d failed", r.good, r.bad)
	if r.skips > 0 {
		summary += fmt.Sprintf(", %d skipped", r.skips)
	}
	fmt.Println(summary)
	if r.bad > 0 {
		return errors.New("results differ from expected.tsv and points.tsv")
	}
	return nil
}
