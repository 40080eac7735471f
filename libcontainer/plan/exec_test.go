// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/nsenter"
)

// execPlans are the golden plans of exec, by their names.
func execPlans(t *testing.T) map[string]*Plan {
	t.Helper()
	plans := make(map[string]*Plan)
	for _, g := range goldens() {
		if g.exec != nil {
			plans[g.name] = g.plan(t)
		}
	}
	return plans
}

// What the container can see and trace must have no more rights than the user's process (CVE-2016-9962): all that gives
// rights up comes before the process appears in the container's pid namespace, unless a filter needs CAP_SYS_ADMIN and
// refuses what it takes to appear.
func TestWhatAppearsInTheContainerHasNoMoreRights(t *testing.T) {
	t.Parallel()
	for name, p := range execPlans(t) {
		fork := indexOf(p, "Fork")
		if fork < 0 { // it can be seen all the time, but is set free there
			fork = indexOf(p, "Sync")
		}
		var after []string
		for _, entry := range p.Steps[fork+1:] {
			after = append(after, Name(entry.Step))
		}
		allowed := []string{"NewSession", "TakeTerminal", "Execute"}
		if strings.Contains(name, "strict-filter") {
			allowed = append(allowed, "Seccomp")
		}
		if strings.Contains(name, "privileged-strict-filter") {
			allowed = append(allowed, "Capabilities", "Ambient")
			if c, ok := p.Steps[fork-1].Step.(Capabilities); !ok || c.Permitted&^sysAdmin&^permittedOf(p) != 0 || c.Permitted&sysAdmin == 0 {
				t.Errorf("%s: what appears has %+v", name, p.Steps[fork-1].Step)
			}
		}
		for _, step := range after {
			if !slices.Contains(allowed, step) {
				t.Errorf("%s: %s comes after the process can be seen: %s", name, step, strings.Join(after, " "))
			}
		}
		for _, before := range []string{"CloseDescriptors", "Bounding", "Groups", "Umask"} {
			at := indexOf(p, before)
			if at < 0 && before == "Groups" && name == "exec-rootless" {
				continue // the kernel denies setgroups(2)
			}
			if at < 0 || at > fork {
				t.Errorf("%s: %s is step %d, the process can be seen from step %d on", name, before, at, fork)
			}
		}
	}
}

// permittedOf is the set that a plan ends with.
func permittedOf(p *Plan) (set uint64) {
	for i := range p.Steps {
		if c, ok := p.Steps[i].Step.(Capabilities); ok {
			set = c.Permitted
		}
	}
	return set
}

// The container's namespaces are entered in one call, by the pidfd that the host side has verified, and after all that
// is about the host.
func TestTheContainerIsJoinedByOnePidfd(t *testing.T) {
	t.Parallel()
	for name, p := range execPlans(t) {
		joins := 0
		for i, entry := range p.Steps {
			join, ok := entry.Step.(JoinNamespace)
			if !ok {
				continue
			}
			joins++
			if p.Files[join.Namespace].Kind != FileInit {
				t.Errorf("%s: %+v is joined", name, p.Files[join.Namespace])
			}
			for _, later := range p.Steps[i:] {
				switch later.Step.(type) {
				case SessionKeyring, JoinCgroup, SetAffinity, ResetAffinity:
					t.Errorf("%s: %s comes after the namespaces are joined", name, Name(later.Step))
				}
			}
		}
		if want := map[bool]int{true: 0, false: 1}[strings.HasSuffix(name, "shared")]; joins != want {
			t.Errorf("%s: joins %d times, want %d", name, joins, want)
		}
	}
}

// One message, that of the process, has to be answered; a terminal is sent before.
func TestMessagesOfExec(t *testing.T) {
	t.Parallel()
	forked, gate := Message{Type: nsenter.MessageForked}, Message{Type: nsenter.MessageGate}
	console := Message{Type: nsenter.MessageDescriptor, Descriptor: nsenter.DescriptorConsole}
	want := map[string][]Message{
		"exec": {forked}, "exec-filter": {forked}, "exec-privileged-filter": {console, forked},
		"exec-terminal": {console, forked}, "exec-shared": {{Type: nsenter.MessageReady}}, "exec-joined": {forked},
		"exec-without-resource": {{Type: nsenter.MessageLimits}, forked},
		"labels-exec":           {forked}, "labels-apparmor-exec": {forked},
		"exec-privileged-filter-shared": {{Type: nsenter.MessageReady}},
		"exec-strict-filter":            {forked}, "exec-privileged-strict-filter": {console, forked},
		"exec-privileged-strict-filter-shared": {{Type: nsenter.MessageReady}},
		"exec-strict-filter-terminal":          {console, forked}, "exec-strict-filter-shared": {{Type: nsenter.MessageReady}},
		"exec-listener": {gate, forked}, "exec-privileged-listener": {console, gate, forked},
		"exec-privileged-strict-filter-listener": {console, forked},
		"exec-rootless":                          {{Type: nsenter.MessageOomScore}, forked},
	}
	for name, p := range execPlans(t) {
		// The config of some has no HOME; exec itself looks it up and plans with it.
		if got := p.Messages(); !slices.Equal(got, want[name]) {
			t.Errorf("%s: messages %v, want %v", name, got, want[name])
		}
	}
}

func TestCPUMask(t *testing.T) {
	t.Parallel()
	for list, want := range map[string][]uint64{
		"0": {1}, "0-1": {3}, "0,1": {3}, "63-64": {1 << 63, 1}, "1-2,64,130": {6, 1, 4},
	} {
		if got := CPUMask(list); !slices.Equal(got, want) {
			t.Errorf("%q: %x, want %x", list, got, want)
		}
	}
}

// A container that shares its pid namespace needs no second process; one that shares its mount namespace has its root
// elsewhere.
func TestExecInSharedNamespaces(t *testing.T) {
	t.Parallel()
	s := readConfig(t, "host-mounts")
	p, err := Exec(s, testHost(), Entered{Init: 7, Join: unix.CLONE_NEWPID})
	if err != nil {
		t.Fatal(err)
	}
	if indexOf(p, "Fork") < 0 || indexOf(p, "Chroot") < indexOf(p, "JoinNamespace") {
		t.Errorf("the plan is\n%s", p)
	}
}
