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
func emittedSteps(t *testing.T, exec bool) map[string]string {
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
	order := slices.Concat(createOrder, identityOrder, startOrder)
	if exec {
		order = execOrder
	}
	for _, g := range goldens() {
		if (g.exec != nil) != exec {
			continue
		}
		s, h := readConfig(t, g.config), testHost()
		if g.edit != nil {
			g.edit(s)
		}
		if g.host != nil {
			g.host(&h)
		}
		b := &builder{spec: s, host: h, entered: g.exec, plan: &Plan{}}
		for _, c := range order {
			before := len(b.plan.Steps)
			if err := b.emit([]concern{c}); err != nil {
				t.Fatal(err)
			}
			note(concernName(c), b.plan.Steps[before:])
		}
		if exec {
			continue
		}
		before := len(b.plan.Steps)
		at := b.stagingAt
		b.insertStaging()
		note("staging", b.plan.Steps[at:at+len(b.plan.Steps)-before])
	}
	place := make(map[string]int)
	for i, s := range allSteps() {
		place[Name(s)] = i
	}
	text := make(map[string]string)
	for concern, names := range emitted {
		text[concern] = strings.Join(slices.SortedFunc(maps.Keys(names), func(a, b string) int { return place[a] - place[b] }), ", ")
	}
	return text
}

// TestLifecycleIsDocumented keeps the tables of docs/lifecycle.md what the planner does: those of create, of who the user's
// process is, and of the time after the start, then that of exec.
func TestLifecycleIsDocumented(t *testing.T) {
	t.Parallel()
	var want []lifecycleRow
	for _, exec := range []bool{false, true} {
		steps, order := emittedSteps(t, exec), slices.Concat(createOrder, identityOrder, startOrder)
		if exec {
			order = execOrder
		}
		for _, c := range order {
			want = append(want, lifecycleRow{concernName(c), steps[concernName(c)]})
		}
	}
	rows := documentedRows(t)
	for i, w := range want {
		if i >= len(rows) || rows[i] != w {
			t.Fatalf("docs/lifecycle.md: row %d must be\n| `%s` | `%s` | ... |\nand the rows are\n%q", i, w.concern, strings.ReplaceAll(w.steps, ", ", "`, `"), rows)
		}
	}
	if len(rows) != len(want) {
		t.Errorf("docs/lifecycle.md has %d rows, there are %d concerns", len(rows), len(want))
	}
}
