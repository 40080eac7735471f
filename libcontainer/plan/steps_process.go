// SPDX-License-Identifier: Apache-2.0

package plan

import "github.com/rt-oci/rt/nsenter"

func (s MakeNode) encode(e *encoder) {
	put(e, nsenter.OpMakeNode, &nsenter.StepMakeNode{
		Path: e.text(s.Path), Mode: s.Mode, Major: s.Major, Minor: s.Minor,
		Uid: s.UID, Gid: s.GID, Flags: s.Flags,
	})
}

func (s Symlink) encode(e *encoder) {
	put(e, nsenter.OpSymlink, &nsenter.StepSymlink{Target: e.text(s.Target), Path: e.text(s.Path), Flags: s.Flags})
}

func (s OpenProc) encode(e *encoder) {
	put(e, nsenter.OpOpenProc, &nsenter.StepOpenProc{Flags: s.Flags})
}

func (s Sysctl) encode(e *encoder) {
	put(e, nsenter.OpSysctl, &nsenter.StepSysctl{Path: e.text(s.Path), Value: e.text(s.Value)})
}

func (s Label) encode(e *encoder) {
	put(e, nsenter.OpLabel, &nsenter.StepLabel{File: e.text(s.File), Value: e.text(s.Value), Flags: s.Flags})
}

func (s Console) encode(e *encoder) {
	put(e, nsenter.OpConsole, &nsenter.StepConsole{
		Uid: s.UID, Rows: s.Rows, Columns: s.Columns, Flags: nsenter.ConsoleAttach * number(s.Attach),
	})
}

func (NewSession) encode(e *encoder)   { put(e, nsenter.OpNewSession, &nsenter.StepNewSession{}) }
func (TakeTerminal) encode(e *encoder) { put(e, nsenter.OpTakeTerminal, &nsenter.StepTakeTerminal{}) }

func (s OwnStdio) encode(e *encoder) {
	put(e, nsenter.OpOwnStdio, &nsenter.StepOwnStdio{Uid: s.UID})
}

func (s Personality) encode(e *encoder) {
	put(e, nsenter.OpPersonality, &nsenter.StepPersonality{Persona: s.Persona})
}

func (s Bounding) encode(e *encoder) {
	put(e, nsenter.OpBounding, &nsenter.StepBounding{Keep: s.Keep})
}

func (s Groups) encode(e *encoder) {
	ids := make([]uint64, len(s.IDs))
	for i, id := range s.IDs {
		ids[i] = uint64(id)
	}
	put(e, nsenter.OpGroups, &nsenter.StepGroups{Ids: e.list(ids), Flags: nsenter.GroupsKeepIfDenied * number(s.KeepIfDenied)})
}

func (s User) encode(e *encoder) {
	put(e, nsenter.OpUser, &nsenter.StepUser{Uid: s.UID, Gid: s.GID, Flags: nsenter.UserDumpable * number(s.Dumpable)})
}

func (s Capabilities) encode(e *encoder) {
	put(e, nsenter.OpCapabilities, &nsenter.StepCapabilities{
		Effective: s.Effective, Permitted: s.Permitted, Inheritable: s.Inheritable,
	})
}

func (s Ambient) encode(e *encoder) { put(e, nsenter.OpAmbient, &nsenter.StepAmbient{Raise: s.Raise}) }

func (s Umask) encode(e *encoder) {
	put(e, nsenter.OpUmask, &nsenter.StepUmask{Set: number(s.Set), Mask: s.Mask})
}

func (CloseDescriptors) encode(e *encoder) {
	put(e, nsenter.OpCloseDescriptors, &nsenter.StepCloseDescriptors{})
}

func (NoNewPrivileges) encode(e *encoder) {
	put(e, nsenter.OpNoNewPrivileges, &nsenter.StepNoNewPrivileges{})
}

func (s Seccomp) encode(e *encoder) {
	put(e, nsenter.OpSeccomp, &nsenter.StepSeccomp{
		Program: e.block(s.Program), Flags: s.Flags, Gated: number(s.Gated) | nsenter.GatedCloses*number(s.AppearsLater),
	})
}

func (s MakeDirectory) encode(e *encoder) {
	put(e, nsenter.OpMakeDirectory, &nsenter.StepMakeDirectory{Path: e.text(s.Path), Mode: s.Mode})
}

func (s ChangeDirectory) encode(e *encoder) {
	put(e, nsenter.OpChangeDirectory, &nsenter.StepChangeDirectory{Path: e.text(s.Path), Flags: s.Flags})
}

func (Home) encode(e *encoder) { put(e, nsenter.OpHome, &nsenter.StepHome{}) }

func (s FindProgram) encode(e *encoder) {
	put(e, nsenter.OpFindProgram, &nsenter.StepFindProgram{Candidates: e.list(e.texts(s.Candidates)), Refused: s.Refused})
}

func (s WaitStart) encode(e *encoder) {
	put(e, nsenter.OpWaitStart, &nsenter.StepWaitStart{
		Fifo_fd: e.fd(s.Fifo), Result_fd: e.fd(s.Result), Flags: nsenter.WaitAtGate * number(s.AtGate),
	})
}

func (s Execute) encode(e *encoder) {
	environment := e.texts(s.Environment)
	if s.HomeFromPasswd {
		environment = append(environment, 0)
	}
	put(e, nsenter.OpExecute, &nsenter.StepExecute{
		Candidates:  e.list(e.texts(s.Candidates)),
		Arguments:   e.list(append(e.texts(s.Arguments), 0)),
		Environment: e.list(append(environment, 0)),
	})
}
