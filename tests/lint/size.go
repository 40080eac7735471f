// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"go/ast"
	"path/filepath"
	"regexp"
	"strings"
)

// The limits are those of a screen or two: what is longer has more than one concern. A function between the two
// limits needs a line "lint:long REASON" in the comment above it; a test may be a long table without saying why.
const (
	maxFileLines     = 400
	maxFunctionLines = 60
	hardFunctionMax  = 100
)

const longMark = "lint:long "

// fileSize limits the lines of what people write; go.sum, generated files and documents are as long as they are.
func fileSize(s *source) []finding {
	script := strings.HasPrefix(s.lines[0], "#!")
	switch filepath.Ext(s.path) {
	case ".go", ".c", ".h", ".sh":
	default:
		if !script {
			return nil
		}
	}
	if s.isGenerated() || len(s.lines) <= maxFileLines {
		return nil
	}
	return []finding{{s.path, 0, fmt.Sprintf("%d lines, more than %d: split it by concern", len(s.lines), maxFileLines)}}
}

// goFunctionSize limits the lines of a function, from func to its closing brace.
func goFunctionSize(s *source) []finding {
	if s.syntax == nil || s.isGenerated() {
		return nil
	}
	var found []finding
	for _, d := range s.syntax.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		first := s.files.Position(f.Pos()).Line
		length := s.files.Position(f.End()).Line - first + 1
		allowed := s.isTest() || strings.Contains(f.Doc.Text(), longMark)
		found = append(found, functionSize(s.path, first, f.Name.Name, length, allowed)...)
	}
	return found
}

// functionSize judges the length of one function.
func functionSize(path string, line int, name string, length int, allowed bool) []finding {
	switch {
	case length > hardFunctionMax:
		return []finding{{path, line, fmt.Sprintf("function %s: %d lines, more than %d: split it", name, length, hardFunctionMax)}}
	case length > maxFunctionLines && !allowed:
		return []finding{{path, line, fmt.Sprintf("function %s: %d lines, more than %d: split it, or give the reason in a line %q",
			name, length, maxFunctionLines, longMark+"REASON")}}
	}
	return nil
}

// cFunction matches the first line of a definition; the house style has the opening brace alone on the next line.
var cFunction = regexp.MustCompile(`^[A-Za-z_].*?(\w+)\(`)

// cFunctionSize limits the lines of a C function. It needs no parser, as the style says that a function starts and
// ends in the first column.
func cFunctionSize(s *source) []finding {
	if ext := filepath.Ext(s.path); ext != ".c" && ext != ".h" {
		return nil
	}
	var found []finding
	first, name, allowed, mark := 0, "", false, false
	for i, line := range s.lines {
		switch {
		case strings.Contains(line, longMark):
			mark = true
		case cFunction.MatchString(line):
			first, name = i+1, cFunction.FindStringSubmatch(line)[1]
			allowed, mark = mark, false
		case line == "}" && first > 0:
			found = append(found, functionSize(s.path, first, name, i+1-first+1, allowed)...)
			first = 0
		case strings.HasPrefix(line, "};"):
			first = 0
		}
	}
	return found
}
