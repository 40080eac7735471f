// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// manPage returns the path of a command's page, or of the program's for "".
func manPage(command string) string {
	if command == "" {
		return "man/rt.8"
	}
	return "man/rt-" + command + ".8"
}

func readPage(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(data), `\-`, "-")
}

// sections splits a page at its headings.
func sections(page string) map[string]string {
	parts := map[string]string{}
	for part := range strings.SplitSeq(page, "\n.SH ") {
		heading, text, _ := strings.Cut(part, "\n")
		parts[heading] = text
	}
	return parts
}

// tagged matches the line of an option in OPTIONS: .BR -b ", " --bundle " \fIDIR\fR"
var tagged = regexp.MustCompile(`(?m)^\.TP\n\.BR? (-.*)$`)

// mentioned matches an option in running text.
var mentioned = regexp.MustCompile(`(?:^|[\s,"|(\[])(--?[a-z][a-z0-9-]*)`)

func TestManPagesHaveExactlyTheOptions(t *testing.T) {
	options := optionsByCommand()
	for name, want := range options {
		var got []string
		for _, m := range tagged.FindAllStringSubmatch("\n"+sections(readPage(t, manPage(name)))["OPTIONS"], -1) {
			got = append(got, found(mentioned, m[1], "")...)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s documents %q, want %q", manPage(name), got, want)
		}
	}
}

func TestManPagesTellWhichOptionsTakeAValue(t *testing.T) {
	for _, c := range commands() {
		page := sections(readPage(t, manPage(c.Name)))["OPTIONS"]
		for _, m := range tagged.FindAllStringSubmatch("\n"+page, -1) {
			names := found(mentioned, m[1], "")
			if got, want := strings.Contains(m[1], `\fI`), optionWords(names[0], c.Flags) == 2; got != want {
				t.Errorf("%s: %s with a value: %v, want %v", manPage(c.Name), names, got, want)
			}
		}
	}
}

// Elsewhere in the pages no option may be invented, either.
func TestManPagesMentionOnlyOptionsThatExist(t *testing.T) {
	known := []string{"-r", "-n", "-p", "-ef", "-e", "-o"} // of xargs, mkdir and ps in the examples
	for _, names := range optionsByCommand() {
		known = append(known, names...)
	}
	pages, err := filepath.Glob("man/*")
	if err != nil {
		t.Fatal(err)
	}
	if want := len(commands()) + 1; len(pages) != want {
		t.Errorf("%d pages, want %d: %q", len(pages), want, pages)
	}
	for _, path := range pages {
		for l := range strings.Lines(readPage(t, path)) {
			for _, name := range found(mentioned, l, "") {
				if !slices.Contains(known, name) {
					t.Errorf("%s: unknown option %s in %q", path, name, l)
				}
			}
		}
	}
}

func TestManPagesNameEachOther(t *testing.T) {
	overview := readPage(t, manPage(""))
	for _, c := range commands() {
		page := readPage(t, manPage(c.Name))
		wantContains(t, manPage(c.Name), page, "\nrt-"+c.Name+" - ")
		wantContains(t, manPage(c.Name), page, ".BR rt (8)")
		wantContains(t, manPage(""), overview, ".BR rt-"+c.Name+" (8)\n")
		for _, m := range regexp.MustCompile(`rt-([a-z]+) \(8\)`).FindAllStringSubmatch(page, -1) {
			if _, err := os.Stat(manPage(m[1])); err != nil {
				t.Errorf("%s: %v", manPage(c.Name), err)
			}
		}
	}
}

func TestManPagesFormat(t *testing.T) {
	if _, err := exec.LookPath("groff"); err != nil {
		t.Skip("groff is not installed")
	}
	pages, err := filepath.Glob("man/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range pages {
		if out, err := exec.Command("groff", "-man", "-Tutf8", "-ww", "-z", path).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("groff %s: %v: %s", path, err, out)
		}
	}
}
