// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// result is what a caller sees of one command line.
type result struct {
	status         int
	stdout, stderr string
}

// rt runs one command line in this process.
func rt(t *testing.T, args ...string) result {
	t.Helper()
	return invoke(t, append([]string{"/usr/bin/rt"}, args...)...)
}

func invoke(t *testing.T, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status := execute(args, &stdout, &stderr)
	return result{status, stdout.String(), stderr.String()}
}

// line returns the nth line of the text that is not empty, counting from 0.
func line(text string, n int) string {
	for l := range strings.Lines(text) {
		l = strings.TrimRight(l, "\n")
		if l == "" {
			continue
		}
		if n == 0 {
			return l
		}
		n--
	}
	return ""
}

func wantStatus(t *testing.T, got result, want int) {
	t.Helper()
	if got.status != want {
		t.Errorf("status = %d, want %d\nstdout: %s\nstderr: %s", got.status, want, got.stdout, got.stderr)
	}
}

func wantContains(t *testing.T, what, text, want string) {
	t.Helper()
	if !strings.Contains(text, want) {
		t.Errorf("%s has no %q:\n%s", what, want, text)
	}
}

func TestHelpOfTheProgram(t *testing.T) {
	for _, args := range [][]string{nil, {"-h"}, {"--help"}, {"help"}, {"h"}, {"--debug", "-h"}} {
		got := rt(t, args...)
		wantStatus(t, got, 0)
		wantContains(t, "line 0", line(got.stdout, 0), "NAME:")
		wantContains(t, "line 1", line(got.stdout, 1), "rt - Open Container Initiative runtime")
	}
	got := invoke(t, "/usr/sbin/runc", "--help")
	wantContains(t, "line 1", line(got.stdout, 1), "runc - Open Container Initiative runtime")
	wantContains(t, "help", got.stdout, "/run/runc")
}

func TestHelpOfEachCommand(t *testing.T) {
	for _, cmd := range commands() {
		calls := [][]string{{cmd.Name, "-h"}, {cmd.Name, "--help"}, {"help", cmd.Name}, {cmd.Name, "--bogus", "-h"}}
		if !cmd.passesOptions { // else what follows the container belongs to the program
			calls = append(calls, []string{cmd.Name, "ID", "-h"}, []string{cmd.Name, "--bogus", "x", "-h"})
		}
		for _, args := range calls {
			got := invoke(t, append([]string{"/opt/foo"}, args...)...)
			wantStatus(t, got, 0)
			wantContains(t, "line 0", line(got.stdout, 0), "NAME:")
			wantContains(t, "line 1", line(got.stdout, 1), "foo "+cmd.Name+" - ")
			if got.stderr != "" {
				t.Errorf("%q wrote to stderr: %s", args, got.stderr)
			}
		}
	}
}

func TestVersionOption(t *testing.T) {
	for _, args := range [][]string{{"rt", "-v"}, {"rt", "--version"}, {"rt", "version"}, {"./runc", "-v"}, {"/x/y", "-v"}} {
		got := invoke(t, args...)
		wantStatus(t, got, 0)
		wantContains(t, "line 0", line(got.stdout, 0), productOf(args[0])+" version "+version)
		wantContains(t, "line 1", line(got.stdout, 1), "commit:")
		wantContains(t, "line 2", line(got.stdout, 2), "spec: 1.3.0")
		wantContains(t, "line 3", line(got.stdout, 3), "go: go1.")
	}
}

func TestUnknownCommand(t *testing.T) {
	for _, args := range [][]string{{"foo"}, {"foo", "-h"}, {"help", "foo"}} {
		got := rt(t, args...)
		wantStatus(t, got, 3)
		if want := "No help topic for 'foo'\n"; got.stderr != want {
			t.Errorf("stderr = %q, want %q", got.stderr, want)
		}
	}
}

func TestUsageErrors(t *testing.T) {
	for _, tc := range []struct{ line, want string }{
		{"start", `"start" requires exactly 1 argument(s)`},
		{"start a b", `"start" requires exactly 1 argument(s)`},
		{"run", `"run" requires a minimum of 1 argument(s)`},
		{"run a b c", `"run" requires a maximum of 2 argument(s)`},
		{"list a", `"list" requires exactly 0 argument(s)`},
		{"run --bogus x", "flag provided but not defined: -bogus"},
		{"run x --bogus", "flag provided but not defined: -bogus"},
		{"run x --bundle", "flag needs an argument: -bundle"},
		{"run x --preserve-fds many", "invalid value \"many\" for flag -preserve-fds"},
		{"list --root /x", `flag provided but not defined: -root (a global option: put it before "list")`},
		{"--bogus list", "flag provided but not defined: -bogus"},
	} {
		t.Run(tc.line, func(t *testing.T) {
			got := rt(t, words(tc.line)...)
			wantStatus(t, got, 1)
			wantContains(t, "stdout", got.stdout, "USAGE:")
			wantContains(t, "stderr", got.stderr, tc.want)
			if n := strings.Count(got.stderr, "\n"); n != 1 {
				t.Errorf("%d lines on stderr, want 1: %s", n, got.stderr)
			}
		})
	}
}

func TestEmptyArgumentListShowsHelp(t *testing.T) {
	wantStatus(t, invoke(t), 0)
	wantContains(t, "help", invoke(t, "").stdout, "rt - Open Container Initiative runtime")
}

func TestReportMapsErrorsToStatus(t *testing.T) {
	for _, tc := range []struct {
		name   string
		err    error
		status int
		stderr string
	}{
		{"success", nil, 0, ""},
		{"plain error", errors.New("boom"), 1, "boom\n"},
		{"silent status of the process", exitError{code: 42}, 42, ""},
		{"status and words", exitError{code: 255, err: errors.New("boom")}, 255, "boom\n"},
		{"wrapped", fmt.Errorf("exec: %w", exitError{code: 255, err: errors.New("boom")}), 255, "exec: boom\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var stderr bytes.Buffer
			if got := report(&logger{stderr: &stderr}, tc.err); got != tc.status {
				t.Errorf("status = %d, want %d", got, tc.status)
			}
			if stderr.String() != tc.stderr {
				t.Errorf("stderr = %q, want %q", stderr.String(), tc.stderr)
			}
		})
	}
}

func TestExitErrorUnwraps(t *testing.T) {
	if err := (exitError{code: 1, err: os.ErrNotExist}); !errors.Is(err, os.ErrNotExist) {
		t.Error("exitError hides its cause")
	}
}

func TestFatalErrorGoesToLogAndStderr(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log.json")
	got := rt(t, "--root", t.TempDir(), "--log", log, "--log-format", "json", "state", "nobody")
	wantStatus(t, got, 1)
	wantContains(t, "stderr", got.stderr, "does not exist")
	if strings.Contains(got.stderr, "level") {
		t.Errorf("stderr is not plain text: %s", got.stderr)
	}
	data, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(data, []byte("\n")); n != 1 {
		t.Errorf("%d lines in the log, want 1: %s", n, data)
	}
	wantContains(t, "log", string(data), `{"level":"error","msg":"`)
}

func TestHostileIDStaysOneLine(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log.json")
	id := "a\n{\"level\":\"error\",\"msg\":\"forged\"}\x1b[2J"
	got := rt(t, "--root", t.TempDir(), "--log", log, "--log-format", "json", "state", id)
	wantStatus(t, got, 1)
	if strings.Count(got.stderr, "\n") != 1 || strings.Contains(got.stderr, "\x1b") {
		t.Errorf("stderr: %q", got.stderr)
	}
	data, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	var entry struct{ Level, Msg, Time string }
	if err := json.Unmarshal(data, &entry); err != nil || entry.Level != "error" || entry.Msg == "forged" {
		t.Errorf("log: %q, %v", data, err)
	}
}

func TestDebugLinesOnlyWithDebug(t *testing.T) {
	root, log := t.TempDir(), filepath.Join(t.TempDir(), "log")
	if got := rt(t, "--root", root, "list", "-q"); got.stdout+got.stderr != "" {
		t.Errorf("output without --debug: %q %q", got.stdout, got.stderr)
	}
	wantContains(t, "stderr", rt(t, "--debug", "--root", root, "list", "-q").stderr, "level=debug")
	wantContains(t, "stderr", rt(t, "--debug", "--log-format=json", "--root", root, "list", "-q").stderr, `"level":"debug"`)

	if got := rt(t, "--debug", "--log", log, "--root", root, "list", "-q"); got.stdout+got.stderr != "" {
		t.Errorf("output with --log: %q %q", got.stdout, got.stderr)
	}
	data, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	wantContains(t, "log", string(data), "level=debug")
}
