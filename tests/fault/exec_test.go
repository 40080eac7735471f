// SPDX-License-Identifier: Apache-2.0

package fault

import (
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/tests/harness"
)

// execSteps returns the plan of an exec.
func execSteps(t *testing.T, b *harness.Bundle, flags []string) []step {
	t.Helper()
	b.Env = []string{"RT_FAIL_AT=show"}
	text := b.Exec(t, flags, "sh", "-c", "exit 0").WantExit(t, 0).Stdout
	b.Env = nil
	var all []step
	for line := range strings.Lines(text) {
		if name, member, ok := strings.Cut(strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"), "\t"); ok {
			all = append(all, step{name, member})
		}
	}
	if len(all) < 12 {
		t.Fatalf("a plan of %d steps:\n%s", len(all), text)
	}
	return all
}

// TestEveryStepOfExec makes exec fail at each step, with and without what changes the order of the steps. The container
// must be as before, and nothing be left of the process.
func TestEveryStepOfExec(t *testing.T) {
	t.Parallel()
	allow := &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Names: []string{"acct"}, Action: specs.ActErrno}}}
	for _, c := range []struct {
		name  string
		flags []string
		make  func(*testing.T) *harness.Bundle
	}{
		{"host's root", []string{"--user", "1000:1000", "-g", "5"}, richBundle},
		{"terminal", []string{"--tty"}, richBundle},
		{"privileged filter", []string{"--tty"}, func(t *testing.T) *harness.Bundle {
			b := richBundle(t)
			b.Spec.Process.NoNewPrivileges, b.Spec.Linux.Seccomp = false, allow
			return b
		}},
		{"filter", nil, func(t *testing.T) *harness.Bundle {
			b := richBundle(t)
			b.Spec.Linux.Seccomp = allow
			return b
		}},
		{"agent", nil, func(t *testing.T) *harness.Bundle { return withAgent(t, true) }},
		{"agent, privileged", nil, func(t *testing.T) *harness.Bundle { return withAgent(t, false) }},
		{"user namespace", nil, userNamespaced},
		{"shared pid namespace", nil, func(t *testing.T) *harness.Bundle {
			b := richBundle(t)
			b.Spec.Linux.Namespaces = b.Spec.Linux.Namespaces[1:]
			return b
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := c.make(t)
			b.Spec.Process.Args = []string{"sleep", "1000"}
			b.Spec.Process.Cwd = "/"
			b.Run(t, "--detach").WantExit(t, 0)
			plan := execSteps(t, b, c.flags)
			pidFile := b.Path("pid")
			before := b.Snapshot(t)
			for i, s := range plan {
				failAt(b, i)
				got := b.Exec(t, append([]string{"--pid-file", pidFile}, c.flags...), "sh", "-c", "exit 0")
				b.Env = nil
				line, more, _ := strings.Cut(strings.TrimSpace(got.Stderr), "\n")
				if got.Exit != 255 || more != "" || !strings.Contains(line, s.told()+": ") || !strings.HasSuffix(line, "no such file or directory") {
					t.Errorf("step %d %s: exit status %d, want 255 and one line with %q; got\n%s", i, s.name, got.Exit, s.told(), got.Stderr)
				}
				if _, err := os.Stat(pidFile); err == nil {
					t.Errorf("after a failure at step %d %s: the pid file is there", i, s.name)
				}
				for _, change := range before.Difference(t) {
					t.Errorf("after a failure at step %d %s: %s", i, s.name, change)
				}
			}
			b.Exec(t, c.flags, "true").WantExit(t, 0)
			b.Kill(t, "KILL").WantExit(t, 0)
			b.WaitFor(t, "stopped")
		})
	}
}
