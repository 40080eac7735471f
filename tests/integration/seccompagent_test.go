// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/tests/harness"
)

// neededByAll are the calls that a runtime itself may make under the filter, as callers put them into profiles.
var neededByAll = []string{"execve", "openat", "open", "read", "close", "fcntl"}

// notified is a bundle whose filter asks the agent at the socket "agent" for some calls.
func notified(t *testing.T, script string, calls ...string) *harness.Bundle {
	t.Helper()
	b := shell(t, script)
	b.Spec.Annotations = map[string]string{"org.example.key": "value"}
	b.Spec.Linux.Seccomp = &specs.LinuxSeccomp{
		DefaultAction: specs.ActAllow, ListenerPath: b.Path("agent"), ListenerMetadata: "opaque \"data\"",
		Syscalls: []specs.LinuxSyscall{rule(specs.ActNotify, nil, calls...)},
	}
	return b
}

// writableTmp is a place where mkdir(2) works if no filter is in its way.
var writableTmp = specs.Mount{Destination: "/tmp", Type: "tmpfs", Options: []string{"mode=1777"}}

// mkdirCalls are the calls that make a directory; amd64 has one more.
var mkdirCalls = []int{unix.SYS_MKDIRAT}

// refuse is an agent's policy: an error for mkdir, and leave for all else.
func refuse(errno unix.Errno) func(int) harness.Answer {
	return func(call int) harness.Answer {
		if slices.Contains(mkdirCalls, call) {
			return harness.Answer{Errno: errno}
		}
		return harness.Proceed
	}
}

func agentOf(t *testing.T, b *harness.Bundle, answer func(int) harness.Answer) *harness.Agent {
	t.Helper()
	return harness.NewAgent(t, b.Spec.Linux.Seccomp.ListenerPath, answer)
}

// wantState compares what the agent was told with the container.
func wantState(t *testing.T, b *harness.Bundle, s harness.AgentState, status specs.ContainerState) {
	t.Helper()
	want := specs.ContainerProcessState{
		Version: specs.Version, Fds: []string{"seccompFd"}, Pid: s.Pid, Metadata: "opaque \"data\"",
		State: specs.State{
			Version: specs.Version, ID: b.ID, Status: status, Pid: s.State.Pid,
			Bundle: b.Dir, Annotations: map[string]string{"org.example.key": "value"},
		},
	}
	text, err := json.Marshal(&want)
	if err != nil {
		t.Fatal(err)
	}
	var have, wanted any
	if json.Unmarshal([]byte(s.Payload), &have) != nil || json.Unmarshal(text, &wanted) != nil {
		t.Fatalf("not JSON: %s", s.Payload)
	}
	if h, w := toJSON(t, have), toJSON(t, wanted); h != w || s.Pid <= 0 || s.State.Pid <= 0 {
		t.Errorf("the agent was told\n%s\nwant\n%s", h, w)
	}
}

func toJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAnAgentAnswersForRun(t *testing.T) {
	t.Parallel()
	for _, noNewPrivileges := range []bool{true, false} {
		b := notified(t, "mkdir /tmp/x; echo alive", append(neededByAll, "mkdir", "mkdirat")...)
		b.Spec.Process.NoNewPrivileges = noNewPrivileges
		b.Spec.Process.User.UID = 1000
		agent := agentOf(t, b, refuse(unix.ENOMEDIUM))
		b.Run(t).WantExit(t, 0).WantStdoutIs(t, "alive").WantStderr(t, "No medium found")
		s := agent.Next(t)
		wantState(t, b, s, specs.StateCreating)
		if s.Pid != s.State.Pid {
			t.Errorf("process %d, state %d", s.Pid, s.State.Pid)
		}
		agent.WantNoMore(t)
	}
}

// The agent has the listener when create ends. Before the start nothing happens in the container but that the process
// gives its rights up, under the filter if the config is without noNewPrivileges.
func TestAnAgentAnswersForCreateAndStart(t *testing.T) {
	t.Parallel()
	for _, noNewPrivileges := range []bool{true, false} {
		b := notified(t, "mkdir /tmp/x; echo alive", append(neededByAll, "mkdir", "mkdirat", "setresuid", "capset")...)
		b.Spec.Process.NoNewPrivileges = noNewPrivileges
		b.Spec.Process.User.UID = 1000
		var started, early atomic.Bool
		agent := agentOf(t, b, func(call int) harness.Answer {
			if !started.Load() && (noNewPrivileges || call != unix.SYS_SETRESUID && call != unix.SYS_CAPSET) {
				early.Store(true)
			}
			return refuse(unix.ENOMEDIUM)(call)
		})
		b.Create(t).WantExit(t, 0)
		s := agent.Next(t)
		wantState(t, b, s, specs.StateCreating)
		if state := b.State(t); state.Status != specs.StateCreated || state.Pid != s.Pid {
			t.Errorf("status %s, process %d; the agent was told %d", state.Status, state.Pid, s.Pid)
		}
		if early.Load() {
			t.Error("the agent was asked before the start")
		}
		started.Store(true)
		b.Start(t).WantExit(t, 0)
		b.WaitFor(t, "stopped")
		if got := b.Output(t); got != "alive\n" {
			t.Errorf("output %q", got)
		}
		agent.WantNoMore(t)
		b.Delete(t).WantExit(t, 0)
	}
}

// A container that waits for its start has made no call under its filter, whatever that is; and it is killed as others.
func TestACreatedContainerWithAnAgentIsKilledAndDeleted(t *testing.T) {
	t.Parallel()
	b := notified(t, "sleep 1000", "mkdir")
	agentOf(t, b, refuse(unix.EPERM))
	before := b.Snapshot(t)
	b.Create(t).WantExit(t, 0)
	b.Kill(t, "KILL").WantExit(t, 0)
	b.WaitFor(t, "stopped")
	b.Delete(t).WantExit(t, 0)
	b.Create(t).WantExit(t, 0)
	b.Delete(t, "--force").WantExit(t, 0)
	before.WantSame(t)
}

func TestAnAgentAnswersForExec(t *testing.T) {
	t.Parallel()
	for i := range 4 {
		calls := []string{"mkdir", "mkdirat"}
		if i&1 != 0 { // it is loaded when the process has appeared in the container; otherwise before
			calls = append(calls, neededByAll...)
		}
		b := notified(t, "sleep 1000", calls...)
		b.Spec.Process.NoNewPrivileges = i&2 != 0
		agent := agentOf(t, b, refuse(unix.ENOMEDIUM))
		b.Run(t, "--detach").WantExit(t, 0)
		init := agent.Next(t)
		got := b.Exec(t, nil, "sh", "-c", "mkdir /tmp/x; echo alive").WantExit(t, 0)
		got.WantStdoutIs(t, "alive").WantStderr(t, "No medium found")
		s := agent.Next(t)
		wantState(t, b, s, specs.StateRunning)
		if s.State.Pid != init.Pid || s.Pid == init.Pid {
			t.Errorf("exec: process %d of container %d; init is %d", s.Pid, s.State.Pid, init.Pid)
		}
		pidFile := b.Path("pid")
		b.Exec(t, []string{"--detach", "--pid-file", pidFile}, "sleep", "1000").WantExit(t, 0)
		if s := agent.Next(t); strconv.Itoa(s.Pid) != harness.ReadFile(t, pidFile) {
			t.Errorf("the agent was told %d, the pid file says %s", s.Pid, harness.ReadFile(t, pidFile))
		}
		agent.WantNoMore(t)
	}
}

// A startContainer hook is under a filter of its own, with the same agent, and sees no descriptors of ours.
func TestAnAgentAnswersForStartContainerHooks(t *testing.T) {
	t.Parallel()
	b := notified(t, "cat /tmp/open", append(neededByAll, "mkdir", "mkdirat")...)
	b.Spec.Mounts = append(b.Spec.Mounts, writableTmp)
	*hooksOf(b, "startContainer") = []specs.Hook{{Path: "/bin/sh", Args: []string{
		"sh", "-c", "mkdir /tmp/x 2>/tmp/said; ls /proc/self/fd >/tmp/open; grep -q medium /tmp/said",
	}}}
	agent := agentOf(t, b, refuse(unix.ENOMEDIUM))
	b.Create(t).WantExit(t, 0)
	init := agent.Next(t)
	b.Start(t).WantExit(t, 0)
	s := agent.Next(t)
	wantState(t, b, s, specs.StateCreated)
	if s.State.Pid != init.Pid || s.Pid == init.Pid {
		t.Errorf("hook: process %d of container %d; init is %d", s.Pid, s.State.Pid, init.Pid)
	}
	b.WaitFor(t, "stopped")
	if got := b.Output(t); got != "0\n1\n2\n3\n" { // 3 is the directory
		t.Errorf("the hook had descriptors %q", got)
	}
}

// Nobody but the agent may hold the listener: when it is gone, calls are answered by the kernel.
func TestAnAgentThatDiesLeavesENOSYS(t *testing.T) {
	t.Parallel()
	b := notified(t, "until test -e /tmp/go; do sleep 0.01; done; mkdir /tmp/x 2>&1; echo alive", "mkdir", "mkdirat")
	source := harness.Mkdir(t, b.Path("tmp"), 0o777)
	b.Spec.Mounts = append(b.Spec.Mounts, specs.Mount{Destination: "/tmp", Source: source, Options: []string{"bind"}})
	agent := agentOf(t, b, refuse(unix.EPERM))
	b.Run(t, "--detach").WantExit(t, 0)
	agent.Next(t)
	agent.Close()
	harness.WriteFile(t, filepath.Join(source, "go"), "", 0o644)
	b.WaitForOutput(t, "alive")
	if got := b.Output(t); !strings.Contains(got, "Function not implemented") {
		t.Errorf("output %q", got)
	}
}

// Whoever can't reach the agent says so at once and leaves nothing.
func TestAMissingAgentIsAnError(t *testing.T) {
	t.Parallel()
	const text = "failed to connect with seccomp agent"
	for _, c := range []struct{ name, path, want string }{
		{"no such socket", "/nowhere/agent", "no such file or directory"},
		{"abstract", "@rt-test-nobody-listens", "connection refused"},
		{"no socket", "/etc/passwd", "connection refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, noNewPrivileges := range []bool{true, false} {
				b := notified(t, "echo it has run", "mkdir")
				b.Spec.Process.NoNewPrivileges = noNewPrivileges
				b.Spec.Linux.Seccomp.ListenerPath = c.path
				before := b.Snapshot(t)
				b.Run(t).WantOneError(t, text, "linux.seccomp.listenerPath", c.path, c.want)
				b.Create(t).WantOneError(t, text, c.want)
				before.WantSame(t)
			}
		})
	}
}

func TestAMissingAgentIsAnErrorOfExecAndOfHooks(t *testing.T) {
	t.Parallel()
	b := notified(t, "sleep 1000", "mkdir")
	agent := agentOf(t, b, refuse(0))
	b.Run(t, "--detach").WantExit(t, 0)
	agent.Close()
	comm := "/proc/" + strconv.Itoa(b.State(t).Pid) + "/comm"
	harness.Eventually(t, "busybox has given the program its name", func() bool { return harness.ReadFile(t, comm) == "sleep\n" })
	before := b.Snapshot(t)
	b.Exec(t, nil, "echo", "it has run").WantExecError(t, "failed to connect with seccomp agent")
	before.WantSame(t)

	b = notified(t, "sleep 1000", "mkdir")
	agent = agentOf(t, b, refuse(0))
	*hooksOf(b, "startContainer") = []specs.Hook{{Path: "/bin/true"}}
	before = b.Snapshot(t)
	b.Create(t).WantExit(t, 0)
	agent.Close()
	b.Start(t).WantOneError(t, "error running startContainer hook #0", "failed to connect with seccomp agent")
	before.WantSame(t)
}

func TestListenerPaths(t *testing.T) {
	t.Parallel()
	t.Run("abstract", func(t *testing.T) {
		t.Parallel()
		b := notified(t, "mkdir /tmp/x", "mkdir", "mkdirat")
		b.Spec.Linux.Seccomp.ListenerPath = "@rt-test-" + b.ID
		agent := agentOf(t, b, refuse(unix.ENOMEDIUM))
		b.Run(t).WantExit(t, 1).WantStderr(t, "No medium found")
		agent.Next(t)
	})
	t.Run("relative to the bundle", func(t *testing.T) {
		t.Parallel()
		b := notified(t, "mkdir /tmp/x", "mkdir", "mkdirat")
		harness.NewAgent(t, filepath.Join(b.Dir, "a"), refuse(unix.ENOMEDIUM))
		b.Spec.Linux.Seccomp.ListenerPath = "a"
		b.Run(t).WantExit(t, 1).WantStderr(t, "No medium found")
	})
	// config-linux.md: "If no SCMP_ACT_NOTIFY action is used, this value is ignored."
	t.Run("without a rule for it", func(t *testing.T) {
		t.Parallel()
		b := notified(t, "mkdir /tmp/x", "mkdir", "mkdirat")
		b.Spec.Linux.Seccomp.Syscalls[0].Action = specs.ActErrno
		agent := agentOf(t, b, refuse(0))
		b.Run(t).WantExit(t, 1).WantStderr(t, "Operation not permitted")
		agent.WantNoMore(t)
		b.Spec.Linux.Seccomp.ListenerPath = "/nowhere/agent"
		b.Run(t).WantExit(t, 1).WantStderr(t, "Operation not permitted")
	})
}

// The numbers that are handed to seccomp(2): NEW_LISTENER is 8, WAIT_KILLABLE_RECV 32, SPEC_ALLOW 4.
func TestSeccompFlagsAreLogged(t *testing.T) {
	t.Parallel()
	killable := specs.LinuxSeccompFlagWaitKillableRecv
	for _, c := range []struct {
		name   string
		action specs.LinuxSeccompAction
		flags  []specs.LinuxSeccompFlag
		want   string
	}{
		{"absent", specs.ActErrno, nil, "4"},
		{"empty", specs.ActErrno, []specs.LinuxSeccompFlag{}, "0"},
		{"log", specs.ActErrno, []specs.LinuxSeccompFlag{specs.LinuxSeccompFlagLog}, "2"},
		{"killable without notify", specs.ActErrno, []specs.LinuxSeccompFlag{killable}, "0"},
		{"notify", specs.ActNotify, []specs.LinuxSeccompFlag{}, "8"},
		{"notify, killable", specs.ActNotify, []specs.LinuxSeccompFlag{killable}, "40"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := notified(t, "mkdir /tmp/x || echo refused", "mkdir", "mkdirat")
			b.Spec.Linux.Seccomp.Syscalls[0].Action, b.Spec.Linux.Seccomp.Flags = c.action, c.flags
			agentOf(t, b, refuse(unix.EPERM))
			b.Write(t)
			if c.flags != nil && len(c.flags) == 0 { // encoding/json leaves it out
				config := filepath.Join(b.Dir, "config.json")
				text := harness.ReadFile(t, config)
				harness.WriteFile(t, config, strings.Replace(text, `"listenerPath"`, `"flags": [], "listenerPath"`, 1), 0o644)
			}
			b.RT(t, "--debug", "run", "--bundle", b.Dir, b.ID).WantExit(t, 0).
				WantStdout(t, "refused").WantStderr(t, `"seccomp filter flags: `+c.want+`"`)
		})
	}
}

// Somebody else's SIGCONT does not start a container that waits under its filter: for some seconds it waits on, and can be
// started; then it ends, and start says so.
func TestAStrayContinueStartsNothing(t *testing.T) {
	t.Parallel()
	b := notified(t, "echo alive", "mkdir")
	agentOf(t, b, refuse(unix.EPERM))
	b.Create(t).WantExit(t, 0)
	signal(t, b.State(t).Pid, unix.SIGCONT)
	b.Start(t).WantExit(t, 0)
	b.WaitForOutput(t, "alive")
	b.WaitFor(t, "stopped")
	b.Delete(t).WantExit(t, 0)

	b.Create(t).WantExit(t, 0)
	signal(t, b.State(t).Pid, unix.SIGCONT)
	b.WaitFor(t, "stopped")
	b.Start(t).WantOneError(t, "stopped")
	if got := b.Output(t); got != "" {
		t.Errorf("output %q", got)
	}
	b.Delete(t).WantExit(t, 0)
}

// An agent that has died before the start: the program starts, and its calls are answered by the kernel.
func TestAnAgentThatDiesBeforeTheStart(t *testing.T) {
	t.Parallel()
	b := notified(t, "mkdir /tmp/x 2>&1; echo alive", "mkdir", "mkdirat")
	agent := agentOf(t, b, refuse(unix.EPERM))
	b.Create(t).WantExit(t, 0)
	agent.Next(t)
	agent.Close()
	b.Start(t).WantExit(t, 0)
	b.WaitForOutput(t, "alive")
	if got := b.Output(t); !strings.Contains(got, "Function not implemented") {
		t.Errorf("output %q", got)
	}
	b.WaitFor(t, "stopped")
}
