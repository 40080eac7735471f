// SPDX-License-Identifier: Apache-2.0

package security

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/tests/harness"
)

func binarySum(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("%x", sha256.Sum256([]byte(harness.ReadFile(t, harness.Binary(t)))))
}

// An image makes the runtime execute itself, in order to get hold of its file (CVE-2019-5736).
func TestProgramThatIsTheRuntimeItself(t *testing.T) {
	before := binarySum(t)
	for _, program := range []string{"/entry", "/proc/self/exe"} {
		b := script(t)
		harness.Symlink(t, "/proc/self/exe", b.InRootfs("entry"))
		b.Spec.Process.Args = []string{program, "run", "--help"}
		wantNoCrash(t, b.Run(t).WantFailure(t))
	}
	if binarySum(t) != before {
		t.Error("the runtime's binary has changed")
	}
}

// neighbour starts a container that watches the processes of its pid namespace, and makes b one of those. The
// returned function ends it and gives what it has printed.
func neighbour(t *testing.T, b *harness.Bundle, prepare func(*harness.Bundle)) (end func() string) {
	t.Helper()
	watcher := script(t)
	addProbe(t, watcher)
	watcher.Spec.Process.Args = []string{"/bin/probe", "watch"}
	prepare(watcher)
	watcher.Run(t, "--detach").WantExit(t, 0)
	watcher.WaitForOutput(t, "watching")
	join(t, b, specs.PIDNamespace, watcher.State(t).Pid, "pid")
	return func() string {
		harness.WriteFile(t, watcher.InRootfs("stop"), "", 0o644)
		watcher.WaitForOutput(t, "seen ")
		return watcher.Output(t)
	}
}

// join puts the container into a namespace of a process.
func join(t *testing.T, b *harness.Bundle, kind specs.LinuxNamespaceType, pid int, file string) {
	t.Helper()
	namespace(t, b, kind).Path = fmt.Sprintf("/proc/%d/ns/%s", pid, file)
}

// While a container is made in a pid namespace that others live in, they can see the runtime's process on its way in,
// and must get hold of nothing of it: not its binary (CVE-2019-5736), not its descriptors or directories
// (CVE-2016-9962, CVE-2016-8649). The part of this that `exec` has to do with waits for that command.
func TestNeighbourSeesNothingOfTheRuntime(t *testing.T) {
	binary := binarySum(t)
	for name, prepare := range map[string]func(*harness.Bundle){
		"same user":       func(*harness.Bundle) {},
		"user namespaced": func(b *harness.Bundle) { useUserNamespace(t, b); addCapabilities(b, "CAP_SYS_PTRACE") },
	} {
		t.Run(name, func(t *testing.T) {
			b := script(t, "true")
			end := neighbour(t, b, prepare)
			host := b.Snapshot(t)
			for range 20 {
				b.Run(t).WantExit(t, 0)
			}
			host.WantSame(t)
			if output := end(); strings.Contains(output, "LEAK") {
				t.Errorf("the neighbour got hold of the runtime:\n%s", firstLines(output, 20))
			} else if strings.Contains(output, "seen 0\n") {
				t.Error("the neighbour has seen no process at all: the test tests nothing")
			}
		})
	}
	if binarySum(t) != binary {
		t.Error("the runtime's binary has changed")
	}
}

func firstLines(text string, n int) string {
	lines := strings.SplitN(text, "\n", n+1)
	return strings.Join(lines[:min(n, len(lines))], "\n")
}

// What a container can see of its own init while that waits for the start is not the runtime's binary either, and
// can't be written to.
func TestWaitingInitIsNoFileOfTheHost(t *testing.T) {
	b := script(t, "true")
	watcher := script(t, "ls -l /proc/*/exe 2>&1 | grep -v '/bin/'; echo done; sleep 60")
	addCapabilities(watcher, "CAP_SYS_PTRACE")
	b.Create(t).WantExit(t, 0)
	join(t, watcher, specs.PIDNamespace, b.State(t).Pid, "pid")
	watcher.Run(t, "--detach").WantExit(t, 0)
	watcher.WaitForOutput(t, "done")
	seen := watcher.Output(t)
	if i := slices.IndexFunc(strings.Split(seen, "\n"), func(line string) bool {
		_, target, found := strings.Cut(line, " -> ")
		return found && !strings.HasPrefix(target, "/memfd:") && !strings.HasPrefix(target, "/bin/")
	}); i >= 0 {
		t.Errorf("a process of the runtime is a file of the host:\n%s", seen)
	}
	if !strings.Contains(seen, "/memfd:") {
		t.Errorf("the waiting init was not seen: the test tests nothing:\n%s", seen)
	}
}
