// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/nsenter"
)

// Entered is the container that a further process enters.
type Entered struct {
	Init int    // its first process, whose namespaces are joined
	Join uint32 // CLONE_NEW* of those that are not the caller's own
}

// enters says that the container exists already.
func (b *builder) enters() bool { return b.entered != nil }

// execOrder is the life of a further process of a container: what exec does. Until it appears in the container's pid
// namespace nobody there can see it; by then it has no more rights than the user's process will have (CVE-2016-9962).
// docs/lifecycle.md explains it.
var execOrder = []concern{
	movedGroup, // by somebody who wants to see whose process it is
	labelFiles,
	sessionKeyring,
	controlGroups, // before anything of the container is touched
	execAffinity,  // after the cpuset
	memoryPolicy,
	oomScore, // while the process is one of the caller's
	joinContainer,
	containerRoot,
	console,
	findProgram,
	stdio,
	personality,
	boundingSet,
	groups,
	closeDescriptors, // before a working directory is entered (CVE-2024-21626)
	enterWorkingDirectory,
	umask,
	label, // the fork inherits it
	privilegedSeccomp,
	limits, // while the ids are still those of rt
	user,
	enterWorkingDirectoryAgain,
	filterCapabilities,
	appearForFilter,
	filterOnArrival,
	capabilities,
	noNewPrivileges,
	appearUnfiltered,
	seccomp,
	appear,
	execute,
}

// Exec plans a further process of a container: s is the configuration that the container was made with, but for its
// process, which is the new one and must have passed spec.ValidateProcess.
func Exec(s *specs.Spec, h Host, entered Entered) (*Plan, error) {
	h.WaitForStart = false
	b := &builder{spec: s, host: h, entered: &entered, plan: &Plan{PreserveFDs: h.PreserveFDs}}
	if err := b.emit(execOrder); err != nil {
		return nil, err
	}
	return b.plan, nil
}

// execAffinity is process.execCPUAffinity.final; without it, all CPUs of the cpuset.
func execAffinity(b *builder) error {
	a := b.spec.Process.ExecCPUAffinity
	if a == nil || a.Final == "" {
		return affinity(b)
	}
	b.member = "process.execCPUAffinity.final " + strconv.Quote(a.Final)
	b.add(SetAffinity{CPUs: CPUMask(a.Final)})
	return nil
}

// CPUMask returns a list of CPUs such as "0-3,8", which has passed validation, as words of a mask.
func CPUMask(list string) []uint64 {
	var mask []uint64
	for entry := range strings.SplitSeq(list, ",") {
		first, last, isRange := strings.Cut(entry, "-")
		if !isRange {
			last = first
		}
		low, _ := strconv.Atoi(first)
		high, _ := strconv.Atoi(last)
		for cpu := low; cpu <= high; cpu++ {
			for len(mask) <= cpu/64 {
				mask = append(mask, 0)
			}
			mask[cpu/64] |= 1 << (cpu % 64)
		}
	}
	return mask
}

// earlyOOMScore is oomScore for a user namespace that is joined. In a new one the moment comes with its maps.
func earlyOOMScore(b *builder) error {
	if b.joined(specs.UserNamespace) {
		return oomScore(b)
	}
	return nil
}

// oomScore gives an ordinary user the moment to set process.oomScoreAdj: later the file is not the user's any more.
func oomScore(b *builder) error {
	if p := b.spec.Process; b.host.Unprivileged && p != nil && p.OOMScoreAdj != nil {
		b.member = "process.oomScoreAdj"
		b.add(Sync{Message: nsenter.MessageOomScore, Dumpable: true})
	}
	return nil
}

// joinContainer enters all namespaces of init in one go: the kernel checks each with the rights that the stage has on
// the host, also those that the container's user namespace does not own, and sets all or none (setns(2)).
func joinContainer(b *builder) error {
	if b.entered.Join == 0 {
		return nil
	}
	b.member = "namespaces of the container"
	if b.entered.Join&unix.CLONE_NEWUSER != 0 {
		b.giveUpGroups()
	}
	b.add(JoinNamespace{Namespace: b.file(File{Kind: FileInit}), Type: b.entered.Join})
	if b.entered.Join&unix.CLONE_NEWUSER != 0 {
		b.add(BecomeRoot{})
	}
	return nil
}

// containerRoot makes the container's root ours. Where the container has a mount namespace of its own, joining it has
// done that, and only the terminal is looked up below the root's descriptor.
func containerRoot(b *builder) error {
	b.member = "root of the container"
	if b.private(specs.MountNamespace) && b.spec.Process.Terminal {
		b.add(Rootfs{})
	}
	b.enterRootOf(b.entered.Init)
	return nil
}

// appearance is a moment in which the process may become one of the container's.
type appearance int

const (
	appearsLast       appearance = iota // with the user's rights, under the user's filter
	appearsUnfiltered                   // with the user's rights
	appearsPrivileged                   // with the user's ids and CAP_SYS_ADMIN, which a filter without no_new_privs needs
)

// appearance is the last moment that the filter leaves: behind it only what it allows can be done. The agent of a filter
// with a listener is told when the process has appeared, so that until then nothing may be done that it is asked about.
func (b *builder) appearance() appearance {
	p, f := b.spec.Process, b.host.Filter
	switch {
	case f == nil || f.letsAppear(b.entered.Join&unix.CLONE_NEWPID != 0, p.Terminal) && (!f.hasListener() || p.NoNewPrivileges || f.letsChangeRights()):
		return appearsLast
	case p.NoNewPrivileges:
		return appearsUnfiltered
	}
	return appearsPrivileged
}

// filterCapabilities are the config's and the one that loading a filter takes, which the process has when it appears.
func filterCapabilities(b *builder) error {
	if b.appearance() == appearsPrivileged {
		s := b.quietCapabilitySets()
		b.member = "process.capabilities"
		b.add(Capabilities{Effective: s.effective | sysAdmin, Permitted: s.permitted | sysAdmin, Inheritable: s.inheritable})
	}
	return nil
}

const sysAdmin = 1 << unix.CAP_SYS_ADMIN

func filterOnArrival(b *builder) error {
	if b.appearance() == appearsPrivileged {
		b.addSeccomp()
	}
	return nil
}

func appearForFilter(b *builder) error  { return b.appearAs(appearsPrivileged) }
func appearUnfiltered(b *builder) error { return b.appearAs(appearsUnfiltered) }
func appear(b *builder) error           { return b.appearAs(appearsLast) }

// limits asks for the resource limits while the process still has rt's ids: without CAP_SYS_RESOURCE they can't be set
// for a process with others (prlimit(2)). Otherwise they are set when the process appears.
func limits(b *builder) error {
	p := b.spec.Process
	if b.host.Capabilities&(1<<unix.CAP_SYS_RESOURCE) != 0 || b.entered.Join&unix.CLONE_NEWUSER != 0 ||
		p.User.UID == 0 && p.User.GID == 0 || len(p.Rlimits) == 0 {
		return nil
	}
	b.member = "process.rlimits"
	b.add(Sync{Message: nsenter.MessageLimits})
	return nil
}

// appearAs makes the process one of the container's pid namespace, and lets it live without rt, if this is the moment.
func (b *builder) appearAs(moment appearance) error {
	if moment != b.appearance() {
		return nil
	}
	b.member = ""
	if b.entered.Join&unix.CLONE_NEWPID != 0 {
		b.member = "pid namespace of the container"
		b.add(Fork{Ready: true})
	} else {
		b.add(Sync{Message: nsenter.MessageReady})
	}
	b.member = ""
	b.add(NewSession{})
	if b.spec.Process.Terminal {
		b.member = "process.terminal"
		b.add(TakeTerminal{})
	}
	return nil
}
