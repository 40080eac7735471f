// SPDX-License-Identifier: Apache-2.0

package nsenter

import (
	"bytes"
	"debug/elf"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestGeneratedFileIsCurrent makes wire_gen.go anew from wire.h, so that no number and no structure can differ
// between Go and C.
func TestGeneratedFileIsCurrent(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("gcc is missing, without which cgo can't read wire.h")
	}
	dir := t.TempDir()
	for _, name := range []string{"wire.h", "wire_defs.go"} {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.Command("sh", "-c", "go tool cgo -godefs wire_defs.go | gofmt")
	command.Dir = dir
	command.Env = append(os.Environ(), "CGO_ENABLED=1")
	got, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("wire_gen.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("wire_gen.go is not made of this wire.h: go generate ./nsenter")
	}
}

// TestStageIsWhatTheContainerCanTrust: small, and executed by the kernel alone.
func TestStageIsWhatTheContainerCanTrust(t *testing.T) {
	t.Parallel()
	if size := len(Binary); size > 64<<10 {
		t.Errorf("the stage has %d bytes, more than 64 KiB: they are charged to each container", size)
	}
	stage, err := elf.NewFile(bytes.NewReader(Binary))
	if err != nil {
		t.Fatal(err)
	}
	stack := false
	for _, segment := range stage.Progs {
		switch segment.Type {
		case elf.PT_INTERP:
			t.Error("the stage has an interpreter: it would be looked up in the host's files")
		case elf.PT_DYNAMIC:
			t.Error("the stage is linked dynamically")
		case elf.PT_GNU_STACK:
			stack = true
			if segment.Flags&elf.PF_X != 0 {
				t.Error("the stage's stack is executable")
			}
		case elf.PT_LOAD:
			if segment.Flags&(elf.PF_W|elf.PF_X) == elf.PF_W|elf.PF_X {
				t.Error("a segment of the stage is writable and executable")
			}
		}
	}
	if !stack {
		t.Error("the stage has no PT_GNU_STACK: the kernel may make its stack executable")
	}
}

// operations are the members of enum op in wire.h but for its first and last.
func operations(t *testing.T) []string {
	t.Helper()
	_, rest, _ := strings.Cut(readText(t, "wire.h"), "\nenum op {\n")
	body, _, ok := strings.Cut(rest, "};")
	if !ok {
		t.Fatal("wire.h has no enum op")
	}
	var names []string
	for line := range strings.Lines(body) {
		if name, ok := strings.CutSuffix(strings.TrimSpace(line), ","); ok && strings.HasPrefix(name, "OP_") {
			names = append(names, name)
		}
	}
	if first, last := names[0], names[len(names)-1]; first != "OP_INVALID" || last != "OP_COUNT" {
		t.Fatalf("enum op goes from %s to %s", first, last)
	}
	return names[1 : len(names)-1]
}

func readText(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestEveryOperationIsComplete: each OP_ has a structure, a row in the dispatch table, a prototype, one function, and
// its Go names.
func TestEveryOperationIsComplete(t *testing.T) {
	t.Parallel()
	wire, header, dispatch := readText(t, "wire.h"), readText(t, "stage.h"), readText(t, "stage.c")
	sources, err := filepath.Glob("*.c")
	if err != nil {
		t.Fatal(err)
	}
	var functions strings.Builder
	for _, source := range sources {
		functions.WriteString(readText(t, source))
	}
	declared := generatedNames(t)
	for _, op := range operations(t) {
		name := strings.ToLower(strings.TrimPrefix(op, "OP_"))
		signature := "void step_" + name + "(const struct step_" + name + " *s)"
		for _, c := range []struct{ text, want, where string }{
			{wire, "struct step_" + name + " {", "wire.h has no structure"},
			{dispatch, "ROW(" + op + ", " + name + "),", "the dispatch table of stage.c has no row"},
			{header, signature + ";", "stage.h has no prototype"},
			{functions.String(), signature + "\n{", "no file has the function"},
		} {
			if n := strings.Count(c.text, c.want); n != 1 {
				t.Errorf("%s: %s %q (%d found)", op, c.where, c.want, n)
			}
		}
		for _, prefix := range []string{"Op", "Step"} {
			if goName := prefix + camel(name); !slices.Contains(declared, goName) {
				t.Errorf("%s: wire_defs.go has no %s", op, goName)
			}
		}
	}
}

// camel turns make_node into MakeNode.
func camel(name string) string {
	var out strings.Builder
	for _, word := range strings.Split(name, "_") {
		out.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return out.String()
}

// generatedNames are the constants and types of wire_gen.go.
func generatedNames(t *testing.T) []string {
	t.Helper()
	syntax, err := parser.ParseFile(token.NewFileSet(), "wire_gen.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, declaration := range syntax.Decls {
		general, ok := declaration.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, s := range general.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				names = append(names, s.Name.Name)
			case *ast.ValueSpec:
				names = append(names, s.Names[0].Name)
			}
		}
	}
	return names
}
