// SPDX-License-Identifier: Apache-2.0

package main

import (
	"go/ast"
	"path"
	"slices"
	"strconv"
	"strings"
)

// importDirection keeps main → libcontainer → leaves → sys: a reader of a leaf has read all that it depends on when
// he has read sys, and a leaf can be tested alone.
//
//	libcontainer/sys, libcontainer/startup   import nothing of the module
//	nsenter            imports sys
//	libcontainer/LEAF  imports sys, nsenter for the numbers of the wire, and lazyjson, which imports nothing
//	libcontainer/plan  imports capability besides: a table of names that needs nothing itself
//	libcontainer/plan, libcontainer/spec  import sysctl besides: how the keys are written, which needs nothing either
//	libcontainer/cgroup  imports dbus besides: a protocol that nobody else speaks
//	libcontainer/seccomp, and the program in its directory compiler, import libcontainer/seccomp/wire: what they say
//	                   to each other. Nothing imports the program, which has cgo: rt has none
//	libcontainer       imports all of these
//	main               imports libcontainer and what is below it
func importDirection(s *source) []finding {
	if s.syntax == nil || strings.HasPrefix(s.path, "tests/") || strings.HasPrefix(s.path, "build/") {
		return nil
	}
	from := path.Dir(s.path)
	var found []finding
	for _, spec := range s.syntax.Imports {
		to, ok := inModule(spec)
		if !ok || to == from || allowedImport(from, to) {
			continue
		}
		found = append(found, s.at(spec.Pos(), "%s must not import %s: imports go main → libcontainer → leaf → sys", from, to))
	}
	return found
}

// allowedImport tells whether a package directory of the module may import another one.
func allowedImport(from, to string) bool {
	const sys, wire, host, json, startup = "libcontainer/sys", "nsenter", "libcontainer", "libcontainer/lazyjson", "libcontainer/startup"
	const seccomp, compiler, request = host + "/seccomp", host + "/seccomp/compiler", host + "/seccomp/wire"
	switch {
	case strings.HasPrefix(to, "tests/"), to == compiler:
		return false
	case from == request:
		return false
	case from == compiler:
		return to == request
	case from == seccomp && to == request:
		return true
	case from == ".":
		return to != "."
	case from == host:
		return to != "."
	case from == sys, from == json, from == startup:
		return false
	case from == wire:
		return to == sys
	case from == host+"/plan" && to == host+"/capability", from == host+"/cgroup" && to == host+"/dbus":
		return true
	case from == host+"/plan" || from == host+"/spec":
		return to == sys || to == wire || to == json || to == host+"/sysctl"
	}
	return to == sys || to == wire || to == json
}

// inModule gives the directory of an imported package of this module.
func inModule(spec *ast.ImportSpec) (string, bool) {
	name := importPath(spec)
	if name == modulePath {
		return ".", true
	}
	return strings.CutPrefix(name, modulePath+"/")
}

func importPath(spec *ast.ImportSpec) string {
	name, err := strconv.Unquote(spec.Path.Value)
	if err != nil {
		return ""
	}
	return name
}

// importRule forbids packages in part of the tree.
type importRule struct {
	under    string   // a directory, "" for everything that is linked into rt
	homes    []string // directories where they are allowed all the same
	packages []string
	reason   string
}

var importRules = []importRule{
	{
		under:    "libcontainer/plan",
		packages: []string{"os", "os/exec", "os/user", "net", "syscall", "time"},
		reason:   "the planner is a pure function of the config and the probed host; I/O belongs to libcontainer",
	},
	{
		homes:    []string{"libcontainer/sys", "libcontainer/plan", "nsenter"}, // plan lays out the structures of the wire
		packages: []string{"unsafe"},
		reason:   "raw memory and raw system calls stay in libcontainer/sys",
	},
	{
		homes:    []string{"libcontainer/seccomp/compiler"},
		packages: []string{"C", "github.com/seccomp/libseccomp-golang"},
		reason:   "rt is built without cgo, which costs at every start; libseccomp is used by the filter compiler",
	},
	{
		packages: []string{"github.com/vishvananda/netlink"},
		reason:   "its tables are set up at every start; libcontainer/network uses the package nl below it",
	},
	{
		packages: []string{"regexp"},
		reason:   "rt starts for every command: a switch or a small table costs nothing at start-up",
	},
	{
		packages: []string{"io/ioutil", "log", "log/slog", "plugin", "testing"},
		reason:   "rt has one logger, and tests are not linked",
	},
}

// forbiddenImports applies importRules to what is linked into rt.
func forbiddenImports(s *source) []finding {
	if s.syntax == nil || s.isTest() || s.isIgnored() {
		return nil
	}
	directory := path.Dir(s.path)
	var found []finding
	for _, spec := range s.syntax.Imports {
		for _, rule := range importRules {
			if !below(directory, rule.under) || slices.Contains(rule.homes, directory) {
				continue
			}
			if slices.Contains(rule.packages, importPath(spec)) {
				found = append(found, s.at(spec.Pos(), "%s must not import %s: %s", directory, importPath(spec), rule.reason))
			}
		}
	}
	return found
}

// below tells whether directory is top or below it; everything is below "".
func below(directory, top string) bool {
	return top == "" || directory == top || strings.HasPrefix(directory, top+"/")
}

// isIgnored tells a program of the build, such as a generator, which no package contains.
func (s *source) isIgnored() bool {
	return slices.Contains(s.lines, "//go:build ignore")
}
