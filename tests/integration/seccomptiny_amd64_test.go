// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/tests/harness"
)

func init() { mkdirCalls = append(mkdirCalls, unix.SYS_MKDIR) }

// mkdir386 is the number of mkdir(2) on i386.
const mkdir386 = 39

// tiny is a bundle whose program makes one system call and exits with its error number.
func tiny(t *testing.T, bits int, call uint32) *harness.Bundle {
	t.Helper()
	b := harness.NewBundle(t, "/bin/tiny")
	harness.WriteFile(t, b.InRootfs("bin/tiny"), string(harness.TinyProgram(bits, call)), 0o755)
	b.Spec.Mounts = append(b.Spec.Mounts, writableTmp)
	return b
}

// TestEachActionByItsEffect is about programs of both word lengths: the same rule has another number for the other one.
func TestEachActionByItsEffect(t *testing.T) {
	t.Parallel()
	const killed = 128 + int(unix.SIGSYS)
	for _, c := range []struct {
		action specs.LinuxSeccompAction
		errno  *uint
		want   int
	}{
		{specs.ActAllow, nil, 0},
		{specs.ActLog, nil, 0},
		{specs.ActErrno, nil, int(unix.EPERM)},
		{specs.ActErrno, pointer(uint(55)), 55},
		{specs.ActTrace, nil, int(unix.ENOSYS)}, // nobody traces
		{specs.ActTrap, nil, killed},
		{specs.ActKill, nil, killed},
		{specs.ActKillThread, nil, killed},
		{specs.ActKillProcess, nil, killed},
		{specs.ActNotify, nil, int(unix.ENOMEDIUM)},
	} {
		for bits, call := range map[int]uint32{64: unix.SYS_MKDIR, 32: mkdir386} {
			t.Run(fmt.Sprintf("%s %d", c.action, bits), func(t *testing.T) {
				t.Parallel()
				b := tiny(t, bits, call)
				b.Spec.Linux.Seccomp = &specs.LinuxSeccomp{
					DefaultAction: specs.ActAllow, Architectures: []specs.Arch{specs.ArchX86_64, specs.ArchX86},
					Syscalls: []specs.LinuxSyscall{rule(c.action, c.errno, "mkdir")},
				}
				if c.action == specs.ActAllow || c.action == specs.ActLog { // what they let through the default would not
					b.Spec.Linux.Seccomp.DefaultAction = specs.ActErrno
					b.Spec.Linux.Seccomp.Syscalls[0].Names = []string{"mkdir", "execve", "exit"}
				}
				if c.action == specs.ActNotify {
					b.Spec.Linux.Seccomp.ListenerPath = b.Path("agent")
					agentOf(t, b, func(got int) harness.Answer {
						if got != int(call) {
							t.Errorf("the agent was asked for call %d, want %d", got, call)
						}
						return harness.Answer{Errno: unix.ENOMEDIUM}
					})
				}
				b.Run(t).WantExit(t, c.want)
			})
		}
	}
}

// What the profile does not list can't get round it by its word length.
func TestAProgramOfAnUnlistedArchitectureIsKilled(t *testing.T) {
	t.Parallel()
	b := tiny(t, 32, mkdir386)
	b.Spec.Linux.Seccomp = &specs.LinuxSeccomp{
		DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{rule(specs.ActErrno, nil, "chmod")},
	}
	b.Run(t).WantExit(t, 128+int(unix.SIGSYS))
}

// TestAProfileOfNothingButTheProgramsCallsStarts: with no_new_privs the profile needs execve and what the program itself
// calls, and kills for all else. Without, it needs what changes user and capabilities, too, but not what it takes to wait for
// the start. Whatever rt called under the filter besides would be seen here.
func TestAProfileOfNothingButTheProgramsCallsStarts(t *testing.T) {
	t.Parallel()
	for i := range 4 {
		agent, noNewPrivileges := i&1 != 0, i&2 != 0
		t.Run(fmt.Sprintf("agent %v, no new privileges %v", agent, noNewPrivileges), func(t *testing.T) {
			t.Parallel()
			strict := func(b *harness.Bundle) {
				b.Spec.Process.NoNewPrivileges = noNewPrivileges
				b.Spec.Process.User.UID = 1000
				names := []string{"execve", "exit", "pause", "mkdir"}
				if !noNewPrivileges {
					names = append([]string{"prctl", "setresgid", "setresuid", "capset"}, names...)
				}
				b.Spec.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActKillProcess, Syscalls: []specs.LinuxSyscall{rule(specs.ActAllow, nil, names...)}}
				if agent {
					b.Spec.Linux.Seccomp.Syscalls[0].Names = names[:len(names)-1]
					b.Spec.Linux.Seccomp.Syscalls = append(b.Spec.Linux.Seccomp.Syscalls, rule(specs.ActNotify, nil, "mkdir"))
					b.Spec.Linux.Seccomp.ListenerPath = b.Path("agent")
					agentOf(t, b, func(int) harness.Answer { return harness.Answer{} })
				}
			}
			b := tiny(t, 64, unix.SYS_MKDIR)
			strict(b)
			b.Run(t).WantExit(t, 0).WantStderrIs(t, "")

			b.Spec.Process.Args = []string{"/bin/wait"}
			harness.WriteFile(t, b.InRootfs("bin/wait"), string(harness.TinyProgram(64, unix.SYS_PAUSE)), 0o755)
			*hooksOf(b, "startContainer") = []specs.Hook{{Path: "/bin/tiny"}}
			b.Create(t).WantExit(t, 0)
			b.Start(t).WantExit(t, 0).WantStderrIs(t, "")
			want := int(unix.EEXIST) // the hook has made it
			if agent {
				want = 0
			}
			b.Exec(t, nil, "/bin/tiny").WantExit(t, want).WantStderrIs(t, "")
			if state := b.State(t); state.Status != specs.StateRunning {
				t.Errorf("the container is %s", state.Status)
			}
			b.Delete(t, "--force").WantExit(t, 0)
		})
	}
}
