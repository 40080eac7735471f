// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// deadline is how long a command and a condition may take. It is for a loaded machine: what hangs, hangs for ever. One
// that is emulated needs more, and says how many times as much.
var deadline = Slow(30 * time.Second)

// Slow is what a time that suffices elsewhere is on this machine.
func Slow(d time.Duration) time.Duration { return d * slowness() }

func slowness() time.Duration {
	if n, err := strconv.Atoi(os.Getenv("RT_TEST_SLOWNESS")); err == nil && n > 0 {
		return time.Duration(n)
	}
	return 1
}

// NeedCgroupfs skips the test where all bundles use the systemd driver.
func NeedCgroupfs(t *testing.T, why string) {
	t.Helper()
	if withSystemd {
		t.Skip("with RT_TEST_SYSTEMD the driver is systemd's: " + why)
	}
}

// withSystemd makes all bundles use the systemd driver.
var withSystemd = os.Getenv("RT_TEST_SYSTEMD") != ""

// RT runs rt with the bundle's state root.
func (b *Bundle) RT(t *testing.T, args ...string) Result {
	t.Helper()
	got, _ := b.call(t, append([]string{"--root", b.Root}, args...))
	return got
}

// Raw runs rt with exactly these arguments.
func (b *Bundle) Raw(t *testing.T, args ...string) Result {
	t.Helper()
	got, _ := b.call(t, args)
	return got
}

// Create writes the config and runs `create`.
func (b *Bundle) Create(t *testing.T, flags ...string) Result {
	t.Helper()
	return b.start(t, "create", flags)
}

// Run writes the config and runs `run`, in the foreground unless the flags have --detach.
func (b *Bundle) Run(t *testing.T, flags ...string) Result {
	t.Helper()
	return b.start(t, "run", flags)
}

func (b *Bundle) start(t *testing.T, command string, flags []string) Result {
	t.Helper()
	b.Write(t)
	args := []string{"--root", b.Root}
	if b.Systemd {
		if l := b.Spec.Linux; withSystemd && l != nil && l.CgroupsPath != "" && strings.Count(l.CgroupsPath, ":") != 2 {
			t.Skipf("with RT_TEST_SYSTEMD the driver is systemd's, and %q is a path for the other one", l.CgroupsPath)
		}
	}
	args = append(args, b.Driver()...)
	args = append(append(args, command, "--bundle", b.Dir), flags...)
	got, output := b.call(t, append(args, b.ID))
	b.output = output
	return got
}

// Driver returns the global options for the driver of the bundle's control group.
func (b *Bundle) Driver() []string {
	if b.Systemd {
		return []string{"--systemd-cgroup"}
	}
	return nil
}

// Start runs `start`.
func (b *Bundle) Start(t *testing.T) Result {
	t.Helper()
	return b.RT(t, "start", b.ID)
}

// Exec runs `exec` with flags, then the container and the program.
func (b *Bundle) Exec(t *testing.T, flags []string, program ...string) Result {
	t.Helper()
	return b.RT(t, append(append(append([]string{"exec"}, flags...), b.ID), program...)...)
}

// Kill runs `kill`.
func (b *Bundle) Kill(t *testing.T, signal ...string) Result {
	t.Helper()
	return b.RT(t, append([]string{"kill", b.ID}, signal...)...)
}

// Delete runs `delete`.
func (b *Bundle) Delete(t *testing.T, flags ...string) Result {
	t.Helper()
	return b.RT(t, append(append([]string{"delete"}, flags...), b.ID)...)
}

// State is what `state` prints.
type State struct {
	specs.State
	Rootfs  string
	Created time.Time
	Owner   string
}

// State runs `state`, which must succeed.
func (b *Bundle) State(t *testing.T) State {
	t.Helper()
	got := b.RT(t, "state", b.ID)
	got.WantExit(t, 0)
	var s State
	if err := json.Unmarshal([]byte(got.Stdout), &s); err != nil {
		t.Fatalf("decode state: %v\n%s", err, got.Stdout)
	}
	return s
}

// Output returns what the container has written to stdout since the last Create or Run.
func (b *Bundle) Output(t *testing.T) string {
	t.Helper()
	return ReadFile(t, b.output)
}

// Command prepares a call of rt with the bundle's state root, for tests that need more than its result.
func (b *Bundle) Command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	return b.command(context.Background(), t, append([]string{"--root", b.Root}, args...))
}

func (b *Bundle) command(ctx context.Context, t *testing.T, args []string) *exec.Cmd {
	t.Helper()
	program := b.program
	if program == "" {
		program = Binary(t)
	}
	line := append(append([]string{}, b.Wrapper...), program)
	line = append(line, args...)
	cmd := exec.CommandContext(ctx, line[0], line[1:]...)
	cmd.Env = append(os.Environ(), b.Env...)
	cmd.Dir = b.Cwd
	cmd.ExtraFiles = b.Files
	b.asUser(cmd)
	if b.Stdin != nil {
		cmd.Stdin = b.Stdin
	}
	return cmd
}

// call runs rt. Its output goes to files, as a container that outlives rt would keep a pipe open.
func (b *Bundle) call(t *testing.T, args []string) (got Result, output string) {
	t.Helper()
	b.calls++
	output = filepath.Join(b.base, fmt.Sprintf("stdout.%d", b.calls))
	stdout, stderr := openOutput(t, output), openOutput(t, filepath.Join(b.base, fmt.Sprintf("stderr.%d", b.calls)))
	defer stdout.Close()
	defer stderr.Close()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	cmd := b.command(ctx, t, args)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	err := cmd.Run()
	got = Result{
		Command: "rt " + strings.Join(args, " "), Stdout: ReadFile(t, stdout.Name()), Stderr: ReadFile(t, stderr.Name()),
	}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		t.Fatalf("%s: hung for %v%s", got.Command, deadline, got.text())
	case err != nil && !errors.As(err, &exit):
		t.Fatalf("%s: %v", got.Command, err)
	}
	got.Exit = cmd.ProcessState.ExitCode()
	return got, output
}

func openOutput(t *testing.T, path string) *os.File {
	t.Helper()
	// Append, so that a container and rt never write over each other.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
