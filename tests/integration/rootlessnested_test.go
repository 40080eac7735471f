// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/tests/harness"
)

// inUserNamespaceOf lets rt be root of a user namespace that the bundle's user has made, as Podman, Buildah and
// rootlesskit call a runtime, with a mount namespace of its own.
func inUserNamespaceOf(t *testing.T, b *harness.Bundle) {
	t.Helper()
	b.Wrapper = []string{
		"setpriv", "--reuid", fmt.Sprint(b.User), "--regid", fmt.Sprint(b.User), "--clear-groups",
		"unshare", "--user", "--map-root-user", "--mount", "--",
	}
	b.Spec = harness.DefaultSpec(t)
	b.Spec.Process.Terminal = false
	for i := range b.Spec.Mounts {
		if m := &b.Spec.Mounts[i]; m.Destination == "/dev/pts" {
			m.Options = m.Options[:len(m.Options)-1] // gid=5, which is not mapped
		}
	}
}

func TestTheRootOfAUserNamespaceMakesContainers(t *testing.T) {
	t.Parallel()
	for _, nested := range []bool{false, true} {
		t.Run(fmt.Sprintf("nested %v", nested), func(t *testing.T) {
			t.Parallel()
			b := harness.NewUserBundle(t)
			inUserNamespaceOf(t, b)
			b.Spec.Process.Args = []string{"sh", "-c", "awk '{print $1, $2, $3}' /proc/self/uid_map; stat -c '%u %t:%T' /dev/null; cat /proc/self/setgroups; echo x >/dev/null"}
			want := fmt.Sprintf("0 %d 1", b.User)
			if nested {
				ids := []specs.LinuxIDMapping{{Size: 1}}
				b.Spec.Linux.Namespaces = append(b.Spec.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
				b.Spec.Linux.UIDMappings, b.Spec.Linux.GIDMappings = ids, ids
				want = "0 0 1"
			}
			before := b.Snapshot(t)
			b.Run(t).WantExit(t, 0).WantStdoutIs(t, want+"\n65534 1:3\ndeny")
			b.Spec.Process.User.AdditionalGids = []uint32{0}
			b.Run(t).WantOneError(t, "process.user.additionalGids", "setgroups")
			b.Spec.Process.User.AdditionalGids = nil
			limit := int64(10)
			b.Spec.Linux.Resources.Pids = &specs.LinuxPids{Limit: &limit}
			b.Run(t).WantOneError(t, "rootless needs no limits + no cgrouppath", "linux.resources.pids.limit")
			before.WantSame(t)
		})
	}
}

// Without --root its state is where the user's is, as its /run is the host's; if it calls itself root, in /run.
func TestTheStateRootOfTheRootOfAUserNamespace(t *testing.T) {
	t.Parallel()
	b := harness.NewUserBundle(t)
	inUserNamespaceOf(t, b)
	b.Spec.Process.Args = []string{"true"}
	b.Write(t)
	xdg := b.Path("xdg")
	if err := os.Mkdir(xdg, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(xdg, int(b.User), int(b.User)); err != nil {
		t.Fatal(err)
	}
	b.Env = []string{"XDG_RUNTIME_DIR=" + xdg, "USER=ann"}
	b.Raw(t, "run", "--bundle", b.Dir, b.ID).WantExit(t, 0)
	if _, err := os.Stat(filepath.Join(xdg, "rt")); err != nil {
		t.Error(err)
	}
	b.Env[1] = "USER=root"
	b.Raw(t, "run", "--bundle", b.Dir, b.ID).WantOneError(t, "/run/rt", "permission denied")
}

// A v2 group that was given to the user (cgroup-v2.rst, "Delegation"): rt is in one group of it, and makes the
// container's beside that.
func TestAUsersContainerInADelegatedGroup(t *testing.T) {
	t.Parallel()
	b := harness.NewUserBundle(t, "sleep", "1000")
	name := fmt.Sprintf("rt-delegated-%d", b.User)
	group := "/sys/fs/cgroup/" + name
	script := fmt.Sprintf(`mkdir -p %[1]s/run && echo $$ >%[1]s/run/cgroup.procs && chown -R %[2]d %[1]s &&
exec setpriv --reuid %[2]d --regid %[2]d --clear-groups "$@"`, group, b.User)
	b.Wrapper = harness.InV2View(t, "sh", "-c", script, "sh")
	t.Cleanup(func() {
		b.RT(t, "delete", "--force", b.ID).WantExit(t, 0)
		b.Wrapper = nil
		for _, dir := range harness.CgroupsOf(name + "/run") {
			_ = os.Remove(dir)
		}
		for _, dir := range harness.CgroupsOf(name) {
			if err := os.Remove(dir); err != nil {
				t.Error(err)
			}
		}
	})
	b.Run(t, "--detach").WantExit(t, 0)
	groups := harness.CgroupsOf(b.ID)
	if len(groups) != 1 || !strings.HasSuffix(groups[0], filepath.Join(name, b.ID)) {
		t.Fatalf("the control groups are %q", groups)
	}
	if got := b.State(t).Pid; !strings.Contains(harness.ReadFile(t, groups[0]+"/cgroup.procs"), fmt.Sprint(got)) {
		t.Errorf("process %d is not in %s", got, groups[0])
	}
	b.Exec(t, nil, "true").WantExit(t, 0)
	b.RT(t, "pause", b.ID).WantExit(t, 0)
	b.WaitFor(t, "paused")
	b.RT(t, "resume", b.ID).WantExit(t, 0)
	b.Kill(t, "KILL").WantExit(t, 0)
	b.WaitFor(t, "stopped")
	b.Delete(t).WantExit(t, 0)
	if left := harness.CgroupsOf(b.ID); len(left) > 0 {
		t.Errorf("control groups are left: %q", left)
	}
	b.Spec.Linux.CgroupsPath = "/elsewhere"
	b.Run(t).WantOneError(t, "unable to apply cgroup configuration", "permission denied")
}

// An ordinary user's container waits under a filter that refuses the wait, too: with no rights but those of its program.
func TestAUsersContainerWaitsUnderAStrictFilter(t *testing.T) {
	t.Parallel()
	for _, noNewPrivileges := range []bool{false, true} {
		b := harness.NewUserBundle(t, "echo", "alive")
		b.Spec.Process.NoNewPrivileges = noNewPrivileges
		b.Spec.Process.Capabilities = nil
		b.Spec.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{rule(specs.ActErrno, nil, "close")}}
		b.Create(t).WantExit(t, 0)
		status := harness.ReadFile(t, fmt.Sprintf("/proc/%d/status", b.State(t).Pid))
		if !strings.Contains(status, "CapPrm:\t0000000000000000\n") || !strings.Contains(status, "CapBnd:\t0000000000000000\n") {
			t.Errorf("no new privileges %v: the container waits with\n%s", noNewPrivileges, status)
		}
		b.Start(t).WantExit(t, 0)
		b.WaitForOutput(t, "alive")
	}
}
