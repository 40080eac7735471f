// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"fmt"
	"strings"
	"testing"
)

// Result is what a call of rt gave.
type Result struct {
	Command        string
	Stdout, Stderr string
	Exit           int // -1: rt died of a signal
}

func (r Result) text() string {
	return fmt.Sprintf("\n--- stdout\n%s--- stderr\n%s", r.Stdout, r.Stderr)
}

// WantExit demands an exit status. It ends the test otherwise, as what follows would be noise.
func (r Result) WantExit(t *testing.T, want int) Result {
	t.Helper()
	if r.Exit != want {
		t.Fatalf("%s: exit status %d, want %d%s", r.Command, r.Exit, want, r.text())
	}
	return r
}

// WantFailure demands an exit status other than 0.
func (r Result) WantFailure(t *testing.T) Result {
	t.Helper()
	if r.Exit == 0 {
		t.Fatalf("%s: exit status 0, want a failure%s", r.Command, r.text())
	}
	return r
}

// WantStdout demands that stdout contains each text.
func (r Result) WantStdout(t *testing.T, texts ...string) Result {
	t.Helper()
	for _, want := range texts {
		if !strings.Contains(r.Stdout, want) {
			t.Errorf("%s: stdout does not contain %q%s", r.Command, want, r.text())
		}
	}
	return r
}

// WantNoStdout demands that stdout contains none of the texts.
func (r Result) WantNoStdout(t *testing.T, texts ...string) Result {
	t.Helper()
	for _, unwanted := range texts {
		if strings.Contains(r.Stdout, unwanted) {
			t.Errorf("%s: stdout contains %q%s", r.Command, unwanted, r.text())
		}
	}
	return r
}

// WantStdoutIs demands all of stdout, but for one newline at its end.
func (r Result) WantStdoutIs(t *testing.T, want string) Result {
	t.Helper()
	if got := strings.TrimSuffix(r.Stdout, "\n"); got != want {
		t.Errorf("%s: stdout is %q, want %q%s", r.Command, got, want, r.text())
	}
	return r
}

// WantStderr demands that stderr contains each text.
func (r Result) WantStderr(t *testing.T, texts ...string) Result {
	t.Helper()
	for _, want := range texts {
		if !strings.Contains(r.Stderr, want) {
			t.Errorf("%s: stderr does not contain %q%s", r.Command, want, r.text())
		}
	}
	return r
}

// WantStderrIs demands all of stderr, but for one newline at its end.
func (r Result) WantStderrIs(t *testing.T, want string) Result {
	t.Helper()
	if got := strings.TrimSuffix(r.Stderr, "\n"); got != want {
		t.Errorf("%s: stderr is %q, want %q%s", r.Command, got, want, r.text())
	}
	return r
}

// WantOneError demands exit status 1, nothing on stdout, and one line on stderr that contains each text.
func (r Result) WantOneError(t *testing.T, texts ...string) Result {
	t.Helper()
	return r.wantOneError(t, 1, texts)
}

// WantExecError is WantOneError for exec, whose status is 255.
func (r Result) WantExecError(t *testing.T, texts ...string) Result {
	t.Helper()
	return r.wantOneError(t, 255, texts)
}

func (r Result) wantOneError(t *testing.T, status int, texts []string) Result {
	t.Helper()
	r.WantExit(t, status)
	r.WantStdoutIs(t, "")
	r.WantStderr(t, texts...)
	if lines := strings.Count(strings.TrimSpace(r.Stderr), "\n") + 1; lines != 1 {
		t.Errorf("%s: %d lines on stderr, want one%s", r.Command, lines, r.text())
	}
	return r
}
