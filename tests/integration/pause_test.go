// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/tests/harness"
)

// inEachFreezer runs a test with each way to freeze: as the machine mounts its control groups, and with v1 or v2 alone.
func inEachFreezer(t *testing.T, args []string, test func(t *testing.T, b *harness.Bundle)) {
	t.Helper()
	inEachView(t, args, test)
	t.Run("v1", func(t *testing.T) {
		t.Parallel()
		b := harness.NewBundle(t, args...)
		b.UseV1View(t)
		test(t, b)
	})
}

const counting = `i=0; while :; do i=$((i+1)); echo $i >/count; done`

// counted is how far a container that counts has come.
func counted(t *testing.T, b *harness.Bundle) int {
	t.Helper()
	n := 0
	harness.Eventually(t, "a count", func() bool { // the file is empty now and then
		data, err := os.ReadFile(b.InRootfs("count"))
		if err == nil {
			n, err = strconv.Atoi(strings.TrimSpace(string(data)))
		}
		return err == nil
	})
	return n
}

// standing reads the count twice with a command between, which takes time. While the container stands, the file may be
// empty for good.
func standing(t *testing.T, b *harness.Bundle) bool {
	t.Helper()
	before, _ := os.ReadFile(b.InRootfs("count"))
	b.RT(t, "list").WantExit(t, 0)
	after, _ := os.ReadFile(b.InRootfs("count"))
	return bytes.Equal(before, after)
}

func TestAPausedContainerStandsStill(t *testing.T) {
	t.Parallel()
	inEachFreezer(t, []string{"sh", "-c", counting}, func(t *testing.T, b *harness.Bundle) {
		b.Spec.Root.Readonly = false
		before := b.Snapshot(t)
		b.Run(t, "-d").WantExit(t, 0)
		for range 3 {
			first := counted(t, b)
			harness.Eventually(t, "a higher count", func() bool { return counted(t, b) > first })
			b.RT(t, "pause", b.ID).WantExit(t, 0).WantStdoutIs(t, "").WantStderrIs(t, "")
			if s := b.State(t); s.Status != "paused" || s.Pid == 0 {
				t.Errorf("state: %+v", s)
			}
			if !standing(t, b) {
				t.Error("a paused container counts on")
			}
			b.RT(t, "pause", b.ID).WantOneError(t, "container not running")
			b.Delete(t).WantOneError(t, "not stopped: paused")
			b.RT(t, "resume", b.ID).WantExit(t, 0).WantStdoutIs(t, "").WantStderrIs(t, "")
			if s := b.State(t); s.Status != "running" {
				t.Errorf("state: %+v", s)
			}
			b.RT(t, "resume", b.ID).WantOneError(t, "container not paused")
		}
		b.Delete(t, "--force").WantExit(t, 0)
		before.WantSame(t)
	})
}

func TestAPausedContainerCanBeKilledAndDeleted(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(t *testing.T, b *harness.Bundle){
		"kill KILL": func(t *testing.T, b *harness.Bundle) {
			b.Kill(t, "KILL").WantExit(t, 0)
			b.WaitFor(t, "stopped")
			b.Delete(t).WantExit(t, 0)
		},
		"kill --all KILL": func(t *testing.T, b *harness.Bundle) {
			b.RT(t, "kill", "--all", b.ID, "KILL").WantExit(t, 0)
			b.WaitFor(t, "stopped")
			b.Delete(t).WantExit(t, 0)
		},
		"delete --force": func(t *testing.T, b *harness.Bundle) { b.Delete(t, "--force").WantExit(t, 0) },
		"kill TERM waits": func(t *testing.T, b *harness.Bundle) {
			b.Kill(t, "TERM").WantExit(t, 0)
			if s := b.State(t).Status; s != "paused" {
				t.Errorf("SIGTERM has woken the container: %s", s)
			}
			b.RT(t, "resume", b.ID).WantExit(t, 0)
			b.WaitFor(t, "stopped")
			b.Delete(t).WantExit(t, 0)
		},
	} {
		for _, shared := range []bool{false, true} {
			t.Run(name+map[bool]string{true: " of a shared pid namespace"}[shared], func(t *testing.T) {
				t.Parallel()
				inEachFreezer(t, []string{"sh", "-c", "trap 'kill $!; exit' TERM; sleep 1000 & echo up; wait"}, func(t *testing.T, b *harness.Bundle) {
					if shared {
						dropNamespace(b, specs.PIDNamespace)
					}
					before := b.Snapshot(t)
					b.Run(t, "-d").WantExit(t, 0)
					b.WaitForOutput(t, "up")
					b.RT(t, "pause", b.ID).WantExit(t, 0)
					end(t, b)
					before.WantSame(t)
				})
			})
		}
	}
}

func TestPauseOfACreatedContainer(t *testing.T) {
	t.Parallel()
	inEachFreezer(t, []string{"true"}, func(t *testing.T, b *harness.Bundle) {
		b.Create(t).WantExit(t, 0)
		b.RT(t, "resume", b.ID).WantOneError(t, "container not paused (it is created)")
		b.RT(t, "pause", b.ID).WantExit(t, 0)
		b.Start(t).WantOneError(t, "cannot start a container in the paused state")
		b.RT(t, "resume", b.ID).WantExit(t, 0)
		if s := b.State(t).Status; s != "created" {
			t.Errorf("a resumed container that was created is %s", s)
		}
		b.Start(t).WantExit(t, 0)
		b.WaitFor(t, "stopped")
		b.RT(t, "pause", b.ID).WantOneError(t, "pause "+b.ID+": container not running (it is stopped)")
		b.RT(t, "resume", b.ID).WantOneError(t, "resume "+b.ID+": container not paused (it is stopped)")
	})
}

func TestPauseOfAnUnknownContainerLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "sleep", "1000")
	b.Run(t, "-d").WantExit(t, 0)
	for _, command := range []string{"pause", "resume"} {
		b.RT(t, command, "no-"+b.ID).WantOneError(t, command+" no-"+b.ID+": container does not exist")
		b.RT(t, command, "../x").WantOneError(t, "invalid container ID format")
	}
	if s := b.State(t).Status; s != "running" {
		t.Errorf("the other container is %s", s)
	}
}

func TestPauseWithoutAFreezerIsRefused(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "sleep", "1000")
	b.UseV1View(t, "freezer")
	b.Run(t, "-d").WantExit(t, 0)
	b.RT(t, "pause", b.ID).WantOneError(t, "pause "+b.ID+": freeze control group: ", "nor in one of v1 with the freezer controller")
	if s := b.State(t).Status; s != "running" {
		t.Errorf("the container is %s", s)
	}
}

// withSleeper makes the container start a process that hangs in the kernel, where nothing can freeze it.
func withSleeper(t *testing.T, b *harness.Bundle) {
	t.Helper()
	hang := harness.HangingDirectory(t, b.Path("hanging"))
	b.Spec.Mounts = append(b.Spec.Mounts, specs.Mount{Destination: "/hanging", Type: "bind", Source: b.Path("hanging"), Options: []string{"bind"}})
	b.Run(t, "-d").WantExit(t, 0)
	b.WaitForOutput(t, "up")
	hang()
	harness.WriteFile(t, b.InRootfs("go"), "", 0o644)
	harness.Eventually(t, "a process that hangs", func() bool { return len(waiting(t, b)) > 0 })
}

// waiting returns the processes of the container that wait for the file system that hangs.
func waiting(t *testing.T, b *harness.Bundle) []string {
	t.Helper()
	var pids []string
	for _, dir := range harness.CgroupsOf(b.ID) {
		data, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		if err != nil {
			continue
		}
		for pid := range strings.FieldsSeq(string(data)) {
			name, _ := os.ReadFile("/proc/" + pid + "/comm")
			function, _ := os.ReadFile("/proc/" + pid + "/wchan") // of the kernel, in which it waits; proc_pid_wchan(5)
			if strings.HasPrefix(string(name), "cat") && strings.HasPrefix(string(function), "request_wait") {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

var hanging = []string{"sh", "-c", "echo up; until [ -e /go ]; do :; done; cat /hanging/x & wait; sleep 1000"}

func TestAPauseThatCannotStopAllStopsNone(t *testing.T) {
	t.Parallel()
	inEachFreezer(t, hanging, func(t *testing.T, b *harness.Bundle) {
		if strings.HasSuffix(t.Name(), "/v2") && harness.HasCgroup1() {
			t.Skip("takes 10 s, and is what happens as mounted")
		}
		withSleeper(t, b)
		b.RT(t, "pause", b.ID).WantOneError(t, "pause "+b.ID+": freeze control group ", "not all processes stand after 10s, so they run on", `"cat" in state D`)
		if s := b.State(t).Status; s != "running" {
			t.Errorf("after a pause that failed the container is %s", s)
		}
		b.Delete(t, "--force").WantExit(t, 0)
	})
}

func TestAnInterruptedPauseIsUndone(t *testing.T) {
	t.Parallel()
	inEachFreezer(t, hanging, func(t *testing.T, b *harness.Bundle) {
		withSleeper(t, b)
		for _, signal := range []unix.Signal{unix.SIGTERM, unix.SIGINT, unix.SIGHUP} {
			cmd := b.Command(t, "pause", b.ID)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			b.WaitFor(t, "paused")
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(stderr.String(), "interrupted by a signal") {
				t.Errorf("%v: exit %d: %s", signal, code, &stderr)
			}
			if s := b.State(t).Status; s != "running" {
				t.Errorf("after %v the container is %s", signal, s)
			}
		}
		b.Delete(t, "--force").WantExit(t, 0)
	})
}

func TestPauseOfWhatWasMovedElsewhere(t *testing.T) {
	t.Parallel()
	inEachFreezer(t, []string{"sleep", "1000"}, func(t *testing.T, b *harness.Bundle) {
		dropNamespace(b, specs.PIDNamespace)
		before := b.Snapshot(t)
		b.Run(t, "-d").WantExit(t, 0)
		pid := b.State(t).Pid
		moveElsewhere(t, b, pid)
		b.RT(t, "pause", b.ID).WantOneError(t, "process "+strconv.Itoa(pid)+" of the container is not in it any more")
		if s := b.State(t).Status; s != "running" {
			t.Errorf("the container is %s", s)
		}
		b.Kill(t, "KILL").WantExit(t, 0)
		b.WaitFor(t, "stopped")
		b.Delete(t).WantExit(t, 0)
		before.WantSame(t)
	})
}

// moveElsewhere moves a process of the container to the root of every hierarchy.
func moveElsewhere(t *testing.T, b *harness.Bundle, pid int) {
	t.Helper()
	for _, dir := range harness.CgroupsOf(b.ID) {
		root := dir
		for strings.Count(root, "/") > 3 {
			if _, err := os.Stat(filepath.Join(filepath.Dir(root), "cgroup.procs")); err != nil {
				break
			}
			root = filepath.Dir(root)
		}
		if err := os.WriteFile(filepath.Join(root, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// A group above that is frozen keeps the container frozen.
func TestResumeBelowAFrozenGroup(t *testing.T) {
	t.Parallel()
	inEachFreezer(t, []string{"sleep", "1000"}, func(t *testing.T, b *harness.Bundle) {
		parent := "/rt-integration-parent-" + b.ID
		b.Spec.Linux.CgroupsPath = parent + "/" + b.ID
		t.Cleanup(func() {
			for _, dir := range harness.CgroupsOf("rt-integration-parent-" + b.ID) {
				_ = os.Remove(dir)
			}
		})
		b.Run(t, "-d").WantExit(t, 0)
		setFreezers(t, parent, true)
		b.WaitFor(t, "paused")
		b.RT(t, "resume", b.ID).WantOneError(t, "thaw control group ", parent+`" above it is frozen: thaw that`)
		setFreezers(t, parent, false)
		b.WaitFor(t, "running")
		b.Delete(t, "--force").WantExit(t, 0)
	})
}

// setFreezers freezes or thaws a group in the hierarchies that can.
func setFreezers(t *testing.T, group string, frozen bool) {
	t.Helper()
	for _, path := range []string{"/sys/fs/cgroup" + group, "/sys/fs/cgroup/unified" + group, "/sys/fs/cgroup/freezer" + group} {
		for file, words := range map[string][2]string{"freezer.state": {"THAWED", "FROZEN"}, "cgroup.freeze": {"0", "1"}} {
			word := words[0]
			if frozen {
				word = words[1]
			}
			if f := filepath.Join(path, file); exists(f) {
				if err := os.WriteFile(f, []byte(word), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}
