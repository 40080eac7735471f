// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"path"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// defaultPath is searched when the environment has no PATH, as execvp(3) does.
const defaultPath = "/bin:/usr/bin"

// variable returns the value of the last entry for name.
func variable(env []string, name string) (value string, ok bool) {
	for i := len(env) - 1; i >= 0; i-- {
		if key, value, _ := strings.Cut(env[i], "="); key == name {
			return value, true
		}
	}
	return "", false
}

// NeedsHome says that HOME is absent, or last given as empty.
func NeedsHome(env []string) bool {
	value, ok := variable(env, "HOME")
	return !ok || value == ""
}

// Environment returns each variable once, with its last value at the place of its last entry. A HOME that is to be
// filled in is left out.
func Environment(env []string) []string {
	seen := make(map[string]bool, len(env))
	kept := make([]string, len(env))
	next := len(env)
	for i := len(env) - 1; i >= 0; i-- {
		key, value, _ := strings.Cut(env[i], "=")
		if seen[key] {
			continue
		}
		seen[key] = true
		if key == "HOME" && value == "" {
			continue
		}
		next--
		kept[next] = env[i]
	}
	return kept[next:]
}

// Candidates are the paths that may be the program, in the order of execvp(3): PATH is that of the process. Relative
// directories of it don't count.
func Candidates(p *specs.Process) []string {
	if !isSearched(p) {
		return p.Args[:1:1]
	}
	var paths []string
	for _, dir := range searchPath(p) {
		if path.IsAbs(dir) {
			paths = append(paths, dir+"/"+p.Args[0])
		}
	}
	return paths
}

// isSearched says that the program is a name to look for in PATH.
func isSearched(p *specs.Process) bool { return !strings.Contains(p.Args[0], "/") }

// searchPath returns the directories of PATH.
func searchPath(p *specs.Process) []string {
	search, ok := variable(p.Env, "PATH")
	if !ok {
		search = defaultPath
	}
	return strings.Split(search, ":")
}
