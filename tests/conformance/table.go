package main

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// A row of expected.tsv says what one program is expected to do.
type row struct {
	program string
	module  string
	v1, v2  expectation
	lacking map[string]expectation // by feature: instead of v1 and v2 on a machine that lacks the feature
	reason  string
	pinned  []pin
}

// An expectation is one cell, such as "pass" or "fail 2/5", which means 2 of 5 points.
type expectation struct {
	verdict        verdict
	failed, points int    // for fail
	lacks          string // the feature whose absence made this the expectation
	pinned         []failure
}

func (e expectation) String() string {
	if e.verdict == fail {
		return fmt.Sprintf("%s %d/%d", e.verdict, e.failed, e.points)
	}
	return string(e.verdict)
}

// A pin is a row of points.tsv: a failure that is expected with one version of cgroup, or with both ("*").
type pin struct {
	cgroup string
	failure
}

// expectation returns what the program is expected to do on this machine.
func (r row) expectation(m machine) expectation {
	e := r.v1
	if m.cgroup == "v2" {
		e = r.v2
	}
	for _, feature := range knownFeatures() {
		if instead, ok := r.lacking[feature]; ok && m.lacks(feature) {
			e = instead
			e.lacks = feature
			break
		}
	}
	if e.verdict == fail || e.verdict == flaky {
		e.pinned = r.pinnedFor(m.cgroup)
	}
	return e
}

func (r row) pinnedFor(cgroup string) []failure {
	var failures []failure
	for _, p := range r.pinned {
		if p.cgroup == cgroup || p.cgroup == "*" {
			failures = append(failures, p.failure)
		}
	}
	return failures
}

// differences compares a result with the expectation; none means it is as expected.
func (e expectation) differences(got result) []string {
	if e.verdict == flaky && (got.verdict == pass || got.verdict == hollowOK) {
		return nil
	}
	if e.verdict != flaky && e.String() != got.String() {
		return []string{fmt.Sprintf("expected %s, got %s", e, got)}
	}
	var diffs []string
	for _, f := range got.failures {
		if !slices.Contains(e.pinned, f) {
			diffs = append(diffs, "not pinned: "+f.point+" "+f.name)
		}
	}
	for _, f := range e.pinned {
		switch {
		case f.point == pointOutput && !strings.Contains(got.output, f.name):
			diffs = append(diffs, fmt.Sprintf("the output does not contain %q", f.name))
		case f.point != pointOutput && e.verdict == fail && !slices.Contains(got.failures, f):
			diffs = append(diffs, "pinned, but did not fail: "+f.point+" "+f.name)
		}
	}
	return diffs
}

// loadTable reads both files. Each program must have exactly one row, and each pin a program.
func loadTable(expectedFile, pointsFile string) ([]row, error) {
	var rows []row
	index := map[string]int{}
	err := readTSV(expectedFile, 6, func(cells []string) error {
		r, err := parseRow(cells)
		if err != nil {
			return err
		}
		if _, ok := index[r.program]; ok {
			return fmt.Errorf("second row for %s", r.program)
		}
		index[r.program] = len(rows)
		rows = append(rows, r)
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = readTSV(pointsFile, 4, func(cells []string) error {
		i, ok := index[cells[0]]
		if !ok {
			return fmt.Errorf("no program %q in %s", cells[0], expectedFile)
		}
		if !slices.Contains([]string{"v1", "v2", "*"}, cells[1]) {
			return fmt.Errorf("unknown cgroup version %q (v1, v2 or *)", cells[1])
		}
		points, err := parsePoints(cells[2])
		for _, p := range points {
			rows[i].pinned = append(rows[i].pinned, pin{cells[1], failure{p, cells[3]}})
		}
		return err
	})
	return rows, err
}

// parseRow reads the cells program, module, v1, v2, without, reason.
func parseRow(cells []string) (row, error) {
	r := row{program: cells[0], module: cells[1], reason: cells[5]}
	if !slices.ContainsFunc(modules(), func(m module) bool { return m.name == r.module }) {
		return r, fmt.Errorf("unknown module %q", r.module)
	}
	var err error
	if r.v1, err = parseExpectation(cells[2]); err != nil {
		return r, err
	}
	if r.v2, err = parseExpectation(cells[3]); err != nil {
		return r, err
	}
	r.lacking = map[string]expectation{}
	if cells[4] == "-" {
		return r, nil
	}
	for _, one := range strings.Split(cells[4], ", ") {
		feature, text, _ := strings.Cut(one, ": ")
		if !slices.Contains(knownFeatures(), feature) {
			return r, fmt.Errorf("unknown feature %q (%s)", feature, strings.Join(knownFeatures(), ", "))
		}
		if r.lacking[feature], err = parseExpectation(text); err != nil {
			return r, err
		}
	}
	return r, nil
}

func parseExpectation(text string) (expectation, error) {
	name, counts, _ := strings.Cut(text, " ")
	e := expectation{verdict: verdict(name)}
	switch e.verdict {
	case fail:
		if _, err := fmt.Sscanf(counts, "%d/%d", &e.failed, &e.points); err != nil {
			return e, fmt.Errorf("parse %q: fail must be followed by FAILED/POINTS", text)
		}
		return e, nil
	case pass, hollowOK, hollowErr, flaky, skip:
		if counts == "" {
			return e, nil
		}
	}
	return e, fmt.Errorf("parse %q: not an expected result", text)
}

// parsePoints reads the points that share a text: a named one such as "exit", or numbers such as "1-6,15".
func parsePoints(text string) ([]string, error) {
	named := []string{pointExit, pointPlan, pointTimeout, pointOutput}
	if slices.Contains(named, text) {
		return []string{text}, nil
	}
	var points []string
	for _, part := range strings.Split(text, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, err := strconv.Atoi(first)
		to, err2 := strconv.Atoi(last)
		if err != nil || err2 != nil || from < 1 || to < from {
			return nil, fmt.Errorf("parse point %q: neither numbers nor one of %s", text, strings.Join(named, ", "))
		}
		for n := from; n <= to; n++ {
			points = append(points, strconv.Itoa(n))
		}
	}
	return points, nil
}

// readTSV calls f for each line that is neither empty nor a comment (#); the first such line is the heading.
func readTSV(name string, columns int, f func(cells []string) error) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	heading := true
	for n := 1; lines.Scan(); n++ {
		if lines.Text() == "" || strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		cells := strings.Split(lines.Text(), "\t")
		if len(cells) != columns {
			return fmt.Errorf("%s:%d: %d columns, expected %d", name, n, len(cells), columns)
		}
		if heading {
			heading = false
			continue
		}
		if err := f(cells); err != nil {
			return fmt.Errorf("%s:%d: %w", name, n, err)
		}
	}
	return lines.Err()
}
