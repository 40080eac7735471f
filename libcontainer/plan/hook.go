// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/nsenter"
)

// HookPlace says where and as whom a hook runs in the container's namespaces.
type HookPlace int

// The places.
const (
	HookBeforePivot HookPlace = iota // createContainer: the host's programs, with the runtime's rights, cwd is the root file system
	HookInContainer                  // startContainer: the container's programs, with the rights of its process
)

// namespaceFiles are the names in /proc/PID/ns, in the order of joining: the user namespace comes last.
var namespaceFiles = [...]struct {
	kind specs.LinuxNamespaceType
	file string
}{
	{specs.CgroupNamespace, "cgroup"},
	{specs.IPCNamespace, "ipc"},
	{specs.NetworkNamespace, "net"},
	{specs.PIDNamespace, "pid"},
	{specs.TimeNamespace, "time_for_children"},
	{specs.UTSNamespace, "uts"},
	{specs.MountNamespace, "mnt"},
	{specs.UserNamespace, "user"},
}

// hookOrder is the life of a hook after it has joined its namespaces as the process of the container does.
var hookOrder = []concern{
	session, personality, boundingSet, groups, closeDescriptors, umask, label, hookLimits, privilegedSeccomp, user,
	capabilities,
	noNewPrivileges, seccomp,
}

// Hook plans a hook in the namespaces of a container whose init is pid.
func Hook(s *specs.Spec, h Host, hook *specs.Hook, place HookPlace, pid int) (*Plan, error) {
	h.WaitForStart = false
	b := &builder{spec: s, host: h, plan: &Plan{}}
	if err := movedGroup(b); err != nil {
		return nil, err
	}
	if place == HookInContainer {
		if err := labelFiles(b); err != nil {
			return nil, err
		}
	}
	b.member = "hook " + strconv.Quote(hook.Path)
	if err := controlGroups(b); err != nil {
		return nil, err
	}
	b.joinNamespacesOf(pid, place)
	if place == HookBeforePivot {
		b.add(NewSession{}, CloseDescriptors{}, ChangeDirectory{Path: h.Rootfs})
	} else {
		b.enterRootOf(pid)
		if err := b.emit(hookOrder); err != nil {
			return nil, err
		}
		b.plan.Warnings = nil // they were given at create
	}
	b.member = "hook " + strconv.Quote(hook.Path)
	b.add(Execute{Candidates: []string{hook.Path}, Arguments: hook.Args, Environment: hook.Env})
	return b.plan, nil
}

// hookLimits asks for the resource limits of the container's process, while the ids are still those that the host's side may
// set limits for (prlimit(2)).
func hookLimits(b *builder) error {
	if p := b.spec.Process; p != nil && len(p.Rlimits) > 0 {
		b.member = "process.rlimits"
		b.add(Sync{Message: nsenter.MessageLimits})
	}
	return nil
}

// enterRootOf changes the root where the container's is not that of its mount namespace.
func (b *builder) enterRootOf(pid int) {
	if b.private(specs.MountNamespace) {
		return
	}
	root := b.file(File{Kind: FileDirectory, Path: "/proc/" + strconv.Itoa(pid) + "/root"})
	b.add(EnterDirectory{Directory: root}, Rootfs{}, Chroot{})
}

// joinNamespacesOf enters the namespaces that the config lists, as init is in them.
func (b *builder) joinNamespacesOf(pid int, place HookPlace) {
	order := namespaceFiles[:]
	if b.host.Unprivileged { // which has no rights before it is in the user namespace
		last := len(order) - 1
		order = append(order[last:last:last], order[last])
		order = append(order, namespaceFiles[:last]...)
	}
	for _, n := range order {
		if b.namespace(n.kind) == nil {
			continue
		}
		flag, _ := namespaceFlag(n.kind)
		if flag == unix.CLONE_NEWUSER && place == HookInContainer {
			b.giveUpGroups()
		}
		path := "/proc/" + strconv.Itoa(pid) + "/ns/" + n.file
		b.add(JoinNamespace{Namespace: b.file(File{Kind: FileNamespace, Path: path, Namespace: flag}), Type: flag})
		if flag == unix.CLONE_NEWUSER {
			b.add(BecomeRoot{})
		}
	}
	if b.namespace(specs.PIDNamespace) != nil || b.namespace(specs.TimeNamespace) != nil {
		b.add(Fork{})
	}
}
