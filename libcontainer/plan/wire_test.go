// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"encoding/binary"
	"go/ast"
	"go/parser"
	"go/token"
	"testing"
	"unsafe"

	"github.com/rt-oci/rt/nsenter"
)

// allSteps has one step of every type; TestAllSteps sees to that.
func allSteps() []Step {
	return []Step{
		SessionKeyring{},
		JoinCgroup{},
		ResetAffinity{},
		MemoryPolicy{},
		SetAffinity{},
		EnterDirectory{},
		JoinNamespace{},
		Unshare{},
		Sync{},
		Fork{},
		BecomeRoot{},
		HostName{},
		DomainName{},
		LoopbackUp{},
		RootPropagation{},
		StageMounts{},
		Rootfs{},
		NewMount{},
		TakeTree{},
		CloneTree{},
		MapTree{},
		Attributes{},
		CopyUp{},
		LabelTree{},
		Attach{},
		HeldReadonly{},
		PathAttributes{},
		ReadonlyPath{},
		MaskSource{},
		MaskPath{},
		Unmount{},
		Pivot{},
		Chroot{},
		MakeNode{},
		Symlink{},
		OpenProc{},
		Sysctl{},
		Label{},
		Console{},
		NewSession{},
		TakeTerminal{},
		OwnStdio{},
		Personality{},
		Bounding{},
		Groups{},
		User{},
		Capabilities{},
		Ambient{},
		Umask{},
		CloseDescriptors{},
		NoNewPrivileges{},
		Seccomp{},
		MakeDirectory{},
		ChangeDirectory{},
		Home{},
		FindProgram{},
		WaitStart{},
		Execute{},
	}
}

// TestAllSteps compares allSteps with the types that have the method encode.
func TestAllSteps(t *testing.T) {
	t.Parallel()
	listed := make(map[string]bool)
	for _, s := range allSteps() {
		listed[Name(s)] = true
	}
	files := token.NewFileSet()
	for _, name := range []string{"steps.go", "steps_process.go"} {
		syntax, err := parser.ParseFile(files, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range syntax.Decls {
			f, ok := declaration.(*ast.FuncDecl)
			if !ok || f.Name.Name != "encode" {
				continue
			}
			if step := f.Recv.List[0].Type.(*ast.Ident).Name; !listed[step] {
				t.Errorf("%s is a step, but allSteps does not have it", step)
			}
		}
	}
}

// TestOneStepPerNumber: each OP_ of wire.h is the number of exactly one step.
func TestOneStepPerNumber(t *testing.T) {
	t.Parallel()
	owner := make(map[uint32]string)
	for _, s := range allSteps() {
		e := encoder{}
		s.encode(&e)
		op := binary.NativeEndian.Uint32(e.out)
		if op == nsenter.OpInvalid || op >= nsenter.OpCount {
			t.Errorf("%s: number %d is none of wire.h", Name(s), op)
		}
		if owner[op] != "" {
			t.Errorf("%s and %s have the number %d", Name(s), owner[op], op)
		}
		owner[op] = Name(s)
		if size := binary.NativeEndian.Uint32(e.out[4:]); int(size) != len(e.out) || size%8 != 0 {
			t.Errorf("%s: size %d, encoded in %d bytes; want a multiple of 8, and both equal", Name(s), size, len(e.out))
		}
	}
	if got, want := len(owner), nsenter.OpCount-1; got != want {
		t.Errorf("%d numbers have a step, wire.h has %d", got, want)
	}
}

// TestWireLayout pins what wire.h says in words.
func TestWireLayout(t *testing.T) {
	t.Parallel()
	if size := unsafe.Sizeof(nsenter.PlanHeader{}); size%8 != 0 {
		t.Errorf("the header has %d bytes: the first step is not aligned", size)
	}
	if size := unsafe.Sizeof(nsenter.Message{}); size > 4096 {
		t.Errorf("a message has %d bytes: a write to exec.result is not atomic (PIPE_BUF)", size)
	}
	head := unsafe.Sizeof(nsenter.StepHead{})
	if offset := unsafe.Offsetof(nsenter.StepNewMount{}.Attributes); offset != head+16 {
		t.Errorf("StepNewMount.Attributes is at %d", offset)
	}
	if offset := unsafe.Offsetof(nsenter.StepExecute{}.Environment); offset != head+16 {
		t.Errorf("StepExecute.Environment is at %d", offset)
	}
}
