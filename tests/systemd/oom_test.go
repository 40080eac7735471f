// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/tests/harness"
)

const scopeLimit = 32 << 20

// The words about it, whoever has counted.
var saysLimit = []string{"the kernel's OOM killer", fmt.Sprintf("linux.resources.memory.limit is %d bytes", scopeLimit)}

// newLimitedBundle makes a bundle with a memory limit, and the directory of its group. The slice is its own: nobody else is killed there.
func newLimitedBundle(t *testing.T, slice string, args ...string) (b *harness.Bundle, group func() string) {
	t.Helper()
	b = newBundle(t, args...)
	needControllers(t, "memory")
	limit := int64(scopeLimit)
	b.Spec.Linux.Resources.Memory = &specs.LinuxMemory{Limit: &limit}
	b.Spec.Linux.CgroupsPath = slice + ":rt:" + b.ID
	return b, func() string { return filepath.Dir(control(t, b, "memory.max", "memory", "memory.limit_in_bytes")) }
}

// background begins a command of rt; stderr may be read after its Wait.
func background(t *testing.T, b *harness.Bundle, args ...string) (cmd *exec.Cmd, stderr *bytes.Buffer) {
	t.Helper()
	cmd, stderr = b.Command(t, args...), new(bytes.Buffer)
	cmd.Stderr = stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // of a test that has failed before its Wait
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	return cmd, stderr
}

// stop stops a process, all its threads.
func stop(t *testing.T, pid int) {
	t.Helper()
	if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, "the process is stopped", func() bool {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		for _, stat := range threads {
			content, err := os.ReadFile(stat)
			if state := string(content[strings.LastIndex(string(content), ")")+1:]); err == nil && !strings.HasPrefix(state, " T") {
				return false
			}
		}
		return len(threads) > 0
	})
}

// goOn lets rt go on when systemd has removed the group, and returns its exit status.
func goOn(t *testing.T, cmd *exec.Cmd, group string) int {
	t.Helper()
	harness.Eventually(t, "systemd has removed "+group, func() bool {
		_, err := os.Stat(group)
		return os.IsNotExist(err)
	})
	if err := cmd.Process.Signal(unix.SIGCONT); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	return cmd.ProcessState.ExitCode()
}

func wantWords(t *testing.T, text string, killedForMemory bool) {
	t.Helper()
	if !killedForMemory {
		if text != "" {
			t.Errorf("it says %q", text)
		}
		return
	}
	for _, w := range saysLimit {
		if !strings.Contains(text, w) {
			t.Errorf("it says %q, which lacks %q", text, w)
		}
	}
}

// systemd removes the group, and the counters in it, with the last process. Here it is certainly faster than rt.
func TestRunTellsOfOutOfMemoryWhenTheScopeIsGone(t *testing.T) {
	for _, forMemory := range []bool{true, false} {
		t.Run(fmt.Sprintf("for memory %v", forMemory), func(t *testing.T) {
			b, group := newLimitedBundle(t, "rtoomrun.slice", "sh", "-c", "until [ -e /go ]; do sleep 0.1; done; exec tail /dev/zero")
			before := b.Snapshot(t)
			b.Write(t)
			cmd, stderr := background(t, b, "--systemd-cgroup", "run", "--bundle", b.Dir, b.ID)
			pid := b.WaitFor(t, "running").Pid
			dir := group()
			stop(t, cmd.Process.Pid)
			if forMemory {
				if err := os.WriteFile(b.InRootfs("go"), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			} else if err := unix.Kill(pid, unix.SIGKILL); err != nil {
				t.Fatal(err)
			}
			if exit := goOn(t, cmd, dir); exit != 137 {
				t.Errorf("exit %d, want 137", exit)
			}
			wantWords(t, stderr.String(), forMemory)
			_ = os.Remove(b.InRootfs("go"))
			before.WantSame(t)
		})
	}
}

// A lower limit kills the stage between the start and the program. Nobody can know that it had not begun: no error.
func TestStartTellsOfOutOfMemoryWhenTheScopeIsGone(t *testing.T) {
	for _, forMemory := range []bool{true, false} {
		t.Run(fmt.Sprintf("for memory %v", forMemory), func(t *testing.T) {
			b, group := newLimitedBundle(t, "rtoomstart.slice", "sleep", "1000")
			if !isV2() {
				t.Skip("needs cgroup v2: on v1 a limit below what is in use is refused, and nobody killed")
			}
			b.Create(t).WantExit(t, 0)
			pid, dir := b.State(t).Pid, group()
			stop(t, pid)
			cmd, stderr := background(t, b, "start", b.ID)
			harness.Eventually(t, "rt has woken the stage", func() bool {
				_, err := os.Stat(filepath.Join(b.Root, b.ID, "exec.fifo"))
				return os.IsNotExist(err)
			})
			stop(t, cmd.Process.Pid)
			if forMemory {
				if err := os.WriteFile(dir+"/memory.max", []byte("4096"), 0); err != nil {
					t.Fatal(err)
				}
			} else if err := unix.Kill(pid, unix.SIGKILL); err != nil {
				t.Fatal(err)
			}
			if exit := goOn(t, cmd, dir); exit != 0 {
				t.Errorf("exit %d, want 0", exit)
			}
			wantWords(t, stderr.String(), forMemory)
		})
	}
}

func TestACreatedContainerWhoseScopeIsGoneNamesItsLimit(t *testing.T) {
	b, group := newLimitedBundle(t, "rtoomcreate.slice", "true")
	b.Create(t).WantExit(t, 0)
	dir := group()
	if err := unix.Kill(b.State(t).Pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, "systemd has removed the group", func() bool {
		_, err := os.Stat(dir)
		return os.IsNotExist(err)
	})
	b.WaitFor(t, "stopped")
	b.Start(t).WantOneError(t, append([]string{"cannot start a container that has stopped", "gone with the scope"}, saysLimit...)...)
	b.Spec.Linux.Resources.Memory = nil
	b.Delete(t).WantExit(t, 0)
	b.Create(t).WantExit(t, 0)
	if err := unix.Kill(b.State(t).Pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	b.WaitFor(t, "stopped")
	if got := b.Start(t).WantOneError(t, "cannot start a container that has stopped"); strings.Contains(got.Stderr, "OOM") {
		t.Errorf("there is no limit, but it says %q", got.Stderr)
	}
}
