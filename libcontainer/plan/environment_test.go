// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestEnvironment(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		env, want string // separated by blanks
		home      bool   // HOME is still to be found
	}{
		{"", "", true},
		{"A=1 B=2", "A=1 B=2", true},
		{"A=1 B=2 A=3", "B=2 A=3", true},
		{"A=1 A=2 A=3", "A=3", true},
		{"A= A=1", "A=1", true},
		{"A=1 A=", "A=", true},
		{"A=x=y B==", "A=x=y B==", true},
		{"A B=1 A", "B=1 A", true}, // no "=": the kernel passes it on, so do we
		{"HOME=/root", "HOME=/root", false},
		{"HOME=/a HOME=/b", "HOME=/b", false},
		{"HOME=", "", true},
		{"HOME=/a HOME=", "", true},
		{"HOME= HOME=/a", "HOME=/a", false},
		{"HOME A=1", "A=1", true},
		{"HOMER=1", "HOMER=1", true},
	} {
		env := strings.Fields(c.env)
		before := slices.Clone(env)
		if got := strings.Join(Environment(env), " "); got != c.want {
			t.Errorf("Environment(%q) = %q, want %q", c.env, got, c.want)
		}
		if !slices.Equal(env, before) {
			t.Errorf("Environment(%q) changed its argument to %q", c.env, env)
		}
		if got := NeedsHome(env); got != c.home {
			t.Errorf("NeedsHome(%q) = %v", c.env, got)
		}
	}
}

func TestCandidates(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ program, env, want string }{
		{"sh", "PATH=/sbin:/bin", "/sbin/sh /bin/sh"},
		{"sh", "", "/bin/sh /usr/bin/sh"},
		{"sh", "PATH=", ""},
		{"sh", "PATH=/bin::/sbin:", "/bin/sh /sbin/sh"},
		{"sh", "PATH=/first PATH=/last", "/last/sh"},
		{"sh", "PATH", ""},
		{"sh", "PATH=bin:../x:/x", "/x/sh"},
		{"sh", "PATH=/bin/", "/bin//sh"},
		{"./sh", "PATH=/bin", "./sh"},
		{"/bin/sh", "PATH=/bin", "/bin/sh"},
		{"dir/sh", "PATH=/bin", "dir/sh"},
		{"", "PATH=/bin", "/bin/"},
	} {
		p := &specs.Process{Args: []string{c.program}, Env: strings.Fields(c.env)}
		if got := strings.Join(Candidates(p), " "); got != c.want {
			t.Errorf("Candidates of %q with %q = %q, want %q", c.program, c.env, got, c.want)
		}
	}
}

func TestFindProgramRefusesRelativeDirectories(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		path, want string
		refused    uint64
	}{
		{"/sbin:/bin", "/sbin/sh /bin/sh", 0},
		{":/bin", "/srv/sh /bin/sh", 1},
		{"/bin:.:..:x", "/bin/sh /srv/sh /sh /srv/x/sh", 14},
		{strings.Repeat("/a:", 64) + "x", strings.TrimSpace(strings.Repeat("/a/sh ", 64)), 0},
		{strings.Repeat("/a:", 63) + "x", strings.Repeat("/a/sh ", 63) + "/srv/x/sh", 1 << 63},
	} {
		b := &builder{plan: &Plan{}, spec: &specs.Spec{Process: &specs.Process{Args: []string{"sh"}, Env: []string{"PATH=" + c.path}, Cwd: "/srv"}}}
		if err := findProgram(b); err != nil {
			t.Fatal(err)
		}
		find := b.plan.Steps[0].Step.(FindProgram)
		if got := strings.Join(find.Candidates, " "); got != c.want || find.Refused != c.refused || find.Searched != "sh" {
			t.Errorf("%q: %+v", c.path, find)
		}
	}
}
