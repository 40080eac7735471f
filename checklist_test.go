// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// checklistRows says how many rows of each kind docs/checklist.md has: each property of the specification that the list
// was made of, once. They are numbered from 1.
var checklistRows = map[string]int{
	"BND": 6, "VER": 4, "EXT": 3, "VAL": 3, "STA": 13, "ERR": 3, "LC": 2, "HK": 14, "ROOT": 6, "MNT": 23, "MOPT": 64, "PROC": 16, "USR": 6,
	"RLIM": 7, "CAP": 8, "NNP": 2, "OOM": 3, "SCHED": 7, "IOP": 3, "AFF": 4, "LSM": 6, "UTS": 5, "ANN": 5, "NS": 12, "UNS": 8, "TNS": 5,
	"DEV": 15, "NET": 10, "CG": 12, "OWN": 6, "RDEV": 6, "RMEM": 10, "RCPU": 6, "RIO": 4, "RHUG": 3, "RNET": 2, "RPID": 2, "RRDM": 2,
	"UNI": 7, "RUNK": 1, "RDT": 10, "MPOL": 4, "SYS": 5, "SC": 25, "PROP": 4, "MASK": 4, "RO": 4, "PERS": 2, "RL": 4, "FEAT": 18,
	"HK-CCT": 2, "HK-CRT": 2, "HK-PRE": 2, "HK-PSP": 2, "HK-PST": 2, "HK-SCT": 2, "OP-ALL": 1, "OP-CREATE": 9, "OP-DEL": 7, "OP-KILL": 6, "OP-START": 5, "OP-STATE": 3,
}

// checklistRow is a row: what is required, what rt does, and what shows it.
type checklistRow struct{ kind, id, requirement, state, shownBy string }

func readChecklist(t *testing.T) []checklistRow {
	t.Helper()
	var rows []checklistRow
	id := regexp.MustCompile(`^([A-Z]+(?:-[A-Z]+)?)-\d+$`)
	for line := range strings.Lines(readFile(t, "docs/checklist.md")) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		match := id.FindStringSubmatch(strings.TrimPrefix(cells[0], "| "))
		if match == nil {
			continue
		}
		if len(cells) != 4 {
			t.Errorf("%s: %d cells", cells[0], len(cells))
			continue
		}
		rows = append(rows, checklistRow{match[1], match[0], cells[1], cells[2], strings.TrimSuffix(cells[3], " |")})
	}
	return rows
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// testNames returns all tests of the module.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names, function := map[string]bool{}, []byte("\nfunc Test")
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		data, err := os.ReadFile(path)
		for at := bytes.Index(data, function); at >= 0; at = bytes.Index(data, function) {
			data = data[at+len("\nfunc "):]
			names[string(data[:bytes.IndexByte(data, '(')])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestTheChecklistIsComplete(t *testing.T) {
	t.Parallel()
	count := map[string]int{}
	for _, row := range readChecklist(t) {
		count[row.kind]++
		number := strings.TrimLeft(strings.TrimPrefix(row.id, row.kind+"-"), "0")
		if number != strconv.Itoa(count[row.kind]) {
			t.Errorf("%s where number %d was due", row.id, count[row.kind])
		}
	}
	for kind, want := range checklistRows {
		if count[kind] != want {
			t.Errorf("%d rows %s, want %d", count[kind], kind, want)
		}
		delete(count, kind)
	}
	if len(count) > 0 {
		t.Errorf("unknown rows: %v", count)
	}
}

// Each row names a test that exists, or a program of the conformance suite that passes; the options of mounts have a test
// that tries all of them.
func TestTheChecklistNamesTestsThatExist(t *testing.T) {
	t.Parallel()
	names, conformance := testNames(t), readFile(t, "docs/conformance.md")
	test, program := regexp.MustCompile(`\bTest[A-Z]\w*`), regexp.MustCompile(`[a-z][a-z0-9_]+`)
	for _, name := range test.FindAllString(readFile(t, "docs/checklist.md"), -1) { // those of the text, too
		if !names[name] {
			t.Errorf("there is no test %s", name)
		}
	}
	for _, row := range readChecklist(t) {
		if row.kind == "MOPT" {
			continue
		}
		tests, programs, _ := strings.Cut(row.shownBy, "conformance:")
		shown := test.FindAllString(tests, -1)
		for _, name := range program.FindAllString(programs, -1) {
			if !strings.Contains(conformance, "| "+name+" | ") {
				t.Errorf("%s: there is no program %s", row.id, name)
			} else if passes := strings.Contains(conformance, "| "+name+" | pass |"); !passes && len(shown) == 0 {
				t.Errorf("%s: the program %s does not pass, and there is no test", row.id, name)
			}
			shown = append(shown, name)
		}
		if len(shown) == 0 {
			t.Errorf("%s: nothing shows it: %q", row.id, row.shownBy)
		}
	}
}

// What a row says is done, or is different on purpose: then docs/compat.md has the words that the row quotes.
func TestTheChecklistSaysWhyWhatDiffers(t *testing.T) {
	t.Parallel()
	compat, options := readFile(t, "docs/compat.md"), newFeatures().MountOptions
	reason := regexp.MustCompile(`\(compat: "(.+)"\)`)
	for _, row := range readChecklist(t) {
		states := []string{row.state}
		if row.kind == "MOPT" {
			if word := row.requirement; !strings.Contains(word, " ") && !slices.Contains(options, word) && strings.HasPrefix(row.state, "yes") {
				t.Errorf("%s: %q is not in features", row.id, row.requirement)
			}
			states = append(states, row.shownBy)
		}
		for _, state := range states {
			switch match := reason.FindStringSubmatch(state); {
			case state == "yes" || strings.HasPrefix(state, "yes:") || strings.HasPrefix(state, "yes,") || strings.HasPrefix(state, "yes;") || strings.HasPrefix(state, "yes ("):
			case row.kind == "MOPT" && state == "-":
			case !strings.HasPrefix(state, "differs") && !strings.HasPrefix(state, "refused"):
				t.Errorf("%s: %q is no state", row.id, state)
			case match == nil:
				t.Errorf("%s: %q gives no reason", row.id, state)
			case !strings.Contains(compat, match[1]):
				t.Errorf("%s: docs/compat.md has no %q", row.id, match[1])
			}
		}
	}
}
