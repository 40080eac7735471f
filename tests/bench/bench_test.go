// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSummarize(t *testing.T) {
	t.Parallel()
	hundred := make([]float64, 100)
	for i := range hundred {
		hundred[i] = float64(100 - i)
	}
	for _, c := range []struct {
		name   string
		values []float64
		want   summary
	}{
		{"none", nil, summary{}},
		{"one", []float64{3}, summary{3, 3, 3}},
		{"even", []float64{4, 1, 3, 2}, summary{1, 2.5, 4}},
		{"odd", []float64{9, 1, 5}, summary{1, 5, 9}},
		{"1 to 100", hundred, summary{1, 50.5, 95}},
	} {
		if got := summarize(c.values); got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
}

// twoRuntimes is a stand whose work is done by the test; the runtimes are true(1).
func twoRuntimes() *stand {
	return &stand{runtimes: []*runtime{{name: "rt", path: "/bin/true"}, {name: "peer", path: "/bin/true"}}}
}

func TestCompareAlternatesAndLeavesOutTheWarmUp(t *testing.T) {
	t.Parallel()
	s := twoRuntimes()
	var order []string
	rows := s.compare(work{"w", 2, 1, sizeMetrics, func(r *runtime, _ string) ([]float64, error) {
		order = append(order, r.name)
		value := map[string]float64{"rt": 1, "peer": 4}[r.name]
		if len(order) <= 2 {
			value = 1000
		}
		return []float64{value}, nil
	}}, s.runtimes[1])
	if got := strings.Join(order, " "); got != "rt peer rt peer rt peer" {
		t.Errorf("order %q", got)
	}
	if len(rows) != 1 || rows[0].Ratio != 0.25 || rows[0].Subject.P95 != 1 || rows[0].Other.P95 != 4 {
		t.Errorf("got %+v", rows)
	}
}

func TestCompareSaysWhyThereIsNoFigure(t *testing.T) {
	t.Parallel()
	s := twoRuntimes()
	rows := s.compare(work{"w", 2, 0, timeMetrics, func(r *runtime, _ string) ([]float64, error) {
		if r.name == "peer" {
			return nil, errors.New("peer run: refused")
		}
		return []float64{1, 1}, nil
	}}, s.runtimes[1])
	for _, one := range rows {
		if one.Problem != "peer run: refused" || one.Ratio != 0 {
			t.Errorf("got %+v", one)
		}
	}
}

func TestReports(t *testing.T) {
	t.Parallel()
	r := &report{subject: "rt", CPU: "a & b", Rows: []row{
		{Layout: "v1", Work: "run", Unit: "ms", Peer: "crun", Subject: summary{1, 4.2, 6}, Other: summary{2, 8.4, 9}, Ratio: 0.5},
		{Layout: "v1", Work: "run", Unit: "ms", Peer: "runc", Subject: summary{1, 4.3, 6}, Other: summary{2, 23, 29}, Ratio: 0.19},
		{Layout: "v2", Work: "run", Unit: "ms", Peer: "crun", Problem: "crun | refuses"},
	}}
	name := filepath.Join(t.TempDir(), "out")
	for kind, c := range map[string]struct {
		write func(*os.File) error
		want  []string
	}{
		"chart":    {r.writeChart, []string{">4.20 ms<", ">8.40 ms<", ">23.0 ms<", "a &amp; b"}},
		"markdown": {r.writeMarkdown, []string{"## v1", "| run | crun | 4.20 (6.00) ms | 8.40 (9.00) ms | 0.50 |", `crun \| refuses`}},
		"json":     {r.writeJSON, []string{`"ratio": 0.19`}},
	} {
		if err := writeFile(name, c.write); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range c.want {
			if !strings.Contains(string(content), want) {
				t.Errorf("%s: %q is not in\n%s", kind, want, content)
			}
		}
		if kind == "chart" {
			wellFormed(t, string(content))
		}
	}
}

func wellFormed(t *testing.T, content string) {
	t.Helper()
	for d := xml.NewDecoder(strings.NewReader(content)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
