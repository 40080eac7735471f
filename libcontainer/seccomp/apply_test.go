// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"unsafe"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/seccomp/wire"
)

// request is what the test binary, started again, does under a filter: it makes system calls and prints their
// error numbers, or it executes a program.
type request struct {
	Program []byte
	Flags   uint32
	Calls   []call
	Execute []string
}

// call is a system call: number and arguments.
type call struct {
	Number    uintptr
	Arguments [argumentCount]uintptr
}

const requestVariable = "RT_TEST_SECCOMP_REQUEST"

func TestMain(m *testing.M) {
	if mark := os.Getenv(orphanVariable); mark != "" {
		leaveOrphan(mark)
	}
	text := os.Getenv(requestVariable)
	if text == "" {
		os.Exit(m.Run())
	}
	var r request
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(99)
	}
	serve(r)
}

// serve loads the filter into one locked thread and uses nothing but raw calls from then on: the thread must not
// return to the Go scheduler, which may be unable to work under the filter.
func serve(r request) {
	runtime.LockOSThread()
	result := make([]uint32, len(r.Calls)+1)
	program := syscall.SockFprog{Len: uint16(len(r.Program) / wire.InstructionBytes), Filter: (*syscall.SockFilter)(unsafe.Pointer(&r.Program[0]))}
	var path *byte
	var argv, envp []*byte
	if r.Execute != nil {
		path, _ = syscall.BytePtrFromString(r.Execute[0])
		argv, _ = syscall.SlicePtrFromStrings(r.Execute)
		envp, _ = syscall.SlicePtrFromStrings(nil)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(98)
	}
	_, _, errno := syscall.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, uintptr(r.Flags), uintptr(unsafe.Pointer(&program)))
	result[0] = uint32(errno)
	if path != nil && errno == 0 {
		_, _, errno = syscall.RawSyscall(unix.SYS_EXECVE, uintptr(unsafe.Pointer(path)), uintptr(unsafe.Pointer(&argv[0])), uintptr(unsafe.Pointer(&envp[0])))
	}
	for i := range r.Calls {
		a := &r.Calls[i].Arguments
		_, _, errno = syscall.RawSyscall6(r.Calls[i].Number, a[0], a[1], a[2], a[3], a[4], a[5])
		result[i+1] = uint32(errno)
	}
	syscall.RawSyscall(unix.SYS_WRITE, 1, uintptr(unsafe.Pointer(&result[0])), uintptr(4*len(result)))
	syscall.RawSyscall(unix.SYS_EXIT_GROUP, uintptr(errno), 0, 0)
}

// start runs a request in a new process.
func start(t *testing.T, s *specs.LinuxSeccomp, r request) ([]byte, *os.ProcessState) {
	t.Helper()
	filter, err := compile(s)
	if err != nil {
		t.Fatal(err)
	}
	r.Program, r.Flags = filter.Program, filter.Flags
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command("/proc/self/exe")
	c.Env = append(os.Environ(), requestVariable+"="+string(text), "GODEBUG=asyncpreemptoff=1")
	out, err := c.Output()
	if exit := (*exec.ExitError)(nil); err != nil && !asExit(err, &exit) {
		t.Fatal(err)
	}
	return out, c.ProcessState
}

func asExit(err error, exit **exec.ExitError) bool {
	e, ok := err.(*exec.ExitError)
	*exit = e
	return ok
}

// errnos makes system calls under a filter and returns their error numbers.
func errnos(t *testing.T, s *specs.LinuxSeccomp, calls ...call) []syscall.Errno {
	t.Helper()
	out, state := start(t, s, request{Calls: calls})
	if len(out) != 4*(len(calls)+1) {
		t.Fatalf("%d bytes of results, %v", len(out), state)
	}
	got := make([]syscall.Errno, len(calls)+1)
	for i := range got {
		got[i] = syscall.Errno(*(*uint32)(unsafe.Pointer(&out[4*i])))
	}
	if got[0] != 0 {
		t.Fatalf("seccomp: %v", got[0])
	}
	return got[1:]
}

// allow returns a rule; every profile with a default other than allowing needs the first one below.
func allow(names ...string) specs.LinuxSyscall {
	return specs.LinuxSyscall{Names: names, Action: specs.ActAllow}
}

func testCalls() specs.LinuxSyscall {
	return allow("write", "exit_group", "rt_sigreturn", "execve")
}

func number(n uint) *uint { return &n }

// on returns a call with arguments.
func on(number uintptr, arguments ...uintptr) call {
	c := call{Number: number}
	copy(c.Arguments[:], arguments)
	return c
}

func wantErrno(t *testing.T, what string, got, want syscall.Errno) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v (%d), want %v", what, got, int(got), want)
	}
}

func TestErrnos(t *testing.T) {
	got := errnos(t, &specs.LinuxSeccomp{
		DefaultAction: specs.ActAllow,
		Syscalls: []specs.LinuxSyscall{
			{Names: []string{"getpid"}, Action: specs.ActErrno},
			{Names: []string{"getppid", "no_such_call"}, Action: specs.ActErrno, ErrnoRet: number(100)},
			{Names: []string{"getuid"}, Action: specs.ActErrno, ErrnoRet: number(4094)},
			{Names: []string{"getgid"}, Action: specs.ActTrace, ErrnoRet: number(65535)},
			{Names: []string{"geteuid"}, Action: specs.ActLog},
		},
	}, on(unix.SYS_GETPID), on(unix.SYS_GETPPID), on(unix.SYS_GETUID), on(unix.SYS_GETGID), on(unix.SYS_GETEUID), on(1000))
	wantErrno(t, "default", got[0], unix.EPERM)
	wantErrno(t, "errnoRet", got[1], unix.ENETDOWN)
	wantErrno(t, "largest errnoRet", got[2], 4094)
	wantErrno(t, "trace without tracer", got[3], unix.ENOSYS)
	wantErrno(t, "log", got[4], 0)
	wantErrno(t, "number 1000 with default action ALLOW", got[5], unix.ENOSYS)

	got = errnos(t, &specs.LinuxSeccomp{
		DefaultAction: specs.ActErrno, DefaultErrnoRet: number(uint(unix.ENXIO)),
		Syscalls: []specs.LinuxSyscall{testCalls()},
	}, on(unix.SYS_CHDIR))
	wantErrno(t, "defaultErrnoRet", got[0], unix.ENXIO)
}

// newerProfile names calls up to openat2 (437) on all architectures of the test machine's family.
func newerProfile() *specs.LinuxSeccomp {
	return &specs.LinuxSeccomp{
		DefaultAction: specs.ActErrno,
		Architectures: []specs.Arch{specs.ArchX86, specs.ArchX32, specs.ArchX86_64, specs.ArchAARCH64, specs.ArchARM},
		Syscalls: []specs.LinuxSyscall{
			testCalls(), allow("openat2", "no_such_call"),
			{Names: []string{"getppid"}, Action: specs.ActErrno, ErrnoRet: number(55)},
		},
	}
}

func TestNewerCallsAreUnknown(t *testing.T) {
	got := errnos(t, newerProfile(), on(1000), on(438), on(437), on(unix.SYS_UNSHARE), on(unix.SYS_SETNS), on(unix.SYS_GETPPID))
	wantErrno(t, "1000", got[0], unix.ENOSYS)
	wantErrno(t, "one above the newest", got[1], unix.ENOSYS)
	if got[2] == unix.EPERM || got[2] == unix.ENOSYS {
		t.Errorf("openat2: %v", got[2])
	}
	wantErrno(t, "unshare", got[3], unix.EPERM)
	wantErrno(t, "setns", got[4], unix.EPERM)
	wantErrno(t, "getppid", got[5], 55)
}

func TestNewerCallsKeepOtherDefaults(t *testing.T) {
	out, state := start(t, &specs.LinuxSeccomp{
		DefaultAction: specs.ActKillProcess, Syscalls: []specs.LinuxSyscall{testCalls()},
	}, request{Calls: []call{on(1000)}})
	if w := state.Sys().(syscall.WaitStatus); !w.Signaled() || w.Signal() != unix.SIGSYS {
		t.Errorf("%v, output %q", state, out)
	}
}

func TestConditions(t *testing.T) {
	arg := func(index uint, op specs.LinuxSeccompOperator, value uint64) specs.LinuxSeccompArg {
		return specs.LinuxSeccompArg{Index: index, Op: op, Value: value}
	}
	profile := newerProfile()
	profile.Syscalls = append(profile.Syscalls,
		specs.LinuxSyscall{Names: []string{"socket"}, Action: specs.ActAllow, Args: []specs.LinuxSeccompArg{{Index: 1, Op: specs.OpMaskedEqual, Value: 0xF00, ValueTwo: 0}}},
		specs.LinuxSyscall{Names: []string{"process_vm_readv"}, Action: specs.ActAllow, Args: []specs.LinuxSeccompArg{arg(0, specs.OpEqualTo, 100), arg(0, specs.OpEqualTo, 9001)}},
		specs.LinuxSyscall{Names: []string{"process_vm_writev"}, Action: specs.ActErrno, ErrnoRet: number(55), Args: []specs.LinuxSeccompArg{arg(0, specs.OpEqualTo, 1337)}},
		specs.LinuxSyscall{Names: []string{"process_vm_writev"}, Action: specs.ActErrno, ErrnoRet: number(55), Args: []specs.LinuxSeccompArg{arg(0, specs.OpEqualTo, 2020)}},
		specs.LinuxSyscall{Names: []string{"ftruncate"}, Action: specs.ActAllow, Args: []specs.LinuxSeccompArg{arg(0, specs.OpEqualTo, 123456789), arg(1, specs.OpEqualTo, 1337)}},
		specs.LinuxSyscall{Names: []string{"dup3"}, Action: specs.ActAllow, Args: []specs.LinuxSeccompArg{arg(0, specs.OpEqualTo, 1), arg(0, specs.OpGreaterThan, 2)}},
		specs.LinuxSyscall{Names: []string{"getpgid"}, Action: specs.ActAllow, Args: []specs.LinuxSeccompArg{arg(0, specs.OpLessEqual, 7)}},
		specs.LinuxSyscall{Names: []string{"getsid"}, Action: specs.ActAllow, Args: []specs.LinuxSeccompArg{arg(0, specs.OpLessThan, 7)}},
		specs.LinuxSyscall{Names: []string{"getpriority"}, Action: specs.ActAllow, Args: []specs.LinuxSeccompArg{arg(0, specs.OpGreaterEqual, 1<<33)}},
		specs.LinuxSyscall{Names: []string{"umask"}, Action: specs.ActAllow, Args: []specs.LinuxSeccompArg{arg(0, specs.OpNotEqual, 0o77)}},
	)
	cases := []struct {
		name string
		call call
		want syscall.Errno // 0 means let through to the kernel, whatever it answers
	}{
		{"mask equal", on(unix.SYS_SOCKET, unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC), 0},
		{"mask differs", on(unix.SYS_SOCKET, unix.AF_UNIX, unix.SOCK_STREAM|0x100), unix.EPERM},
		{"first of two values", on(unix.SYS_PROCESS_VM_READV, 100, 0, 1<<20), 0},
		{"second of two values", on(unix.SYS_PROCESS_VM_READV, 9001, 0, 1<<20), 0},
		{"neither value", on(unix.SYS_PROCESS_VM_READV, 101, 0, 1<<20), unix.EPERM},
		{"first rule", on(unix.SYS_PROCESS_VM_WRITEV, 1337), 55},
		{"second rule", on(unix.SYS_PROCESS_VM_WRITEV, 2020), 55},
		{"neither rule", on(unix.SYS_PROCESS_VM_WRITEV, 1338), unix.EPERM},
		{"both arguments", on(unix.SYS_FTRUNCATE, 123456789, 1337), 0},
		{"first argument only", on(unix.SYS_FTRUNCATE, 123456789, 1338), unix.EPERM},
		{"second argument only", on(unix.SYS_FTRUNCATE, 12, 1337), unix.EPERM},
		{"equal", on(unix.SYS_DUP3, 1, 1), 0},
		{"greater", on(unix.SYS_DUP3, 3, 3), 0},
		{"not greater", on(unix.SYS_DUP3, 2, 3), unix.EPERM},
		{"less or equal", on(unix.SYS_GETPGID, 7), 0},
		{"greater than 7", on(unix.SYS_GETPGID, 8), unix.EPERM},
		{"less", on(unix.SYS_GETSID, 6), 0},
		{"not less", on(unix.SYS_GETSID, 7), unix.EPERM},
		{"64 bits", on(unix.SYS_GETPRIORITY, 1<<33), 0},
		{"low 32 bits", on(unix.SYS_GETPRIORITY, 1<<32), unix.EPERM},
		{"not equal", on(unix.SYS_UMASK, 0o22), 0},
		{"equal to the refused", on(unix.SYS_UMASK, 0o77), unix.EPERM},
	}
	calls := make([]call, len(cases))
	for i := range cases {
		calls[i] = cases[i].call
	}
	for i, got := range errnos(t, profile, calls...) {
		if want := cases[i].want; want == 0 && (got == unix.EPERM || got == 55) || want != 0 && got != want {
			t.Errorf("%s: %v, want %v", cases[i].name, got, want)
		}
	}
}

func TestKill(t *testing.T) {
	for _, act := range []specs.LinuxSeccompAction{specs.ActKill, specs.ActKillThread, specs.ActKillProcess, specs.ActTrap} {
		rule := specs.LinuxSyscall{Names: []string{"mkdir", "mkdirat"}, Action: act}
		_, state := start(t, &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{rule}},
			request{Execute: []string{"/bin/mkdir", t.TempDir() + "/new"}})
		if w := state.Sys().(syscall.WaitStatus); !w.Signaled() || w.Signal() != unix.SIGSYS {
			t.Errorf("%s: %v", act, state)
		}
	}
}

func TestProgramRunsUnderFilter(t *testing.T) {
	profile := &specs.LinuxSeccomp{
		DefaultAction: specs.ActAllow,
		Flags:         []specs.LinuxSeccompFlag{"SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC"},
		Syscalls:      []specs.LinuxSyscall{{Names: []string{"mkdir", "mkdirat"}, Action: specs.ActErrno, ErrnoRet: number(uint(unix.EROFS))}, allow("bdflush")},
	}
	dir := t.TempDir() + "/new"
	_, state := start(t, profile, request{Execute: []string{"/bin/mkdir", dir}})
	if _, err := os.Stat(dir); state.ExitCode() != 1 || !os.IsNotExist(err) {
		t.Errorf("mkdir: %v, %v", state, err)
	}
	if out, state := start(t, profile, request{Execute: []string{"/bin/echo", "hello"}}); string(out) != "hello\n" {
		t.Errorf("echo: %q, %v", out, state)
	}
}
