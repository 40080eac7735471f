// SPDX-License-Identifier: Apache-2.0

package security

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/tests/harness"
)

// statusOf returns lines of proc_pid_status(5), as the host sees the process.
func statusOf(t *testing.T, pid int) map[string]string {
	t.Helper()
	lines := map[string]string{}
	for line := range strings.Lines(harness.ReadFile(t, fmt.Sprintf("/proc/%d/status", pid))) {
		name, value, _ := strings.Cut(line, ":")
		lines[name] = strings.Join(strings.Fields(value), " ")
	}
	return lines
}

// ownerOfFDs says whom the kernel lets look at the process: root, if it is not dumpable (proc_pid(5)).
func ownerOfFDs(t *testing.T, pid int) uint32 {
	t.Helper()
	info, err := os.Stat(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Uid
}

// privileges is one combination of what decides over the order in which rights are given up (docs/lifecycle.md).
type privileges struct {
	uid                    uint32
	namespace, nnp, filter bool
}

func (p privileges) String() string {
	return fmt.Sprintf("uid-%d_userns-%t_nnp-%t_filter-%t", p.uid, p.namespace, p.nnp, p.filter)
}

// The sets of the test: bounding has more than permitted, permitted more than effective, and some is ambient.
const (
	permitted   = "0000000000000021" // CAP_CHOWN (0), CAP_KILL (5)
	inheritable = permitted
	bounding    = "0000000000000421" // CAP_NET_BIND_SERVICE (10) besides
	ambient     = "0000000000000020"
)

func (p privileges) apply(t *testing.T, b *harness.Bundle) {
	t.Helper()
	process := b.Spec.Process
	process.User = specs.User{UID: p.uid, GID: p.uid, AdditionalGids: []uint32{7, 8}}
	process.NoNewPrivileges = p.nnp
	process.Capabilities = &specs.LinuxCapabilities{
		Bounding: []string{"CAP_CHOWN", "CAP_KILL", "CAP_NET_BIND_SERVICE"}, Permitted: []string{"CAP_CHOWN", "CAP_KILL"},
		Effective: []string{"CAP_KILL"}, Inheritable: []string{"CAP_CHOWN", "CAP_KILL"}, Ambient: []string{"CAP_KILL"},
	}
	process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 77, Hard: 88}}
	if p.namespace {
		useUserNamespace(t, b)
	}
	if p.filter {
		b.Spec.Linux.Seccomp = &specs.LinuxSeccomp{
			DefaultAction: specs.ActAllow,
			Syscalls:      []specs.LinuxSyscall{{Names: []string{"swapon"}, Action: specs.ActErrno}},
		}
	}
}

// want is what the process must have: exactly that of the config, whatever rt and its caller have.
func (p privileges) want() map[string]string {
	first := uint32(0)
	if p.namespace {
		first = mappedRoot
	}
	ids := func(id uint32) string {
		return strings.TrimSuffix(strings.Repeat(fmt.Sprintf("%d ", first+id), 4), " ")
	}
	want := map[string]string{
		"Uid": ids(p.uid), "Gid": ids(p.uid), "Groups": fmt.Sprintf("%d %d", first+7, first+8),
		"CapInh": inheritable, "CapPrm": ambient, "CapEff": ambient, "CapBnd": bounding, "CapAmb": ambient,
		"NoNewPrivs": "0", "Seccomp": "0", "Seccomp_filters": "0", "Threads": "1",
	}
	if p.uid == 0 { // execve gives root what the bounding set lets it have (capabilities(7))
		want["CapPrm"], want["CapEff"] = bounding, bounding
	}
	if p.nnp {
		want["NoNewPrivs"] = "1"
		if p.uid == 0 { // but nothing that it did not have (PR_SET_NO_NEW_PRIVS)
			want["CapPrm"], want["CapEff"] = permitted, permitted
		}
	}
	if p.filter {
		want["Seccomp"], want["Seccomp_filters"] = "2", "1"
	}
	return want
}

// waiting is what the stage has while it waits for the start: the sets as the config has them, to which execve has done
// nothing yet.
func (p privileges) waiting() map[string]string {
	want := p.want()
	want["CapPrm"], want["CapEff"] = permitted, ambient
	return want
}

func (p privileges) check(t *testing.T, pid int, want map[string]string) {
	t.Helper()
	status := statusOf(t, pid)
	for name, want := range want {
		if got, ok := status[name]; ok && got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if limits := harness.ReadFile(t, fmt.Sprintf("/proc/%d/limits", pid)); !strings.Contains(strings.Join(strings.Fields(limits), " "), "Max open files 77 88 files") {
		t.Errorf("limits: %s", limits)
	}
}

// The rights of a container's process, and of one that is started in it, in each combination of what the order depends on;
// and what the waiting stage shows meanwhile. The caller's own rights, groups and limits make no difference.
func TestTheRightsOfAProcessAreThoseOfTheConfig(t *testing.T) {
	t.Parallel()
	setpriv, err := exec.LookPath("setpriv")
	if err != nil {
		t.Skip("needs setpriv: the caller has inheritable and ambient capabilities")
	}
	for _, uid := range []uint32{0, 1000} {
		for i := range 8 {
			p := privileges{uid, i&1 != 0, i&2 != 0, i&4 != 0}
			t.Run(p.String(), func(t *testing.T) {
				t.Parallel()
				b := harness.NewBundle(t, "sleep", "1000")
				p.apply(t, b)
				b.Wrapper = []string{setpriv, "--inh-caps", "+chown,+net_admin", "--ambient-caps", "+chown,+net_admin", "--groups", "4,27"}
				b.Create(t).WantExit(t, 0)
				pid := b.State(t).Pid
				if owner := ownerOfFDs(t, pid); owner != 0 {
					t.Errorf("the waiting stage can be looked into by uid %d", owner)
				}
				p.check(t, pid, p.waiting())
				b.Start(t).WantExit(t, 0)
				harness.Eventually(t, "the program runs", func() bool { return statusOf(t, pid)["Name"] == "sleep" })
				p.check(t, pid, p.want())

				file := b.Path("pid")
				b.Exec(t, []string{"--detach", "--pid-file", file}, "sleep", "1000").WantExit(t, 0)
				pid, err := strconv.Atoi(harness.ReadFile(t, file))
				if err != nil {
					t.Fatal(err)
				}
				harness.Eventually(t, "the program runs", func() bool { return statusOf(t, pid)["Name"] == "sleep" })
				p.check(t, pid, p.want())
				if link, _ := os.Readlink(filepath.Join("/proc", strconv.Itoa(pid), "exe")); !strings.HasSuffix(link, "/bin/busybox") && !strings.HasSuffix(link, "/bin/sleep") {
					t.Errorf("it executes %q", link)
				}
			})
		}
	}
}

// Sets that the kernel would refuse after the start are errors of create.
func TestCapabilitiesThatContradictEachOther(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "true")
	for want, c := range map[string]specs.LinuxCapabilities{
		"process.capabilities.effective: CAP_CHOWN must be in permitted too":  {Bounding: []string{"CAP_CHOWN"}, Effective: []string{"CAP_CHOWN"}},
		"process.capabilities.inheritable: CAP_CHOWN must be in bounding too": {Permitted: []string{"CAP_CHOWN"}, Inheritable: []string{"CAP_CHOWN"}},
	} {
		b.Spec.Process.Capabilities = &c
		b.Create(t).WantOneError(t, want)
	}
}
