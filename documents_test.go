// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// testFunctions are the names of all tests of the module.
func testFunctions(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	function := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Za-z0-9]*)\(`)
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		for _, m := range function.FindAllStringSubmatch(readText(t, path), -1) {
			names[m[1]] = true
		}
		return nil
	})
	if err != nil || len(names) < 500 {
		t.Fatalf("%d tests found: %v", len(names), err)
	}
	return names
}

func readText(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func documents(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"*.md", "docs/*.md", "contrib/*.md", "tests/vm/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, found...)
	}
	if len(all) < 15 {
		t.Fatalf("documents: %q", all)
	}
	return all
}

func TestDocumentsNameTestsThatExist(t *testing.T) {
	known := testFunctions(t)
	named := 0
	for _, path := range documents(t) {
		for _, name := range regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z][A-Za-z0-9]*\b`).FindAllString(readText(t, path), -1) {
			named++
			if !known[name] {
				t.Errorf("%s: there is no %s", path, name)
			}
		}
	}
	if named < 300 {
		t.Errorf("only %d names of tests found", named)
	}
}

func TestEachPointOfRuncsInterfaceIsShown(t *testing.T) {
	row := regexp.MustCompile(`^\| (\d+)\.(\d+) \| .+ \| (.*) \|$`)
	shown := regexp.MustCompile(`\bTest[A-Z]|^differs: .|^conformance: .`)
	section, last, points := 0, 0, 0
	for l := range strings.Lines(readText(t, "docs/compat-points.md")) {
		m := row.FindStringSubmatch(strings.TrimSpace(l))
		if m == nil {
			if strings.HasPrefix(l, "| ") && !strings.HasPrefix(l, "| point |") {
				t.Errorf("a row without a number: %s", l)
			}
			continue
		}
		points++
		major, _ := strconv.Atoi(m[1])
		minor, _ := strconv.Atoi(m[2])
		next := major == section && minor == last+1 || major == section+1 && minor == 1
		if !next {
			t.Errorf("%d.%d stands behind %d.%d", major, minor, section, last)
		}
		section, last = major, minor
		if !shown.MatchString(m[3]) {
			t.Errorf("%s.%s is shown by nothing: %q", m[1], m[2], m[3])
		}
	}
	if section != 27 || points < 190 {
		t.Errorf("%d points, the last in section %d", points, section)
	}
}

// TestLinksOfDocumentsLead looks at links to files and to headings of this tree.
func TestLinksOfDocumentsLead(t *testing.T) {
	for _, path := range documents(t) {
		for _, m := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(readText(t, path), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			file, heading, _ := strings.Cut(m[1], "#")
			target := filepath.Join(filepath.Dir(path), file)
			if file == "" {
				target = path
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: link %q: %v", path, m[1], err)
				continue
			}
			if heading != "" && !hasHeading(readText(t, target), heading) {
				t.Errorf("%s: link %q: no such heading", path, m[1])
			}
		}
	}
}

// hasHeading says that a heading has this anchor: its words in small letters, joined by dashes, without other signs.
func hasHeading(text, anchor string) bool {
	for l := range strings.Lines(text) {
		title, ok := strings.CutPrefix(strings.TrimLeft(l, "#"), " ")
		if !ok || !strings.HasPrefix(l, "#") {
			continue
		}
		title = strings.ToLower(strings.TrimSpace(title))
		title = regexp.MustCompile("[^a-z0-9 _-]").ReplaceAllString(title, "")
		if strings.ReplaceAll(title, " ", "-") == anchor {
			return true
		}
	}
	return false
}
