// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os/exec"
	"path/filepath"
	"testing"
)

const top = "../.."

// TestStage executes real plans and damaged ones in the stage, built with the sanitizers: every plan as it is, with
// each of its system calls failing, and some thousand times with bytes changed. It is the same every time; `make fuzz`
// searches.
func TestStage(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("gcc is missing")
	}
	dir := t.TempDir()
	seeds, err := writeSeeds(top, filepath.Join(dir, "seeds"))
	if err != nil {
		t.Fatal(err)
	}
	harness := filepath.Join(dir, "harness")
	if err := build(top, harness, "gcc"); err != nil {
		t.Fatal(err)
	}
	text, err := exec.Command(harness, seeds...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	t.Logf("%s", text)
}
