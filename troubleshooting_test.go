// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// goSources returns the text of all sources of the program, without tests.
func goSources(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() && (path == "tests" || path == "build") {
			return firstOf(err, fs.SkipDir)
		}
		if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			all.WriteString(readText(t, path))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Words of the kernel come from errno, not from our sources.
var kernelsWords = []string{"permission denied", "operation not permitted", "device or resource busy", "exec format error", "no such file or directory"}

// Each text of troubleshooting.md is one that rt can print: a literal of the sources, or of errors.md, which says where it is from.
func TestTroubleshootingNamesTextsThatThereAre(t *testing.T) {
	_, table, found := strings.Cut(readText(t, "docs/troubleshooting.md"), "\n## By text\n")
	if !found {
		t.Fatal("troubleshooting.md has no table of texts")
	}
	table, _, _ = strings.Cut(table, "\n## ")
	sources, listed := goSources(t), readText(t, "docs/errors.md")
	rows := regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(table, -1)
	if len(rows) < 15 {
		t.Fatalf("only %d texts", len(rows))
	}
	for _, m := range rows {
		text := m[1]
		for _, part := range kernelsWords {
			text = strings.TrimPrefix(text, part)
		}
		text = strings.TrimPrefix(text, " (")
		quoted := strings.ReplaceAll(text, `"`, `\"`)
		pattern := strings.NewReplacer("KIND", "%s", "#N", "#%d").Replace(quoted)
		if text != "" && !strings.Contains(sources, text) && !strings.Contains(sources, quoted) && !strings.Contains(sources, pattern) && !strings.Contains(listed, m[1]) {
			t.Errorf("no source and no row of errors.md has %q", text)
		}
	}
}

// Each exit status that the table of troubleshooting.md explains stands in errors.md, or is a shell's.
func TestTroubleshootingKnowsTheStatuses(t *testing.T) {
	statuses := func(text, heading string) []string {
		_, table, _ := strings.Cut(text, "\n## "+heading+"\n")
		table, _, _ = strings.Cut(table, "\n## ")
		var list []string
		for _, m := range regexp.MustCompile(`(?m)^\| (\d[^|]*) \|`).FindAllStringSubmatch(table, -1) {
			list = append(list, m[1])
		}
		return list
	}
	known := append(statuses(readText(t, "docs/errors.md"), "Exit status"), "126, 127")
	explained := statuses(readText(t, "docs/troubleshooting.md"), "By exit status")
	for _, status := range explained {
		if !slices.Contains(known, status) {
			t.Errorf("errors.md has no status %s: %q", status, known)
		}
	}
	for _, status := range known {
		if status != "0" && !slices.Contains(explained, status) {
			t.Errorf("troubleshooting.md says nothing about status %s", status)
		}
	}
}
