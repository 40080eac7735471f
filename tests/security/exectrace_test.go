// SPDX-License-Identifier: Apache-2.0

package security

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/tests/harness"
)

// probed is a container whose program is the probe, on its way.
func probed(t *testing.T, change func(*harness.Bundle), args ...string) *harness.Bundle {
	t.Helper()
	b := harness.NewBundle(t, append([]string{"/bin/probe"}, args...)...)
	b.Spec.Root.Readonly = false
	addProbe(t, b)
	change(b)
	b.Run(t, "--detach").WantExit(t, 0)
	return b
}

// Who may trace the processes of a container must catch no process of the runtime that has more rights than the one
// that exec was asked for, or is not under the filter yet (CVE-2016-9962).
func TestWhatExecBringsInHasNoMoreRights(t *testing.T) {
	for i := range 4 {
		noNewPrivileges, agent := i&1 != 0, i&2 != 0
		t.Run(fmt.Sprintf("no new privileges %v, agent %v", noNewPrivileges, agent), func(t *testing.T) {
			errno := uint(unix.ENOSYS)
			b := probed(t, func(b *harness.Bundle) {
				b.Spec.Process.NoNewPrivileges = noNewPrivileges
				addCapabilities(b, "CAP_SYS_PTRACE")
				b.Spec.Linux.Seccomp = &specs.LinuxSeccomp{ // as that of container engines
					DefaultAction: specs.ActAllow,
					Syscalls: []specs.LinuxSyscall{
						{Names: []string{"clone3"}, Action: specs.ActErrno, ErrnoRet: &errno},
						{Names: []string{"clone"}, Action: specs.ActErrno, Args: []specs.LinuxSeccompArg{
							{Index: 0, Value: unix.CLONE_NEWUSER, ValueTwo: unix.CLONE_NEWUSER, Op: specs.OpMaskedEqual},
						}},
					},
				}
				if agent {
					s := b.Spec.Linux.Seccomp
					s.ListenerPath = b.Path("agent")
					s.Syscalls = append(s.Syscalls, specs.LinuxSyscall{Names: []string{"mknodat"}, Action: specs.ActNotify})
					harness.NewAgent(t, s.ListenerPath, func(int) harness.Answer { return harness.Proceed }).Ignore()
				}
			}, "trace")
			status, caught := execWhileTraced(t, b)
			want := "caught " + rightsOf(status)
			for _, line := range caught {
				if line != want {
					t.Errorf("in the container there was a process that %s, want %s", line, want)
				}
			}
		})
	}
}

// execWhileTraced returns the status that the processes of exec show themselves, and what the probe has caught of them.
func execWhileTraced(t *testing.T, b *harness.Bundle) (status string, caught []string) {
	t.Helper()
	b.WaitForOutput(t, "tracing")
	for range 30 {
		status = b.Exec(t, nil, "cat", "/proc/self/status").WantExit(t, 0).Stdout
	}
	b.Delete(t, "--force").WantExit(t, 0)
	for line := range strings.Lines(b.Output(t)) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "caught") {
			caught = append(caught, line)
		}
	}
	if len(caught) == 0 {
		t.Error("no process was caught: the test tests nothing")
	}
	return status, caught
}

// A filter that refuses what it takes to appear is loaded in the container: without no_new_privs that needs CAP_SYS_ADMIN, and
// that is all that the process has besides. Its ids are the user's by then, and nothing is left in its bounding set.
func TestWhatExecBringsInForAStrictFilter(t *testing.T) {
	const sysAdmin = uint64(1) << unix.CAP_SYS_ADMIN
	for _, noNewPrivileges := range []bool{false, true} {
		b := probed(t, func(b *harness.Bundle) {
			b.Spec.Process.NoNewPrivileges = noNewPrivileges
			addCapabilities(b, "CAP_SYS_PTRACE")
			b.Spec.Linux.Seccomp = &specs.LinuxSeccomp{
				DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Names: []string{"setsid"}, Action: specs.ActErrno}},
			}
		}, "trace")
		status, caught := execWhileTraced(t, b)
		field := func(rights, name string) string {
			_, value, _ := strings.Cut(rights, name+":")
			value, _, _ = strings.Cut(value, " ")
			return value
		}
		set := func(text string) uint64 {
			n, err := strconv.ParseUint(text, 16, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		want, more := rightsOf(status), sysAdmin
		if noNewPrivileges {
			more = 0
		}
		for _, line := range caught {
			permitted, due := set(field(line, "CapPrm")), set(field(want, "CapPrm"))
			if permitted&^due&^more != 0 || field(line, "CapBnd") != field(want, "CapBnd") || field(line, "Uid") != field(want, "Uid") {
				t.Errorf("no new privileges %v: in the container there was a process that %s, want %s", noNewPrivileges, line, want)
			}
		}
	}
}

// rightsOf is what the probe tells of a process.
func rightsOf(status string) string {
	var found []string
	for line := range strings.Lines(status) {
		name, value, _ := strings.Cut(line, ":")
		switch name {
		case "Uid", "CapPrm", "CapBnd", "NoNewPrivs", "Seccomp":
			found = append(found, name+":"+strings.Join(strings.Fields(value), ","))
		}
	}
	return strings.Join(found, " ")
}

// The container watches exec come in, and must get hold of nothing of the runtime: not its binary (CVE-2019-5736), not
// its descriptors or directories (CVE-2016-9962, CVE-2016-8649).
func TestContainerSeesNothingOfExec(t *testing.T) {
	binary := binarySum(t)
	for name, change := range map[string]func(*harness.Bundle){
		"same user":       func(*harness.Bundle) {},
		"user namespaced": func(b *harness.Bundle) { useUserNamespace(t, b); addCapabilities(b, "CAP_SYS_PTRACE") },
	} {
		t.Run(name, func(t *testing.T) {
			b := probed(t, change, "watch")
			b.WaitForOutput(t, "watching")
			for range 20 {
				b.Exec(t, nil, "/bin/true").WantExit(t, 0)
			}
			harness.WriteFile(t, b.InRootfs("stop"), "", 0o644) // not by exec: the end of init would be that process's, too
			b.WaitFor(t, "stopped")
			if output := b.Output(t); strings.Contains(output, "LEAK") {
				t.Errorf("the container got hold of the runtime:\n%s", firstLines(output, 20))
			} else if strings.Contains(output, "seen 0\n") {
				t.Error("the container has seen no process at all: the test tests nothing")
			}
		})
	}
	if binarySum(t) != binary {
		t.Error("the runtime's binary has changed")
	}
}

// A process of the container holds a lease on a file of the image that exec looks at, and does not give it up: the
// kernel would let exec wait for 45 seconds (fcntl(2), "Leases").
func TestExecDoesNotWaitForLeases(t *testing.T) {
	t.Parallel()
	b := probed(t, func(*harness.Bundle) {}, "lease", "/etc/passwd")
	b.WaitForOutput(t, "lease: <nil>")
	begin := time.Now()
	b.Exec(t, nil, "sh", "-c", "echo $HOME").WantExit(t, 0).WantStdoutIs(t, "/")
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("exec took %v", took)
	}
}
