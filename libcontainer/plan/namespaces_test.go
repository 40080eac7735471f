// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/nsenter"
)

// namespaceSpec makes a config of words such as "pid" (a new namespace) and "pid@" (one to join).
func namespaceSpec(words string) *specs.Spec {
	s := &specs.Spec{Root: &specs.Root{Path: "rootfs"}, Linux: &specs.Linux{}}
	for _, word := range strings.Fields(words) {
		name, joined := strings.CutSuffix(word, "@")
		n := specs.LinuxNamespace{Type: specs.LinuxNamespaceType(name)}
		if joined {
			n.Path = "/proc/7/ns/" + name
		}
		s.Linux.Namespaces = append(s.Linux.Namespaces, n)
	}
	return s
}

// between returns the steps that join and make namespaces, as a text.
func between(p *Plan) string {
	var words []string
	for _, entry := range p.Steps {
		switch s := entry.Step.(type) {
		case JoinNamespace:
			words = append(words, "join:"+bits(uint64(s.Type), namespaceBits()))
		case Unshare:
			words = append(words, "new:"+bits(uint64(s.Flags), namespaceBits()))
		case BecomeRoot:
			words = append(words, "root")
		case Fork:
			words = append(words, "fork")
		case Sync:
			if s.Message != nsenter.MessageReady {
				words = append(words, messageName(uint64(s.Message)))
			}
		}
	}
	return strings.Join(words, " ")
}

// The first mount namespace of a container with a user namespace is that of the staging directory.
func TestNamespaceOrder(t *testing.T) {
	t.Parallel()
	const withNewNetwork = "pid@ network ipc mount" // that no user namespace owns
	for _, c := range []struct {
		config, clone, want string
		fork                bool
	}{
		{"", "", "", false},
		{"pid", "pid", "", false},
		{"mount pid uts", "pid+uts", "new:mount", false},
		{withNewNetwork, "ipc", "join:pid join:network new:mount fork", true},
		{"user@ network", "", "join:user root new:network", false},
		{"user network", "", "new:user map-ids root new:network", false},
		{"pid@ mount", "", "join:pid new:mount fork", true},
		{"user mount", "", "new:mount new:user map-ids root new:mount", false},
		{"mount user pid", "", "new:mount new:user map-ids root new:mount+pid fork", true},
		{"user", "", "new:user map-ids root", false},
		{"time", "", "new:time fork", true},
		{"time@", "", "join:time fork", true},
		{"user@ network@ mount", "", "new:mount join:network join:user root new:mount", false},
		{"user@ pid", "", "join:user root new:pid fork", true},
		{"user@ pid@", "", "join:pid join:user root fork", true},
		{"user pid@", "", "join:pid new:user map-ids root fork", true},
		{"time pid", "", "new:pid+time fork", true},
		{"network@ ipc@ uts@ cgroup@ mount@", "", "join:network join:ipc join:uts join:cgroup join:mount", false},
		{"cgroup network ipc uts mount pid user time", "", "new:mount new:user map-ids root new:cgroup+ipc+mount+network+pid+time+uts fork", true},
	} {
		s := namespaceSpec(c.config)
		p, err := Create(s, testHost())
		if err != nil {
			t.Fatalf("%q: %v", c.config, err)
		}
		if got := between(p); got != c.want {
			t.Errorf("%q: steps %q, want %q", c.config, got, c.want)
		}
		if got := bits(uint64(p.CloneFlags), namespaceBits()); got != c.clone {
			t.Errorf("%q: the stage is cloned with %q, want %q", c.config, got, c.clone)
		}
		if got := (&builder{spec: s}).needsFork(); got != c.fork {
			t.Errorf("%q: needsFork is %v", c.config, got)
		}
		asked := slices.ContainsFunc(p.Files, func(f File) bool { return f.Kind == FileNewNetwork })
		if want := c.config == withNewNetwork; asked != want || MakesNetwork(s) != want {
			t.Errorf("%q: the host side makes a network namespace: %v, before the plan %v", c.config, asked, MakesNetwork(s))
		}
	}
}

// A pid namespace is entered by the next child only: nothing that must be in it may come before the fork.
func TestNothingOfTheContainerBeforeTheFork(t *testing.T) {
	t.Parallel()
	for _, g := range goldens() {
		p := g.plan(t)
		fork := slices.IndexFunc(p.Steps, func(e Entry) bool { return e.Step == Step(Fork{}) })
		for i := range max(fork, 0) {
			switch s := p.Steps[i].Step.(type) {
			case NewMount:
				if s.Type == "tmpfs" {
					continue // the staging directory
				}
				t.Errorf("%s: step %d mounts %s before the fork (step %d)", g.name, i, s.Type, fork)
			case OpenProc:
				if s.Flags&nsenter.OpenProcProcesses == 0 { // one with processes alone serves to find ourselves
					t.Errorf("%s: step %d opens a procfs before the fork (step %d)", g.name, i, fork)
				}
			case Rootfs, CloneTree, Pivot, Chroot, NewSession, User, Capabilities:
				t.Errorf("%s: step %d %s is before the fork (step %d)", g.name, i, Name(p.Steps[i].Step), fork)
			}
		}
	}
}

func TestUnknownNamespaceIsRefused(t *testing.T) {
	t.Parallel()
	_, err := Create(namespaceSpec("galaxy@"), testHost())
	if err == nil || !strings.Contains(err.Error(), `linux.namespaces[0].type: unknown namespace type "galaxy"`) {
		t.Errorf("got %v", err)
	}
}

func TestNamespaceTypes(t *testing.T) {
	t.Parallel()
	types := NamespaceTypes()
	if !slices.IsSorted(types) {
		t.Errorf("not sorted: %q", types)
	}
	var all uint32
	for _, name := range types {
		flag, ok := namespaceFlag(specs.LinuxNamespaceType(name))
		if !ok || all&flag != 0 {
			t.Errorf("%s has the flag %#x, which none or another one has", name, flag)
		}
		all |= flag
	}
	for _, n := range namespaceFiles {
		flag, _ := namespaceFlag(n.kind)
		all &^= flag
	}
	if all != 0 {
		t.Errorf("hooks never join %s", bits(uint64(all), namespaceBits()))
	}
	if last := namespaceFiles[len(namespaceFiles)-1].kind; last != specs.UserNamespace {
		t.Errorf("hooks join the %s namespace last, not the user namespace", last)
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()
	console := Message{Type: nsenter.MessageDescriptor, Descriptor: nsenter.DescriptorConsole}
	passwd := Message{Type: nsenter.MessageDescriptor, Descriptor: nsenter.DescriptorPasswd}
	simple := func(types ...uint32) []Message {
		var messages []Message
		for _, m := range types {
			messages = append(messages, Message{Type: m})
		}
		return messages
	}
	ready := simple(nsenter.MessageReady)
	tree := Message{Type: nsenter.MessageDescriptor, Descriptor: nsenter.DescriptorTree}
	for _, c := range []struct {
		name string
		want []Message
	}{
		{"default-v2", append([]Message{console, passwd}, ready...)},
		{"user-time", simple(nsenter.MessageMapIds, nsenter.MessageTimeOffsets, nsenter.MessageForked, nsenter.MessageReady)},
		{"joined", append(append(simple(nsenter.MessageForked), passwd), ready...)},
		{"hooks", simple(nsenter.MessageMapIds, nsenter.MessageForked, nsenter.MessageNetDevices, nsenter.MessageHooks, nsenter.MessageReady)},
		{"idmap", append([]Message{tree, tree, tree, tree}, ready...)},
		{"hook-before-pivot", simple(nsenter.MessageForked)},
		{"mounts", ready},
		{"no-process", ready},
	} {
		i := slices.IndexFunc(goldens(), func(g golden) bool { return g.name == c.name })
		g := goldens()[i]
		if got := g.plan(t).Messages(); !slices.Equal(got, c.want) {
			t.Errorf("%s: messages %v, want %v", c.name, got, c.want)
		}
	}
}

// What the config names by path is joined, and the host side is told which type it must be.
func TestNamespaceFilesAreVerified(t *testing.T) {
	t.Parallel()
	p, err := Create(namespaceSpec("network@ time@ user@"), testHost())
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range p.Steps {
		if join, ok := entry.Step.(JoinNamespace); ok {
			f := p.Files[join.Namespace]
			if f.Kind != FileNamespace || f.Namespace != join.Type || f.Member != entry.Member {
				t.Errorf("%s: file %+v for type %#x", entry.Member, f, join.Type)
			}
		}
	}
	if p.CloneFlags&^unix.CLONE_NEWPID != 0 {
		t.Errorf("cloned with %#x", p.CloneFlags)
	}
}
