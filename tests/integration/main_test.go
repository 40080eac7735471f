// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/rt-oci/rt/tests/harness"
)

// again marks the second run.
const again = "RT_TEST_V2_VIEW"

// TestMain runs all tests with the control groups as the machine mounts them, and then, if that is not v2 alone, once
// more where they are: most machines are so by now. -short leaves the second run out.
func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 && os.Getuid() == 0 && os.Getenv(again) == "" && !testing.Short() && flag.Lookup("test.list").Value.String() == "" {
		code = inV2View()
	}
	os.Exit(code)
}

func inV2View() int {
	command, reason := harness.V2View(append([]string{os.Args[0]}, os.Args[1:]...)...)
	if reason != "" {
		fmt.Println("no second run with cgroup v2 alone: " + reason)
		return 0
	}
	if len(command) == len(os.Args) {
		return 0 // the first run was one
	}
	fmt.Println("once more, with cgroup v2 alone")
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), again+"=1")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return 1
	}
	return 0
}
