// SPDX-License-Identifier: Apache-2.0

// Package integration tests rt from the outside, as its callers use it: a bundle, a command, what can be seen of it.
package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rt-oci/rt/tests/harness"
)

func TestRunPassesOutputAndExitStatus(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "sh", "-c", "echo out; echo err >&2; exit 42")
	before := b.Snapshot(t)
	got := b.Run(t)
	got.WantExit(t, 42)
	got.WantStdoutIs(t, "out")
	got.WantStderrIs(t, "err")
	before.WantSame(t)
}

func TestRunEndsWith128PlusTheSignalThatKilledTheProcess(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "sh", "-c", "exec sleep 1000")
	b.Run(t, "--detach").WantExit(t, 0)
	b.Delete(t, "--force").WantExit(t, 0)
	// Init of a pid namespace ignores its own signals, so a child's death is passed on.
	b.Spec.Process.Args = []string{"sh", "-c", "sh -c 'kill -9 $$'; exit $?"}
	b.Run(t).WantExit(t, 128+9)
}

func TestLifeCycleFromCreateToDelete(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "sh", "-c", "echo started; exec sleep 1000")
	b.Spec.Annotations = map[string]string{"org.example.key": "value"}
	before := b.Snapshot(t)

	b.Create(t).WantExit(t, 0).WantStdoutIs(t, "")
	s := b.State(t)
	if s.Status != "created" || s.Pid == 0 || s.ID != b.ID || s.Bundle != b.Dir || s.Version == "" ||
		s.Annotations["org.example.key"] != "value" || s.Rootfs != b.Rootfs || s.Created.IsZero() {
		t.Errorf("state of the created container: %+v", s)
	}
	if got := b.Output(t); got != "" {
		t.Errorf("the program of a created container has run: %q", got)
	}
	b.Delete(t).WantExit(t, 0) // kills the init of a created container
	before.WantSame(t)

	b.Create(t).WantExit(t, 0)
	b.Start(t).WantExit(t, 0)
	b.WaitForOutput(t, "started")
	if got := b.State(t); got.Status != "running" || got.Pid == 0 {
		t.Errorf("state of the running container: %+v", got)
	}
	b.Kill(t, "KILL").WantExit(t, 0)
	if got := b.WaitFor(t, "stopped"); got.Pid != 0 {
		t.Errorf("pid of a stopped container is %d, want 0", got.Pid)
	}
	b.Delete(t).WantExit(t, 0)
	b.RT(t, "state", b.ID).WantOneError(t, "container does not exist")
	before.WantSame(t)
}

func TestCommandsAreRefusedInTheWrongState(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "sleep", "1000")
	for _, command := range []string{"start", "state", "kill", "delete"} {
		b.RT(t, command, b.ID).WantOneError(t, "container does not exist")
	}
	b.RT(t, "delete", "--force", b.ID).WantExit(t, 0)

	b.Create(t).WantExit(t, 0)
	b.Create(t).WantOneError(t, "container with given ID already exists")
	b.Run(t).WantOneError(t, "container with given ID already exists")
	if got := b.State(t).Status; got != "created" {
		t.Errorf("a refused create changed the container: it is %s", got)
	}

	b.Start(t).WantExit(t, 0)
	b.Start(t).WantOneError(t, "cannot start an already running container")
	b.Delete(t).WantOneError(t, "cannot delete container "+b.ID+" that is not stopped: running")
	if got := b.State(t).Status; got != "running" {
		t.Errorf("a refused command changed the container: it is %s", got)
	}

	b.Kill(t, "KILL").WantExit(t, 0)
	b.WaitFor(t, "stopped")
	b.Start(t).WantOneError(t, "cannot start")
	b.Kill(t, "KILL").WantOneError(t, "container not running")
	b.RT(t, "kill", "-a", b.ID, "KILL").WantExit(t, 0)
	b.Delete(t).WantExit(t, 0)
}

func TestKillTakesSignalsInEveryForm(t *testing.T) {
	t.Parallel()
	script := `for s in TERM USR1 HUP USR2 34 35 63 64; do trap "echo got $s" $s; done; echo up; while :; do sleep 0.01; done`
	b := harness.NewBundle(t, "sh", "-c", script)
	b.Run(t, "--detach").WantExit(t, 0)
	b.WaitForOutput(t, "up")
	for _, k := range []struct{ signal, name string }{
		{"USR1", "USR1"},
		{"sighup", "HUP"},
		{"12", "USR2"},
		{"15", "TERM"},
		{"RTMIN", "34"},
		{"sigrtmin+1", "35"},
		{"SIGRTMAX-1", "63"},
		{"rtmax", "64"},
	} {
		b.Kill(t, k.signal).WantExit(t, 0)
		b.WaitForOutput(t, "got "+k.name)
	}
	b.Kill(t, "0").WantExit(t, 0)
	for _, unknown := range []string{"NOSUCH", "SIG", "65", "RTMIN+31", "RTMAX-31", "RTMIN-1", "TERM+1"} {
		b.Kill(t, unknown).WantOneError(t, fmt.Sprintf("unknown signal %q", unknown))
	}
	b.Kill(t, "9").WantExit(t, 0)
	b.WaitFor(t, "stopped")
}

func TestKillDefaultsToTERM(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "sh", "-c", `trap "echo got TERM; exit" TERM; echo up; while :; do sleep 0.01; done`)
	b.Run(t, "--detach").WantExit(t, 0)
	b.WaitForOutput(t, "up")
	b.Kill(t).WantExit(t, 0)
	b.WaitForOutput(t, "got TERM")
	b.WaitFor(t, "stopped")
}

func TestDeleteForceRemovesARunningContainer(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "sleep", "1000")
	before := b.Snapshot(t)
	b.Run(t, "-d").WantExit(t, 0)
	b.Delete(t, "-f").WantExit(t, 0)
	before.WantSame(t)
}

func TestRunKeepLeavesTheContainerStopped(t *testing.T) {
	t.Parallel()
	harness.NeedCgroupfs(t, "it removes a group that is empty")
	b := harness.NewBundle(t, "sh", "-c", "exit 7")
	before := b.Snapshot(t)
	b.Run(t, "--keep").WantExit(t, 7)
	if got := b.State(t).Status; got != "stopped" {
		t.Errorf("status is %s, want stopped", got)
	}
	if len(harness.CgroupsOf(b.ID)) == 0 {
		t.Error("the control group of a kept container is gone")
	}
	b.Delete(t).WantExit(t, 0)
	before.WantSame(t)
}

func TestRunDetachReturnsWithTheProgramExecuted(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "sleep", "1000")
	b.Run(t, "--detach").WantExit(t, 0).WantStdoutIs(t, "")
	s := b.State(t)
	if s.Status != "running" {
		t.Errorf("status is %s, want running", s.Status)
	}
	if got := harness.ReadFile(t, "/proc/"+strconv.Itoa(s.Pid)+"/cmdline"); !strings.HasPrefix(got, "sleep\x00") {
		t.Errorf("the process is %q, want sleep", got)
	}
}

func TestPidFileHoldsThePid(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "sleep", "1000")
	for _, command := range []string{"create", "run"} {
		file := b.Path(command + ".pid")
		if command == "create" {
			b.Create(t, "--pid-file", file).WantExit(t, 0)
		} else {
			b.Run(t, "-d", "--pid-file="+file).WantExit(t, 0)
		}
		if got, want := harness.ReadFile(t, file), strconv.Itoa(b.State(t).Pid); got != want {
			t.Errorf("%s: the pid file has %q, want %q", command, got, want)
		}
		b.Delete(t, "--force").WantExit(t, 0)
	}
}

func TestPidFileIsRelativeToTheCaller(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "true")
	b.Cwd = harness.Mkdir(t, b.Path("elsewhere"), 0o755)
	b.Run(t, "--pid-file", "my.pid").WantExit(t, 0)
	if pid, err := strconv.Atoi(harness.ReadFile(t, filepath.Join(b.Cwd, "my.pid"))); err != nil || pid <= 1 {
		t.Errorf("the pid file has %d, %v", pid, err)
	}
}

func TestOptionsMayFollowTheID(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "sleep", "1000")
	b.Write(t)
	pidFile := b.Path("pid")
	b.RT(t, "create", b.ID, "--bundle", b.Dir, "--pid-file", pidFile).WantExit(t, 0)
	harness.ReadFile(t, pidFile)
	b.RT(t, "delete", b.ID, "--force").WantExit(t, 0)
	b.RT(t, "run", b.ID, "-b", b.Dir, "-d").WantExit(t, 0)
	b.RT(t, "kill", b.ID, "KILL", "--all").WantExit(t, 0)
	b.RT(t, "delete", "--force", b.ID, "--no-such-option").WantFailure(t)
	b.RT(t, "delete", b.ID, "--force").WantExit(t, 0)
}

func TestBundleMayBeTheSecondArgument(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "echo", "hello")
	b.Write(t)
	b.RT(t, "create", b.ID, b.Dir).WantExit(t, 0)
	b.Start(t).WantExit(t, 0)
	b.WaitFor(t, "stopped")
	b.Delete(t).WantExit(t, 0)
	b.RT(t, "run", b.ID, b.Dir).WantExit(t, 0).WantStdoutIs(t, "hello")
	b.RT(t, "run", "--bundle", b.Dir, b.ID, b.Path("other")).WantOneError(t, "bundle given twice")
}

func TestBundleIsTheCurrentDirectoryByDefault(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "echo", "hello")
	b.Write(t)
	b.Cwd = b.Dir
	b.RT(t, "run", b.ID).WantExit(t, 0).WantStdoutIs(t, "hello")
}

func TestBundlePathAloneNamesTheContainer(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "sleep", "1000")
	b.Write(t)
	named := b.Path(b.ID)
	if err := os.Symlink(b.Dir, named); err != nil {
		t.Fatal(err)
	}
	for _, argument := range []string{named, named + "/", "./" + b.ID} {
		b.Cwd = b.Path("")
		b.RT(t, "create", argument).WantExit(t, 0)
		if got := b.State(t).Status; got != "created" {
			t.Errorf("%s: status is %s, want created", argument, got)
		}
		b.RT(t, "start", argument).WantExit(t, 0)
		b.RT(t, "state", argument).WantExit(t, 0).WantStdout(t, `"running"`)
		b.RT(t, "kill", argument, "KILL").WantExit(t, 0)
		b.WaitFor(t, "stopped")
		b.RT(t, "delete", argument).WantExit(t, 0)
	}
	b.Spec.Process.Args = []string{"echo", "hello"}
	b.Write(t)
	b.RT(t, "run", named).WantExit(t, 0).WantStdoutIs(t, "hello")
}

func TestContainersOfAnotherRootAreNotSeen(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "sleep", "1000")
	b.Create(t).WantExit(t, 0)
	other := harness.Mkdir(t, b.Path("other"), 0o700)
	b.Raw(t, "--root", other, "state", b.ID).WantOneError(t, "container does not exist")
	b.Raw(t, "--root", other, "list", "-q").WantExit(t, 0).WantStdoutIs(t, "")
}

func TestAFailedRunLeavesTheIDFree(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "/nosuch")
	b.Run(t).WantExit(t, 1)
	b.Spec.Process.Args = []string{"echo", "again"}
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "again")
}

func TestKillAllReachesEveryProcess(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "sh", "-c", `trap "" USR1; (trap "echo got USR1" USR1; echo up; while :; do sleep 0.01; done) & wait`)
	b.Run(t, "-d").WantExit(t, 0)
	b.WaitForOutput(t, "up")
	b.Kill(t, "USR1").WantExit(t, 0) // init alone, who ignores it
	b.RT(t, "kill", "--all", b.ID, "USR1").WantExit(t, 0)
	b.WaitForOutput(t, "got USR1")
	if got := strings.Count(b.Output(t), "got USR1"); got != 1 {
		t.Errorf("the child has got %d signals, want that of --all alone", got)
	}
}
