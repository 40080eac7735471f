// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// compile compiles without a cache.
func compile(s *specs.LinuxSeccomp) (Filter, error) { return Compile(s, "") }

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
		filter, err := compile(&specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Flags: c.flags})
		if err != nil || filter.Flags != c.want {
			t.Errorf("%s: %d, %v", name, filter.Flags, err)
		}
	}
	notify := []specs.LinuxSyscall{{Names: []string{"mkdir"}, Action: specs.ActNotify}}
	killable := []specs.LinuxSeccompFlag{specs.LinuxSeccompFlagWaitKillableRecv}
	for name, c := range map[string]struct {
		profile specs.LinuxSeccomp
		want    uint32
	}{
		"notify":                  {specs.LinuxSeccomp{Syscalls: notify}, 12},
		"notify, empty":           {specs.LinuxSeccomp{Syscalls: notify, Flags: []specs.LinuxSeccompFlag{}}, 8},
		"notify, killable":        {specs.LinuxSeccomp{Syscalls: notify, Flags: killable}, 40},
		"killable without notify": {specs.LinuxSeccomp{Flags: killable}, 0},
	} {
		c.profile.DefaultAction, c.profile.ListenerPath = specs.ActAllow, "/run/agent"
		filter, err := compile(&c.profile)
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

func TestNoConfiguration(t *testing.T) {
	if filter, err := compile(nil); err != nil || filter.Program != nil || filter.Flags != 0 {
		t.Errorf("%+v, %v", filter, err)
	}
}

func TestMixedEndiannessIsRefused(t *testing.T) {
	_, err := compile(&specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Architectures: []specs.Arch{specs.ArchX86_64, specs.ArchS390X}})
	if err == nil || !strings.Contains(err.Error(), "linux.seccomp: add architecture SCMP_ARCH_S390X: ") {
		t.Errorf("%v", err)
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
		{"listenerPath: missing (SCMP_ACT_NOTIFY", func(s *specs.LinuxSeccomp) { s.Syscalls[0].Action = specs.ActNotify }},
		{"", func(s *specs.LinuxSeccomp) { s.Syscalls[0].Action, s.ListenerPath = specs.ActNotify, "/run/agent" }},
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
		_, err := compile(base(c.edit))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "linux.seccomp.")) {
			t.Errorf("want %q, got %v", c.want, err)
		}
	}
}

func TestLargeProfileIsLoaded(t *testing.T) {
	got := errnos(t, largeProfile(t), on(unix.SYS_USERFAULTFD), on(unix.SYS_GETPID), on(unix.SYS_STATX), on(unix.SYS_CLONE3),
		on(unix.SYS_SOCKET, 40, 0, 0), on(unix.SYS_PERSONALITY, 1), on(unix.SYS_PERSONALITY, 0xffffffff), on(1000))
	wantErrno(t, "userfaultfd is not in the profile", got[0], unix.EPERM)
	wantErrno(t, "getpid", got[1], 0)
	wantErrno(t, "statx", got[2], unix.EFAULT)
	wantErrno(t, "errnoRet of clone3", got[3], unix.ENOSYS)
	wantErrno(t, "a family that no rule names", got[4], unix.EPERM)
	wantErrno(t, "a personality that no rule names", got[5], unix.EPERM)
	wantErrno(t, "a personality of a rule", got[6], 0)
	wantErrno(t, "1000", got[7], unix.ENOSYS)
}

func TestUnknownNamesAreSkipped(t *testing.T) {
	filter, err := compile(&specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Syscalls: []specs.LinuxSyscall{
		allow("no_such_call", "read"), allow("no_such_call", "read", "nor_this"),
	}})
	if err != nil || !slices.Equal(filter.Skipped, []string{"no_such_call", "nor_this"}) {
		t.Errorf("skipped %q, %v", filter.Skipped, err)
	}
}

func TestContradictingRules(t *testing.T) {
	args := []specs.LinuxSeccompArg{{Op: specs.OpEqualTo, Value: 5}}
	_, err := compile(&specs.LinuxSeccomp{DefaultAction: specs.ActKill, Syscalls: []specs.LinuxSyscall{
		{Names: []string{"chdir"}, Action: specs.ActErrno, Args: args},
		{Names: []string{"chdir"}, Action: specs.ActErrno, Args: args},
		{Names: []string{"chdir"}, Action: specs.ActAllow, Args: args},
	}})
	if err == nil || !strings.Contains(err.Error(), `linux.seccomp.syscalls[2]: add rule for "chdir": file exists (another rule`) {
		t.Errorf("%v", err)
	}
}

// TestTheCompilerKnowsAllWords compiles each word that Check lets through.
func TestTheCompilerKnowsAllWords(t *testing.T) {
	for _, name := range Actions() {
		fallback := specs.ActAllow
		if name == fallback {
			fallback = specs.ActErrno
		}
		for _, s := range []*specs.LinuxSeccomp{
			{DefaultAction: name},
			{DefaultAction: fallback, ListenerPath: "/run/agent", Syscalls: []specs.LinuxSyscall{{Names: []string{"read"}, Action: name}}},
		} {
			if s.DefaultAction == specs.ActNotify {
				continue // is refused
			}
			if _, err := compile(s); err != nil {
				t.Errorf("action %s: %v", name, err)
			}
		}
	}
	for _, name := range Operators() {
		rule := specs.LinuxSyscall{Names: []string{"read"}, Action: specs.ActErrno, Args: []specs.LinuxSeccompArg{{Op: name, Value: 7}}}
		if _, err := compile(&specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{rule}}); err != nil {
			t.Errorf("operator %s: %v", name, err)
		}
	}
	for _, name := range Architectures() {
		_, err := compile(&specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Architectures: []specs.Arch{name}})
		if err != nil && !strings.Contains(err.Error(), "linux.seccomp: add architecture "+string(name)) { // libseccomp says no
			t.Errorf("architecture %s: %v", name, err)
		}
	}
	if n := len(Architectures()); n != 23 {
		t.Errorf("%d architectures", n)
	}
}

func TestVersionIsThatOfTheCompiler(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rt-seccomp")
	if err := os.WriteFile(path, program, 0o700); err != nil {
		t.Fatal(err)
	}
	said, err := exec.Command(path, "--version").Output()
	if err != nil || string(said) != Version()+"\n" || strings.Count(Version(), ".") != 2 {
		t.Errorf("the compiler says %q (%v), rt %q", said, err, Version())
	}
	if sum := fmt.Sprintf("%x", sha256.Sum256(program)); identity != Version()+" "+sum {
		t.Errorf("rt-seccomp.id is %q, the file's checksum %s (run make)", identity, sum)
	}
}

// largeProfile has the size of the default profiles of engines. The bench uses it too.
func largeProfile(t testing.TB) *specs.LinuxSeccomp {
	t.Helper()
	data, err := os.ReadFile("../../tests/bench/seccomp.json")
	if err != nil {
		t.Fatal(err)
	}
	s := new(specs.LinuxSeccomp)
	if err := json.Unmarshal(data, s); err != nil {
		t.Fatal(err)
	}
	return s
}

func BenchmarkCache(b *testing.B) {
	s, dir := largeProfile(b), filepath.Join(b.TempDir(), CacheName)
	for b.Loop() {
		if _, err := Compile(s, dir); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	s := largeProfile(b)
	for b.Loop() {
		if _, err := compile(s); err != nil {
			b.Fatal(err)
		}
	}
}
