// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rt-oci/rt/tests/harness"
)

// asRunc lets a bundle call rt through a link named runc.
func asRunc(t *testing.T, b *harness.Bundle) {
	t.Helper()
	link := filepath.Join(t.TempDir(), "runc")
	if err := os.Symlink(harness.Binary(t), link); err != nil {
		t.Fatal(err)
	}
	b.Wrapper = []string{"/bin/sh", "-c", `shift; exec "$0" "$@"`, link}
	t.Cleanup(func() { b.Wrapper = nil }) // before the bundle's own end: the link goes with the test
}

// ownName is where rt says its own name: as a word of its own, and in the state root.
var ownName = regexp.MustCompile(`(^|[ /(])rt\b`)

// What rt prints under the name runc is what it prints under its own, with the other name.
func TestALinkNamedRuncPrintsTheSameWithRuncsName(t *testing.T) {
	b := harness.NewBundle(t, "true")
	lines := []string{
		"--help", "-h", "help", "--version", "-v", "version", "foo", "foo -h", "--bogus", "list -h x",
		"--log-format x list", "run", "run --bogus x", "exec", "kill a b c", "--root ROOT state nobody", "--root ROOT delete nobody",
		"--root ROOT exec nobody true", "--root ROOT start nobody", "--root ROOT pause nobody", "--root ROOT run --bundle /nowhere x",
		"--root ROOT create --console-socket /nowhere x", "--root ROOT/missing list", "--root ROOT list", "--root ROOT list -f json",
	}
	for _, c := range []string{
		"create", "delete", "events", "exec", "features", "kill", "list", "pause", "ps", "resume", "run", "spec", "start", "state", "update",
	} {
		lines = append(lines, c+" -h", c+" --help", "help "+c)
	}
	here, err := os.Getwd() // where a clone may be called rt
	if err != nil {
		t.Fatal(err)
	}
	paths := strings.NewReplacer(b.Root, "ROOT", here, "HERE")
	var own []harness.Result
	call := func(line string) harness.Result {
		got := b.Raw(t, strings.Fields(strings.ReplaceAll(line, "ROOT", b.Root))...)
		got.Stderr = paths.Replace(got.Stderr)
		return got
	}
	for _, line := range lines {
		own = append(own, call(line))
	}
	asRunc(t, b)
	for i, line := range lines {
		got := call(line)
		renamed := func(s string) string { return ownName.ReplaceAllString(s, "${1}runc") }
		if got.Exit != own[i].Exit || squeezed(got.Stdout) != squeezed(renamed(own[i].Stdout)) || got.Stderr != renamed(own[i].Stderr) {
			t.Errorf("runc %s: status %d\n%s%s\nbut rt %s: status %d\n%s%s", line, got.Exit, got.Stdout, got.Stderr, line, own[i].Exit, own[i].Stdout, own[i].Stderr)
		}
		if strings.Contains(line, "-h") && own[i].Exit == 0 && !strings.Contains(got.Stdout, "runc") {
			t.Errorf("runc %s does not say runc:\n%s", line, got.Stdout)
		}
	}
}

// squeezed makes runs of blanks one: columns of the help are as wide as the longest entry.
func squeezed(s string) string { return strings.Join(strings.Fields(s), " ") }

// compat.md 2.1, 2.2, 2.4, 2.7, 5.3: the places and words that a caller of runc knows.
func TestALinkNamedRuncHasRuncsNames(t *testing.T) {
	b := harness.NewBundle(t, "true")
	asRunc(t, b)
	b.Raw(t, "--help").WantExit(t, 0).WantStdout(t, "runc - Open Container Initiative runtime", "/run/runc")
	version := b.Raw(t, "--version").WantExit(t, 0).Stdout
	if !regexp.MustCompile(`^runc version \d+\.\d+\.\d+[^\n]*\ncommit: [^\n]+\nspec: \d+\.\d+\.\d+\n`).MatchString(version) {
		t.Errorf("version:\n%s", version)
	}
	b.Raw(t, "version", "--json").WantExit(t, 0).WantStdout(t, `"name": "runc"`)
	dir := t.TempDir()
	b.Raw(t, "spec", "--bundle", dir).WantExit(t, 0)
	if config := harness.ReadFile(t, filepath.Join(dir, "config.json")); !strings.Contains(config, `"hostname": "runc"`) {
		t.Errorf("spec writes\n%s", config)
	}
	b.Wrapper = nil
	own := t.TempDir()
	b.Raw(t, "spec", "--bundle", own).WantExit(t, 0)
	if config := harness.ReadFile(t, filepath.Join(own, "config.json")); !strings.Contains(config, `"hostname": "rt"`) {
		t.Errorf("under its own name spec writes\n%s", config)
	}
}

// The whole life of a container, with exec and a failure: nothing depends on the name.
func TestALinkNamedRuncRunsContainers(t *testing.T) {
	b := harness.NewBundle(t, "sleep", "1000")
	asRunc(t, b)
	b.Run(t, "--detach").WantExit(t, 0)
	b.WaitFor(t, "running")
	b.Exec(t, nil, "sh", "-c", "echo in; exit 7").WantExit(t, 7).WantStdoutIs(t, "in")
	b.RT(t, "list", "--quiet").WantExit(t, 0).WantStdoutIs(t, b.ID)
	b.Kill(t, "KILL").WantExit(t, 0)
	b.WaitFor(t, "stopped")
	b.Exec(t, nil, "true").WantExecError(t, "cannot exec in a stopped container")
	b.Delete(t).WantExit(t, 0)
	b.RT(t, "state", b.ID).WantOneError(t, "container does not exist")
	b.Spec.Process.Args = []string{"/nowhere"}
	b.Run(t).WantOneError(t, "run "+b.ID+": exec", "no such file or directory")
}
