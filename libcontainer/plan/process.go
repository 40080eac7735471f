// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"path"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/libcontainer/capability"
	"github.com/rt-oci/rt/nsenter"
)

func session(b *builder) error {
	b.add(NewSession{})
	return nil
}

// workingDirectory makes a missing cwd while the root is still writable and we are its root.
func workingDirectory(b *builder) error {
	p := b.spec.Process
	if p == nil || path.Clean(p.Cwd) == "/" || strings.HasPrefix(path.Clean(p.Cwd), "/proc/") {
		return nil
	}
	b.member = fmt.Sprintf("process.cwd %q", p.Cwd)
	b.add(MakeDirectory{Path: p.Cwd, Mode: 0o755})
	return nil
}

// enterWorkingDirectory comes before the change of user: root can enter what the user can't. Where root is refused
// (NFS, a user namespace), the user is asked again.
func enterWorkingDirectory(b *builder) error {
	return b.changeDirectory(nsenter.ChdirDeniedLater)
}

func enterWorkingDirectoryAgain(b *builder) error {
	return b.changeDirectory(nsenter.ChdirIfDenied)
}

func (b *builder) changeDirectory(flags uint32) error {
	if p := b.spec.Process; p != nil {
		b.member = fmt.Sprintf("process.cwd %q", p.Cwd)
		b.add(ChangeDirectory{Path: p.Cwd, Flags: flags})
	}
	return nil
}

// home asks for the HOME of the user if the environment gives none.
func home(b *builder) error {
	if p := b.spec.Process; p != nil && NeedsHome(p.Env) {
		b.member = "process.env HOME"
		b.add(Home{})
	}
	return nil
}

// findProgram makes a missing program an error of create. A program in a relative directory of PATH is refused where it
// would be the one that is found: the working directory may be anybody's.
func findProgram(b *builder) error {
	p := b.spec.Process
	if p == nil {
		return nil
	}
	b.member = "process.args[0]"
	if !isSearched(p) {
		program := p.Args[0]
		if !path.IsAbs(program) {
			program = path.Join(p.Cwd, program) // the working directory is not entered yet
		}
		b.add(FindProgram{Candidates: []string{program}})
		return nil
	}
	step := FindProgram{Searched: p.Args[0]}
	for _, dir := range searchPath(p) {
		candidate := dir + "/" + p.Args[0]
		if !path.IsAbs(dir) {
			candidate = path.Join(p.Cwd, dir, p.Args[0])
			if len(step.Candidates) >= 64 {
				continue // no bit is left; it is not executed in any case
			}
			step.Refused |= 1 << len(step.Candidates)
		}
		step.Candidates = append(step.Candidates, candidate)
	}
	b.add(step)
	return nil
}

// ready is when the host side does its part: all is made, and the process still has the ids of rt.
func ready(b *builder) error {
	// By now it holds nothing of the host, and startContainer hooks want to enter its namespaces.
	b.add(Sync{Message: nsenter.MessageReady, Dumpable: b.hostsMemory()})
	return nil
}

func stdio(b *builder) error {
	if p := b.spec.Process; p != nil && !p.Terminal && p.User.UID != 0 {
		b.member = "process.user"
		b.add(OwnStdio{UID: p.User.UID})
	}
	return nil
}

// Personalities of personality(2).
const (
	personalityLinux   = 0x0000
	personalityLinux32 = 0x0008
)

func personality(b *builder) error {
	p := b.spec.Linux.Personality
	if p == nil || b.spec.Process == nil {
		return nil
	}
	b.member = "linux.personality"
	persona := uint64(personalityLinux)
	if p.Domain == specs.PerLinux32 {
		persona = personalityLinux32
	}
	b.add(Personality{Persona: persona})
	return nil
}

// capabilitySets are the masks of process.capabilities, as far as they can be given.
type capabilitySets struct{ bounding, effective, permitted, inheritable, ambient uint64 }

// capabilitySets turns names into masks. A member that is absent is an empty set, as is a missing section. What the
// runtime does not have itself can't be granted; it only makes the container weaker, so it is a warning (config.md,
// "Linux Process": SHOULD NOT fail). The same goes for names that this version does not know.
func (b *builder) capabilitySets() capabilitySets {
	c := b.spec.Process.Capabilities
	if c == nil {
		return capabilitySets{}
	}
	available := b.host.Capabilities
	if b.userNamespaced() {
		available = b.host.AllCapabilities // its bounding set is full (user_namespaces(7))
	}
	mask := func(set string, names []string) uint64 {
		m, unknown := capability.Mask(names)
		for _, name := range unknown {
			b.warn("process.capabilities.%s: ignore unknown capability %q", set, name)
		}
		if lost := m &^ available; lost != 0 {
			b.warn("process.capabilities.%s: leave out %s, which rt itself does not have", set, capabilityNames(lost))
		}
		return m & available
	}
	s := capabilitySets{
		bounding: mask("bounding", c.Bounding), effective: mask("effective", c.Effective),
		permitted: mask("permitted", c.Permitted), inheritable: mask("inheritable", c.Inheritable),
		ambient: mask("ambient", c.Ambient),
	}
	if lost := s.ambient &^ (s.permitted & s.inheritable); lost != 0 {
		b.warn("can't raise ambient capability %s: it is not both permitted and inheritable (capabilities(7))", capabilityNames(lost))
		s.ambient &^= lost
	}
	return s
}

// quietCapabilitySets is for those who come after the bounding set, with which the warnings were given.
func (b *builder) quietCapabilitySets() capabilitySets {
	warnings := len(b.plan.Warnings)
	s := b.capabilitySets()
	b.plan.Warnings = b.plan.Warnings[:warnings]
	return s
}

func capabilityNames(mask uint64) string {
	var names []string
	for bit, name := range capability.Names() {
		if mask&(1<<bit) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

func boundingSet(b *builder) error {
	if b.spec.Process == nil {
		return nil
	}
	s := b.capabilitySets()
	if beyond := s.effective &^ s.permitted; beyond != 0 {
		return fmt.Errorf("process.capabilities.effective: %s must be in permitted too (capabilities(7))", capabilityNames(beyond))
	}
	if beyond := s.inheritable &^ s.bounding; beyond != 0 {
		return fmt.Errorf("process.capabilities.inheritable: %s must be in bounding too (capabilities(7))", capabilityNames(beyond))
	}
	b.member = "process.capabilities.bounding"
	b.add(Bounding{Keep: s.bounding})
	return nil
}

// groups sets exactly the groups of the config; without additionalGids there are none. Where the kernel denies
// setgroups(2) the process keeps the caller's: an ordinary user must not be able to leave a group that is kept from
// something (user_namespaces(7), CVE-2014-8989).
func groups(b *builder) error {
	p := b.spec.Process
	if p == nil {
		return nil
	}
	b.member = "process.user.additionalGids"
	ids := p.User.AdditionalGids
	switch {
	case !b.host.SetgroupsDenied && (len(ids) > 0 || !b.groupsGivenUp):
		b.add(Groups{IDs: ids, KeepIfDenied: len(ids) == 0 && b.host.Unprivileged && b.joined(specs.UserNamespace)})
	case b.host.SetgroupsDenied && len(ids) > 0:
		return fmt.Errorf("%s %d: setgroups(2) is denied in a user namespace with a single group of an ordinary user "+
			"(leave them out, or give linux.gidMappings a range of /etc/subgid)", b.member, p.User.AdditionalGids)
	}
	return nil
}

// giveUpGroups does so before a user namespace is joined, which may deny setgroups(2): root's groups must not be kept.
func (b *builder) giveUpGroups() {
	if b.spec.Process == nil || b.host.Unprivileged || b.host.SetgroupsDenied || !b.joined(specs.UserNamespace) {
		return
	}
	b.groupsGivenUp = true
	b.add(Groups{})
}

func user(b *builder) error {
	if p := b.spec.Process; p != nil {
		b.member = "process.user"
		b.add(User{UID: p.User.UID, GID: p.User.GID, Dumpable: b.host.WaitForStart && b.hostsMemory()}) // for who enters while it waits
	}
	return nil
}

func capabilities(b *builder) error {
	if b.spec.Process == nil {
		return nil
	}
	s := b.quietCapabilitySets()
	b.member = "process.capabilities"
	b.add(Capabilities{Effective: s.effective, Permitted: s.permitted, Inheritable: s.inheritable}, Ambient{Raise: s.ambient})
	return nil
}

func umask(b *builder) error {
	p := b.spec.Process
	if p == nil {
		return nil
	}
	b.member = "process.user.umask"
	step := Umask{}
	if p.User.Umask != nil {
		step = Umask{Set: true, Mask: *p.User.Umask}
	}
	b.add(step)
	return nil
}

// closeDescriptors leaves the user's process its standard streams and what --preserve-fds asked for.
func closeDescriptors(b *builder) error {
	b.member = ""
	b.add(CloseDescriptors{})
	return nil
}

func noNewPrivileges(b *builder) error {
	if p := b.spec.Process; p != nil && p.NoNewPrivileges {
		b.member = "process.noNewPrivileges"
		b.add(NoNewPrivileges{})
	}
	return nil
}

func execute(b *builder) error {
	if p := b.spec.Process; p != nil {
		b.member = "process.args[0]"
		b.add(Execute{
			Candidates: Candidates(p), Arguments: p.Args,
			Environment: Environment(p.Env), HomeFromPasswd: NeedsHome(p.Env),
		})
	}
	return nil
}
