// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/tests/harness"
)

// pidsOf runs `ps --format json`.
func pidsOf(t *testing.T, b *harness.Bundle) []int {
	t.Helper()
	got := b.RT(t, "ps", "--format", "json", b.ID).WantExit(t, 0)
	var pids []int
	if err := json.Unmarshal([]byte(got.Stdout), &pids); err != nil || pids == nil {
		t.Fatalf("decode %q: %v", got.Stdout, err)
	}
	return pids
}

// columnPID returns the numbers that a table has in a column, without the header.
func columnPID(t *testing.T, table string, column int) []int {
	t.Helper()
	var pids []int
	for line := range strings.Lines(table[strings.Index(table, "\n")+1:]) {
		pid, err := strconv.Atoi(strings.Fields(line)[column])
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	slices.Sort(pids)
	return pids
}

func needPS(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("ps"); err != nil {
		t.Skip("ps(1) is not installed")
	}
}

func TestPSListsTheProcessesOfTheContainer(t *testing.T) {
	t.Parallel()
	needPS(t)
	inEachFreezer(t, []string{"sh", "-c", "sleep 1000 & sleep 1000 & echo up; wait"}, func(t *testing.T, b *harness.Bundle) {
		b.Run(t, "-d").WantExit(t, 0)
		b.WaitForOutput(t, "up")
		pids := pidsOf(t, b)
		if len(pids) != 3 || !slices.Contains(pids, b.State(t).Pid) {
			t.Errorf("processes %v, want three, one of them %d", pids, b.State(t).Pid)
		}
		for _, call := range []struct {
			args   []string
			header string
			column int
		}{
			{[]string{b.ID}, "UID PID PPID C STIME TTY TIME CMD", 1},
			{[]string{"--format", "table", b.ID}, "UID PID PPID C STIME TTY TIME CMD", 1},
			{[]string{"-f", "table", b.ID, "-e", "-x"}, "PID TTY STAT TIME COMMAND", 0},
			{[]string{b.ID, "-e", "-o", "ppid,pid,user"}, "PPID PID USER", 1},
			{[]string{b.ID, "-e", "--format", "pid"}, "PID", 0},
		} {
			got := b.RT(t, append([]string{"ps"}, call.args...)...).WantExit(t, 0).WantStderrIs(t, "")
			header, _, _ := strings.Cut(got.Stdout, "\n")
			if strings.Join(strings.Fields(header), " ") != call.header {
				t.Errorf("%v: header %q, want %q", call.args, header, call.header)
			}
			if listed := columnPID(t, got.Stdout, call.column); !slices.Equal(listed, pids) {
				t.Errorf("%v: lists %v, want %v", call.args, listed, pids)
			}
		}
		b.RT(t, "ps", b.ID).WantStdout(t, "root ", "sleep 1000")
	})
}

func TestPSInEachState(t *testing.T) {
	t.Parallel()
	needPS(t)
	inEachFreezer(t, []string{"sleep", "1000"}, func(t *testing.T, b *harness.Bundle) {
		b.Create(t).WantExit(t, 0)
		want := []int{b.State(t).Pid}
		for _, command := range []string{"start", "pause"} {
			if pids := pidsOf(t, b); !slices.Equal(pids, want) {
				t.Errorf("before %s: %v, want %v", command, pids, want)
			}
			b.RT(t, command, b.ID).WantExit(t, 0)
		}
		if pids := pidsOf(t, b); !slices.Equal(pids, want) {
			t.Errorf("paused: %v, want %v", pids, want)
		}
		b.Kill(t, "KILL").WantExit(t, 0)
		b.WaitFor(t, "stopped")
		b.RT(t, "ps", "-f", "json", b.ID).WantExit(t, 0).WantStdoutIs(t, "[]")
		got := b.RT(t, "ps", b.ID).WantExit(t, 0)
		if lines := strings.Count(got.Stdout, "\n"); lines != 1 {
			t.Errorf("%d lines of a stopped container, want the header:\n%s", lines, got.Stdout)
		}
	})
}

// Processes may hide in groups below the container's, and move out of them.
func TestPSFindsProcessesInOtherGroups(t *testing.T) {
	t.Parallel()
	script := `cd /sys/fs/cgroup; for d in memory freezer .; do [ "$d" = . ] || [ -d $d ] || continue
		[ -f $d/cgroup.procs ] || continue; mkdir -p $d/a/b; sh -c "echo \$\$ >$d/a/b/cgroup.procs && exec sleep 1000" & done; echo up; wait`
	inEachFreezer(t, []string{"sh", "-c", script}, func(t *testing.T, b *harness.Bundle) {
		setNamespace(b, specs.CgroupNamespace, "")
		mountAt(t, b, "/sys/fs/cgroup").Options = []string{"rw"}
		b.Run(t, "-d").WantExit(t, 0)
		b.WaitForOutput(t, "up")
		pids := pidsOf(t, b)
		if len(pids) < 2 {
			t.Errorf("processes %v, want two or more", pids)
		}
		init := b.State(t).Pid
		moveElsewhere(t, b, init)
		if got := pidsOf(t, b); !slices.Equal(got, pids) {
			t.Errorf("after init was moved away: %v, want %v", got, pids)
		}
		b.Delete(t, "--force").WantExit(t, 0)
	})
}

func TestStatePSAndKillWithoutTheControllers(t *testing.T) {
	t.Parallel()
	needPS(t)
	b := harness.NewBundle(t, "sleep", "1000")
	b.Run(t, "-d").WantExit(t, 0)
	pid := b.State(t).Pid
	b.Wrapper = []string{"unshare", "-m", "--propagation", "private", "sh", "-c", `mount -t tmpfs none /sys/fs/cgroup && exec "$@"`, "sh"}
	if s := b.State(t); s.Status != "running" || s.Pid != pid {
		t.Errorf("state: %+v", s)
	}
	if pids := pidsOf(t, b); !slices.Equal(pids, []int{pid}) {
		t.Errorf("processes %v, want %d", pids, pid)
	}
	b.RT(t, "ps", b.ID).WantExit(t, 0).WantStdout(t, "sleep 1000")
	b.RT(t, "pause", b.ID).WantOneError(t, "process "+strconv.Itoa(pid)+" of the container is not in it any more")
	b.Kill(t, "0").WantExit(t, 0)
	b.RT(t, "kill", "--all", b.ID, "KILL").WantExit(t, 0)
	b.WaitFor(t, "stopped")
	b.Wrapper = nil
	b.Delete(t).WantExit(t, 0)
}

func TestBadCallsOfPSAreRefused(t *testing.T) {
	t.Parallel()
	needPS(t)
	b := harness.NewBundle(t, "sleep", "1000")
	b.RT(t, "ps", b.ID).WantOneError(t, "ps "+b.ID+": container does not exist")
	b.Run(t, "-d").WantExit(t, 0)
	b.RT(t, "ps", "--format", "yaml", b.ID).WantOneError(t, `invalid format option "yaml"`)
	b.RT(t, "ps", b.ID, "--no-such-option").WantOneError(t, "ps "+b.ID+": ", "exit status 1")
	b.RT(t, "ps", b.ID, "-e", "-o", "user").WantOneError(t, "no column PID")
	b.RT(t, "ps").WantFailure(t).WantStderr(t, `"ps" requires a minimum of 1 argument(s)`)
	empty := harness.Mkdir(t, b.Path("empty"), 0o755)
	b.Env = []string{"PATH=" + empty + ":."}
	if err := os.Symlink("/bin/true", empty+"/true"); err != nil {
		t.Fatal(err)
	}
	b.RT(t, "ps", b.ID).WantOneError(t, "ps(1) is not in ", "install procps, or use --format json")
	b.RT(t, "ps", "-f", "json", b.ID).WantExit(t, 0).WantStdoutIs(t, "["+strconv.Itoa(b.State(t).Pid)+"]")
}
