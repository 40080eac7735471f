// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/tests/harness"
)

// count is a program that counts in its output, for as long as it is let.
const count = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done"

// The unit has the new values as well, so that a reload does not bring the old ones back.
func TestUpdateChangesTheUnitAndTheGroup(t *testing.T) {
	b := newBundle(t, "sleep", "1000")
	needControllers(t, "memory", "cpu", "pids")
	limit, shares, quota, period, pids := int64(32<<20), uint64(500), int64(20000), uint64(100000), int64(20)
	b.Spec.Linux.Resources = &specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: &limit}, Pids: &specs.LinuxPids{Limit: &pids},
		CPU: &specs.LinuxCPU{Shares: &shares, Quota: &quota, Period: &period},
	}
	b.Run(t, "--detach").WantExit(t, 0)
	for _, c := range []struct {
		options                          []string
		memory, cpuMax, pids             string
		memoryProperty, quotaUS, tasksUS string
	}{
		{[]string{"--memory", "64M", "--pids-limit", "30", "--cpu-quota", "50000"}, "67108864", "50000 100000", "30", "67108864", "500ms", "30"},
		{[]string{"--cpu-period", "50000"}, "67108864", "50000 50000", "30", "67108864", "1s", "30"},
		{[]string{"--pids-limit", "-1", "--cpu-quota", "-1"}, "67108864", "max 50000", "max", "67108864", "infinity", "infinity"},
		{[]string{"--cpu-quota", "20000"}, "67108864", "20000 50000", "max", "67108864", "400ms", "infinity"}, // the period as before
	} {
		b.RT(t, append(append([]string{"update"}, c.options...), b.ID)...).WantExit(t, 0).WantStderrIs(t, "")
		for _, command := range []string{"", "daemon-reload", "daemon-reexec"} {
			if command != "" {
				if out, status := systemctl(t, command); status != 0 {
					t.Fatalf("systemctl %s: status %d: %s", command, status, out)
				}
			}
			memory := "MemoryLimit="
			quota, period, _ := strings.Cut(c.cpuMax, " ")
			if quota == "max" && command != "" {
				period = "100000" // of a group without a quota, for systemd
			}
			if isV2() {
				memory = "MemoryMax="
				wantFile(t, control(t, b, "cpu.max", "", ""), quota+" "+period)
			} else {
				wantFile(t, control(t, b, "", "cpu", "cpu.cfs_quota_us"), strings.Replace(quota, "max", "-1", 1))
				wantFile(t, control(t, b, "", "cpu", "cpu.cfs_period_us"), period)
			}
			wantProperties(t, unitOf(b), memory+c.memoryProperty, "CPUQuotaPerSecUSec="+c.quotaUS, "TasksMax="+c.tasksUS)
			wantFile(t, control(t, b, "memory.max", "memory", "memory.limit_in_bytes"), c.memory)
			wantFile(t, control(t, b, "pids.max", "pids", "pids.max"), c.pids)
			if t.Failed() {
				t.Fatalf("after update %s and %q", c.options, command)
			}
		}
	}
	before := harness.ReadFile(t, control(t, b, "pids.max", "pids", "pids.max"))
	b.RT(t, "update", "--pids-limit", "30", "--cpu-period", "7", b.ID).WantOneError(t, "period")
	wantFile(t, control(t, b, "pids.max", "pids", "pids.max"), strings.TrimSpace(before))
	wantProperties(t, unitOf(b), "TasksMax=infinity")
}

// Every command works on a scope, also when systemd has been executed anew in the container's life.
func TestCommandsOnAScope(t *testing.T) {
	b := newBundle(t, "sh", "-c", count)
	before := b.Snapshot(t)
	b.Run(t, "--detach").WantExit(t, 0)
	for _, command := range []string{"daemon-reload", "daemon-reexec"} {
		wantCommands(t, b)
		if out, status := systemctl(t, command); status != 0 {
			t.Fatalf("systemctl %s: status %d: %s", command, status, out)
		}
	}
	wantCommands(t, b)
	wantProperties(t, unitOf(b), "ActiveState=active", "Delegate=yes")
	b.Kill(t, "KILL").WantExit(t, 0)
	b.WaitFor(t, "stopped")
	b.Exec(t, nil, "true").WantFailure(t)
	b.Delete(t).WantExit(t, 0)
	wantStatus(t, unitOf(b), isUnknown)
	before.WantSame(t)
}

func wantCommands(t *testing.T, b *harness.Bundle) {
	t.Helper()
	pid := fmt.Sprint(b.State(t).Pid)
	b.Exec(t, nil, "sh", "-c", "cmp /proc/self/cgroup /proc/1/cgroup && echo same").WantExit(t, 0).WantStdoutIs(t, "same")
	b.RT(t, "ps", "--format", "json", b.ID).WantExit(t, 0).WantStdout(t, pid)
	b.RT(t, "events", "--stats", b.ID).WantExit(t, 0).WantStdout(t, `"type":"stats"`)
	b.RT(t, "stats", "--no-stream", b.ID).WantExit(t, 0).WantStdout(t, b.ID)
	wantUpdate(t, b, "50")
	b.RT(t, "pause", b.ID).WantExit(t, 0)
	if got := b.State(t).Status; string(got) != "paused" {
		t.Errorf("after pause the container is %s", got)
	}
	stood := b.Output(t)
	b.Exec(t, nil, "true").WantFailure(t).WantStderr(t, "paused")
	wantUpdate(t, b, "60")
	if got := b.Output(t); got != stood {
		t.Error("a paused container counts on")
	}
	b.RT(t, "resume", b.ID).WantExit(t, 0)
	harness.Eventually(t, "it counts on", func() bool { return b.Output(t) != stood })
}

// wantUpdate changes the limit of processes, where there is a controller for it.
func wantUpdate(t *testing.T, b *harness.Bundle, limit string) {
	t.Helper()
	if harness.HasController("pids") {
		b.RT(t, "update", "--pids-limit", limit, b.ID).WantExit(t, 0)
		wantFile(t, control(t, b, "pids.max", "pids", "pids.max"), limit)
		wantProperties(t, unitOf(b), "TasksMax="+limit)
	}
}

// Without D-Bus nothing is made. What is there can be looked at, signalled and deleted: systemd forgets a scope without
// processes by itself.
func TestWithoutDBus(t *testing.T) {
	b := newBundle(t, "sh", "-c", count)
	before := b.Snapshot(t)
	noDBus := []string{"unshare", "-m", "sh", "-c", `for f in private ../dbus/system_bus_socket; do
		mount --bind /dev/null /run/systemd/$f || exit 99; done; exec "$@"`, "sh"}
	b.Wrapper = noDBus
	for _, command := range []func(*testing.T, ...string) harness.Result{b.Create, b.Run} {
		command(t).WantOneError(t, "systemd can't be reached", "omit the option to use cgroupfs")
		before.WantSame(t)
	}
	b.Wrapper = nil
	b.Run(t, "--detach").WantExit(t, 0)
	b.Wrapper = noDBus
	b.RT(t, "update", "--pids-limit", "50", b.ID).WantOneError(t, "systemd can't be reached")
	if harness.HasController("pids") {
		wantFile(t, control(t, b, "pids.max", "pids", "pids.max"), "max")
	}
	b.RT(t, "ps", b.ID).WantExit(t, 0)
	b.Exec(t, nil, "echo", "inside").WantExit(t, 0).WantStdoutIs(t, "inside")
	b.RT(t, "events", "--stats", b.ID).WantExit(t, 0)
	b.RT(t, "pause", b.ID).WantExit(t, 0)
	b.RT(t, "resume", b.ID).WantExit(t, 0)
	b.Kill(t, "KILL").WantExit(t, 0)
	b.WaitFor(t, "stopped")
	b.Delete(t).WantExit(t, 0)
	b.Wrapper = nil
	harness.Eventually(t, "systemd forgets the scope", func() bool {
		_, status := systemctl(t, "status", unitOf(b))
		return status == isUnknown
	})
	before.WantSameSoon(t)
}

func TestAScopeThatSomebodyStopsIsAStoppedContainer(t *testing.T) {
	b := newBundle(t, "sh", "-c", "trap exit TERM; "+count)
	before := b.Snapshot(t)
	b.Run(t, "--detach").WantExit(t, 0)
	if out, status := systemctl(t, "stop", unitOf(b)); status != 0 {
		t.Fatalf("systemctl stop: status %d: %s", status, out)
	}
	b.WaitFor(t, "stopped")
	for _, command := range [][]string{{"pause"}, {"resume"}, {"events", "--stats"}, {"update", "--pids-limit", "5"}} {
		b.RT(t, append(command, b.ID)...).WantFailure(t).WantOneError(t, b.ID)
	}
	b.Exec(t, nil, "true").WantFailure(t)
	b.Delete(t).WantExit(t, 0)
	before.WantSame(t)
}

// systemd removes a scope as soon as its last process has been moved out; the container is still there.
func TestAContainerThatWasMovedOutOfItsScope(t *testing.T) {
	b := newBundle(t, "sh", "-c", count)
	if !isV2() {
		t.Skip("needs cgroup v2: on v1 a process is in many groups, and systemd looks at one of them")
	}
	before := b.Snapshot(t)
	b.Run(t, "--detach").WantExit(t, 0)
	other := "/sys/fs/cgroup/" + b.ID + "-elsewhere"
	if err := os.Mkdir(other, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(other) })
	pid := fmt.Sprint(b.State(t).Pid)
	if err := os.WriteFile(filepath.Join(other, "cgroup.procs"), []byte(pid), 0o644); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, "systemd forgets the scope", func() bool {
		_, status := systemctl(t, "status", unitOf(b))
		return status == isUnknown
	})
	if got := b.State(t).Status; got != specs.StateRunning {
		t.Errorf("the container is %s", got)
	}
	b.Exec(t, nil, "echo", "inside").WantExit(t, 0).WantStdoutIs(t, "inside")
	b.RT(t, "pause", b.ID).WantFailure(t)
	b.RT(t, "update", "--pids-limit", "50", b.ID).WantFailure(t)
	b.Kill(t, "KILL").WantExit(t, 0)
	b.WaitFor(t, "stopped")
	b.Delete(t).WantExit(t, 0)
	harness.Eventually(t, "the other group is empty", func() bool { return os.Remove(other) == nil })
	before.WantSameSoon(t)
}

// As config-linux.md has it under "Cgroup ownership": the container's user may make groups of his own, and the limits
// stay root's.
func TestTheOwnerOfAScope(t *testing.T) {
	if !isV2() {
		t.Skip("needs cgroup v2: groups of v1 are never given away")
	}
	for name, c := range map[string]struct {
		rw, private bool
		want        string
	}{"writable": {true, true, "0:0 made"}, "read-only": {false, true, "65534:65534"}, "host's namespace": {true, false, "65534:65534"}} {
		t.Run(name, func(t *testing.T) {
			b := newBundle(t, "sh", "-c", `d=/sys/fs/cgroup; grep -q cgroup2 /proc/self/mountinfo || exit 3
				[ -e $d/cgroup.procs ] && r=$(stat -c %u:%u $d/cgroup.procs); mkdir $d/below 2>/dev/null && r="$r made"; echo "$r"; exec sleep 1000`)
			ids := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 100000, Size: 65536}}
			b.Spec.Linux.UIDMappings, b.Spec.Linux.GIDMappings = ids, ids
			if err := os.Lchown(b.Rootfs, 100000, 100000); err != nil { // so that mount points can be made
				t.Fatal(err)
			}
			b.Spec.Linux.Namespaces = append(b.Spec.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
			var kept []specs.LinuxNamespace
			for _, n := range b.Spec.Linux.Namespaces {
				if n.Type != specs.CgroupNamespace {
					kept = append(kept, n)
				}
			}
			if c.private {
				kept = append(kept, specs.LinuxNamespace{Type: specs.CgroupNamespace})
			}
			b.Spec.Linux.Namespaces = kept
			for i := range b.Spec.Mounts {
				if m := &b.Spec.Mounts[i]; m.Destination == "/sys/fs/cgroup" {
					m.Options = []string{"nosuid", "noexec", "nodev"}
					if !c.rw {
						m.Options = append(m.Options, "ro")
					}
				}
			}
			b.Run(t, "--detach").WantExit(t, 0)
			b.WaitForOutput(t, "\n")
			if got := strings.TrimSpace(b.Output(t)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			b.Delete(t, "--force").WantExit(t, 0)
			wantStatus(t, unitOf(b), isUnknown)
		})
	}
}
