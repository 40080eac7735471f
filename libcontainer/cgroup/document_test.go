// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"os"
	"strings"
	"testing"
)

// docs/resources.md has the rows of the table, in its order.
func TestTheDocumentHasTheTable(t *testing.T) {
	content, err := os.ReadFile("../../docs/resources.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(content), "## Members and files\n")
	table, _, _ = strings.Cut(table, "0 is not set")
	var have []string
	for line := range strings.Lines(table) {
		if cells := strings.Split(line, "|"); len(cells) == 7 && strings.Contains(cells[1], "`") {
			have = append(have, strings.Join(cells[1:5], "|"))
		}
	}
	files := func(f form) string {
		if f.writes == nil {
			return "error"
		}
		return f.files
	}
	var want []string
	for _, rows := range limits {
		for _, row := range rows {
			want = append(want, " `"+row.member+"` | "+row.controller+" | "+files(row.v1)+" | "+files(row.v2)+" ")
		}
	}
	for i := range max(len(have), len(want)) {
		if i >= len(have) || i >= len(want) || have[i] != want[i] {
			t.Fatalf("row %d differs:\nhave %q\nwant %q", i, have[min(i, len(have)):], want[min(i, len(want)):])
		}
	}
}
