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

	"github.com/urfave/cli/v2"
)

// optionNames returns the names of all options with their dashes, sorted, help and version included where they exist.
func optionNames(flags []cli.Flag) []string {
	var names []string
	for _, f := range append([]cli.Flag{cli.HelpFlag}, flags...) {
		for _, name := range f.Names() {
			if len(name) == 1 {
				names = append(names, "-"+name)
			} else {
				names = append(names, "--"+name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// optionsByCommand returns the options of each command; those of the program itself stand under "".
func optionsByCommand() map[string][]string {
	options := map[string][]string{"": optionNames(append(globalFlags(productName), cli.VersionFlag))}
	for _, c := range commands() {
		options[c.Name] = optionNames(c.Flags)
	}
	return options
}

// bashCompletes returns what the bash script offers for a command line, sorted. "rt list" prints two ids.
func bashCompletes(t *testing.T, line ...string) []string {
	t.Helper()
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("bash is not installed")
	}
	script := `source completions/rt.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _rt; printf '%s\n' "${COMPREPLY[@]}"`
	cmd := exec.Command("bash", append([]string{"-euc", script, "bash"}, line...)...)
	bin := t.TempDir()
	fake := "#!/bin/sh\nif [ \"$*\" = '--root /r list --quiet' ]; then echo at-r; else echo web1; echo web2; fi\n"
	if err := os.WriteFile(filepath.Join(bin, "rt"), []byte(fake), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v: %s", line, err, out)
	}
	return slices.Sorted(slices.Values(strings.Fields(string(out))))
}

func TestBashCompletesTheOptions(t *testing.T) {
	for name, want := range optionsByCommand() {
		line := []string{"rt", name, "-"}
		if name == "" {
			line = []string{"rt", "-"}
		}
		if got := bashCompletes(t, line...); !slices.Equal(got, want) {
			t.Errorf("%q: offers %q, want %q", line, got, want)
		}
	}
}

func TestBashCompletesCommandsAndArguments(t *testing.T) {
	names := []string{"help"}
	for _, c := range commands() {
		names = append(names, c.Name)
	}
	slices.Sort(names)
	for _, tc := range []struct {
		line string
		want []string
	}{
		{"rt ", names},
		{"rt --root /r --debug ", names},
		{"rt help ", names},
		{"rt --root = /r sta", []string{"start", "state", "stats"}},
		{"rt start ", []string{"web1", "web2"}},
		{"rt --root /r start ", []string{"at-r"}},
		{"rt --root = /r start ", []string{"at-r"}},
		{"rt delete --force ", []string{"web1", "web2"}},
		{"rt kill web1 KI", []string{"KILL"}},
		{"rt list --format ", []string{"json", "table"}},
		{"rt list --format = js", []string{"json"}},
		{"rt stats --format ", []string{"json", "prom", "table"}},
		{"rt stats -i ", nil},
		{"rt stats -i 1s web1 ", []string{"web1", "web2"}},
		{"rt events ", []string{"web1", "web2"}},
		{"rt events --interval ", nil},
		{"rt update --cpu-idle ", []string{"0", "1"}},
		{"rt update --memory 5 ", []string{"web1", "web2"}},
		{"rt update --no-oom ", []string{"web1", "web2"}},
		{"rt update web1 --cpu-q", []string{"--cpu-quota"}},
		{"rt delete -f ", []string{"web1", "web2"}},
		{"rt --log-format ", []string{"json", "text"}},
		{"rt --rootless a", []string{"auto"}},
		{"rt completion ", []string{"bash", "fish", "zsh"}},
		{"rt run --bundle manx", nil},
		{"rt run --bundle ma", []string{"man"}},
		{"rt start web1 ", nil},
	} {
		if got := bashCompletes(t, words(tc.line)...); !slices.Equal(got, tc.want) {
			t.Errorf("%q: offers %q, want %q", tc.line, got, tc.want)
		}
	}
}

// The scripts for zsh and fish are read, not run: the shells are rarely there.
func TestOtherShellsKnowTheSameOptions(t *testing.T) {
	var want, wantLong []string
	for _, names := range optionsByCommand() {
		want = append(want, names...)
	}
	slices.Sort(want)
	want = slices.Compact(want)
	for _, name := range want {
		if strings.HasPrefix(name, "--") {
			wantLong = append(wantLong, name)
		}
	}

	zsh := regexp.MustCompile(`(?m)(?:^|['{,\s])(--?[a-z][a-z0-9-]*)`)
	if got := found(zsh, zshCompletion, ""); !slices.Equal(got, want) {
		t.Errorf("zsh: options %q, want %q", got, want)
	}
	fish := regexp.MustCompile(`complete -c rt .*-l ([a-z0-9-]+)`)
	if got := found(fish, fishCompletion, "--"); !slices.Equal(got, wantLong) {
		t.Errorf("fish: options %q, want %q", got, wantLong)
	}
	for _, c := range commands() {
		wantContains(t, "zsh script", zshCompletion, "'"+c.Name+":")
		wantContains(t, "fish script", fishCompletion, "-a "+c.Name+" -d")
	}
}

// found returns the first groups of all matches, sorted, without duplicates.
func found(form *regexp.Regexp, text, prefix string) []string {
	var all []string
	for _, m := range form.FindAllStringSubmatch(text, -1) {
		all = append(all, prefix+m[1])
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func TestCompletionPrintsTheScript(t *testing.T) {
	for shell, want := range map[string]string{"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion} {
		got := rt(t, "completion", shell)
		wantStatus(t, got, 0)
		if got.stdout != want || want == "" {
			t.Errorf("completion %s printed %d bytes, want %d", shell, len(got.stdout), len(want))
		}
	}
	got := rt(t, "completion", "csh")
	wantStatus(t, got, 1)
	wantContains(t, "stderr", got.stderr, `unknown shell "csh"`)
}
