// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestCapabilitySets(t *testing.T) {
	t.Parallel()
	const kill, bind, time = 1 << 5, 1 << 10, 1 << 25
	none := specs.LinuxCapabilities{}
	for _, c := range []struct {
		name     string
		caps     *specs.LinuxCapabilities
		has      uint64 // of the host
		want     capabilitySets
		warnings []string
	}{
		{"missing section", nil, allCapabilities, capabilitySets{}, nil},
		{"empty section", &none, allCapabilities, capabilitySets{}, nil},
		{"each its own", &specs.LinuxCapabilities{
			Bounding: []string{"CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_SYS_TIME"}, Effective: []string{"CAP_KILL"},
			Permitted: []string{"CAP_KILL", "CAP_NET_BIND_SERVICE"}, Inheritable: []string{"CAP_NET_BIND_SERVICE"},
			Ambient: []string{"CAP_NET_BIND_SERVICE"},
		}, allCapabilities, capabilitySets{kill | bind | time, kill, kill | bind, bind, bind}, nil},
		{
			"unknown name", &specs.LinuxCapabilities{Bounding: []string{"CAP_TOMORROW", "CAP_KILL"}}, allCapabilities,
			capabilitySets{bounding: kill},
			[]string{`process.capabilities.bounding: ignore unknown capability "CAP_TOMORROW"`},
		},
		{
			"lower case is unknown", &specs.LinuxCapabilities{Effective: []string{"cap_kill"}}, allCapabilities,
			capabilitySets{},
			[]string{`process.capabilities.effective: ignore unknown capability "cap_kill"`},
		},
		{
			"the host lacks it", &specs.LinuxCapabilities{Permitted: []string{"CAP_SYS_TIME", "CAP_KILL"}}, kill,
			capabilitySets{permitted: kill},
			[]string{"process.capabilities.permitted: leave out CAP_SYS_TIME, which rt itself does not have"},
		},
		{
			"ambient, not permitted", &specs.LinuxCapabilities{Ambient: []string{"CAP_KILL"}, Inheritable: []string{"CAP_KILL"}}, allCapabilities,
			capabilitySets{inheritable: kill},
			[]string{"can't raise ambient capability CAP_KILL: it is not both permitted and inheritable (capabilities(7))"},
		},
		{
			"ambient, not inheritable", &specs.LinuxCapabilities{Ambient: []string{"CAP_KILL"}, Permitted: []string{"CAP_KILL"}}, allCapabilities,
			capabilitySets{permitted: kill},
			[]string{"can't raise ambient capability CAP_KILL: it is not both permitted and inheritable (capabilities(7))"},
		},
	} {
		b := &builder{
			spec: &specs.Spec{Process: &specs.Process{Capabilities: c.caps}, Linux: &specs.Linux{}},
			host: Host{Capabilities: c.has}, plan: &Plan{},
		}
		if got := b.capabilitySets(); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
		if !slices.Equal(b.plan.Warnings, c.warnings) {
			t.Errorf("%s: warnings %q, want %q", c.name, b.plan.Warnings, c.warnings)
		}
	}
}

// The sets are computed twice for a plan, the warnings are given once.
func TestWarningsAreGivenOnce(t *testing.T) {
	t.Parallel()
	for _, g := range goldens() {
		p := g.plan(t)
		for i, w := range p.Warnings {
			if slices.Contains(p.Warnings[:i], w) {
				t.Errorf("%s: twice: %s", g.name, w)
			}
		}
		if g.hook != nil && len(p.Warnings) > 0 {
			t.Errorf("%s: a hook's plan repeats the container's warnings %q", g.name, p.Warnings)
		}
	}
}

// indexOf returns the place of a step type in a plan, or -1.
func indexOf(p *Plan, name string) int {
	return slices.IndexFunc(p.Steps, func(e Entry) bool { return Name(e.Step) == name })
}

// The order of privileges, as docs/lifecycle.md argues for it.
func TestPrivilegeOrder(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		noNewPrivileges bool
		order           string
	}{
		{true, "Bounding Groups CloseDescriptors Umask User Capabilities Ambient NoNewPrivileges Seccomp Execute"},
		{false, "Bounding Groups CloseDescriptors Umask Seccomp User Capabilities Ambient Execute"},
	} {
		s, h := readConfig(t, "identity"), testHost()
		s.Process.NoNewPrivileges = c.noNewPrivileges
		withFilter(&h)
		p, err := Create(s, h)
		if err != nil {
			t.Fatal(err)
		}
		last := indexOf(p, "WaitStart")
		for _, name := range strings.Fields(c.order) {
			at := indexOf(p, name)
			if at <= last {
				t.Errorf("noNewPrivileges %v: %s is step %d, after %d was due; want %s", c.noNewPrivileges, name, at, last, c.order)
			}
			last = at
		}
		if !c.noNewPrivileges && indexOf(p, "NoNewPrivileges") >= 0 {
			t.Error("the plan has NoNewPrivileges, the config not")
		}
	}
}

// What is under the filter of a config with noNewPrivileges: nothing of ours but the execve.
func TestSeccompIsTheLastStepBeforeExecute(t *testing.T) {
	t.Parallel()
	s, h := readConfig(t, "identity"), testHost()
	withFilter(&h)
	p, err := Create(s, h)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := indexOf(p, "Seccomp"), len(p.Steps)-2; got != want {
		t.Errorf("Seccomp is step %d, want %d", got, want)
	}
}

func TestPersonality(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		domain specs.LinuxPersonalityDomain
		want   uint64
	}{{specs.PerLinux, 0}, {specs.PerLinux32, 8}} {
		s := readConfig(t, "identity")
		s.Linux.Personality.Domain = c.domain
		p, err := Create(s, testHost())
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Steps[indexOf(p, "Personality")].Step; got != Step(Personality{c.want}) {
			t.Errorf("%s: %+v", c.domain, got)
		}
	}
}

// The working directory is made while the root can be written, but never in /proc, which the kernel owns.
func TestWorkingDirectoryIsMade(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		cwd  string
		made bool
	}{{"/", false}, {"//", false}, {"/srv/app", true}, {"/srv/../", false}, {"/proc/self/fd", false}, {"/a/../proc/1", false}, {"/procedures", true}} {
		s := readConfig(t, "identity")
		s.Process.Cwd = c.cwd
		p, err := Create(s, testHost())
		if err != nil {
			t.Fatal(err)
		}
		if got := indexOf(p, "MakeDirectory") >= 0; got != c.made {
			t.Errorf("cwd %q: made is %v", c.cwd, got)
		}
	}
}
