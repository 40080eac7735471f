// SPDX-License-Identifier: Apache-2.0

package plan

import "github.com/rt-oci/rt/nsenter"

// Step is one thing that the stage does. Its type name is its name in errors, in `docs/lifecycle.md` and in the stage
// (StepName there is step_name); its fields are described in nsenter/wire.h.
type Step interface {
	encode(e *encoder)
}

// Slot is the index of a descriptor in Plan.Files; NoSlot stands for none.
type Slot int

// NoSlot is the slot of a descriptor that a step goes without.
const NoSlot Slot = -1

// The steps, in the order of nsenter/wire.h.
type (
	SessionKeyring struct{ Name string }
	JoinCgroup     struct{ Tasks Slot }
	ResetAffinity  struct{}
	SetAffinity    struct{ CPUs []uint64 }
	MemoryPolicy   struct {
		Mode  uint32   // with flags
		Nodes []uint64 // mask
	}
	EnterDirectory struct{ Directory Slot }
	JoinNamespace  struct {
		Namespace Slot
		Type      uint32
	}
	Unshare struct{ Flags uint32 }
	Sync    struct {
		Message  uint32
		Dumpable bool
	}
	Fork       struct{ Ready bool }
	BecomeRoot struct{}
	HostName   struct{ Name string }
	DomainName struct{ Name string }
	LoopbackUp struct{}

	RootPropagation struct{ Propagation uint64 }
	StageMounts     struct{}
	Rootfs          struct {
		Path  string
		Flags uint32
	}
	NewMount struct {
		Type        string
		InheritMode string
		Parameters  []Parameter
		Attributes  uint64
	}
	TakeTree  struct{ Tree Slot }
	CloneTree struct {
		Path   string
		Flags  uint32
		Mode   uint32 // that the root of the tree must have: S_IFCHR or S_IFBLK; 0: it may be anything
		Device uint64
	}
	MapTree struct {
		Mapping   uint32 // index into Plan.IDMaps
		Recursive bool
	}
	Attributes struct {
		Set, Clear, Propagation uint64
		Recursive               bool
	}
	CopyUp    struct{ Path string }
	LabelTree struct{ Context string }
	Attach    struct {
		Path  string
		Flags uint32
	}
	HeldReadonly   struct{ Index uint32 }
	PathAttributes struct {
		Path                    string
		Set, Clear, Propagation uint64
		Recursive               bool
	}
	ReadonlyPath struct{ Path string }
	MaskSource   struct {
		Null    Slot
		Context string // SELinux, or empty
	}
	MaskPath struct{ Path string }
	Unmount  struct{ Path string }
	Pivot    struct{}
	Chroot   struct{ Flags uint32 }

	MakeNode struct {
		Path                   string
		Mode                   uint32
		Major, Minor, UID, GID uint32
		Flags                  uint32
	}
	Symlink struct {
		Target, Path string
		Flags        uint32
	}
	OpenProc struct{ Flags uint32 }
	Sysctl   struct{ Path, Value string }
	Label    struct {
		File, Value string
		Flags       uint32
	}
	Console struct {
		UID, Rows, Columns uint32
		Attach             bool
	}

	NewSession   struct{}
	TakeTerminal struct{}
	OwnStdio     struct{ UID uint32 }
	Personality  struct{ Persona uint64 }
	Bounding     struct{ Keep uint64 }
	Groups       struct {
		IDs          []uint32
		KeepIfDenied bool
	}
	User struct {
		UID, GID uint32
		Dumpable bool
	}
	Capabilities struct{ Effective, Permitted, Inheritable uint64 }
	Ambient      struct{ Raise uint64 }
	Umask        struct {
		Set  bool
		Mask uint32
	}
	CloseDescriptors struct{}
	NoNewPrivileges  struct{}
	Seccomp          struct {
		Program []byte
		Flags   uint32
		Gated   bool // the host side learns before where the gate is

		AppearsLater bool // it is only then that the agent is told: nobody in the container may find the listener
	}

	MakeDirectory struct {
		Path string
		Mode uint32
	}
	ChangeDirectory struct {
		Path  string
		Flags uint32
	}
	Home        struct{}
	FindProgram struct {
		Candidates []string
		Refused    uint64 // bit n: the program may not be candidate n
		Searched   string // the name that PATH was searched for, "" if a path was given; for messages
	}
	WaitStart struct {
		Fifo, Result Slot
		AtGate       bool
	}
	Execute struct {
		Candidates, Arguments, Environment []string
		HomeFromPasswd                     bool
	}
)

// Parameter is one fsconfig(2) call: a string, or a flag, which has no value.
type Parameter struct {
	Key, Value string
	Flag       bool
}

func (s SessionKeyring) encode(e *encoder) {
	put(e, nsenter.OpSessionKeyring, &nsenter.StepSessionKeyring{Name: e.text(s.Name)})
}

func (s JoinCgroup) encode(e *encoder) {
	put(e, nsenter.OpJoinCgroup, &nsenter.StepJoinCgroup{Fd: e.fd(s.Tasks)})
}

func (ResetAffinity) encode(e *encoder) {
	put(e, nsenter.OpResetAffinity, &nsenter.StepResetAffinity{})
}

func (s MemoryPolicy) encode(e *encoder) {
	put(e, nsenter.OpMemoryPolicy, &nsenter.StepMemoryPolicy{Nodes: e.list(s.Nodes), Mode: s.Mode})
}

func (s SetAffinity) encode(e *encoder) {
	put(e, nsenter.OpSetAffinity, &nsenter.StepSetAffinity{Cpus: e.list(s.CPUs)})
}

func (s EnterDirectory) encode(e *encoder) {
	put(e, nsenter.OpEnterDirectory, &nsenter.StepEnterDirectory{Fd: e.fd(s.Directory)})
}

func (s JoinNamespace) encode(e *encoder) {
	put(e, nsenter.OpJoinNamespace, &nsenter.StepJoinNamespace{Fd: e.fd(s.Namespace), Type: s.Type})
}

func (s Unshare) encode(e *encoder) {
	put(e, nsenter.OpUnshare, &nsenter.StepUnshare{Flags: s.Flags})
}

func (s Sync) encode(e *encoder) {
	put(e, nsenter.OpSync, &nsenter.StepSync{Message: s.Message, Flags: nsenter.SyncDumpable * number(s.Dumpable)})
}

func (s Fork) encode(e *encoder) {
	put(e, nsenter.OpFork, &nsenter.StepFork{Flags: nsenter.ForkReady * number(s.Ready)})
}

func (BecomeRoot) encode(e *encoder) { put(e, nsenter.OpBecomeRoot, &nsenter.StepBecomeRoot{}) }

func (s HostName) encode(e *encoder) {
	put(e, nsenter.OpHostName, &nsenter.StepHostName{Name: e.text(s.Name)})
}

func (s DomainName) encode(e *encoder) {
	put(e, nsenter.OpDomainName, &nsenter.StepDomainName{Name: e.text(s.Name)})
}

func (LoopbackUp) encode(e *encoder) { put(e, nsenter.OpLoopbackUp, &nsenter.StepLoopbackUp{}) }

func (s RootPropagation) encode(e *encoder) {
	put(e, nsenter.OpRootPropagation, &nsenter.StepRootPropagation{Propagation: s.Propagation})
}

func (StageMounts) encode(e *encoder) {
	put(e, nsenter.OpStageMounts, &nsenter.StepStageMounts{})
}

func (s Rootfs) encode(e *encoder) {
	put(e, nsenter.OpRootfs, &nsenter.StepRootfs{Path: e.optionalText(s.Path), Flags: s.Flags})
}

func (s NewMount) encode(e *encoder) {
	entries := make([]uint64, 0, 2*len(s.Parameters))
	for _, p := range s.Parameters {
		entries = append(entries, uint64(e.text(p.Key)), 0)
		if !p.Flag {
			entries[len(entries)-1] = uint64(e.text(p.Value))
		}
	}
	put(e, nsenter.OpNewMount, &nsenter.StepNewMount{
		Type: e.text(s.Type), Mode: e.optionalText(s.InheritMode),
		Parameters: e.list(entries), Attributes: s.Attributes,
	})
}

func (s TakeTree) encode(e *encoder) {
	put(e, nsenter.OpTakeTree, &nsenter.StepTakeTree{Fd: e.fd(s.Tree)})
}

func (s CloneTree) encode(e *encoder) {
	put(e, nsenter.OpCloneTree, &nsenter.StepCloneTree{Path: e.text(s.Path), Flags: s.Flags, Mode: s.Mode, Device: s.Device})
}

func (s MapTree) encode(e *encoder) {
	put(e, nsenter.OpMapTree, &nsenter.StepMapTree{Mapping: s.Mapping, Recursive: number(s.Recursive)})
}

func (s Attributes) encode(e *encoder) {
	put(e, nsenter.OpAttributes, &nsenter.StepAttributes{
		Set: s.Set, Clear: s.Clear, Propagation: s.Propagation,
		Recursive: number(s.Recursive),
	})
}

func (s CopyUp) encode(e *encoder) {
	put(e, nsenter.OpCopyUp, &nsenter.StepCopyUp{Path: e.text(s.Path)})
}

func (s LabelTree) encode(e *encoder) {
	put(e, nsenter.OpLabelTree, &nsenter.StepLabelTree{Context: e.text(s.Context)})
}

func (s Attach) encode(e *encoder) {
	put(e, nsenter.OpAttach, &nsenter.StepAttach{Path: e.text(s.Path), Flags: s.Flags})
}

func (s HeldReadonly) encode(e *encoder) {
	put(e, nsenter.OpHeldReadonly, &nsenter.StepHeldReadonly{Index: s.Index})
}

func (s PathAttributes) encode(e *encoder) {
	put(e, nsenter.OpPathAttributes, &nsenter.StepPathAttributes{
		Path: e.text(s.Path), Recursive: number(s.Recursive),
		Set: s.Set, Clear: s.Clear, Propagation: s.Propagation,
	})
}

func (s ReadonlyPath) encode(e *encoder) {
	put(e, nsenter.OpReadonlyPath, &nsenter.StepReadonlyPath{Path: e.text(s.Path)})
}

func (s MaskSource) encode(e *encoder) {
	put(e, nsenter.OpMaskSource, &nsenter.StepMaskSource{Fd: e.fd(s.Null), Context: e.optionalText(s.Context)})
}

func (s MaskPath) encode(e *encoder) {
	put(e, nsenter.OpMaskPath, &nsenter.StepMaskPath{Path: e.text(s.Path)})
}

func (s Unmount) encode(e *encoder) {
	put(e, nsenter.OpUnmount, &nsenter.StepUnmount{Path: e.text(s.Path)})
}

func (Pivot) encode(e *encoder)    { put(e, nsenter.OpPivot, &nsenter.StepPivot{}) }
func (s Chroot) encode(e *encoder) { put(e, nsenter.OpChroot, &nsenter.StepChroot{Flags: s.Flags}) }
