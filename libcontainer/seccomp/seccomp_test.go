// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	libseccomp "github.com/seccomp/libseccomp-golang"
	"golang.org/x/sys/unix"
)

// answer interprets a program for one system call. It knows the instructions that filters without conditions on
// arguments consist of.
func answer(t *testing.T, program []byte, audit, number uint32) uint32 {
	t.Helper()
	var accumulator uint32
	for at := 0; at >= 0 && (at+1)*instructionBytes <= len(program); at++ {
		in := program[at*instructionBytes:]
		code, k := binary.NativeEndian.Uint16(in), binary.NativeEndian.Uint32(in[4:])
		holds := false
		switch code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			accumulator = map[uint32]uint32{numberOffset: number, archOffset: audit}[k]
			continue
		case unix.BPF_RET | unix.BPF_K:
			return k
		case unix.BPF_JMP | unix.BPF_JA:
			at += int(k)
			continue
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
			holds = accumulator == k
		case unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K:
			holds = accumulator > k
		case unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K:
			holds = accumulator >= k
		default:
			t.Fatalf("instruction %d has code %#x", at, code)
		}
		if holds {
			at += int(in[2])
		} else {
			at += int(in[3])
		}
	}
	t.Fatal("the program has no end")
	return 0
}

func TestNewerCallsOnEachArchitecture(t *testing.T) {
	const (
		enosys = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
		eperm  = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
		allow  = unix.SECCOMP_RET_ALLOW
		kill   = unix.SECCOMP_RET_KILL_THREAD
	)
	profile := newerProfile()
	profile.Syscalls = append(profile.Syscalls, specs.LinuxSyscall{Names: []string{"set_tls"}, Action: specs.ActAllow})
	all, err := Compile(profile)
	if err != nil {
		t.Fatal(err)
	}
	profile.Architectures = nil
	native, err := Compile(profile)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name          string
		program       []byte
		audit, number uint32
		want          uint32
	}{
		{"x86-64 newest", all.Program, unix.AUDIT_ARCH_X86_64, 437, allow},
		{"x86-64 newer", all.Program, unix.AUDIT_ARCH_X86_64, 438, enosys},
		{"x86-64 last", all.Program, unix.AUDIT_ARCH_X86_64, x32Bit - 1, enosys},
		{"x32 newest", all.Program, unix.AUDIT_ARCH_X86_64, x32Bit + 437, allow},
		{"x32 unlisted", all.Program, unix.AUDIT_ARCH_X86_64, x32Bit + 272, eperm},
		{"x32 own", all.Program, unix.AUDIT_ARCH_X86_64, x32Bit + 520, allow},
		{"x32 own unlisted", all.Program, unix.AUDIT_ARCH_X86_64, x32Bit + 547, eperm},
		{"x32 after its own", all.Program, unix.AUDIT_ARCH_X86_64, x32Bit + 548, enosys},
		{"x32 newer", all.Program, unix.AUDIT_ARCH_X86_64, x32Bit + 438, enosys},
		{"x86 newest", all.Program, unix.AUDIT_ARCH_I386, 437, allow},
		{"x86 unlisted", all.Program, unix.AUDIT_ARCH_I386, 310, eperm},
		{"x86 newer", all.Program, unix.AUDIT_ARCH_I386, 1000, enosys},
		{"arm newer", all.Program, unix.AUDIT_ARCH_ARM, 438, enosys},
		{"arm private", all.Program, unix.AUDIT_ARCH_ARM, armPrivate.first + 5, allow},
		{"arm private unlisted", all.Program, unix.AUDIT_ARCH_ARM, armPrivate.first + 4, eperm},
		{"aarch64 newer", all.Program, unix.AUDIT_ARCH_AARCH64, 438, enosys},
		{"foreign architecture", all.Program, unix.AUDIT_ARCH_S390X, 438, kill},
		{"native only: newer", native.Program, unix.AUDIT_ARCH_X86_64, 438, enosys},
		{"native only: x32", native.Program, unix.AUDIT_ARCH_X86_64, x32Bit + 438, kill},
		{"native only: x86", native.Program, unix.AUDIT_ARCH_I386, 438, kill},
	} {
		if got := answer(t, c.program, c.audit, c.number); got != c.want {
			t.Errorf("%s: %#x, want %#x", c.name, got, c.want)
		}
	}
}

// TestAuditArchitectures compares the table with libseccomp: a filter that kills everything on an architecture
// other than the native one answers differently from one without it.
func TestAuditArchitectures(t *testing.T) {
	native, err := libseccomp.GetNativeArch()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range arches() {
		filter, err := Compile(&specs.LinuxSeccomp{
			DefaultAction: specs.ActLog, Architectures: []specs.Arch{a.name},
			Syscalls: []specs.LinuxSyscall{{Names: []string{"read"}, Action: specs.ActTrap}},
		})
		if err != nil {
			if a.lib == native || !strings.Contains(err.Error(), "add architecture "+string(a.name)) {
				t.Errorf("%s: %v", a.name, err)
			}
			t.Logf("%s: not compiled by libseccomp %s here: %v", a.name, Version(), err)
			continue
		}
		read, err := libseccomp.GetSyscallFromNameByArch("read", a.lib)
		if err != nil {
			t.Fatal(err)
		}
		if got := answer(t, filter.Program, a.audit, uint32(read)); got != unix.SECCOMP_RET_TRAP {
			t.Errorf("%s: %#x", a.name, got)
		}
	}
}

func TestFlags(t *testing.T) {
	for name, c := range map[string]struct {
		flags []specs.LinuxSeccompFlag
		want  uint32
	}{
		"absent": {nil, 4},
		"empty":  {[]specs.LinuxSeccompFlag{}, 0},
		"log":    {[]specs.LinuxSeccompFlag{"SECCOMP_FILTER_FLAG_LOG"}, 2},
		"tsync":  {[]specs.LinuxSeccompFlag{"SECCOMP_FILTER_FLAG_TSYNC"}, 0},
		"all":    {[]specs.LinuxSeccompFlag{"SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"}, 6},
	} {
		filter, err := Compile(&specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Flags: c.flags})
		if err != nil || filter.Flags != c.want {
			t.Errorf("%s: %d, %v", name, filter.Flags, err)
		}
	}
	if kernelSupports(1 << 31) {
		t.Error("a flag that doesn't exist is supported")
	}
	for _, name := range SupportedFlags() {
		if !slices.Contains(KnownFlags(), name) {
			t.Errorf("%s is supported but not known", name)
		}
	}
	if !slices.Contains(SupportedFlags(), specs.LinuxSeccompFlagSpecAllow) {
		t.Error("SPEC_ALLOW (Linux 4.17) is not supported")
	}
}

func TestUnknownNamesAreSkipped(t *testing.T) {
	filter, err := Compile(&specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Syscalls: []specs.LinuxSyscall{
		allow("no_such_call", "read"), allow("no_such_call", "read", "nor_this"),
	}})
	if err != nil || !slices.Equal(filter.Skipped, []string{"no_such_call", "nor_this"}) {
		t.Errorf("skipped %q, %v", filter.Skipped, err)
	}
}

func TestContradictingRules(t *testing.T) {
	args := []specs.LinuxSeccompArg{{Op: specs.OpEqualTo, Value: 5}}
	_, err := Compile(&specs.LinuxSeccomp{DefaultAction: specs.ActKill, Syscalls: []specs.LinuxSyscall{
		{Names: []string{"chdir"}, Action: specs.ActErrno, Args: args},
		{Names: []string{"chdir"}, Action: specs.ActErrno, Args: args},
		{Names: []string{"chdir"}, Action: specs.ActAllow, Args: args},
	}})
	if err == nil || !strings.Contains(err.Error(), `linux.seccomp.syscalls[2]: add rule for "chdir": file exists (another rule`) {
		t.Errorf("%v", err)
	}
}

func TestNoConfiguration(t *testing.T) {
	if filter, err := Compile(nil); err != nil || filter.Program != nil || filter.Flags != 0 {
		t.Errorf("%+v, %v", filter, err)
	}
}

func TestMixedEndiannessIsRefused(t *testing.T) {
	_, err := Compile(&specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Architectures: []specs.Arch{specs.ArchX86_64, specs.ArchS390X}})
	if err == nil || !strings.Contains(err.Error(), "linux.seccomp: add architecture SCMP_ARCH_S390X: ") {
		t.Errorf("%v", err)
	}
}

func TestTablesAreComplete(t *testing.T) {
	for _, name := range Actions() {
		if action(name) == libseccomp.ActInvalid {
			t.Errorf("action %s", name)
		}
	}
	for _, name := range Operators() {
		if operator(name) == libseccomp.CompareInvalid {
			t.Errorf("operator %s", name)
		}
	}
	if n := len(Architectures()); n != 23 {
		t.Errorf("%d architectures", n)
	}
	if v := Version(); strings.Count(v, ".") != 2 {
		t.Errorf("version %q", v)
	}
}

func TestCheck(t *testing.T) {
	base := func(edit func(*specs.LinuxSeccomp)) *specs.LinuxSeccomp {
		s := &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Names: []string{"read"}, Action: specs.ActErrno}}}
		edit(s)
		return s
	}
	for _, c := range []struct {
		want string
		edit func(*specs.LinuxSeccomp)
	}{
		{"", func(*specs.LinuxSeccomp) {}},
		{"", func(s *specs.LinuxSeccomp) { s.ListenerPath = "/ignored" }},
		{"defaultAction: missing", func(s *specs.LinuxSeccomp) { s.DefaultAction = "" }},
		{`defaultAction: "SCMP_ACT_X" is unknown`, func(s *specs.LinuxSeccomp) { s.DefaultAction = "SCMP_ACT_X" }},
		{"SCMP_ACT_NOTIFY cannot be used as the default action", func(s *specs.LinuxSeccomp) { s.DefaultAction = specs.ActNotify }},
		{"defaultErrnoRet: set for SCMP_ACT_ALLOW", func(s *specs.LinuxSeccomp) { s.DefaultErrnoRet = number(1) }},
		{`architectures[0]: "SCMP_ARCH_Z80" is unknown`, func(s *specs.LinuxSeccomp) { s.Architectures = []specs.Arch{"SCMP_ARCH_Z80"} }},
		{`flags[0]: "X" is unknown`, func(s *specs.LinuxSeccomp) { s.Flags = []specs.LinuxSeccompFlag{"X"} }},
		{"listenerMetadata: set without listenerPath", func(s *specs.LinuxSeccomp) { s.ListenerMetadata = "x" }},
		{"syscalls[0].names: empty", func(s *specs.LinuxSeccomp) { s.Syscalls[0].Names = nil }},
		{"syscalls[0].names[0]: empty", func(s *specs.LinuxSeccomp) { s.Syscalls[0].Names = []string{""} }},
		{"syscalls[0].action: missing", func(s *specs.LinuxSeccomp) { s.Syscalls[0].Action = "" }},
		{"syscalls[0].action: SCMP_ACT_NOTIFY is not supported", func(s *specs.LinuxSeccomp) { s.Syscalls[0].Action = specs.ActNotify }},
		{"SCMP_ACT_NOTIFY cannot be used for the write syscall", func(s *specs.LinuxSeccomp) {
			s.Syscalls[0] = specs.LinuxSyscall{Names: []string{"write"}, Action: specs.ActNotify}
		}},
		{"syscalls[0].errnoRet: set for SCMP_ACT_KILL", func(s *specs.LinuxSeccomp) {
			s.Syscalls[0].Action, s.Syscalls[0].ErrnoRet = specs.ActKill, number(1)
		}},
		{"syscalls[0].errnoRet: 4095 is greater than 4094", func(s *specs.LinuxSeccomp) { s.Syscalls[0].ErrnoRet = number(4095) }},
		{"syscalls[0].args[0].index: 6", func(s *specs.LinuxSeccomp) {
			s.Syscalls[0].Args = []specs.LinuxSeccompArg{{Index: 6, Op: specs.OpEqualTo}}
		}},
		{`syscalls[0].args[0].op: "" is unknown`, func(s *specs.LinuxSeccomp) { s.Syscalls[0].Args = []specs.LinuxSeccompArg{{}} }},
	} {
		_, err := Compile(base(c.edit))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "linux.seccomp.")) {
			t.Errorf("want %q, got %v", c.want, err)
		}
	}
}

// largeProfile allows nearly everything on three architectures, as engines' default profiles do.
func largeProfile() *specs.LinuxSeccomp {
	s := newerProfile()
	for n := libseccomp.ScmpSyscall(0); n < 450; n++ {
		if name, err := n.GetName(); err == nil && n%10 != 9 {
			s.Syscalls[1].Names = append(s.Syscalls[1].Names, name)
		}
	}
	s.Architectures = []specs.Arch{specs.ArchX86_64, specs.ArchX86, specs.ArchX32}
	return s
}

func TestLargeProfileIsLoaded(t *testing.T) {
	got := errnos(t, largeProfile(), on(unix.SYS_GETPID), on(unix.SYS_LSTAT), on(9), on(1000))
	wantErrno(t, "getpid is not in the profile", got[0], unix.EPERM)
	if got[1] == unix.EPERM || got[1] == unix.ENOSYS {
		t.Errorf("lstat: %v", got[1])
	}
	wantErrno(t, "mmap is not in the profile", got[2], unix.EPERM)
	wantErrno(t, "1000", got[3], unix.ENOSYS)
}

func BenchmarkCompile(b *testing.B) {
	s := largeProfile()
	for b.Loop() {
		if _, err := Compile(s); err != nil {
			b.Fatal(err)
		}
	}
}
