// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/tests/harness"
)

func rule(action specs.LinuxSeccompAction, errno *uint, names ...string) specs.LinuxSyscall {
	return specs.LinuxSyscall{Names: names, Action: action, ErrnoRet: errno}
}

func TestSeccompReturnsErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		errno *uint
		want  string
	}{
		{"EPERM by default", nil, "Operation not permitted"},
		{"of the rule", pointer(uint(unix.ENETDOWN)), "Network is down"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, noNewPrivileges := range []bool{true, false} {
				b := shell(t, "mkdir /tmp/x; echo alive")
				b.Spec.Process.NoNewPrivileges = noNewPrivileges
				b.Spec.Linux.Seccomp = &specs.LinuxSeccomp{
					DefaultAction: specs.ActAllow,
					Syscalls:      []specs.LinuxSyscall{rule(specs.ActErrno, c.errno, "mkdir", "mkdirat", "nosuchcall")},
				}
				b.Run(t).WantExit(t, 0).WantStdoutIs(t, "alive").WantStderr(t, c.want)
			}
		})
	}
}

func TestSeccompKills(t *testing.T) {
	t.Parallel()
	b := shell(t, "mkdir /tmp/x; echo status $?")
	b.Spec.Linux.Seccomp = &specs.LinuxSeccomp{
		DefaultAction: specs.ActAllow,
		Syscalls:      []specs.LinuxSyscall{rule(specs.ActKill, nil, "mkdir", "mkdirat")},
	}
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "status 159") // SIGSYS
}

// SCMP_ACT_TRAP is a signal that the program can have a handler for, unlike what kills.
func TestATrapCanBeCaught(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		action specs.LinuxSeccompAction
		exit   int
		stdout string
	}{{specs.ActTrap, 0, "caught\nalive"}, {specs.ActKillProcess, 128 + int(unix.SIGSYS), ""}, {specs.ActKill, 128 + int(unix.SIGSYS), ""}} {
		b := shell(t, "trap 'echo caught' SYS; cd /tmp 2>/dev/null; echo alive")
		b.Spec.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{rule(c.action, nil, "chdir")}}
		b.Run(t).WantExit(t, c.exit).WantStdoutIs(t, c.stdout)
	}
}

// What rt itself does after the filter is loaded must not need calls that a profile may refuse.
func TestAStrictSeccompFilterDoesNotHinderTheStart(t *testing.T) {
	t.Parallel()
	for _, errno := range []uint{uint(unix.ENOSYS), uint(unix.EPERM)} {
		for _, noNewPrivileges := range []bool{true, false} {
			b := harness.NewBundle(t, "echo", "started")
			b.Spec.Process.NoNewPrivileges = noNewPrivileges
			b.Spec.Process.User.UID = 1000
			refused := []string{
				"close_range", "fsopen", "fsconfig", "fspick", "fsmount", "openat2", "open_tree", "move_mount",
				"mount_setattr", "clone3", "pidfd_open", "mount", "umount2", "pivot_root", "unshare", "setns",
			}
			if noNewPrivileges { // else the filter is loaded while there still is a privilege to load it
				refused = append(refused, "setuid", "setgid", "setgroups", "setresuid", "setresgid", "capset", "umask", "chdir", "fchdir")
			}
			b.Spec.Linux.Seccomp = &specs.LinuxSeccomp{
				DefaultAction: specs.ActAllow,
				Syscalls:      []specs.LinuxSyscall{rule(specs.ActErrno, pointer(errno), refused...)},
			}
			b.Run(t).WantExit(t, 0).WantStdoutIs(t, "started")
			b.Create(t).WantExit(t, 0)
			b.Start(t).WantExit(t, 0)
			b.WaitFor(t, "stopped")
			b.Delete(t).WantExit(t, 0)
		}
	}
}

func TestAStartContainerHookRunsUnderTheFilter(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "echo", "the program has run")
	b.Spec.Linux.Seccomp = &specs.LinuxSeccomp{
		DefaultAction: specs.ActAllow,
		Syscalls:      []specs.LinuxSyscall{rule(specs.ActKillProcess, nil, "mkdir", "mkdirat")},
	}
	*hooksOf(b, "startContainer") = []specs.Hook{{Path: "/bin/mkdir", Args: []string{"mkdir", "/tmp/x"}}}
	b.Run(t).WantOneError(t, "error running startContainer hook", "bad system call")
}
