// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/tests/harness"
)

// filtered is a container that shows whether its filter works.
func filtered(t *testing.T) *harness.Bundle {
	t.Helper()
	b := shell(t, "mkdir /tmp/x; echo alive")
	b.Spec.Linux.Seccomp = &specs.LinuxSeccomp{
		DefaultAction: specs.ActAllow,
		Syscalls:      []specs.LinuxSyscall{rule(specs.ActErrno, pointer(uint(unix.ENETDOWN)), "mkdir", "mkdirat")},
	}
	return b
}

func cacheOf(b *harness.Bundle) string { return filepath.Join(b.Root, "@seccomp") }

// runFiltered runs the container, wants its filter to work, and returns what the log says of its origin.
func runFiltered(t *testing.T, b *harness.Bundle) string {
	t.Helper()
	b.Write(t)
	log := b.Path("log")
	_ = os.Remove(log)
	b.RT(t, "--debug", "--log", log, "run", "--bundle", b.Dir, b.ID).WantExit(t, 0).WantStdoutIs(t, "alive").WantStderr(t, "Network is down")
	for line := range strings.Lines(harness.ReadFile(t, log)) {
		if _, origin, ok := strings.Cut(line, "seccomp filter: "); ok {
			return origin
		}
	}
	t.Fatal("the log does not tell where the filter comes from")
	return ""
}

func wantOrigin(t *testing.T, got string, want ...string) {
	t.Helper()
	for _, word := range want {
		if !strings.Contains(got, word) {
			t.Errorf("the filter is %q, want %q", got, word)
		}
	}
}

func TestAFilterComesFromTheCacheOfTheStateRoot(t *testing.T) {
	t.Parallel()
	b := filtered(t)
	wantOrigin(t, runFiltered(t, b), "compiled")
	wantOrigin(t, runFiltered(t, b), "from the cache")
	if err := os.RemoveAll(cacheOf(b)); err != nil {
		t.Fatal(err)
	}
	wantOrigin(t, runFiltered(t, b), "compiled")
	entries, err := os.ReadDir(cacheOf(b))
	if err != nil || len(entries) != 1 {
		t.Fatalf("%v, %v", entries, err)
	}
	entry := filepath.Join(cacheOf(b), entries[0].Name())
	if err := os.Truncate(entry, 100); err != nil {
		t.Fatal(err)
	}
	wantOrigin(t, runFiltered(t, b), "compiled", "damaged")
	wantOrigin(t, runFiltered(t, b), "from the cache")
	if err := os.Chown(entry, 1000, 1000); err != nil {
		t.Fatal(err)
	}
	wantOrigin(t, runFiltered(t, b), "compiled", "not what rt made")
	wantOrigin(t, runFiltered(t, b), "from the cache")
}

// compilers counts the starts of the filter compiler during a command.
func compilers(t *testing.T, b *harness.Bundle, command func()) int {
	t.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("needs strace: the programs that rt executes are counted")
	}
	trace := b.Path("trace")
	b.Wrapper = []string{strace, "-f", "-qq", "-e", "signal=none", "-e", "trace=execve", "-o", trace}
	command()
	b.Wrapper = nil
	return strings.Count(harness.ReadFile(t, trace), `["rt-seccomp"]`)
}

func TestTheFilterCompilerIsStartedOnce(t *testing.T) {
	t.Parallel()
	b := filtered(t)
	*hooksOf(b, "startContainer") = []specs.Hook{{Path: "/bin/true"}, {Path: "/bin/true"}}
	for i, want := range []int{1, 0, 0} {
		got := compilers(t, b, func() { b.Run(t).WantExit(t, 0).WantStdoutIs(t, "alive") })
		if got != want {
			t.Errorf("run %d starts it %d times, want %d", i, got, want)
		}
	}
	// Without a cache each command compiles the filter, but once for all hooks and the container.
	if err := os.RemoveAll(cacheOf(b)); err != nil {
		t.Fatal(err)
	}
	harness.WriteFile(t, cacheOf(b), "in the way", 0o600)
	if got := compilers(t, b, func() { b.Run(t).WantExit(t, 0).WantStdoutIs(t, "alive") }); got != 1 {
		t.Errorf("a run without a cache starts it %d times, want 1", got)
	}
	plain := shell(t, "true")
	if got := compilers(t, plain, func() { plain.Run(t).WantExit(t, 0) }); got != 0 {
		t.Errorf("a container without a filter starts it %d times", got)
	}
	for _, command := range []string{"version", "features", "list"} {
		if got := compilers(t, plain, func() { plain.RT(t, command) }); got != 0 {
			t.Errorf("%s starts it %d times", command, got)
		}
	}
}

func TestNoCacheIsNoError(t *testing.T) {
	t.Parallel()
	b := filtered(t)
	wantOrigin(t, runFiltered(t, b), "compiled")
	if err := os.Chmod(cacheOf(b), 0o755); err != nil { // somebody may have written in it
		t.Fatal(err)
	}
	for range 2 {
		wantOrigin(t, runFiltered(t, b), "compiled", "not from the cache", "not kept")
	}
	if err := os.RemoveAll(cacheOf(b)); err != nil {
		t.Fatal(err)
	}
	elsewhere := harness.Mkdir(t, b.Path("elsewhere"), 0o700)
	harness.Symlink(t, elsewhere, cacheOf(b))
	wantOrigin(t, runFiltered(t, b), "compiled", "not kept")
	if entries, err := os.ReadDir(elsewhere); err != nil || len(entries) > 0 {
		t.Errorf("rt followed the link: %v, %v", entries, err)
	}
}

func TestTheCacheIsNoContainer(t *testing.T) {
	t.Parallel()
	b := filtered(t)
	runFiltered(t, b)
	b.RT(t, "list", "--quiet").WantExit(t, 0).WantStdoutIs(t, "").WantStderrIs(t, "")
	for _, command := range [][]string{{"state"}, {"delete", "--force"}, {"create", "--bundle", b.Dir}} {
		b.RT(t, append(command, "@seccomp")...).WantOneError(t, "invalid container ID format")
	}
	if _, err := os.Stat(cacheOf(b)); err != nil {
		t.Error(err)
	}
}

func TestManyContainersShareTheCache(t *testing.T) {
	t.Parallel()
	first := filtered(t)
	var all sync.WaitGroup
	for range 8 {
		b := filtered(t)
		b.Root = first.Root
		all.Go(func() {
			for range 3 {
				b.Run(t).WantExit(t, 0).WantStdoutIs(t, "alive").WantStderr(t, "Network is down")
			}
		})
	}
	all.Wait()
	if entries, err := os.ReadDir(cacheOf(first)); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
}
