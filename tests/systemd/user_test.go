// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/tests/harness"
)

// userName is the ordinary user of tests/vm, who has an instance of systemd (loginctl enable-linger).
const userName = "rootless"

// newUserBundle makes a bundle of that user, whose container is to be a scope of the user's systemd. rt runs in the
// control group of the test, as in that of a login session: outside of what the user's systemd has.
func newUserBundle(t *testing.T, args ...string) *harness.Bundle {
	t.Helper()
	account, err := user.Lookup(userName)
	if err != nil {
		t.Skipf("needs a user with an instance of systemd: %v", err)
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	runtime := "/run/user/" + account.Uid
	if _, err := os.Stat(runtime + "/systemd/private"); err != nil {
		t.Skipf("needs systemd of user %s: %v", userName, err)
	}
	b := harness.NewBundleOf(t, uint32(uid), args...)
	b.Systemd = true
	b.Env = []string{"XDG_RUNTIME_DIR=" + runtime, "DBUS_SESSION_BUS_ADDRESS=unix:path=" + runtime + "/bus"}
	return b
}

// newUserScope is newUserBundle where such scopes can be.
func newUserScope(t *testing.T, args ...string) *harness.Bundle {
	t.Helper()
	needUserScopes(t)
	return newUserBundle(t, args...)
}

func needUserScopes(t *testing.T) {
	t.Helper()
	if !isV2() {
		t.Skip("needs cgroup v2: otherwise a user's systemd has no controllers")
	}
}

// asUser is a command that runs another one as the bundle's user.
func asUser(b *harness.Bundle, command ...string) []string {
	id := strconv.FormatUint(uint64(b.User), 10)
	return append([]string{"setpriv", "--reuid", id, "--regid", id, "--clear-groups"}, command...)
}

// inScope lets rt run in a scope of the user, inside of user@UID.service.
func inScope(b *harness.Bundle, options ...string) {
	run := append([]string{"systemd-run", "--user", "--scope", "--quiet"}, options...)
	b.Wrapper = asUser(b, append(run, "--")...)
}

func userSystemctl(t *testing.T, b *harness.Bundle, args ...string) (out string, status int) {
	t.Helper()
	command := asUser(b, append([]string{"systemctl", "--user", "--no-pager"}, args...)...)
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), b.Env...)
	output, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatalf("systemctl: %v", err)
	}
	return string(output), cmd.ProcessState.ExitCode()
}

func wantUserProperties(t *testing.T, b *harness.Bundle, want ...string) {
	t.Helper()
	out, _ := userSystemctl(t, b, "show", unitOf(b))
	for _, w := range want {
		if !slices.Contains(strings.Split(out, "\n"), w) {
			name, _, _ := strings.Cut(w, "=")
			have, _ := userSystemctl(t, b, "show", "-p", name, unitOf(b))
			t.Errorf("%s: want %s, have %s", unitOf(b), w, strings.TrimSpace(have))
		}
	}
}

func wantNoUserScope(t *testing.T, b *harness.Bundle) {
	t.Helper()
	if out, status := userSystemctl(t, b, "status", unitOf(b)); status != isUnknown {
		t.Errorf("systemctl --user status %s: status %d\n%s", unitOf(b), status, out)
	}
}

func userScope(b *harness.Bundle) string {
	return fmt.Sprintf("/user.slice/user-%d.slice/user@%[1]d.service/user.slice/%s", b.User, unitOf(b))
}

func TestAUsersContainerIsAScopeOfTheUser(t *testing.T) {
	needUserScopes(t) // else nothing would be tested, and that pass
	for _, inside := range []bool{false, true} {
		t.Run(fmt.Sprintf("from inside %v", inside), func(t *testing.T) {
			b := newUserScope(t, "sleep", "1000")
			if inside {
				inScope(b)
			}
			before := b.Snapshot(t)
			pids, memory := int64(20), int64(50<<20)
			b.Spec.Linux.Resources = &specs.LinuxResources{
				Pids: &specs.LinuxPids{Limit: &pids}, Memory: &specs.LinuxMemory{Limit: &memory},
			}
			b.Create(t).WantExit(t, 0)
			wantUserProperties(t, b, "ActiveState=active", "Slice=user.slice", "Delegate=yes", "TasksMax=20", "MemoryMax=52428800")
			group := filepath.Join("/sys/fs/cgroup", userScope(b))
			if got := groupOf(t, b, ""); got != userScope(b) {
				t.Errorf("init is in %s, want %s", got, userScope(b))
			}
			wantFile(t, group+"/pids.max", "20")
			wantFile(t, group+"/memory.max", "52428800")
			wantFile(t, group+"/cgroup.procs", fmt.Sprint(b.State(t).Pid))
			b.Start(t).WantExit(t, 0)
			b.WaitFor(t, "running")
			// A cgroup namespace shows its root; who is outside of it, a path with "..".
			b.Exec(t, nil, "cat", "/proc/self/cgroup").WantExit(t, 0).WantStdoutIs(t, "0::/")
			b.RT(t, "update", "--pids-limit", "30", b.ID).WantExit(t, 0)
			wantUserProperties(t, b, "TasksMax=30")
			wantFile(t, group+"/pids.max", "30")
			b.RT(t, "pause", b.ID).WantExit(t, 0)
			b.WaitFor(t, "paused")
			b.RT(t, "resume", b.ID).WantExit(t, 0)
			b.RT(t, "ps", b.ID).WantExit(t, 0).WantStdout(t, "sleep 1000")
			b.RT(t, "events", "--stats", b.ID).WantExit(t, 0).WantStdout(t, `"pids":{"current":1,"limit":30}`)
			b.Kill(t, "KILL").WantExit(t, 0)
			b.WaitFor(t, "stopped")
			b.Delete(t).WantExit(t, 0)
			wantNoUserScope(t, b)
			before.WantSame(t)
		})
	}
}

func TestTheStatusOfAUsersProgramIsThatOfRun(t *testing.T) {
	b := newUserScope(t, "sh", "-c", "cat /proc/self/cgroup; exit 7")
	for range 3 {
		b.Run(t).WantExit(t, 7).WantStdoutIs(t, "0::/")
		wantNoUserScope(t, b)
	}
}

// Hooks of the container and further processes are started outside of the scope, too.
func TestAllProcessesOfAUsersContainerAreInTheScope(t *testing.T) {
	b := newUserScope(t, "sh", "-c", "cat /tmp/group; mkdir /sys/fs/cgroup/init /sys/fs/cgroup/other && echo 1 >/sys/fs/cgroup/init/cgroup.procs &&"+
		" echo +pids >/sys/fs/cgroup/cgroup.subtree_control && echo ready && sleep 1000")
	b.Spec.Linux.Namespaces = append(slices.DeleteFunc(b.Spec.Linux.Namespaces, func(n specs.LinuxNamespace) bool {
		return n.Type == specs.CgroupNamespace
	}), specs.LinuxNamespace{Type: specs.CgroupNamespace})
	for i := range b.Spec.Mounts {
		if m := &b.Spec.Mounts[i]; m.Destination == "/sys/fs/cgroup" || m.Destination == "/sys" {
			b.Spec.Mounts[i].Options = slices.DeleteFunc(m.Options, func(o string) bool { return o == "ro" })
		}
	}
	b.Spec.Mounts = append(b.Spec.Mounts, specs.Mount{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup"})
	b.Spec.Root.Readonly = false
	b.Spec.Hooks = &specs.Hooks{StartContainer: []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "cat /proc/self/cgroup >/tmp/group"}}}}
	b.Run(t, "--detach").WantExit(t, 0)
	b.WaitForOutput(t, "0::/\nready\n")
	// init has made the scope one that takes no processes; without --cgroup a process goes where init is.
	b.Exec(t, nil, "cat", "/proc/self/cgroup").WantExit(t, 0).WantStdoutIs(t, "0::/init")
	b.Exec(t, []string{"--cgroup", "other"}, "cat", "/proc/self/cgroup").WantExit(t, 0).WantStdoutIs(t, "0::/other")
	b.Exec(t, []string{"--cgroup", "none"}, "true").WantExecError(t, "--cgroup", "adding pid")
	b.Delete(t, "--force").WantExit(t, 0)
	wantNoUserScope(t, b)
}

// asRootOfNamespace lets rt run as the root of a user namespace that the bundle's user has made.
func asRootOfNamespace(t *testing.T, b *harness.Bundle) {
	t.Helper()
	holder := asUser(b, "unshare", "--user", "--map-root-user", "--mount", "sleep", "1000")
	namespace := exec.Command(holder[0], holder[1:]...)
	if err := namespace.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = namespace.Process.Kill(); _ = namespace.Wait() })
	pid := strconv.Itoa(namespace.Process.Pid)
	harness.Eventually(t, "the user namespace is there", func() bool {
		name, _ := os.ReadFile("/proc/" + pid + "/comm")
		return string(name) == "sleep\n"
	})
	b.Wrapper = asUser(b, "nsenter", "--target", pid, "--user", "--mount", "--preserve-credentials", "--")
}

// Podman and others call rt as the root of a user namespace, with the user's environment. The container may have one of
// its own, or none; then rt makes its network namespace on the side, while systemd moves the stage.
func TestTheRootOfAUserNamespaceMakesScopesOfTheUser(t *testing.T) {
	needUserScopes(t)
	for name, edit := range map[string]func(*specs.Linux){
		"a user namespace of its own": func(l *specs.Linux) {
			l.UIDMappings[0].HostID, l.GIDMappings[0].HostID = 0, 0
		},
		"a network namespace and no user namespace": func(l *specs.Linux) {
			l.UIDMappings, l.GIDMappings = nil, nil
			l.Namespaces = append(slices.DeleteFunc(l.Namespaces, func(n specs.LinuxNamespace) bool {
				return n.Type == specs.UserNamespace || n.Type == specs.NetworkNamespace
			}), specs.LinuxNamespace{Type: specs.NetworkNamespace})
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newUserScope(t, "sleep", "1000")
			before := b.Snapshot(t)
			edit(b.Spec.Linux)
			asRootOfNamespace(t, b)
			b.Run(t, "--detach").WantExit(t, 0)
			wantUserScope(t, b)
			wantNetwork(t, b)
			b.Exec(t, nil, "true").WantExit(t, 0)
			b.Delete(t, "--force").WantExit(t, 0)
			b.Create(t).WantExit(t, 0)
			wantUserScope(t, b)
			b.Start(t).WantExit(t, 0)
			wantNetwork(t, b)
			b.Delete(t, "--force").WantExit(t, 0)
			wantNoUserScope(t, b)
			b.Wrapper = nil
			before.WantSame(t)
		})
	}
}

// wantNetwork demands of a container with a network namespace that it is new, and that its lo is up.
func wantNetwork(t *testing.T, b *harness.Bundle) {
	t.Helper()
	if !slices.ContainsFunc(b.Spec.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == specs.NetworkNamespace }) {
		return
	}
	ours, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	if theirs, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", b.State(t).Pid)); err != nil || theirs == ours {
		t.Errorf("the container's network namespace is %q, ours %q: %v", theirs, ours, err)
	}
	b.Exec(t, nil, "cat", "/proc/net/fib_trie").WantExit(t, 0).WantStdout(t, "127.0.0.1")
}

func TestTheSessionBusServesAsWell(t *testing.T) {
	b := newUserScope(t, "sleep", "1000")
	b.Env = []string{"XDG_RUNTIME_DIR=" + b.Path("none"), b.Env[1]}
	b.Run(t, "--detach").WantExit(t, 0)
	wantUserScope(t, b)
	b.Delete(t, "--force").WantExit(t, 0)
}

func wantUserScope(t *testing.T, b *harness.Bundle) {
	t.Helper()
	if got := groupOf(t, b, ""); got != userScope(b) {
		t.Errorf("init is in %s, want %s", got, userScope(b))
	}
}

func TestAUserWithoutSystemdIsToldSo(t *testing.T) {
	b := newUserScope(t, "echo", "the program has run")
	good := b.Env
	b.Env = []string{"XDG_RUNTIME_DIR=" + b.Path("none"), "DBUS_SESSION_BUS_ADDRESS="}
	before := b.Snapshot(t)
	b.Run(t).WantOneError(t, "systemd can't be reached", "loginctl enable-linger", "XDG_RUNTIME_DIR")
	b.Create(t).WantOneError(t, "systemd can't be reached", "loginctl enable-linger", "XDG_RUNTIME_DIR")
	before.WantSame(t)
	b.Env = good
	b.Run(t).WantExit(t, 0)
}

func TestWhatAUsersScopeCantHave(t *testing.T) {
	needUserScopes(t)
	limit := uint64(0)
	for _, c := range []struct {
		name string
		edit func(s *specs.Spec)
		want []string
	}{
		{"a path", func(s *specs.Spec) { s.Linux.CgroupsPath = "/a/b" }, []string{"slice:prefix:name"}},
		{"no slice", func(s *specs.Spec) { s.Linux.CgroupsPath = "a:b:c" }, []string{"must end in .slice"}},
		{"huge pages", func(s *specs.Spec) {
			s.Linux.Resources.HugepageLimits = []specs.LinuxHugepageLimit{{Pagesize: "2MB", Limit: limit}}
		}, []string{"linux.resources.hugepageLimits", "the controller hugetlb is not"}},
		{"a device", func(s *specs.Spec) {
			major := int64(1)
			s.Linux.Resources.Devices = []specs.LinuxDeviceCgroup{{Type: "c", Major: &major, Access: "rwm"}}
		}, []string{"linux.resources.devices[0]", "only the host's root"}},
		{"an annotation", func(s *specs.Spec) {
			s.Annotations = map[string]string{"org.systemd.property.ExecStartPre": "'x'"}
		}, []string{"org.systemd.property.ExecStartPre"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newUserScope(t, "echo", "the program has run")
			b.Spec.Linux.Resources = &specs.LinuxResources{}
			c.edit(b.Spec)
			before := b.Snapshot(t)
			b.Run(t).WantOneError(t, c.want...)
			wantNoUserScope(t, b)
			before.WantSame(t)
		})
	}
}

func TestAUsersScopesNeedCgroupV2(t *testing.T) {
	b := newUserBundle(t, "echo", "the program has run")
	if isV2() {
		t.Skip("needs cgroup v1 or hybrid")
	}
	before := b.Snapshot(t)
	b.Run(t).WantOneError(t, "--systemd-cgroup", "cgroup v2")
	before.WantSame(t)
	b.Systemd = false
	b.Run(t).WantExit(t, 0)
}

// In another pid namespace a process has another number: systemd would take somebody else's.
func TestSystemdIsNotToldNumbersOfAnotherPidNamespace(t *testing.T) {
	b := newBundle(t, "echo", "the program has run")
	b.Wrapper = []string{"unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--"}
	before := b.Snapshot(t)
	b.Run(t).WantOneError(t, "systemd is in another pid namespace")
	b.Wrapper = nil
	before.WantSame(t)
	wantStatus(t, unitOf(b), isUnknown)
}

// What the user's systemd has given, cgroupfs can use as well.
func TestAUsersContainerInADelegatedScope(t *testing.T) {
	b := newUserScope(t, "sleep", "1000")
	b.Systemd = false
	inScope(b, "-p", "Delegate=yes")
	pids := int64(20)
	b.Spec.Linux.Resources = &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: &pids}}
	before := b.Snapshot(t)
	b.Run(t, "--detach").WantExit(t, 0)
	groups := harness.CgroupsOf(b.ID)
	if len(groups) != 1 || !strings.Contains(groups[0], fmt.Sprintf("/user@%d.service/", b.User)) {
		t.Fatalf("the control groups are %q", groups)
	}
	wantFile(t, groups[0]+"/pids.max", "20")
	b.Exec(t, nil, "true").WantExit(t, 0)
	b.RT(t, "pause", b.ID).WantExit(t, 0)
	b.RT(t, "resume", b.ID).WantExit(t, 0)
	b.Delete(t, "--force").WantExit(t, 0)
	b.Wrapper = nil
	before.WantSame(t)
	b.Run(t).WantOneError(t, "rootless needs no limits + no cgrouppath", "linux.resources.pids.limit")
}
