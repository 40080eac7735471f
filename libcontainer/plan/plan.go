// SPDX-License-Identifier: Apache-2.0

// Package plan turns a container's configuration into a plan: a flat list of steps that the stage (nsenter) executes
// inside the container. All policy is here: order, defaults, what is masked, which flags. The package does no I/O and
// needs no privileges: what it has to know of the machine is in Host, what has to be opened it asks for in Files.
package plan

import (
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Plan is what the stage executes and what it needs for that.
type Plan struct {
	Steps       []Entry
	Files       []File  // to be opened by the host side, in this order
	IDMaps      []IDMap // of mounts; MapTree refers to them
	CloneFlags  uintptr // CLONE_NEW* that the stage is started with
	PreserveFDs int     // descriptors from 3 on that the user's process keeps
	Started     int     // index of the first step after the start
	LateFilter  bool    // the filter is loaded after the start
	AtGate      bool    // the wait for the start is at the gate, without a system call
	Warnings    []string
}

// Entry is a step and the member of the config that it comes from, for errors: `mounts[3] "/data"`.
type Entry struct {
	Step   Step
	Member string
}

// FileKind says how the host side opens a File.
type FileKind int

// The kinds of files.
const (
	FileDirectory  FileKind = iota // O_PATH directory
	FileNamespace                  // namespace file, which must be of type Namespace
	FileTree                       // detached clone of the mount tree at Path
	FileNull                       // detached clone of /dev/null, verified to be the null device
	FileDevice                     // detached clone of a device node at Path, verified to be Device
	FileTasks                      // the Index-th `tasks` file of the control group
	FileFifo                       // exec.fifo
	FileResult                     // exec.result
	FileInit                       // pidfd of the container's first process
	FileNewNetwork                 // network namespace that the host side makes, with lo up
)

// File is something that the host side opens for the stage.
type File struct {
	Kind      FileKind
	Path      string
	Recursive bool
	Namespace uint32
	Device    specs.LinuxDevice
	Index     int
	Member    string // of the config, for errors
}

// Host is what the planner has to know besides the spec.
type Host struct {
	ID     string
	Bundle string // absolute
	Rootfs string // absolute and clean

	TaskFiles    int           // number of `tasks` files to join
	MovedByHost  bool          // the host side has the stage moved to its control group, which neither may do
	CgroupV2     bool          // pure v2
	CgroupMounts []CgroupMount // v1, hybrid: one per hierarchy, sorted by name; v2: the group alone

	Capabilities    uint64 // that this process can pass on: its bounding set
	AllCapabilities uint64 // of the kernel, which a process in a user namespace begins with

	ProcMounts []string // mount points of procfs and sysfs, only needed with NoPivot
	Filter     *Filter  // compiled seccomp filter

	Unprivileged    bool // rt has no rights on the host: those of the container's user namespace must do for everything
	NodesRefused    bool // rt is in a user namespace itself, where mknod(2) makes no device
	SetgroupsDenied bool // in the container's user namespace (user_namespaces(7), /proc/PID/setgroups)

	WaitForStart bool // create: wait for `rt start`; run: no
	PreserveFDs  int
	NoPivot      bool
	NoNewKeyring bool
}

// CgroupMount is one hierarchy as a container sees it below /sys/fs/cgroup.
type CgroupMount struct {
	Name  string   // directory, "cpu,cpuacct"; "" in pure v2
	Path  string   // the container's group on the host
	Links []string // other names of a hierarchy with several controllers
}

// Filter is a compiled seccomp filter.
type Filter struct {
	Program []byte // struct sock_filter, 8 bytes each
	Flags   uint32 // SECCOMP_FILTER_FLAG_*
}

// concern emits the steps of one part of the configuration, or none if the config does not ask for it.
type concern func(*builder) error

// createOrder is how a container is made. docs/lifecycle.md explains it.
var createOrder = []concern{
	movedGroup,       // by somebody who wants to see whose process it is
	ownUserNamespace, // an ordinary user has no rights outside of it
	earlyOOMScore,    // while the file is the user's
	earlyTimeOffsets, // likewise
	labelFiles,       // with the host's privileges, before anything can be hidden from us
	sessionKeyring,
	controlGroups, // before the cgroup namespace is made: its root is where the process is
	affinity,      // after the cpuset
	memoryPolicy,  // within the cpuset
	rootDirectory, // before any privilege on the host's files is given up
	staging,       // with the host's privileges, for what a user namespace must not change
	joinNamespaces,
	unshareNamespaces,
	rootfs,
	mounts,
	devices,
	maskSource,  // while the host's null device can be seen
	netDevices,  // hooks may look for them
	createHooks, // the old root must still be visible
	pivot,
	session,
	label, // behind the last fork: the file is to be written again after the start
	names,
	loopback,
	sysctls,
	console,          // needs the session; while /dev can be written
	workingDirectory, // while the root can be written
	readonlyMounts,
	readonlyPaths,
	maskedPaths,
	rootPropagation,
	home,
	findProgram,
	ready,
}

// identityOrder is who the user's process is: it gives up every right that this shall not have, and then waits for the
// start. docs/lifecycle.md argues for the order.
var identityOrder = []concern{
	stdio,
	personality,
	boundingSet,
	groups,
	closeDescriptors, // before a working directory is entered, and before any filter of the user's
	enterWorkingDirectory,
	umask,
	privilegedSeccomp, // without no_new_privs a filter needs CAP_SYS_ADMIN
	user,
	enterWorkingDirectoryAgain,
	capabilities,
	noNewPrivileges,
	earlySeccomp, // if one can wait under it
	waitForStart,
}

// startOrder is what is left for the time after the start.
var startOrder = []concern{
	labelAgain,
	seccomp,
	execute,
}

// Create plans a container for `create` and `run`. The spec must have passed spec.Validate.
func Create(s *specs.Spec, h Host) (*Plan, error) {
	b := &builder{spec: s, host: h, plan: &Plan{PreserveFDs: h.PreserveFDs}}
	if s.Linux == nil {
		return nil, fmt.Errorf("plan container: linux: the section is missing")
	}
	if err := b.emit(createOrder); err != nil {
		return nil, err
	}
	b.insertStaging()
	if err := b.emit(identityOrder); err != nil {
		return nil, err
	}
	b.plan.Started = len(b.plan.Steps)
	if err := b.emit(startOrder); err != nil {
		return nil, err
	}
	return b.plan, nil
}

// Started plans again what Create has planned for the time after the start: for the words to an error that comes then.
func Started(s *specs.Spec, h Host) (*Plan, error) {
	b := &builder{spec: s, host: h, plan: &Plan{}}
	return b.plan, b.emit(startOrder)
}

func (b *builder) emit(order []concern) error {
	for _, emit := range order {
		b.member = ""
		if err := emit(b); err != nil {
			return err
		}
	}
	return nil
}

// builder collects a plan.
type builder struct {
	spec   *specs.Spec
	host   Host
	plan   *Plan
	member string // of the config that the steps being added come from

	groupsGivenUp bool // by an earlier step

	entered *Entered // the container that exists and is entered; nil while one is made

	stagingAt int    // index of the step before which the mounts are staged
	staged    []Slot // trees that are staged, each under its index

	held []string // members of the mounts that become read-only when all has been written to them
}

func (b *builder) add(steps ...Step) {
	for _, s := range steps {
		b.plan.Steps = append(b.plan.Steps, Entry{Step: s, Member: b.member})
	}
}

// file asks the host side for a descriptor.
func (b *builder) file(f File) Slot {
	if f.Member == "" {
		f.Member = b.member
	}
	b.plan.Files = append(b.plan.Files, f)
	return Slot(len(b.plan.Files) - 1)
}

func (b *builder) warn(format string, args ...any) {
	b.plan.Warnings = append(b.plan.Warnings, fmt.Sprintf(format, args...))
}
