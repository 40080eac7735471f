// SPDX-License-Identifier: Apache-2.0

package security

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/tests/harness"
)

// whereAmI goes up from the working directory as far as it can get: that must be the container's root.
const whereAmI = `for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do cd -P ..; done
[ "$(stat -c %d:%i .)" = "$(stat -c %d:%i /)" ] && echo inside || echo ESCAPED`

// The working directory is reached through a descriptor that the runtime has open (CVE-2024-21626).
func TestWorkingDirectoryThroughDescriptor(t *testing.T) {
	t.Parallel()
	b := script(t, whereAmI)
	for n := 3; n < 20; n++ {
		_ = os.Remove(b.InRootfs("wd"))
		harness.Symlink(t, fmt.Sprintf("/proc/self/fd/%d", n), b.InRootfs("wd"))
		self := fmt.Sprintf("/proc/self/fd/%d", n)
		for _, cwd := range []string{self, self + "/../../..", "/wd"} {
			b.Spec.Process.Cwd = cwd
			got := b.Run(t)
			wantNoCrash(t, got)
			if got.Exit == 0 {
				got.WantStdoutIs(t, "inside")
			}
		}
	}
}

// lister is a bundle whose program prints its descriptors: each on a line, and at the end the lowest free one, by which
// it reads the list.
func lister(t *testing.T) *harness.Bundle {
	t.Helper()
	return harness.NewBundle(t, "/bin/ls", "/proc/self/fd")
}

// openDirectories opens directories of the host, as a careless caller of rt leaves them.
func openDirectories(t *testing.T, n int) []*os.File {
	t.Helper()
	var files []*os.File
	for range n {
		f, err := os.Open("/")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		files = append(files, f)
	}
	return files
}

// No descriptor but 0 to 2 reaches the container, however many the caller leaves open.
func TestOnlyTheStandardStreamsArrive(t *testing.T) {
	t.Parallel()
	b := lister(t)
	b.Files = openDirectories(t, 10)
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "0\n1\n2\n3")

	c := lister(t)
	c.Files = openDirectories(t, 10)
	c.Create(t).WantExit(t, 0)
	c.Start(t).WantExit(t, 0)
	c.WaitFor(t, "stopped")
	if got := c.Output(t); got != "0\n1\n2\n3\n" {
		t.Errorf("descriptors after create and start: %q", got)
	}
}

// A hook in the container is a process of the container, too.
func TestOnlyTheStandardStreamsReachHooks(t *testing.T) {
	t.Parallel()
	b := script(t, "cat /found")
	b.Files = openDirectories(t, 10)
	b.Spec.Hooks = &specs.Hooks{StartContainer: []specs.Hook{{
		Path: "/bin/sh", Args: []string{"sh", "-c", "echo /proc/$$/fd/[3-9] /proc/$$/fd/[1-9][0-9] $(readlink /proc/self/cwd) >/found; env >>/found"},
		Env: []string{"A=B"},
	}}}
	got := b.Run(t).WantExit(t, 0)
	// While the shell expands the pattern it has the directory open itself.
	if line, _, _ := strings.Cut(got.Stdout, "\n"); strings.Count(line, "/fd/") > 2 {
		t.Errorf("the hook has descriptors that are not its own: %s", line)
	}
}

// A hook in the container gets no variable of the caller's environment.
func TestCallersEnvironmentStaysOutside(t *testing.T) {
	t.Parallel()
	b := script(t, "env; cat /found")
	b.Env = []string{"RT_TEST_SECRET=1"}
	b.Spec.Process.Env = nil
	b.Spec.Process.Args[0] = "/bin/sh"
	b.Spec.Hooks = &specs.Hooks{StartContainer: []specs.Hook{{
		Path: "/bin/sh", Args: []string{"sh", "-c", "/bin/busybox env >/found"},
	}}}
	got := b.Run(t)
	if got.Exit != 0 {
		t.Fatalf("%s: %s", got.Command, got.Stderr)
	}
	got.WantNoStdout(t, "RT_TEST_SECRET")
}

// --preserve-fds gives exactly what it names.
func TestPreservedDescriptors(t *testing.T) {
	t.Parallel()
	b := lister(t)
	b.Files = openDirectories(t, 10)
	b.Run(t, "--preserve-fds", "2").WantExit(t, 0).WantStdoutIs(t, "0\n1\n2\n3\n4\n5")
}

// With fewer descriptors than --preserve-fds names, the runtime's own must not take their place.
func TestPreservedDescriptorsThatAreMissing(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"run", "create"} {
		b := lister(t)
		b.Write(t)
		b.RT(t, command, "--bundle", b.Dir, "--preserve-fds", "3", b.ID).WantOneError(t, "--preserve-fds", "3")
	}
	one := lister(t)
	one.Files = openDirectories(t, 1)
	one.Run(t, "--preserve-fds", "3").WantOneError(t, "--preserve-fds", "4")
}

// activated runs rt as a service manager does that has opened count sockets for it.
func activated(count string) []string {
	return []string{"sh", "-c", `export LISTEN_PID=$$ LISTEN_FDS=` + count + ` LISTEN_FDNAMES=a:b; exec "$@"`, "sh"}
}

// Sockets of a service manager come before those of --preserve-fds, and the program is told.
func TestSocketActivation(t *testing.T) {
	t.Parallel()
	b := lister(t)
	b.Wrapper, b.Files = activated("2"), openDirectories(t, 3)
	b.Run(t, "--preserve-fds", "1").WantExit(t, 0).WantStdoutIs(t, "0\n1\n2\n3\n4\n5\n6")
	told := script(t, `echo $LISTEN_FDS $LISTEN_PID $$ $LISTEN_FDNAMES`)
	told.Wrapper, told.Files = activated("2"), openDirectories(t, 2)
	told.Run(t).WantExit(t, 0).WantStdoutIs(t, "2 1 1 a:b")
	other := lister(t)
	other.Env = []string{"LISTEN_FDS=3", "LISTEN_PID=1"}
	other.Run(t).WantExit(t, 0).WantStdoutIs(t, "0\n1\n2\n3")
}

// With fewer sockets than the variable says, the runtime's own descriptors must not take their place.
func TestSocketActivationWithoutSockets(t *testing.T) {
	t.Parallel()
	b := lister(t)
	b.Wrapper = activated("3")
	b.Run(t).WantOneError(t, "LISTEN_FDS", "3")
	wrong := lister(t)
	wrong.Wrapper = activated("-1")
	wrong.Run(t).WantOneError(t, "LISTEN_FDS", "-1")
	shared := lister(t)
	shared.Wrapper, shared.Files = activated("1"), openDirectories(t, 1)
	shared.Spec.Linux.Namespaces = slices.DeleteFunc(shared.Spec.Linux.Namespaces, func(n specs.LinuxNamespace) bool {
		return n.Type == specs.PIDNamespace
	})
	shared.Run(t).WantOneError(t, "LISTEN_FDS", "pid namespace")
}

// A limit on open files is for the container, not for the runtime that sets it.
func TestLowLimitOfOpenFiles(t *testing.T) {
	t.Parallel()
	for _, limit := range []uint64{0, 1, 2, 3, 4} {
		b := script(t, "echo started")
		b.Spec.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: limit, Hard: limit}}
		got := b.Run(t)
		wantNoCrash(t, got)
		if got.Exit == 0 {
			got.WantStdoutIs(t, "started")
		}
	}
}

// A caller with few descriptors left gets an error, not a crash.
func TestCallerWithFewDescriptors(t *testing.T) {
	t.Parallel()
	for _, limit := range []string{"8", "12", "16", "20"} {
		b := script(t, "echo started")
		b.Wrapper = []string{"sh", "-c", "ulimit -n " + limit + ` && exec "$@"`, "sh"}
		host := b.Snapshot(t)
		if got := b.Run(t); got.Exit != 0 {
			wantNoCrash(t, got)
			b.Wrapper = nil
			host.WantSame(t)
		}
		b.Wrapper = nil
	}
}

// What waits for the start holds nothing of the host open but its streams and the two FIFOs of the start.
func TestWaitingInitHoldsNothingOpen(t *testing.T) {
	t.Parallel()
	for _, mapped := range []bool{false, true} {
		b := script(t, "true")
		if mapped {
			useUserNamespace(t, b)
		}
		b.Spec.Linux.MaskedPaths = append(b.Spec.Linux.MaskedPaths, "/proc/version", "/etc")
		b.Spec.Linux.Sysctl = map[string]string{"net.ipv4.ip_forward": "0"}
		b.Files = openDirectories(t, 3)
		b.Create(t).WantExit(t, 0)
		dir := fmt.Sprintf("/proc/%d/fd", b.State(t).Pid)
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			target, err := os.Readlink(dir + "/" + e.Name())
			if err != nil {
				t.Fatal(err)
			}
			isStream := e.Name() == "0" || e.Name() == "1" || e.Name() == "2"
			if !isStream && !strings.HasPrefix(target, filepath.Join(b.Root, b.ID, "exec.")) {
				t.Errorf("the waiting init holds descriptor %s open: %s", e.Name(), target)
			}
		}
	}
}
