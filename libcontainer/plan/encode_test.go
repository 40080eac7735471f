// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/nsenter"
)

// sameStep compares steps; an empty list and a missing one are the same.
func sameStep(a, b Step) bool {
	va, vb := reflect.ValueOf(a), reflect.ValueOf(b)
	if va.Type() != vb.Type() {
		return false
	}
	for i := range va.NumField() {
		x, y := va.Field(i), vb.Field(i)
		if x.Kind() == reflect.Slice && x.Len() == 0 && y.Len() == 0 {
			continue
		}
		if !reflect.DeepEqual(x.Interface(), y.Interface()) {
			return false
		}
	}
	return true
}

// wantRoundTrip encodes the plan and wants the stage to read the same steps from it.
func wantRoundTrip(t *testing.T, p *Plan) {
	t.Helper()
	const firstFile, socketFD = 9, 7
	raw, err := p.Encode(firstFile, socketFD)
	if err != nil {
		t.Fatal(err)
	}
	header, steps, err := decode(raw, firstFile)
	if err != nil {
		t.Fatal(err)
	}
	if header.Socket_fd != socketFD || int(header.Payload_fds) != 3+p.PreserveFDs || len(steps) != len(p.Steps) {
		t.Errorf("header %+v for %d steps", header, len(p.Steps))
	}
	for i, got := range steps {
		want := p.Steps[i].Step
		if find, ok := want.(FindProgram); ok {
			find.Searched = "" // the stage needs no words
			want = find
		}
		if !sameStep(got, want) {
			t.Errorf("step %d is decoded as %T%+v, want %T%+v", i, got, got, want, want)
		}
	}
}

func TestEncodedPlansAreDecodedUnchanged(t *testing.T) {
	t.Parallel()
	for _, g := range goldens() {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			wantRoundTrip(t, g.plan(t))
		})
	}
}

// one is a plan of one step.
func one(s Step) *Plan { return &Plan{Steps: []Entry{{Step: s}}} }

// Every step with every member set to something else, so that no two can be mixed up.
func TestEachStepIsDecodedUnchanged(t *testing.T) {
	t.Parallel()
	for _, s := range allSteps() {
		v := reflect.New(reflect.TypeOf(s)).Elem()
		for i := range v.NumField() {
			fill(v.Field(i), i+1)
		}
		wantRoundTrip(t, one(v.Interface().(Step)))
	}
}

func fill(field reflect.Value, number int) {
	word := strings.Repeat("x", number)
	switch field.Interface().(type) {
	case string:
		field.SetString(word)
	case Slot:
		field.SetInt(int64(number))
	case bool:
		field.SetBool(true)
	case uint32, uint64:
		field.SetUint(uint64(number) << 20)
	case []string:
		field.Set(reflect.ValueOf([]string{word, "", word + "y"}))
	case []uint32:
		field.Set(reflect.ValueOf([]uint32{uint32(number), 1<<32 - 1}))
	case []uint64:
		field.Set(reflect.ValueOf([]uint64{uint64(number), 1<<64 - 1}))
	case []byte:
		field.Set(reflect.ValueOf(bytes.Repeat([]byte(word), 8)))
	case []Parameter:
		field.Set(reflect.ValueOf([]Parameter{{word, "value", false}, {"empty", "", false}, {"flag", "", true}}))
	}
}

func TestEncodeRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		plan *Plan
		want string
	}{
		{"no steps", &Plan{}, "encode plan: no steps"},
		{"NUL in a text", one(HostName{"a\x00b"}), `encode plan: "a\x00b" has a NUL byte`},
		{"NUL in an optional text", one(Rootfs{Path: "\x00"}), `encode plan: "\x00" has a NUL byte`},
		{"NUL in a list", one(Execute{Candidates: []string{"/x"}, Environment: []string{"A=1", "B=\x00"}}), `encode plan: "B=\x00" has a NUL byte`},
		{"NUL in a parameter", one(NewMount{Type: "t", Parameters: []Parameter{{Key: "k", Value: "v\x00"}}}), `encode plan: "v\x00" has a NUL byte`},
	} {
		if _, err := c.plan.Encode(3, 4); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.name, err, c.want)
		}
	}
}

func TestPlanThatIsTooBigIsRefused(t *testing.T) {
	t.Parallel()
	e := encoder{data: make([]byte, maxPlanBytes)}
	if err := e.check(one(Pivot{})); err != nil {
		t.Errorf("%d bytes: %v", len(e.data), err)
	}
	e.data = make([]byte, maxPlanBytes+1)
	if err := e.check(one(Pivot{})); err == nil || !strings.Contains(err.Error(), "bytes of arguments, environment and mounts are more than") {
		t.Errorf("%d bytes: %v", len(e.data), err)
	}
}

// A plan is the same every time, whatever order the maps of the config have.
func TestPlansAreReproducible(t *testing.T) {
	t.Parallel()
	for _, g := range goldens() {
		first, err := g.plan(t).Encode(5, 3)
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			if again, err := g.plan(t).Encode(5, 3); err != nil || !bytes.Equal(first, again) {
				t.Fatalf("%s: another plan from the same config (%v)", g.name, err)
			}
		}
	}
}

// FuzzEncode: whatever texts and numbers a step has, the stage reads the same, or the plan is refused.
func FuzzEncode(f *testing.F) {
	f.Add("proc", "a\x00list\x00of words", uint64(1)<<40, uint32(3), []byte("12345678"))
	f.Add("", "", uint64(0), uint32(0), []byte(nil))
	f.Add("/\xff\xfe", "\n=:", ^uint64(0), ^uint32(0), []byte("1234567"))
	f.Fuzz(func(t *testing.T, word, list string, big uint64, small uint32, data []byte) {
		words := strings.Split(list, "\x00")
		slot := Slot(small % 1000)
		program := data[:len(data)/8*8]
		p := &Plan{PreserveFDs: int(small % 100)}
		for _, s := range []Step{
			SessionKeyring{word},
			JoinNamespace{slot, small},
			Rootfs{word, small},
			NewMount{word, words[0], []Parameter{{word, words[0], false}, {words[0], word, false}, {word, "", true}}, big},
			Attributes{big, big, big, small&1 == 1},
			Seccomp{program, small, true, true},
			MakeNode{word, small, small, small, small, small, small},
			Symlink{word, words[0], small},
			Groups{[]uint32{small, 0, uint32(big)}, true},
			FindProgram{Candidates: words, Refused: 5},
			WaitStart{slot, slot + 1, true},
			Execute{words, words, words, small&1 == 1},
		} {
			p.Steps = append(p.Steps, Entry{Step: s})
		}
		if strings.Contains(word, "\x00") {
			if _, err := p.Encode(9, 7); err == nil {
				t.Error("a text with a NUL byte is encoded")
			}
			return
		}
		wantRoundTrip(t, p)
	})
}

// FuzzCreate: the planner survives any config that has the sections which validation asks for, and what it plans can be
// encoded and ends as it must.
func FuzzCreate(f *testing.F) {
	for _, g := range goldens() {
		data, err := os.ReadFile(filepath.Join("testdata", g.config+".json"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, len(g.name)%2 == 0, len(g.name)%3 == 0)
	}
	f.Fuzz(func(t *testing.T, config []byte, v2, noPivot bool) {
		s := &specs.Spec{}
		if json.Unmarshal(config, s) != nil || s.Root == nil || s.Linux == nil || s.Process != nil && len(s.Process.Args) == 0 {
			return
		}
		h := testHost()
		cgroupV1(&h)
		if v2 {
			cgroupV2(&h)
		}
		withFilter(&h)
		h.NoPivot = noPivot
		p, err := Create(s, h)
		if err != nil {
			return
		}
		if p.String() == "" {
			t.Error("the plan has no text")
		}
		if _, err := p.Encode(9, 7); err != nil && !strings.Contains(err.Error(), "NUL byte") {
			t.Fatal(err)
		}
		checkEnd(t, s, p)
	})
}

// checkEnd wants that nothing is left half done: no tree that is built and not attached, messages that end with
// MESSAGE_READY, and the program at the end.
func checkEnd(t *testing.T, s *specs.Spec, p *Plan) {
	t.Helper()
	tree := false
	for _, entry := range p.Steps {
		switch entry.Step.(type) {
		case NewMount, TakeTree, CloneTree:
			if tree {
				t.Fatalf("a tree is dropped:\n%s", p)
			}
			tree = true
		case Attach, StageMounts:
			if !tree {
				t.Fatalf("nothing to attach:\n%s", p)
			}
			tree = false
		}
	}
	messages := p.Messages()
	if last := messages[len(messages)-1]; last.Type != nsenter.MessageReady {
		t.Errorf("the last message is %+v", last)
	}
	if last := Name(p.Steps[len(p.Steps)-1].Step); s.Process != nil && last != "Execute" {
		t.Errorf("the last step is %s", last)
	}
}
