// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/nsenter"
)

// namespaceFlag returns the CLONE_NEW* constant of a namespace type of the spec (config-linux.md, "Namespaces").
func namespaceFlag(t specs.LinuxNamespaceType) (uint32, bool) {
	switch t {
	case specs.PIDNamespace:
		return unix.CLONE_NEWPID, true
	case specs.NetworkNamespace:
		return unix.CLONE_NEWNET, true
	case specs.MountNamespace:
		return unix.CLONE_NEWNS, true
	case specs.IPCNamespace:
		return unix.CLONE_NEWIPC, true
	case specs.UTSNamespace:
		return unix.CLONE_NEWUTS, true
	case specs.UserNamespace:
		return unix.CLONE_NEWUSER, true
	case specs.CgroupNamespace:
		return unix.CLONE_NEWCGROUP, true
	case specs.TimeNamespace:
		return unix.CLONE_NEWTIME, true
	}
	return 0, false
}

// NamespaceTypes returns the namespace types that can be made and joined, sorted.
func NamespaceTypes() []string {
	return []string{"cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"}
}

// namespace returns the entry for a type, or nil.
func (b *builder) namespace(t specs.LinuxNamespaceType) *specs.LinuxNamespace {
	for i := range b.spec.Linux.Namespaces {
		if n := &b.spec.Linux.Namespaces[i]; n.Type == t {
			return n
		}
	}
	return nil
}

// private says that the container gets a new namespace of this type.
func (b *builder) private(t specs.LinuxNamespaceType) bool {
	n := b.namespace(t)
	return n != nil && n.Path == ""
}

// joined says that the container is put into an existing namespace of this type.
func (b *builder) joined(t specs.LinuxNamespaceType) bool {
	n := b.namespace(t)
	return n != nil && n.Path != ""
}

// userNamespaced says that the container's root is not the host's.
func (b *builder) userNamespaced() bool { return b.namespace(specs.UserNamespace) != nil }

// needsFork says that the process that goes on with the plan must be a child of the one that made the namespaces:
// pid and time namespaces are entered by the next child only, and a pid namespace that a user namespace shall own
// can't be made before it (pid_namespaces(7), time_namespaces(7), user_namespaces(7)).
func (b *builder) needsFork() bool {
	return b.joined(specs.PIDNamespace) || b.namespace(specs.TimeNamespace) != nil ||
		b.private(specs.UserNamespace) && b.private(specs.PIDNamespace) && !b.host.Unprivileged ||
		b.joined(specs.UserNamespace) && b.private(specs.PIDNamespace)
}

// ownUserNamespace lets an ordinary user's stage begin in the container's user namespace: all rights that it has come
// with that. Its memory then belongs to the namespace too, so that rt, which owns it, may look into /proc/PID of a
// process that is not dumpable (ptrace(2), "Ptrace access mode checking"); only for the maps, which are not there yet,
// it must be dumpable.
func ownUserNamespace(b *builder) error {
	if b.host.Unprivileged && b.private(specs.UserNamespace) {
		b.member = "linux.namespaces"
		b.plan.CloneFlags |= unix.CLONE_NEWUSER
		b.add(Sync{Message: nsenter.MessageMapIds, Dumpable: true}, BecomeRoot{})
	}
	return nil
}

// hostsMemory says that the stage's memory does not belong to the container's user namespace, as it has joined it. Then
// an ordinary user's rt may look into its /proc/PID only while it is dumpable. It is not all the time: whoever has
// CAP_SYS_PTRACE in that namespace could take what the stage has of the host.
func (b *builder) hostsMemory() bool { return b.host.Unprivileged && b.joined(specs.UserNamespace) }

func sessionKeyring(b *builder) error {
	if !b.host.NoNewKeyring {
		b.labelKeys()
		b.member = ""
		b.add(SessionKeyring{Name: "_ses." + b.host.ID})
	}
	return nil
}

// movedGroup waits until the stage is in its control group, where it can't be born: systemd moves it (MessageGroup).
func movedGroup(b *builder) error {
	if b.host.MovedByHost {
		b.member = "linux.cgroupsPath"
		b.add(Sync{Message: nsenter.MessageGroup})
	}
	return nil
}

func controlGroups(b *builder) error {
	for i := range b.host.TaskFiles {
		b.add(JoinCgroup{Tasks: b.file(File{Kind: FileTasks, Index: i, Member: "linux.cgroupsPath"})})
	}
	return nil
}

func affinity(b *builder) error {
	b.add(ResetAffinity{})
	return nil
}

// joinNamespaces enters the namespaces that have a path; the user namespace last, for those that it doesn't own. An
// ordinary user enters it first, as nothing but it gives the right to enter the others.
func joinNamespaces(b *builder) error {
	var user, others []Entry
	for i, n := range b.spec.Linux.Namespaces {
		if n.Path == "" {
			continue
		}
		flag, ok := namespaceFlag(n.Type)
		if !ok {
			return fmt.Errorf("linux.namespaces[%d].type: unknown namespace type %q", i, n.Type)
		}
		b.member = fmt.Sprintf("linux.namespaces[%d] %q", i, n.Path)
		join := JoinNamespace{Namespace: b.file(File{Kind: FileNamespace, Path: n.Path, Namespace: flag}), Type: flag}
		if n.Type == specs.UserNamespace {
			user = []Entry{{join, b.member}}
			if len(b.spec.Linux.UIDMappings)+len(b.spec.Linux.GIDMappings) > 0 {
				user = append(user, Entry{Sync{Message: nsenter.MessageMapIds}, b.member}) // the host side compares them
			}
			user = append(user, Entry{BecomeRoot{}, b.member})
			continue
		}
		others = append(others, Entry{join, b.member})
	}
	if b.host.Unprivileged {
		user, others = others, user
	}
	b.plan.Steps = append(b.plan.Steps, others...)
	b.member = "process.user"
	b.giveUpGroups()
	b.plan.Steps = append(b.plan.Steps, user...)
	return nil
}

// madeByClone are namespaces that the clone of the stage makes already, if no user namespace shall own them. The kernel
// then charges them to rt, not to the container.
const madeByClone = unix.CLONE_NEWIPC | unix.CLONE_NEWUTS

// MakesNetwork says that the plan for s asks the host side for a new network namespace (FileNewNetwork). It does unless a
// user namespace shall own it.
func MakesNetwork(s *specs.Spec) bool {
	b := &builder{spec: s}
	return s.Linux != nil && b.makesNetwork()
}

func (b *builder) makesNetwork() bool {
	return b.private(specs.NetworkNamespace) && !b.userNamespaced()
}

// unshareNamespaces makes the namespaces that have no path: the user namespace first, so that it owns the others.
func unshareNamespaces(b *builder) error {
	var flags uint32
	for _, n := range b.spec.Linux.Namespaces {
		if flag, ok := namespaceFlag(n.Type); ok && n.Path == "" {
			flags |= flag
		}
	}
	b.member = "linux.namespaces"
	own := b.host.Unprivileged && flags&unix.CLONE_NEWUSER != 0 // the stage is in it by now, as ownUserNamespace says
	if own {
		flags &^= unix.CLONE_NEWUSER
	}
	if flags&unix.CLONE_NEWUSER != 0 {
		b.add(Unshare{Flags: unix.CLONE_NEWUSER}, Sync{Message: nsenter.MessageMapIds}, BecomeRoot{})
		flags &^= unix.CLONE_NEWUSER
	}
	if !b.needsFork() {
		b.plan.CloneFlags |= uintptr(flags) & unix.CLONE_NEWPID
	}
	switch {
	case own:
		b.plan.CloneFlags |= uintptr(flags) & (madeByClone | unix.CLONE_NEWNET)
	case !b.userNamespaced():
		b.plan.CloneFlags |= uintptr(flags) & madeByClone
	}
	if b.makesNetwork() {
		flags &^= unix.CLONE_NEWNET
		b.add(JoinNamespace{Namespace: b.file(File{Kind: FileNewNetwork, Namespace: unix.CLONE_NEWNET}), Type: unix.CLONE_NEWNET})
	}
	flags &^= uint32(b.plan.CloneFlags)
	if flags != 0 {
		b.add(Unshare{Flags: flags})
	}
	if flags&unix.CLONE_NEWTIME != 0 && len(b.spec.Linux.TimeOffsets) > 0 {
		b.member = "linux.timeOffsets"
		b.add(Sync{Message: nsenter.MessageTimeOffsets})
	}
	if b.needsFork() {
		b.member = "linux.namespaces"
		b.add(Fork{})
	}
	return nil
}

func names(b *builder) error {
	if b.spec.Hostname != "" {
		b.member = "hostname"
		b.add(HostName{Name: b.spec.Hostname})
	}
	if b.spec.Domainname != "" {
		b.member = "domainname"
		b.add(DomainName{Name: b.spec.Domainname})
	}
	return nil
}

// earlyTimeOffsets gives an ordinary user the moment to open the file that is written when the time namespace is there: in
// a user namespace that is joined it is not the user's any more.
func earlyTimeOffsets(b *builder) error {
	if b.hostsMemory() && b.private(specs.TimeNamespace) && len(b.spec.Linux.TimeOffsets) > 0 {
		b.member = "linux.timeOffsets"
		b.add(Sync{Message: nsenter.MessageTimeOffsets, Dumpable: true})
	}
	return nil
}

// netDevices gives the host side the moment to move network devices in: they stay reachable from it.
func netDevices(b *builder) error {
	if len(b.spec.Linux.NetDevices) > 0 {
		b.member = "linux.netDevices"
		b.add(Sync{Message: nsenter.MessageNetDevices})
	}
	return nil
}

// loopback raises lo in a new network namespace; nobody else would. The host side does in one that it makes.
func loopback(b *builder) error {
	if b.private(specs.NetworkNamespace) && !b.makesNetwork() {
		b.member = "linux.namespaces"
		b.add(LoopbackUp{})
	}
	return nil
}
