// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func number(n uint) *uint { return &n }

func profile() *specs.LinuxSeccomp {
	return &specs.LinuxSeccomp{
		DefaultAction: specs.ActErrno, DefaultErrnoRet: number(38),
		Architectures: []specs.Arch{specs.ArchX86_64, specs.ArchX32},
		Syscalls: []specs.LinuxSyscall{
			{Names: []string{"read", "write"}, Action: specs.ActAllow},
			{Names: []string{"clone"}, Action: specs.ActErrno, ErrnoRet: number(0), Args: []specs.LinuxSeccompArg{
				{Index: 5, Value: math.MaxUint64, ValueTwo: 1 << 40, Op: specs.OpMaskedEqual}, {Op: specs.OpEqualTo},
			}},
		},
	}
}

func TestRequestsComeOutAsTheyWentIn(t *testing.T) {
	for _, want := range []*specs.LinuxSeccomp{profile(), {DefaultAction: specs.ActAllow}, {}} {
		got, err := DecodeRequest(EncodeRequest(want))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
}

func TestDifferentProfilesHaveDifferentRequests(t *testing.T) {
	edits := []func(*specs.LinuxSeccomp){
		func(*specs.LinuxSeccomp) {},
		func(s *specs.LinuxSeccomp) { s.DefaultAction = specs.ActLog },
		func(s *specs.LinuxSeccomp) { s.DefaultErrnoRet = nil },
		func(s *specs.LinuxSeccomp) { s.DefaultErrnoRet = number(0) },
		func(s *specs.LinuxSeccomp) { s.Architectures = s.Architectures[:1] },
		func(s *specs.LinuxSeccomp) { s.Architectures[1] = specs.ArchX86 },
		func(s *specs.LinuxSeccomp) { slices.Reverse(s.Syscalls) },
		func(s *specs.LinuxSeccomp) { s.Syscalls = s.Syscalls[:1] },
		func(s *specs.LinuxSeccomp) { s.Syscalls[0].Names = []string{"readwrite"} },
		func(s *specs.LinuxSeccomp) { s.Syscalls[0].Names = []string{"read", "write", ""} },
		func(s *specs.LinuxSeccomp) { s.Syscalls[0].Action = specs.ActTrap },
		func(s *specs.LinuxSeccomp) { s.Syscalls[0].ErrnoRet = number(1) },
		func(s *specs.LinuxSeccomp) { s.Syscalls[1].ErrnoRet = nil },
		func(s *specs.LinuxSeccomp) { s.Syscalls[1].Args[0].Index = 4 },
		func(s *specs.LinuxSeccomp) { s.Syscalls[1].Args[0].Value-- },
		func(s *specs.LinuxSeccomp) { s.Syscalls[1].Args[0].ValueTwo = 0 },
		func(s *specs.LinuxSeccomp) { s.Syscalls[1].Args[0].Op = specs.OpNotEqual },
		func(s *specs.LinuxSeccomp) { s.Syscalls[1].Args = s.Syscalls[1].Args[:1] },
	}
	seen := map[string]int{}
	for i, edit := range edits {
		s := profile()
		edit(s)
		request := string(EncodeRequest(s))
		if other, ok := seen[request]; ok {
			t.Errorf("edits %d and %d have the same request", other, i)
		}
		seen[request] = i
	}
}

// What a request depends on beside its profile would make the cache useless, or wrong.
func TestFlagsAndListenerAreNotInTheRequest(t *testing.T) {
	s := profile()
	s.Flags, s.ListenerPath, s.ListenerMetadata = []specs.LinuxSeccompFlag{specs.LinuxSeccompFlagLog}, "/run/x", "y"
	if !bytes.Equal(EncodeRequest(s), EncodeRequest(profile())) {
		t.Error("they are")
	}
}

func TestDamagedRequestsAreRefused(t *testing.T) {
	request := EncodeRequest(profile())
	for n := range request {
		if s, err := DecodeRequest(request[:n]); err == nil {
			t.Errorf("the first %d bytes are taken for %+v", n, s)
		}
	}
	for _, damaged := range [][]byte{append(slices.Clone(request), 0), {255, 255, 255, 255, 255, 255, 255, 255, 255, 1}, {0, 2}} {
		if s, err := DecodeRequest(damaged); err == nil {
			t.Errorf("%x is taken for %+v", damaged, s)
		}
	}
}

func TestAnswers(t *testing.T) {
	want := &Answer{Program: make([]byte, MaxInstructions*InstructionBytes), Skipped: []string{"a", "b"}}
	data := want.Encode()
	got, err := DecodeAnswer(data)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v", err)
	}
	if limit := MaxAnswerBytes(4); len(data) > limit {
		t.Errorf("%d bytes, more than %d", len(data), limit)
	}
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"nothing":            {nil, "cut off"},
		"cut off":            {data[:len(data)-1], "cut off"},
		"too long":           {append(slices.Clone(data), 0), "1 bytes too many"},
		"no program":         {(&Answer{}).Encode(), "a program of 0 bytes"},
		"half instruction":   {(&Answer{Program: make([]byte, 12)}).Encode(), "a program of 12 bytes"},
		"too long a program": {(&Answer{Program: make([]byte, (MaxInstructions+1)*InstructionBytes)}).Encode(), "a program of 32776 bytes"},
	} {
		if a, err := DecodeAnswer(c.data); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v", name, a, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(EncodeRequest(profile()))
	f.Add((&Answer{Program: make([]byte, 16), Skipped: []string{"a"}}).Encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := DecodeRequest(data); err == nil {
			if again, err := DecodeRequest(EncodeRequest(s)); err != nil || !reflect.DeepEqual(s, again) {
				t.Errorf("%+v, %v, %+v", s, err, again)
			}
		}
		if a, err := DecodeAnswer(data); err == nil {
			if again, err := DecodeAnswer(a.Encode()); err != nil || !reflect.DeepEqual(a, again) {
				t.Errorf("%+v, %v, %+v", a, err, again)
			}
		}
	})
}
