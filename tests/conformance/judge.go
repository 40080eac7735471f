package main

import (
	"bufio"
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// A verdict is what a program's output and exit status amount to.
type verdict string

const (
	pass      verdict = "pass"       // at least one point, none failed
	hollowOK  verdict = "hollow-ok"  // the program asserts nothing and complained about nothing
	hollowErr verdict = "hollow-err" // the program asserts nothing, but printed an error as a diagnostic
	fail      verdict = "fail"       // a point failed, the plan was not kept, the program failed or hung
	flaky     verdict = "flaky"      // expected only: pass, or no other failures than the pinned ones
	skip      verdict = "skip"       // expected only: not run on this machine
)

// A failure is one thing that went wrong: a failed point, or one of the conditions below.
type failure struct {
	point string // the point's number, counted over the whole output, or one of the names below
	name  string // the point's description or the condition, without what differs from run to run
}

const (
	pointExit    = "exit"     // the exit status was not 0
	pointPlan    = "plan"     // number of points differs from the plan
	pointTimeout = "time-out" // the program was killed
	pointOutput  = "output"   // pinned only: a text that the output must contain, so that the cause is pinned as well
)

// A result is what one program did.
type result struct {
	verdict  verdict
	points   int
	skipped  int // of the points
	failures []failure
	output   string // standard output and error
	left     string // what it left behind
}

// failedPoints counts the failures that are points.
func (r result) failedPoints() int {
	n := 0
	for _, f := range r.failures {
		if isPoint(f.point) {
			n++
		}
	}
	return n
}

func (r result) String() string {
	if r.verdict == fail {
		return fmt.Sprintf("%s %d/%d", r.verdict, r.failedPoints(), r.points)
	}
	return string(r.verdict)
}

func isPoint(point string) bool {
	_, err := strconv.Atoi(point)
	return err == nil
}

// An ending is how a program ended.
type ending struct {
	status   int // exit status, or 128 plus the number of the signal
	timedOut bool
}

// judge reads the output of a program. Programs may print several TAP documents one after another, a plan before
// or after the points, YAML blocks that hold the TAP of something else, or nothing at all.
func judge(stdout []byte, end ending) result {
	var r result
	doc := document{plan: -1}
	documents, complained := 0, false
	closeDocument := func() {
		if doc.plan >= 0 && doc.plan != doc.points {
			r.failures = append(r.failures, failure{pointPlan, fmt.Sprintf("planned %d, ran %d", doc.plan, doc.points)})
		}
		doc = document{plan: -1}
	}
	lines := bufio.NewScanner(bytes.NewReader(stdout))
	lines.Buffer(nil, len(stdout)+1)
	for lines.Scan() {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, "TAP version "):
			closeDocument()
			documents++
		case line == "  ---":
			complained = true
		case strings.HasPrefix(line, "1.."):
			if n, err := strconv.Atoi(line[len("1.."):]); err == nil {
				doc.plan = n
			}
		default:
			p, ok := parsePoint(line)
			if !ok {
				continue
			}
			doc.points++
			r.points++
			if p.skipped {
				r.skipped++
			}
			if p.failed {
				r.failures = append(r.failures, failure{strconv.Itoa(r.points), p.name})
			}
		}
	}
	closeDocument()
	switch {
	case end.timedOut:
		r.failures = append(r.failures, failure{pointTimeout, "killed after " + programTimeout.String()})
	case end.status != 0:
		r.failures = append(r.failures, failure{pointExit, fmt.Sprintf("status %d", end.status)})
	}
	r.verdict = r.amount(complained)
	return r
}

// A document is the state of the TAP document that is being read; plan is -1 as long as there is none.
type document struct{ plan, points int }

func (r result) amount(complained bool) verdict {
	switch {
	case len(r.failures) > 0:
		return fail
	case r.points > r.skipped:
		return pass
	case complained:
		return hollowErr
	default:
		return hollowOK
	}
}

type point struct {
	failed, skipped bool
	name            string
}

// parsePoint reads "ok 1 - name", "not ok 2 - name" and "ok 3 # SKIP reason".
func parsePoint(line string) (point, bool) {
	rest, failed := strings.CutPrefix(line, "not ")
	rest, ok := strings.CutPrefix(rest, "ok ")
	if !ok {
		return point{}, false
	}
	number, text, _ := strings.Cut(rest, " ")
	if !isPoint(number) {
		return point{}, false
	}
	p := point{failed: failed, name: stable(strings.TrimPrefix(text, "- "))}
	p.skipped = strings.HasPrefix(text, "# SKIP")
	return p, true
}

// stable replaces what differs from run to run.
func stable(name string) string {
	name = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`).ReplaceAllString(name, "UUID")
	name = regexp.MustCompile(`/[^ "]*/ocitest[0-9]+`).ReplaceAllString(name, "BUNDLE")
	name = regexp.MustCompile(`/proc/[0-9]+/`).ReplaceAllString(name, "/proc/PID/")
	return strings.Join(strings.Fields(name), " ")
}
