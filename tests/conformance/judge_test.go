package main

import (
	"reflect"
	"strings"
	"testing"
)

func TestJudge(t *testing.T) {
	tests := map[string]struct {
		stdout   string
		end      ending
		verdict  verdict
		points   int
		failures []failure
	}{
		"plan after the points": {
			stdout:  "TAP version 13\nok 1 - a\nok 2 - b\n1..2\n",
			verdict: pass, points: 2,
		},
		"failed point": {
			stdout:  "TAP version 13\nok 1 - a\nnot ok 2 - b\n1..2\n",
			verdict: fail, points: 2, failures: []failure{{"2", "b"}},
		},
		"points in a YAML block are not the program's": {
			stdout:  "TAP version 13\n  ---\n  {\n    \"stdout\": \"not ok 1 - inner\"\n  }\n  not ok 2 - inner\n  ...\nok 1 - a\n1..1\n",
			verdict: pass, points: 1,
		},
		"several documents are counted on": {
			stdout:  "TAP version 13\nok 1 - a\n1..1\nTAP version 13\nok 1 - a\nnot ok 2 - b\n1..2\n",
			verdict: fail, points: 3, failures: []failure{{"3", "b"}},
		},
		"plan not kept": {
			stdout:  "TAP version 13\n1..3\nok 1 - a\n",
			verdict: fail, points: 1, failures: []failure{{pointPlan, "planned 3, ran 1"}},
		},
		"exit status": {
			stdout: "TAP version 13\nok 1 - a\n1..1\n", end: ending{status: 1},
			verdict: fail, points: 1, failures: []failure{{pointExit, "status 1"}},
		},
		"hanging": {
			end:     ending{timedOut: true},
			verdict: fail, failures: []failure{{pointTimeout, "killed after 2m0s"}},
		},
		"no output":                  {verdict: hollowOK},
		"no points":                  {stdout: "TAP version 13\n1..0\n", verdict: hollowOK},
		"only a diagnostic":          {stdout: "TAP version 13\n  ---\n  {\"error\": \"x\"}\n  ...\n1..0\n", verdict: hollowErr},
		"nothing but skipped points": {stdout: "TAP version 13\nok 1 # SKIP none\n1..1\n", verdict: hollowOK, points: 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := judge([]byte(tt.stdout), tt.end)
			if got.verdict != tt.verdict || got.points != tt.points || !reflect.DeepEqual(got.failures, tt.failures) {
				t.Errorf("got %s of %d points with failures %v, want %s of %d with %v",
					got.verdict, got.points, got.failures, tt.verdict, tt.points, tt.failures)
			}
		})
	}
}

func TestStableNameHasNothingOfOneRun(t *testing.T) {
	name := `open "/tmp/rt-conformance-12/bundles/ocitest345/x" of 123e4567-e89b-12d3-a456-426614174000: /proc/77/ns`
	const want = `open "BUNDLE/x" of UUID: /proc/PID/ns`
	if got := stable(name); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestDifferences(t *testing.T) {
	pinned := []failure{{"2", "b"}, {pointOutput, "refuse"}}
	failed := func(names ...string) result {
		r := result{verdict: fail, points: 5, output: "refuse it"}
		for _, n := range names {
			r.failures = append(r.failures, failure{"2", n})
		}
		return r
	}
	tests := map[string]struct {
		want  expectation
		got   result
		diffs string // "" means as expected
	}{
		"as pinned":            {expectation{verdict: fail, failed: 1, points: 5, pinned: pinned}, failed("b"), ""},
		"unexpected pass":      {expectation{verdict: fail, failed: 1, points: 5, pinned: pinned}, result{verdict: pass}, "expected fail 1/5, got pass"},
		"unexpected failure":   {expectation{verdict: pass}, failed("b"), "expected pass, got fail 1/5"},
		"another point":        {expectation{verdict: fail, failed: 1, points: 5, pinned: pinned}, failed("c"), "not pinned: 2 c"},
		"another total":        {expectation{verdict: fail, failed: 1, points: 6, pinned: pinned}, failed("b"), "expected fail 1/6, got fail 1/5"},
		"another cause":        {expectation{verdict: fail, failed: 1, points: 5, pinned: append(pinned, failure{pointOutput, "limit"})}, failed("b"), `does not contain "limit"`},
		"flaky pass":           {expectation{verdict: flaky, pinned: pinned}, result{verdict: pass}, ""},
		"flaky failure":        {expectation{verdict: flaky, pinned: pinned}, failed("b"), ""},
		"flaky, other point":   {expectation{verdict: flaky, pinned: pinned}, failed("c"), "not pinned: 2 c"},
		"hollow, but an error": {expectation{verdict: hollowOK}, result{verdict: hollowErr}, "expected hollow-ok, got hollow-err"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := strings.Join(tt.want.differences(tt.got), "\n")
			if (got == "") != (tt.diffs == "") || !strings.Contains(got, tt.diffs) {
				t.Errorf("got %q, want %q", got, tt.diffs)
			}
		})
	}
}
