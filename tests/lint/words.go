// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"go/ast"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// drawerNames are names of directories and files that say nothing about what is inside.
var drawerNames = []string{"util", "utils", "common", "helper", "helpers", "misc", "types"}

// forbiddenNames keeps drawers out of the tree, and the suffix _linux, as the whole module is for Linux.
func forbiddenNames(s *source) []finding {
	var found []finding
	for part := range strings.SplitSeq(s.path, "/") {
		name, _, _ := strings.Cut(part, ".")
		if slices.Contains(drawerNames, strings.TrimSuffix(name, "_test")) {
			found = append(found, finding{s.path, 0, "name " + part + " does not say what is inside"})
		}
	}
	if strings.HasSuffix(s.path, "_linux.go") {
		found = append(found, finding{s.path, 0, "suffix _linux: the whole module is for Linux"})
	}
	return found
}

// forbiddenCalls keeps panics and exits where they are expected.
func forbiddenCalls(s *source) []finding {
	if s.syntax == nil || s.isTest() || s.isIgnored() {
		return nil
	}
	var found []finding
	ast.Inspect(s.syntax, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		switch called(call.Fun) {
		case "panic":
			found = append(found, s.at(n.Pos(), "panic: an impossible state is an error that says so"))
		case "os.Exit":
			if s.syntax.Name.Name != "main" {
				found = append(found, s.at(n.Pos(), "os.Exit: only package main ends the process"))
			}
		case "time.Sleep":
			// Cgroup v1 has no event for a freezer that is done, nor for a group that lets go of its last task.
			if path.Dir(s.path) != "libcontainer/cgroup" {
				found = append(found, s.at(n.Pos(), "time.Sleep: wait for the event (pidfd, poll, epoll) instead"))
			}
		}
		return true
	})
	return found
}

// called gives "name" or "package.name" of what is called, "" for anything else.
func called(fun ast.Expr) string {
	switch f := fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		if pkg, ok := f.X.(*ast.Ident); ok {
			return pkg.Name + "." + f.Sel.Name
		}
	}
	return ""
}

// forbiddenWords finds open ends, and paths of the machine that the tree lies on: they mean nothing elsewhere.
func forbiddenWords(s *source) []finding {
	if strings.HasPrefix(s.path, "tests/lint/") {
		return nil // the words stand here
	}
	var found []finding
	machine := machinePaths()
	for i, line := range s.lines {
		if isCode(s) && (strings.Contains(line, "TODO") || strings.Contains(line, "FIXME")) && !strings.Contains(line, "#") {
			found = append(found, finding{s.path, i + 1, "an open end without the number of an issue"})
		}
		for _, p := range machine {
			if strings.Contains(line, p+"/") {
				found = append(found, finding{s.path, i + 1, "path of this machine: " + p})
			}
		}
	}
	return found
}

func isCode(s *source) bool {
	return slices.Contains([]string{".go", ".c", ".h", ".sh"}, filepath.Ext(s.path)) || strings.HasPrefix(s.lines[0], "#!")
}

// machinePaths are where this tree, the Go module cache and the Go tree are. Short ones such as "/src" are left
// out: they occur in any text.
func machinePaths() []string {
	top, err := os.Getwd()
	if err != nil {
		top = ""
	}
	all := []string{top, os.Getenv("GOMODCACHE"), os.Getenv("GOROOT")}
	return slices.DeleteFunc(all, func(p string) bool { return strings.Count(p, "/") < 2 })
}

// checkModules wants a reason in docs/dependencies.md for every module that go.mod requires.
func checkModules(sources []*source) []finding {
	var reasons []byte
	for _, s := range sources {
		if s.path == "docs/dependencies.md" {
			reasons = s.content
		}
	}
	var found []finding
	for _, s := range sources {
		if path.Base(s.path) != "go.mod" {
			continue
		}
		for i, line := range s.lines {
			words := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
			if len(words) < 2 || !strings.HasPrefix(words[1], "v") || strings.Contains(line, "// indirect") {
				continue
			}
			if !bytes.Contains(reasons, []byte(words[0])) {
				found = append(found, finding{s.path, i + 1, words[0] + ": docs/dependencies.md does not say why it is needed"})
			}
		}
	}
	return found
}
