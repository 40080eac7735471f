// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/tests/harness"
)

// joinUser makes the bundle's container join a user namespace.
func joinUser(s *specs.Spec, path string) {
	s.Linux.Namespaces = append(withoutNamespace(s.Linux.Namespaces, specs.UserNamespace),
		specs.LinuxNamespace{Type: specs.UserNamespace, Path: path})
	s.Linux.UIDMappings, s.Linux.GIDMappings = nil, nil
}

// beside makes a bundle of the same user whose container joins the user namespace of the running first one.
func beside(t *testing.T, first *harness.Bundle, args ...string) *harness.Bundle {
	t.Helper()
	first.Run(t, "--detach").WantExit(t, 0)
	b := harness.NewBundleOf(t, first.User, args...)
	joinUser(b.Spec, fmt.Sprintf("/proc/%d/ns/user", first.State(t).Pid))
	// Before the clean-up of b, which looks for processes of the user.
	t.Cleanup(func() { first.Delete(t, "--force").WantExit(t, 0) })
	return b
}

func TestAUserJoinsAUserNamespace(t *testing.T) {
	t.Parallel()
	first := harness.NewUserBundle(t, "sleep", "1000")
	b := beside(t, first, "sh", "-c", "id -u; cat /proc/self/setgroups; grep CapEff /proc/self/status; cat /proc/self/oom_score_adj; stat -c %u /dev/null; echo $$; sleep 1000")
	score := 800
	b.Spec.Process.OOMScoreAdj = &score
	before := b.Snapshot(t)
	b.Create(t).WantExit(t, 0)
	if got := b.State(t); got.Status != "created" {
		t.Errorf("the state is %+v", got)
	}
	b.Start(t).WantExit(t, 0)
	b.WaitForOutput(t, "0\ndeny\nCapEff:\t0000000020000420\n800\n65534\n1\n")
	for name, same := range map[specs.LinuxNamespaceType]bool{
		specs.UserNamespace: true, specs.PIDNamespace: false, specs.MountNamespace: false, specs.IPCNamespace: false, specs.UTSNamespace: false,
	} {
		if (namespaceOf(t, b.State(t).Pid, name) == namespaceOf(t, first.State(t).Pid, name)) != same {
			t.Errorf("namespace %s: the same is %v, want %v", name, !same, same)
		}
	}
	b.Exec(t, []string{"--env", "A=b"}, "sh", "-c", "id -u; cat /proc/self/oom_score_adj; echo $A").WantExit(t, 0).WantStdoutIs(t, "0\n800\nb")
	b.Kill(t, "KILL").WantExit(t, 0)
	b.WaitFor(t, "stopped")
	b.Delete(t).WantExit(t, 0)
	before.WantSame(t)
	b.Spec.Process.Args = []string{"sh", "-c", "exit 7"}
	b.Run(t).WantExit(t, 7)
}

// As containers of a pod do.
func TestAUserJoinsAllNamespacesOfAContainer(t *testing.T) {
	t.Parallel()
	first := harness.NewUserBundle(t, "sleep", "1000")
	first.Spec.Linux.Namespaces = append(first.Spec.Linux.Namespaces, specs.LinuxNamespace{Type: specs.NetworkNamespace})
	b := beside(t, first, "sh", "-c", "hostname; ps -o pid,args | grep -c '[s]leep 1000'; ip -o link | wc -l")
	pid := first.State(t).Pid
	for i := range b.Spec.Linux.Namespaces {
		switch n := &b.Spec.Linux.Namespaces[i]; n.Type {
		case specs.PIDNamespace, specs.IPCNamespace, specs.UTSNamespace:
			n.Path = fmt.Sprintf("/proc/%d/ns/%s", pid, n.Type)
		}
	}
	b.Spec.Linux.Namespaces = append(b.Spec.Linux.Namespaces,
		specs.LinuxNamespace{Type: specs.NetworkNamespace, Path: fmt.Sprintf("/proc/%d/ns/net", pid)})
	b.Spec.Hostname = ""
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "rt\n1\n1")
}

// The namespace needs no process, only a name; its maps are found out by who has joined it.
func TestAUserJoinsABoundUserNamespace(t *testing.T) {
	t.Parallel()
	first := harness.NewUserBundle(t, "sleep", "1000")
	b := beside(t, first, "sh", "-c", "awk '{print $1, $2, $3}' /proc/self/uid_map")
	path := harness.WriteFile(t, b.Path("ns"), "", 0o644)
	if err := unix.Mount(fmt.Sprintf("/proc/%d/ns/user", first.State(t).Pid), path, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(path, 0) })
	joinUser(b.Spec, path)
	maps := []specs.LinuxIDMapping{{HostID: b.User, Size: 1}}
	for _, given := range [][]specs.LinuxIDMapping{nil, maps} {
		b.Spec.Linux.UIDMappings, b.Spec.Linux.GIDMappings = given, given
		b.Run(t).WantExit(t, 0).WantStdoutIs(t, fmt.Sprintf("0 %d 1", b.User))
	}
	before := b.Snapshot(t)
	b.Spec.Linux.UIDMappings = []specs.LinuxIDMapping{{HostID: b.User + 1, Size: 1}}
	b.Run(t).WantOneError(t, "linux.uidMappings", "not those of the user namespace that is joined")
	before.WantSame(t)
}

func TestHooksAndTerminalInAUserNamespaceThatIsJoined(t *testing.T) {
	t.Parallel()
	first := harness.NewUserBundle(t, "sleep", "1000")
	b := beside(t, first, "sh", "-c", "cat /tmp/start")
	b.Spec.Root.Readonly = false
	log := harness.WriteFile(t, b.Path("log"), "", 0o666)
	if err := os.Chmod(log, 0o666); err != nil {
		t.Fatal(err)
	}
	hook := func(line string) []specs.Hook {
		return []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", line}}}
	}
	b.Spec.Hooks = &specs.Hooks{
		CreateRuntime:   hook("id -u >>" + log),
		CreateContainer: hook("id -u >>" + log),
		StartContainer:  hook("id -u >/tmp/start"),
	}
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "0")
	if got, want := harness.ReadFile(t, log), fmt.Sprintf("%d\n0\n", b.User); got != want {
		t.Errorf("the hooks wrote %q, want %q", got, want)
	}
	b.Spec.Hooks = nil
	b.Spec.Process.Args = []string{"sh", "-c", "tty; stat -c %u $(tty)"}
	terminal(b).Run(t).WantExit(t, 0).WantStdoutIs(t, "/dev/pts/0\n0")
}

func TestUserNamespacesThatAUserCantJoin(t *testing.T) {
	t.Parallel()
	other := harness.NewUserBundle(t, "sleep", "1000")
	other.Run(t, "--detach").WantExit(t, 0)
	theirs := harness.NewUserBundle(t)
	path := harness.WriteFile(t, theirs.Path("ns"), "", 0o644)
	if err := unix.Mount(fmt.Sprintf("/proc/%d/ns/user", other.State(t).Pid), path, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(path, 0) })
	for _, c := range []struct {
		name, path string
		edit       func(s *specs.Spec)
		want       []string
	}{
		{"of another user", path, nil, []string{"linux.namespaces[", "operation not permitted", "made by another user"}},
		{"of another user's process", fmt.Sprintf("/proc/%d/ns/user", other.State(t).Pid), nil, []string{"linux.namespaces[", "permission denied"}},
		{"the own one", "/proc/self/ns/user", nil, []string{"linux.namespaces[", "invalid argument", "already"}},
		{"none", "/proc/self/ns/none", nil, []string{"linux.namespaces[", "no such file"}},
		{"of another kind", "/proc/self/ns/uts", nil, []string{"linux.namespaces[", "uts"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := harness.NewUserBundle(t, "echo", "the program has run")
			joinUser(b.Spec, c.path)
			if c.edit != nil {
				c.edit(b.Spec)
			}
			before := b.Snapshot(t)
			b.Run(t).WantOneError(t, c.want...)
			b.Create(t).WantOneError(t, c.want...)
			before.WantSame(t)
		})
	}
}

// Who has CAP_SYS_PTRACE in the user namespace that is joined finds nothing of the host by way of the stage: as long as
// its root is the host's it can't be looked into, and when it can be, no descriptor of it leads there.
func TestNobodyInAJoinedUserNamespaceReachesTheHostThroughTheStage(t *testing.T) {
	t.Parallel()
	first := harness.NewUserBundle(t, "sleep", "1000")
	b := beside(t, first, "sh", "-c", "awk '{print $1, $2}' /proc/self/timens_offsets; sleep 1000")
	b.Spec.Linux.Namespaces = append(b.Spec.Linux.Namespaces, specs.LinuxNamespace{Type: specs.TimeNamespace})
	b.Spec.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"boottime": {Secs: 1000}, "monotonic": {Secs: 2000}}
	log := harness.WriteFile(t, b.Path("log"), "", 0o666)
	if err := os.Chmod(log, 0o666); err != nil {
		t.Fatal(err)
	}
	look := fmt.Sprintf("nsenter --user=/proc/%d/ns/user --preserve-credentials sh -c 'grep CapEff /proc/self/status; for f in root cwd ns/mnt ns/net fd/0; do readlink /proc/'$pid'/$f; done; true'",
		first.State(t).Pid)
	hook := []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "pid=$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/'); " + look + " >>" + log}}}
	b.Spec.Hooks = &specs.Hooks{Prestart: hook, CreateRuntime: hook} //nolint:staticcheck // prestart is deprecated, not gone
	b.Create(t).WantExit(t, 0)
	pid := b.State(t).Pid
	if got := harness.ReadFile(t, log); strings.Count(got, "\n") != 2 || strings.Count(got, "CapEff:") != 2 {
		t.Errorf("during the hooks the stage shows %q", got)
	}
	user := strconv.Itoa(int(b.User))
	out, err := exec.Command("setpriv", "--reuid", user, "--regid", user, "--clear-groups", "sh", "-c", "pid="+strconv.Itoa(pid)+"; "+look).Output()
	if lines := strings.Split(string(out), "\n"); err != nil || len(lines) != 7 || lines[1] != "/" {
		t.Errorf("of the created container the same shows %q, %v", out, err) // or the look proves nothing
	}
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		target, _ := os.Readlink(file)
		if n := filepath.Base(file); n > "2" && !strings.HasSuffix(target, "/exec.fifo") && !strings.HasSuffix(target, "/exec.result") {
			t.Errorf("the created container has descriptor %s open: %s", n, target)
		}
	}
	b.Start(t).WantExit(t, 0)
	b.WaitForOutput(t, "monotonic 2000\nboottime 1000\n")
}

// Root, too, may join what a user has made: root's groups stay behind, also where they could not be given up inside.
func TestRootJoinsAUserNamespaceOfAUser(t *testing.T) {
	t.Parallel()
	first := harness.NewUserBundle(t, "sleep", "1000")
	first.Run(t, "--detach").WantExit(t, 0)
	b := harness.NewBundle(t, "sh", "-c", "awk '/^(Uid|Gid|Groups)/ {print $1, $2, NF}' /proc/self/status; cat /proc/self/setgroups; sleep 1000")
	b.Wrapper = []string{"setpriv", "--groups", "0,56789"}
	joinUser(b.Spec, fmt.Sprintf("/proc/%d/ns/user", first.State(t).Pid))
	for i := range b.Spec.Mounts {
		if m := &b.Spec.Mounts[i]; m.Destination == "/dev/pts" {
			m.Options = m.Options[:len(m.Options)-1] // gid=5, which is not mapped
		}
	}
	b.Spec.Process.Rlimits = nil // CAP_SYS_RESOURCE may be missing here
	b.Spec.Root.Readonly = false
	if err := os.Chown(b.Rootfs, int(first.User), int(first.User)); err != nil {
		t.Fatal(err)
	}
	b.Run(t, "--detach").WantExit(t, 0)
	b.WaitForOutput(t, "Uid: 0 5\nGid: 0 5\nGroups:  1\ndeny\n")
	status := harness.ReadFile(t, fmt.Sprintf("/proc/%d/status", b.State(t).Pid))
	if want := fmt.Sprintf("\nUid:\t%d\t", first.User); !strings.Contains(status, want) {
		t.Errorf("no line %q in %s", want, status)
	}
	b.Exec(t, nil, "sh", "-c", "awk '/^(Uid|Groups)/ {print $1, $2, NF}' /proc/self/status").WantExit(t, 0).WantStdoutIs(t, "Uid: 0 5\nGroups:  1")
	b.Exec(t, []string{"--additional-gids", "0"}, "true").WantExecError(t, "process.user.additionalGids", "denies setgroups")
	b.Delete(t, "--force").WantExit(t, 0)
	b.Spec.Process.User.AdditionalGids = []uint32{0}
	b.Run(t).WantOneError(t, "process.user.additionalGids", "denies setgroups")
}
