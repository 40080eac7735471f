package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTablesAgree checks the tables that are in use: the counts of expected.tsv are the number of points in points.tsv.
func TestTablesAgree(t *testing.T) {
	rows, err := loadTable("expected.tsv", "points.tsv")
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 58 {
		t.Errorf("%d programs, the suite has 58", len(rows))
	}
	for _, r := range rows {
		if r.reason == "" && (r.v1.verdict != pass || r.v2.verdict != pass || len(r.lacking) > 0) {
			t.Errorf("%s: does not pass everywhere, but has no reason", r.program)
		}
		for cgroup, e := range map[string]expectation{"v1": r.v1, "v2": r.v2} {
			if e.verdict == fail {
				wantPinned(t, r, cgroup, e)
			}
		}
		for _, e := range r.lacking {
			if e.verdict == fail {
				wantPinned(t, r, "v1", e)
				wantPinned(t, r, "v2", e)
			}
		}
	}
}

func wantPinned(t *testing.T, r row, cgroup string, e expectation) {
	t.Helper()
	pinned, conditions := 0, 0
	for _, f := range r.pinnedFor(cgroup) {
		switch {
		case isPoint(f.point):
			pinned++
		case f.point != pointOutput:
			conditions++
		}
	}
	if pinned != e.failed {
		t.Errorf("%s, cgroup %s: %s, but points.tsv lists %d points", r.program, cgroup, e, pinned)
	}
	if pinned+conditions == 0 {
		t.Errorf("%s, cgroup %s: %s, but points.tsv does not say what fails", r.program, cgroup, e)
	}
}

func TestTableRefuses(t *testing.T) {
	const good = "a\thead\tpass\tfail 1/2\thugetlb: skip\twhy\n"
	tests := map[string]struct{ expected, points, want string }{
		"second row":         {good + good, "", "second row for a"},
		"missing column":     {"a\thead\tpass\n", "", "3 columns, expected 6"},
		"unknown module":     {"a\ttail\tpass\tpass\t-\t\n", "", `unknown module "tail"`},
		"unknown result":     {"a\thead\tperhaps\tpass\t-\t\n", "", `"perhaps": not an expected result`},
		"fail without count": {"a\thead\tfail\tpass\t-\t\n", "", "fail must be followed by FAILED/POINTS"},
		"unknown feature":    {"a\thead\tpass\tpass\tluck: skip\t\n", "", `unknown feature "luck"`},
		"pin of no program":  {good, "b\tv1\t1\tx\n", `no program "b"`},
		"pin of no cgroup":   {good, "a\tv3\t1\tx\n", `unknown cgroup version "v3"`},
		"pin of no point":    {good, "a\tv1\t3-2\tx\n", `parse point "3-2"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			expected, points := filepath.Join(dir, "expected.tsv"), filepath.Join(dir, "points.tsv")
			write(t, expected, "program\tmodule\tv1\tv2\twithout\treason\n"+tt.expected)
			write(t, points, "program\tcgroup\tpoint\ttext\n"+tt.points)
			_, err := loadTable(expected, points)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestLackingFeatureChangesTheExpectation(t *testing.T) {
	r := row{
		v1: expectation{verdict: pass}, v2: expectation{verdict: fail, failed: 1, points: 1},
		lacking: map[string]expectation{featureHugetlb: {verdict: skip}},
	}
	tests := map[string]struct {
		host machine
		want verdict
	}{
		"v1":                 {machine{cgroup: "v1", features: knownFeatures()}, pass},
		"v1 without hugetlb": {machine{cgroup: "v1"}, skip},
		"v2":                 {machine{cgroup: "v2"}, fail},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := r.expectation(tt.host).verdict; got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestDocsListEveryProgramAndPin(t *testing.T) {
	rows, err := loadTable("expected.tsv", "points.tsv")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "conformance.md")
	if err := writeDocs(path, rows); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if !strings.Contains(string(page), "\n| "+r.program+" | "+r.v1.String()+" | ") {
			t.Errorf("%s is missing", r.program)
		}
		for _, p := range r.pinned {
			if !strings.Contains(string(page), " | "+p.point+" | "+cell(p.name)+" |\n") {
				t.Errorf("point %s of %s is missing", p.point, r.program)
			}
		}
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
