// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"

	"github.com/rt-oci/rt/nsenter"
)

// join decodes the steps of join.c and mount.c; nil is none of them.
func (d *decoder) join(op uint32, raw []byte) Step {
	switch op {
	case nsenter.OpSessionKeyring:
		return SessionKeyring{d.text(exactly[nsenter.StepSessionKeyring](raw).Name)}
	case nsenter.OpJoinCgroup:
		return JoinCgroup{d.slot(exactly[nsenter.StepJoinCgroup](raw).Fd)}
	case nsenter.OpResetAffinity:
		return ResetAffinity{}
	case nsenter.OpMemoryPolicy:
		s := exactly[nsenter.StepMemoryPolicy](raw)
		return MemoryPolicy{s.Mode, d.list(s.Nodes)}
	case nsenter.OpSetAffinity:
		return SetAffinity{d.list(exactly[nsenter.StepSetAffinity](raw).Cpus)}
	case nsenter.OpEnterDirectory:
		return EnterDirectory{d.slot(exactly[nsenter.StepEnterDirectory](raw).Fd)}
	case nsenter.OpJoinNamespace:
		s := exactly[nsenter.StepJoinNamespace](raw)
		return JoinNamespace{d.slot(s.Fd), s.Type}
	case nsenter.OpUnshare:
		return Unshare{exactly[nsenter.StepUnshare](raw).Flags}
	case nsenter.OpSync:
		s := exactly[nsenter.StepSync](raw)
		return Sync{s.Message, s.Flags&nsenter.SyncDumpable != 0}
	case nsenter.OpFork:
		return Fork{exactly[nsenter.StepFork](raw).Flags&nsenter.ForkReady != 0}
	case nsenter.OpBecomeRoot:
		return BecomeRoot{}
	case nsenter.OpHostName:
		return HostName{d.text(exactly[nsenter.StepHostName](raw).Name)}
	case nsenter.OpDomainName:
		return DomainName{d.text(exactly[nsenter.StepDomainName](raw).Name)}
	case nsenter.OpLoopbackUp:
		return LoopbackUp{}
	case nsenter.OpRootPropagation:
		return RootPropagation{exactly[nsenter.StepRootPropagation](raw).Propagation}
	case nsenter.OpRootfs:
		s := exactly[nsenter.StepRootfs](raw)
		return Rootfs{d.optional(s.Path), s.Flags}
	}
	return d.mount(op, raw)
}

func (d *decoder) mount(op uint32, raw []byte) Step {
	switch op {
	case nsenter.OpNewMount:
		s := exactly[nsenter.StepNewMount](raw)
		return NewMount{d.text(s.Type), d.optional(s.Mode), d.parameters(s.Parameters), s.Attributes}
	case nsenter.OpTakeTree:
		return TakeTree{d.slot(exactly[nsenter.StepTakeTree](raw).Fd)}
	case nsenter.OpHeldReadonly:
		return HeldReadonly{exactly[nsenter.StepHeldReadonly](raw).Index}
	case nsenter.OpStageMounts:
		return StageMounts{}
	case nsenter.OpCloneTree:
		s := exactly[nsenter.StepCloneTree](raw)
		return CloneTree{d.text(s.Path), s.Flags, s.Mode, s.Device}
	case nsenter.OpAttributes:
		s := exactly[nsenter.StepAttributes](raw)
		return Attributes{s.Set, s.Clear, s.Propagation, s.Recursive == 1}
	case nsenter.OpMapTree:
		s := exactly[nsenter.StepMapTree](raw)
		return MapTree{s.Mapping, s.Recursive == 1}
	case nsenter.OpCopyUp:
		return CopyUp{d.text(exactly[nsenter.StepCopyUp](raw).Path)}
	case nsenter.OpLabelTree:
		return LabelTree{d.text(exactly[nsenter.StepLabelTree](raw).Context)}
	case nsenter.OpAttach:
		s := exactly[nsenter.StepAttach](raw)
		return Attach{d.text(s.Path), s.Flags}
	case nsenter.OpPathAttributes:
		s := exactly[nsenter.StepPathAttributes](raw)
		return PathAttributes{d.text(s.Path), s.Set, s.Clear, s.Propagation, s.Recursive == 1}
	case nsenter.OpReadonlyPath:
		return ReadonlyPath{d.text(exactly[nsenter.StepReadonlyPath](raw).Path)}
	case nsenter.OpMaskSource:
		s := exactly[nsenter.StepMaskSource](raw)
		return MaskSource{d.slot(s.Fd), d.optional(s.Context)}
	case nsenter.OpMaskPath:
		return MaskPath{d.text(exactly[nsenter.StepMaskPath](raw).Path)}
	case nsenter.OpUnmount:
		return Unmount{d.text(exactly[nsenter.StepUnmount](raw).Path)}
	case nsenter.OpPivot:
		return Pivot{}
	case nsenter.OpChroot:
		return Chroot{exactly[nsenter.StepChroot](raw).Flags}
	}
	return nil
}

// process decodes the steps of files.c, identity.c and finish.c.
func (d *decoder) process(op uint32, raw []byte) Step {
	switch op {
	case nsenter.OpMakeNode:
		s := exactly[nsenter.StepMakeNode](raw)
		return MakeNode{d.text(s.Path), s.Mode, s.Major, s.Minor, s.Uid, s.Gid, s.Flags}
	case nsenter.OpSymlink:
		s := exactly[nsenter.StepSymlink](raw)
		return Symlink{d.text(s.Target), d.text(s.Path), s.Flags}
	case nsenter.OpOpenProc:
		return OpenProc{exactly[nsenter.StepOpenProc](raw).Flags}
	case nsenter.OpSysctl:
		s := exactly[nsenter.StepSysctl](raw)
		return Sysctl{d.text(s.Path), d.text(s.Value)}
	case nsenter.OpLabel:
		s := exactly[nsenter.StepLabel](raw)
		return Label{d.text(s.File), d.text(s.Value), s.Flags}
	case nsenter.OpConsole:
		s := exactly[nsenter.StepConsole](raw)
		return Console{s.Uid, s.Rows, s.Columns, s.Flags&nsenter.ConsoleAttach != 0}
	case nsenter.OpNewSession:
		return NewSession{}
	case nsenter.OpTakeTerminal:
		return TakeTerminal{}
	case nsenter.OpOwnStdio:
		return OwnStdio{exactly[nsenter.StepOwnStdio](raw).Uid}
	case nsenter.OpPersonality:
		return Personality{exactly[nsenter.StepPersonality](raw).Persona}
	case nsenter.OpBounding:
		return Bounding{exactly[nsenter.StepBounding](raw).Keep}
	case nsenter.OpGroups:
		s := exactly[nsenter.StepGroups](raw)
		var ids []uint32
		for _, id := range d.list(s.Ids) {
			ids = append(ids, uint32(id))
		}
		return Groups{ids, s.Flags&nsenter.GroupsKeepIfDenied != 0}
	case nsenter.OpUser:
		s := exactly[nsenter.StepUser](raw)
		return User{s.Uid, s.Gid, s.Flags&nsenter.UserDumpable != 0}
	case nsenter.OpCapabilities:
		s := exactly[nsenter.StepCapabilities](raw)
		return Capabilities{s.Effective, s.Permitted, s.Inheritable}
	case nsenter.OpAmbient:
		return Ambient{exactly[nsenter.StepAmbient](raw).Raise}
	case nsenter.OpUmask:
		s := exactly[nsenter.StepUmask](raw)
		return Umask{s.Set != 0, s.Mask}
	case nsenter.OpCloseDescriptors:
		return CloseDescriptors{}
	case nsenter.OpNoNewPrivileges:
		return NoNewPrivileges{}
	case nsenter.OpSeccomp:
		s := exactly[nsenter.StepSeccomp](raw)
		return Seccomp{d.block(s.Program), s.Flags, s.Gated != 0, s.Gated&nsenter.GatedCloses != 0}
	}
	return d.finish(op, raw)
}

func (d *decoder) finish(op uint32, raw []byte) Step {
	switch op {
	case nsenter.OpMakeDirectory:
		s := exactly[nsenter.StepMakeDirectory](raw)
		return MakeDirectory{d.text(s.Path), s.Mode}
	case nsenter.OpChangeDirectory:
		s := exactly[nsenter.StepChangeDirectory](raw)
		return ChangeDirectory{d.text(s.Path), s.Flags}
	case nsenter.OpHome:
		return Home{}
	case nsenter.OpFindProgram:
		s := exactly[nsenter.StepFindProgram](raw)
		return FindProgram{Candidates: d.texts(d.list(s.Candidates)), Refused: s.Refused}
	case nsenter.OpWaitStart:
		s := exactly[nsenter.StepWaitStart](raw)
		return WaitStart{d.slot(s.Fifo_fd), d.slot(s.Result_fd), s.Flags&nsenter.WaitAtGate != 0}
	case nsenter.OpExecute:
		return d.execute(exactly[nsenter.StepExecute](raw))
	}
	panic(fmt.Sprintf("unknown step %d", op))
}
