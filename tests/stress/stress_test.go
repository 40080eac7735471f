// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// runSmall does a small amount of all work from the command line of a runtime.
func runSmall(t *testing.T, runtime string, more ...string) (output string, err error) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "stress")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v: %s", err, out)
	}
	out, err := exec.Command(program, append([]string{
		"--runtimes", runtime, "--callers", "cli",
		"--containers", "40", "--alive", "20", "--parallel", "16", "--execs", "60",
	}, more...)...).CombinedOutput()
	return string(out), err
}

func subject(t *testing.T) string {
	t.Helper()
	rt := os.Getenv("RT")
	if rt == "" {
		t.Skip("needs RT, the binary under test (make integration)")
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	return rt
}

func TestNothingIsLeft(t *testing.T) {
	if out, err := runSmall(t, subject(t)); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// A runtime that only says it has deleted a container leaves its state and its groups, and the count shows it.
func TestWhatIsLeftIsFound(t *testing.T) {
	runtime := filepath.Join(t.TempDir(), "forgetful")
	script := "#!/bin/sh\ncase \" $* \" in *' delete '*) exit 0 ;; esac\nexec '" + subject(t) + "' \"$@\"\n"
	if err := os.WriteFile(runtime, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	out, err := runSmall(t, runtime, "--settle", "1s")
	if err == nil {
		t.Errorf("status 0, want 1\n%s", out)
	}
	for _, want := range []string{states + ": ", groups + ": "} {
		if !strings.Contains(out, want) {
			t.Errorf("output does not tell %q:\n%s", want, out)
		}
	}
}
