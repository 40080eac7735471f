// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/tests/harness"
)

// A program that shall end with its parent lives as long as rt in the foreground does: the signal comes when the thread
// ends that has started the program (prctl(2), PR_SET_PDEATHSIG), and which thread that is depends on the namespaces.
func TestAProgramThatIsAttachedToItsParentLives(t *testing.T) {
	t.Parallel()
	program, err := harness.BuildProgram("./attached")
	if err != nil {
		t.Fatal(err)
	}
	const longerThanTheStart = "1500" // after which rt rids itself of what it has needed for that
	for _, network := range []string{"", "new"} {
		t.Run("network "+network, func(t *testing.T) {
			t.Parallel()
			b := harness.NewBundle(t, "/attached", longerThanTheStart)
			harness.WriteFile(t, b.InRootfs("attached"), program, 0o755)
			if network == "new" {
				setNamespace(b, specs.NetworkNamespace, "")
			} else {
				dropNamespace(b, specs.NetworkNamespace)
			}
			b.Run(t).WantExit(t, 0).WantStdout(t, "still here")
		})
	}
}

func TestAProcessThatIsAttachedToItsParentLives(t *testing.T) {
	t.Parallel()
	program, err := harness.BuildProgram("./attached")
	if err != nil {
		t.Fatal(err)
	}
	b := running(t, func(b *harness.Bundle) { harness.WriteFile(t, b.InRootfs("attached"), program, 0o755) })
	b.Exec(t, nil, "/attached", "1500").WantExit(t, 0).WantStdout(t, "still here")
}

// The thread that makes a network namespace does not keep it: when the container has ended, the devices go back to the host.
func TestNoThreadOfRtStaysInTheNetworkNamespace(t *testing.T) {
	t.Parallel()
	b := shell(t, "readlink /proc/self/ns/net; echo up; exec sleep 1000")
	setNamespace(b, specs.NetworkNamespace, "")
	run := inForeground(t, b)
	of, _, _ := strings.Cut(harness.ReadFile(t, b.Path("output")), "\n")
	threads := fmt.Sprintf("/proc/%d/task", run.Process.Pid)
	harness.Eventually(t, "no thread in "+of, func() bool {
		entries, err := os.ReadDir(threads)
		if err != nil {
			t.Fatal(err)
		}
		seen := 0
		for _, thread := range entries {
			switch network, err := os.Readlink(threads + "/" + thread.Name() + "/ns/net"); {
			case err == nil && network != of:
				seen++
			case err == nil:
				return false
			}
		}
		return seen > 0
	})
	b.Delete(t, "--force").WantExit(t, 0)
	_ = run.Wait()
}
