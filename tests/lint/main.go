// SPDX-License-Identifier: Apache-2.0

// Command lint checks the house rules that no standard tool knows: the size of files and functions, the direction
// of imports, calls with one home, names. It reads the tree that it is started in and prints one line per finding.
package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// modulePath is the module whose packages have a direction.
const modulePath = "github.com/rt-oci/rt"

// source is one file of the tree; path is relative to its top.
type source struct {
	path    string
	content []byte
	lines   []string
	// Only for Go.
	syntax *ast.File
	files  *token.FileSet
}

// finding is one broken rule. line 0 means the whole file.
type finding struct {
	path    string
	line    int
	message string
}

func (f finding) String() string {
	if f.line == 0 {
		return f.path + ": " + f.message
	}
	return fmt.Sprintf("%s:%d: %s", f.path, f.line, f.message)
}

// rules are all that is checked; a rule returns what breaks it in one file.
var rules = []func(*source) []finding{
	fileSize, goFunctionSize, cFunctionSize,
	importDirection, forbiddenImports, forbiddenCalls,
	forbiddenNames, forbiddenWords,
}

func main() {
	sources, err := readTree(os.DirFS("."))
	if err != nil {
		fmt.Fprintln(os.Stderr, "lint:", err)
		os.Exit(2)
	}
	findings := checkModules(sources)
	for _, s := range sources {
		for _, rule := range rules {
			findings = append(findings, rule(s)...)
		}
	}
	for _, f := range findings {
		fmt.Println(f)
	}
	if len(findings) > 0 {
		os.Exit(1)
	}
}

// readTree reads all text files except those of git, of build/bin, and what `make` made.
func readTree(tree fs.FS) ([]*source, error) {
	var all []*source
	err := fs.WalkDir(tree, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if slices.Contains([]string{".git", "build/bin", "build/fuzz"}, path) {
				return fs.SkipDir
			}
			return nil
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		content, err := fs.ReadFile(tree, path)
		if err != nil {
			return err
		}
		if bytes.IndexByte(content, 0) >= 0 {
			return nil
		}
		s, err := newSource(path, content)
		if err != nil {
			return err
		}
		all = append(all, s)
		return nil
	})
	return all, err
}

// newSource splits the content into lines, and parses it if it is Go.
func newSource(path string, content []byte) (*source, error) {
	s := &source{path: path, content: content}
	s.lines = strings.Split(strings.TrimSuffix(string(content), "\n"), "\n")
	if filepath.Ext(path) != ".go" {
		return s, nil
	}
	s.files = token.NewFileSet()
	syntax, err := parser.ParseFile(s.files, path, content, parser.ParseComments)
	if err != nil {
		return nil, fmt.Errorf("parse %q: %w", path, err)
	}
	s.syntax = syntax
	return s, nil
}

// at makes a finding at a place of the file's syntax.
func (s *source) at(pos token.Pos, format string, values ...any) finding {
	return finding{s.path, s.files.Position(pos).Line, fmt.Sprintf(format, values...)}
}

// isTest tells tests, and programs of the tests, from what is linked into rt.
func (s *source) isTest() bool {
	return strings.HasSuffix(s.path, "_test.go") || strings.HasPrefix(s.path, "tests/")
}

// isGenerated tells a generated file: the sizes are its generator's.
func (s *source) isGenerated() bool {
	return s.syntax != nil && ast.IsGenerated(s.syntax)
}
