// SPDX-License-Identifier: Apache-2.0

// Package fault makes every step of a plan fail, one after the other, and wants of each failure: one line that names
// what failed, exit status 1, and a host as it was before.
package fault

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestMain builds an rt that fails on demand (libcontainer/fault_on.go) and makes the harness use it. Where there is no
// Go, it is rt-faults in the directory RT_TEST_PROGRAMS.
func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if built := os.Getenv("RT_TEST_PROGRAMS"); built != "" {
		if err := os.Setenv("RT", filepath.Join(built, "rt-faults")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "rt-fault-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "rt")
	build := exec.Command("go", "build", "-buildvcs=false", "-tags", "faults urfave_cli_no_docs", "-o", binary, "../..")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build rt with faults: %v\n%s", err, text)
		return 1
	}
	if err := os.Setenv("RT", binary); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}
