// SPDX-License-Identifier: Apache-2.0

package security

import (
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/tests/harness"
)

// lookAtInit prints what a process of the container can find out about init, and whether it can read its memory.
const lookAtInit = `grep -E '^(Name|State|Uid|Gid|CapPrm|CapEff|CapInh|CapBnd|CapAmb|Groups|NoNewPrivs|Seccomp):' /proc/1/status
for l in root cwd exe; do echo "$l $(readlink /proc/1/$l || echo denied)"; done
for f in /proc/1/fd/*; do echo "fd $(readlink $f || echo denied)"; done
at=$(sed -n '1s/-.*//p' /proc/1/maps); [ "$at" ] || at=400000
dd if=/proc/1/mem of=/dev/null bs=4096 count=1 skip=$((0x$at / 4096)) 2>/dev/null && echo memory read || echo memory denied`

// waitingBundle is a container with few rights.
func waitingBundle(t *testing.T, change func(*harness.Bundle)) *harness.Bundle {
	t.Helper()
	b := harness.NewBundle(t, "sleep", "1000")
	b.Spec.Process.User = specs.User{UID: 1000, GID: 1000, AdditionalGids: []uint32{7}}
	b.Spec.Process.Cwd = "/tmp"
	b.Spec.Process.Capabilities = &specs.LinuxCapabilities{
		Bounding: []string{"CAP_CHOWN", "CAP_KILL", "CAP_NET_BIND_SERVICE"}, Permitted: []string{"CAP_CHOWN", "CAP_KILL"},
		Effective: []string{"CAP_KILL"}, Inheritable: []string{"CAP_CHOWN", "CAP_KILL"}, Ambient: []string{"CAP_KILL"},
	}
	change(b)
	return b
}

// waitingFilters are what a created container may wait under.
func waitingFilters(t *testing.T) map[string]func(*harness.Bundle) {
	refusing := func(noNewPrivileges bool, action specs.LinuxSeccompAction, calls ...string) func(*harness.Bundle) {
		return func(b *harness.Bundle) {
			b.Spec.Process.NoNewPrivileges = noNewPrivileges
			b.Spec.Linux.Seccomp = &specs.LinuxSeccomp{
				DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Names: calls, Action: action}},
			}
			if action == specs.ActNotify {
				b.Spec.Linux.Seccomp.ListenerPath = b.Path("agent")
				harness.NewAgent(t, b.Path("agent"), func(int) harness.Answer { return harness.Proceed }).Ignore()
			}
		}
	}
	return map[string]func(*harness.Bundle){
		"no filter":                  func(b *harness.Bundle) { b.Spec.Process.NoNewPrivileges = true },
		"no filter, privileged":      func(b *harness.Bundle) { b.Spec.Process.NoNewPrivileges = false },
		"filter":                     refusing(true, specs.ActErrno, "swapon"),
		"filter, privileged":         refusing(false, specs.ActErrno, "swapon"),
		"strict filter":              refusing(true, specs.ActErrno, "read", "close"),
		"strict filter, privileged":  refusing(false, specs.ActErrno, "read", "close"),
		"killing filter, privileged": refusing(false, specs.ActKillProcess, "read", "close", "sendmsg", "ppoll", "exit_group"),
		"agent":                      refusing(true, specs.ActNotify, "mkdir", "read"),
		"agent, privileged":          refusing(false, specs.ActNotify, "mkdir", "read", "setresuid"),
	}
}

// Who comes into a container that waits for its start and may trace everybody finds there no more than the container's
// program will have: the rights of rt are gone, and nothing of the host is open.
func TestAWaitingContainerHasNoMoreRightsThanItsProgram(t *testing.T) {
	t.Parallel()
	for name, change := range waitingFilters(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := waitingBundle(t, change)
			filter := b.Spec.Linux.Seccomp
			b.Create(t).WantExit(t, 0)
			// The neighbour is under the container's filter, too: one that can't read could see nothing.
			observer := harness.NewBundle(t, "sleep", "1000")
			pid := b.State(t).Pid
			shareProcesses(observer, pid)
			observer.Run(t, "--detach").WantExit(t, 0)
			got := observer.Exec(t, []string{"--cap", "CAP_SYS_PTRACE", "--cap", "CAP_DAC_READ_SEARCH"}, "sh", "-c", lookAtInit).WantExit(t, 0)
			got.WantStdout(t, "Name:\trt-stage\n", "memory read\n") // or nothing is tested
			got.WantStdout(t, "root /\n", "cwd /tmp\n", "exe /memfd:rt-stage (deleted)\n")
			got.WantStdout(t, "Uid:\t1000\t1000\t1000\t1000\n", "Gid:\t1000\t1000\t1000\t1000\n", "Groups:\t7 \n", "CapInh:\t"+inheritable,
				"CapPrm:\t"+permitted, "CapEff:\t"+ambient, "CapBnd:\t"+bounding, "CapAmb:\t"+ambient)
			if b.Spec.Process.NoNewPrivileges {
				got.WantStdout(t, "NoNewPrivs:\t1\n")
			}
			if filter != nil && name != "strict filter" { // which is loaded after the start
				got.WantStdout(t, "Seccomp:\t2\n")
			}
			for line := range strings.Lines(got.Stdout) {
				kind, target, _ := strings.Cut(strings.TrimSpace(line), " ")
				if kind == "fd" && !isOfWaiting(target, name) {
					t.Errorf("init has %q open", target)
				}
			}
			observer.Delete(t, "--force").WantExit(t, 0)
			b.Start(t).WantExit(t, 0)
			if name == "no filter" || strings.HasPrefix(name, "filter") {
				harness.Eventually(t, "the program runs", func() bool { return statusOf(t, pid)["Name"] == "sleep" })
			}
		})
	}
}

// isOfWaiting says that a descriptor is one that a waiting init may have.
func isOfWaiting(target, filter string) bool {
	if strings.HasSuffix(target, "/exec.fifo") || strings.HasSuffix(target, "/exec.result") || target == "/dev/null" ||
		strings.Contains(target, "/stdout.") || strings.Contains(target, "/stderr.") { // which are its output
		return true
	}
	// At the gate nothing can be closed. Nobody is at the other end of the socket.
	gated := strings.HasPrefix(filter, "agent") || strings.HasSuffix(filter, "strict filter, privileged") || strings.HasPrefix(filter, "killing")
	return gated && (strings.HasPrefix(target, "socket:") || target == "anon_inode:seccomp notify")
}

// shareProcesses puts a container into the pid namespace of another one.
func shareProcesses(b *harness.Bundle, pid int) {
	i := slices.IndexFunc(b.Spec.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == specs.PIDNamespace })
	b.Spec.Linux.Namespaces[i].Path = "/proc/" + strconv.Itoa(pid) + "/ns/pid"
}

// The proved attack: a process that exec starts in a created container reads the rights that it could take over.
func TestExecIntoAWaitingContainerFindsNoMoreRights(t *testing.T) {
	t.Parallel()
	b := waitingBundle(t, func(*harness.Bundle) {})
	b.Create(t).WantExit(t, 0)
	look := func(flags ...string) harness.Result {
		return b.Exec(t, flags, "sh", "-c", lookAtInit).WantExit(t, 0)
	}
	tracer := look("--user", "0:0", "--cap", "CAP_SYS_PTRACE", "--cap", "CAP_DAC_READ_SEARCH")
	tracer.WantStdout(t, "Name:\trt-stage\n", "memory read\n", "CapPrm:\t"+permitted, "CapEff:\t"+ambient, "CapBnd:\t"+bounding)
	// Having init's ids, and its capabilities, is not enough: it is not dumpable.
	for _, flags := range [][]string{{"--user", "1000:1000", "--additional-gids", "7"}, {"--user", "0:0"}} {
		got := look(flags...).WantStdout(t, "memory denied\n", "exe denied\n", "fd denied\n")
		if strings.Contains(got.Stdout, "fd /") {
			t.Errorf("%q: init's descriptors can be seen:\n%s", flags, got.Stdout)
		}
	}
}

// In a user namespace not even CAP_SYS_PTRACE is enough: the stage's memory belongs to the namespace of rt.
func TestInAUserNamespaceNobodyTracesAWaitingContainer(t *testing.T) {
	t.Parallel()
	b := waitingBundle(t, func(b *harness.Bundle) { useUserNamespace(t, b) })
	b.Create(t).WantExit(t, 0)
	got := b.Exec(t, []string{"--user", "0:0", "--cap", "CAP_SYS_PTRACE", "--cap", "CAP_DAC_READ_SEARCH"}, "sh", "-c", lookAtInit).WantExit(t, 0)
	got.WantStdout(t, "memory denied\n", "exe denied\n", "fd denied\n", "CapPrm:\t"+permitted, "CapBnd:\t"+bounding)
	b.Start(t).WantExit(t, 0)
	pid := b.State(t).Pid
	harness.Eventually(t, "the program runs", func() bool { return statusOf(t, pid)["Name"] == "sleep" })
}

// firstUnmapped is the first id that joinSmallUserNamespace leaves without a mapping.
const firstUnmapped = 500

// joinSmallUserNamespace puts the container into a user namespace that exists: what is mapped there only the kernel knows.
func joinSmallUserNamespace(t *testing.T, b *harness.Bundle) {
	t.Helper()
	ids := []syscall.SysProcIDMap{{Size: firstUnmapped}}
	holder := exec.Command("sleep", "600")
	holder.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, UidMappings: ids, GidMappings: ids, GidMappingsEnableSetgroups: true}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = holder.Process.Kill()
		_ = holder.Wait()
	})
	b.Spec.Linux.Namespaces = append(b.Spec.Linux.Namespaces, specs.LinuxNamespace{
		Type: specs.UserNamespace, Path: fmt.Sprintf("/proc/%d/ns/user", holder.Process.Pid),
	})
}

// What is given up at create is refused at create: the error does not wait for the start.
func TestRightsThatCannotBeGivenUpAreErrorsOfCreate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*harness.Bundle)
		want   string
	}{
		"user":      {func(b *harness.Bundle) { b.Spec.Process.User.UID = firstUnmapped }, "process.user: setresuid: invalid argument (the id is not mapped"},
		"group":     {func(b *harness.Bundle) { b.Spec.Process.User.GID = firstUnmapped }, "process.user: setresgid: invalid argument (the id is not mapped"},
		"groups":    {func(b *harness.Bundle) { b.Spec.Process.User.AdditionalGids = []uint32{firstUnmapped} }, "process.user.additionalGids: setgroups: invalid argument (the id is not mapped"},
		"directory": {func(b *harness.Bundle) { b.Spec.Process.Cwd = "/proc/0" }, `process.cwd "/proc/0": chdir: no such file or directory`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := waitingBundle(t, func(b *harness.Bundle) { joinSmallUserNamespace(t, b) })
			b.Spec.Process.User = specs.User{}
			c.change(b)
			before := b.Snapshot(t)
			b.Create(t).WantOneError(t, c.want)
			b.Run(t).WantOneError(t, c.want)
			before.WantSame(t)
		})
	}
}

// A privileged filter that refuses what is needed to give rights up is an error of create as well, and kills nobody's start.
func TestAFilterThatHindersGivingRightsUp(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"setresuid", "capset", "prctl"} {
		b := waitingBundle(t, func(b *harness.Bundle) {
			b.Spec.Process.NoNewPrivileges = false
			errno := uint(unix.ENOMEDIUM)
			b.Spec.Linux.Seccomp = &specs.LinuxSeccomp{
				DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Names: []string{call}, Action: specs.ActErrno, ErrnoRet: &errno}},
			}
		})
		before := b.Snapshot(t)
		b.Create(t).WantOneError(t, call, "no medium found")
		before.WantSame(t)
	}
}
