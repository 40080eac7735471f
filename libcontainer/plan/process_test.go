// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
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

// The order of privileges, as docs/lifecycle.md argues for it: all that can be given up is, before the wait for the start.
func TestPrivilegeOrder(t *testing.T) {
	t.Parallel()
	const dropped = "Bounding Groups CloseDescriptors Umask User Capabilities Ambient "
	for _, c := range []struct {
		name            string
		noNewPrivileges bool
		filter          func(*Host)
		order           string
	}{
		{"no filter", true, func(*Host) {}, dropped + "NoNewPrivileges WaitStart Execute"},
		{"filter", true, withFilter, dropped + "NoNewPrivileges Seccomp WaitStart Execute"},
		{"strict filter", true, withStrictFilter, dropped + "NoNewPrivileges WaitStart Seccomp Execute"},
		{"listener", true, withListener, dropped + "NoNewPrivileges Seccomp WaitStart Execute"},
		{"no filter, privileged", false, func(*Host) {}, dropped + "WaitStart Execute"},
		{"filter, privileged", false, withFilter, "Bounding Groups CloseDescriptors Umask Seccomp User Capabilities Ambient WaitStart Execute"},
		{"strict filter, privileged", false, withStrictFilter, "Bounding Groups CloseDescriptors Umask Seccomp User Capabilities Ambient WaitStart Execute"},
		{"listener, privileged", false, withListener, "Bounding Groups CloseDescriptors Umask Seccomp User Capabilities Ambient WaitStart Execute"},
	} {
		s, h := readConfig(t, "identity"), testHost()
		s.Process.NoNewPrivileges = c.noNewPrivileges
		c.filter(&h)
		p, err := Create(s, h)
		if err != nil {
			t.Fatal(err)
		}
		var order []string
		for _, entry := range p.Steps {
			if name := Name(entry.Step); strings.Contains(" "+dropped+"NoNewPrivileges Seccomp WaitStart Execute ", " "+name+" ") {
				order = append(order, name)
			}
		}
		if got := strings.Join(order, " "); got != c.order {
			t.Errorf("%s:\n%s, want\n%s", c.name, got, c.order)
		}
		if Name(p.Steps[p.Started-1].Step) != "WaitStart" {
			t.Errorf("%s: the start is at step %d of\n%s", c.name, p.Started, p)
		}
	}
}

// What Started plans again must be what Create has planned for that time.
func TestStartedIsTheEndOfCreate(t *testing.T) {
	t.Parallel()
	for _, g := range goldens() {
		if g.exec != nil || g.hook != nil {
			continue
		}
		p := g.plan(t)
		s, h := readConfig(t, g.config), testHost()
		if g.edit != nil {
			g.edit(s)
		}
		if h.Filter = nil; p.LateFilter {
			h.Filter = &Filter{}
		}
		h.WaitForStart = slices.ContainsFunc(p.Steps, func(e Entry) bool { return Name(e.Step) == "WaitStart" })
		again, err := Started(s, h)
		if err != nil {
			t.Fatal(err)
		}
		var got, want []string
		for _, entry := range again.Steps {
			got = append(got, Name(entry.Step)+" "+entry.Member)
		}
		for _, entry := range p.Steps[p.Started:] {
			want = append(want, Name(entry.Step)+" "+entry.Member)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", g.name, got, want)
		}
	}
}

// Without its label a program would run as rt does: a filter that hinders the second request is refused, unless it can be
// loaded after that.
func TestALabelAndAFilterThatRefusesIt(t *testing.T) {
	t.Parallel()
	for noNewPrivileges, want := range map[bool]string{true: "", false: "linux.seccomp: it refuses write(2)"} {
		s, h := readConfig(t, "labels"), testHost()
		s.Process.NoNewPrivileges = noNewPrivileges
		h.Filter = refusing(unix.SYS_WRITE)
		p, err := Create(s, h)
		switch {
		case want == "" && err != nil, want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)):
			t.Errorf("noNewPrivileges %v: error %v, want %q", noNewPrivileges, err, want)
		case want == "" && !p.LateFilter:
			t.Errorf("the filter is loaded before the label is asked for:\n%s", p)
		}
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
