// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"maps"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// lifecycleRow is a row of a table of docs/lifecycle.md: | `concern` | `Step`, `Step` | why |
type lifecycleRow struct{ concern, steps string }

func documentedRows(t *testing.T) []lifecycleRow {
	t.Helper()
	data, err := os.ReadFile("../../docs/lifecycle.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows []lifecycleRow
	for line := range strings.Lines(string(data)) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || !strings.HasPrefix(strings.TrimSpace(cells[1]), "`") {
			continue
		}
		cell := func(i int) string { return strings.TrimSpace(strings.ReplaceAll(cells[i], "`", "")) }
		rows = append(rows, lifecycleRow{cell(1), cell(2)})
	}
	return rows
}

func concernName(c concern) string {
	name := runtime.FuncForPC(reflect.ValueOf(c).Pointer()).Name()
	return name[strings.LastIndex(name, ".")+1:]
}

// emittedSteps are the steps that each concern has in any golden plan, in the order of wire.h.
func emittedSteps(t *testing.T) map[string]string {
	t.Helper()
	emitted := make(map[string]map[string]bool)
	note := func(concern string, entries []Entry) {
		if emitted[concern] == nil {
			emitted[concern] = make(map[string]bool)
		}
		for i := range entries {
			emitted[concern][Name(entries[i].Step)] = true
		}
	}
	for _, g := range goldens() {
		s, h := readConfig(t, g.config), testHost()
		if g.host != nil {
			g.host(&h)
		}
		b := &builder{spec: s, host: h, plan: &Plan{}}
		for _, c := range slices.Concat(createOrder, startOrder) {
			before := len(b.plan.Steps)
			if err := b.emit([]concern{c}); err != nil {
				t.Fatal(err)
			}
			note(concernName(c), b.plan.Steps[before:])
		}
		before := len(b.plan.Steps)
		at := b.stagingAt
		b.insertStaging()
		note("staging", b.plan.Steps[at:at+len(b.plan.Steps)-before])
	}
	order := make(map[string]int)
	for i, s := range allSteps() {
		order[Name(s)] = i
	}
	text := make(map[string]string)
	for concern, names := range emitted {
		text[concern] = strings.Join(slices.SortedFunc(maps.Keys(names), func(a, b string) int { return order[a] - order[b] }), ", ")
	}
	return text
}

// TestLifecycleIsDocumented keeps the tables of docs/lifecycle.md what the planner does.
func TestLifecycleIsDocumented(t *testing.T) {
	t.Parallel()
	steps, rows := emittedSteps(t), documentedRows(t)
	concerns := slices.Concat(createOrder, startOrder)
	for i, c := range concerns {
		want := lifecycleRow{concernName(c), steps[concernName(c)]}
		if i >= len(rows) || rows[i] != want {
			t.Fatalf("docs/lifecycle.md: row %d must be\n| `%s` | `%s` | ... |\nand the rows are\n%q", i, want.concern, strings.ReplaceAll(want.steps, ", ", "`, `"), rows)
		}
	}
	if len(rows) != len(concerns) {
		t.Errorf("docs/lifecycle.md has %d rows, there are %d concerns", len(rows), len(concerns))
	}
}
