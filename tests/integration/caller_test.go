// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/tests/harness"
)

func TestErrorsGoToTheLogAndToStderr(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "/nosuch")
	b.Write(t)
	for _, format := range []string{"text", "json"} {
		log := b.Path(format)
		got := b.Raw(t, "--root", b.Root, "--log", log, "--log-format", format, "run", "--bundle", b.Dir, b.ID)
		got.WantOneError(t, "exec /nosuch: no such file or directory")
		lines := strings.Split(strings.TrimSpace(harness.ReadFile(t, log)), "\n")
		if len(lines) != 1 || !strings.Contains(lines[0], "exec /nosuch: no such file or directory") {
			t.Errorf("the log has %q, want the one error", lines)
		}
		if format != "json" {
			continue
		}
		var entry struct{ Level, Msg, Time string }
		if err := json.Unmarshal([]byte(lines[0]), &entry); err != nil || entry.Level != "error" || entry.Msg == "" || entry.Time == "" {
			t.Errorf("log entry %q: %v", lines[0], err)
		}
	}
}

func TestDebugLinesAreMarkedAndOnlyOnRequest(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "echo", "hello")
	b.Write(t)
	run := []string{"--root", b.Root, "run", "--bundle", b.Dir, b.ID}
	b.Raw(t, run...).WantExit(t, 0).WantStderrIs(t, "")
	b.Raw(t, append([]string{"--debug"}, run...)...).WantExit(t, 0).WantStdoutIs(t, "hello").WantStderr(t, "level=debug")
	b.Raw(t, append([]string{"--debug", "--log-format", "json"}, run...)...).WantExit(t, 0).WantStderr(t, `"level":"debug"`)
	b.Raw(t, append([]string{"--debug", "--log", b.Path("log")}, run...)...).WantExit(t, 0).WantStdoutIs(t, "hello").WantStderrIs(t, "")
	if log := harness.ReadFile(t, b.Path("log")); !strings.Contains(log, "level=debug") {
		t.Errorf("the log has %q", log)
	}
}

// The wrapper's /run has neither systemd nor a bus.
func TestTheSystemdDriverNeedsSystemd(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "echo", "the program has run")
	b.Wrapper = []string{"unshare", "-m", "sh", "-c", `mount -t tmpfs tmpfs /run && exec "$@"`, "sh"}
	b.Env = append(b.Env, "DBUS_SYSTEM_BUS_ADDRESS=")
	b.Write(t)
	before := b.Snapshot(t)
	for _, command := range []string{"run", "create"} {
		b.Raw(t, "--root", b.Root, "--systemd-cgroup", command, "--bundle", b.Dir, b.ID).
			WantOneError(t, "make control group: systemd can't be reached", "/run/dbus/system_bus_socket", "omit the option to use cgroupfs")
		before.WantSame(t)
	}
}

func TestABadScopeIsRefused(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "echo", "the program has run")
	before := b.Snapshot(t)
	for path, want := range map[string]string{
		"/a/b":       `expected cgroupsPath to be of format "slice:prefix:name"`,
		"a:b:c":      "must end in .slice",
		"a.slice:b:": "the name is missing",
	} {
		b.Spec.Linux.CgroupsPath = path
		b.Write(t)
		b.Raw(t, "--root", b.Root, "--systemd-cgroup", "run", "--bundle", b.Dir, b.ID).WantOneError(t, "linux.cgroupsPath", want)
	}
	b.Spec.Linux.CgroupsPath = ""
	for name, value := range map[string]string{
		"ExecStartPre": "['/bin/true']", "RuntimeMaxSec": "'2'", "SuccessAction": "'poweroff-force'", "TimeoutStopUSec": "uint64",
	} {
		b.Spec.Annotations = map[string]string{"org.systemd.property." + name: value}
		b.Write(t)
		b.Raw(t, "--root", b.Root, "--systemd-cgroup", "run", "--bundle", b.Dir, b.ID).
			WantOneError(t, `annotation "org.systemd.property.`+name+`"`)
	}
	before.WantSame(t)
}

// No command after create may need the bundle.
func TestTheBundleMayVanishAfterCreate(t *testing.T) {
	t.Parallel()
	b := shell(t, "echo started; exec sleep 1000")
	log := logTo(t, b)
	addHook(b, "poststop", "cd /; echo poststop >>"+log)
	b.Create(t).WantExit(t, 0)
	if err := os.Remove(filepath.Join(b.Dir, "config.json")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(b.Dir, b.Path("moved")); err != nil {
		t.Fatal(err)
	}
	b.Start(t).WantExit(t, 0)
	b.WaitForOutput(t, "started")
	b.Kill(t, "KILL").WantExit(t, 0)
	b.WaitFor(t, "stopped")
	b.Delete(t).WantExit(t, 0)
	wantFile(t, log, "poststop\n")
}

func TestAContainerIsCreatingWhileItsHooksRun(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "sleep", "1000")
	addHook(b, "createRuntime", "cat "+b.Path("gate"))
	if err := syscall.Mkfifo(b.Path("gate"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.Write(t)
	create := b.Command(t, "create", "--bundle", b.Dir, b.ID)
	if err := create.Start(); err != nil {
		t.Fatal(err)
	}
	b.WaitFor(t, "creating")
	b.Create(t).WantOneError(t, "container with given ID already exists")
	b.RT(t, "list").WantExit(t, 0).WantStdout(t, " creating ")
	if err := os.WriteFile(b.Path("gate"), nil, 0o600); err != nil { // a writer that comes and goes
		t.Fatal(err)
	}
	if err := create.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := b.State(t).Status; got != "created" {
		t.Errorf("status is %s, want created", got)
	}
}

func TestOfSeveralCreatesAtOnceOneWins(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "sleep", "1000")
	b.Write(t)
	if wins := atOnce(t, b, append(b.Driver(), "create", "--bundle", b.Dir, b.ID)...); wins != 1 {
		t.Errorf("%d creates of one id have succeeded", wins)
	}
	b.Start(t).WantExit(t, 0)
}

func TestRunPassesSignalsOn(t *testing.T) {
	t.Parallel()
	b := shell(t, `trap "echo got TERM; exit 3" TERM; echo up; while :; do sleep 0.01; done`)
	run := inForeground(t, b)
	if err := run.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = run.Wait()
	if got := run.ProcessState.ExitCode(); got != 3 {
		t.Errorf("exit status is %d, want the program's 3", got)
	}
	wantFile(t, b.Path("output"), "up\ngot TERM\n")
}

func TestStandardDescriptorsMayBeClosed(t *testing.T) {
	t.Parallel()
	for _, closed := range []string{"<&-", ">&-", "2>&-", "<&- >&- 2>&-"} {
		b := harness.NewBundle(t, "sleep", "1000")
		b.Wrapper = []string{"sh", "-c", `exec "$@" ` + closed, "sh"}
		b.Run(t, "--detach").WantExit(t, 0)
		b.Wrapper = nil
		dir := fmt.Sprintf("/proc/%d/fd", b.State(t).Pid)
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 3 {
			t.Errorf("%s: descriptors %v, %v, want 0 to 2", closed, entries, err)
		}
		for fd, redirection := range []string{"<&-", ">&-", "2>&-"} {
			if !slices.Contains(strings.Fields(closed), redirection) {
				continue
			}
			if link, err := os.Readlink(filepath.Join(dir, strconv.Itoa(fd))); err != nil || link != "/dev/null" {
				t.Errorf("%s: descriptor %d is %q, %v, want /dev/null", closed, fd, link, err)
			}
		}
	}
}

// Shims of containerd give a program whose output nobody wants /dev/null open for reading only, and the program must be able
// to write all the same. What is no null device stays as it is.
func TestTheNullDeviceIsUsableInBothDirections(t *testing.T) {
	t.Parallel()
	const script = "cat || exit 3; echo out || exit 4; echo err >&2 || exit 5"
	for _, c := range []struct {
		redirection string
		status      int
	}{
		{"0>/dev/null 1</dev/null 2</dev/null", 0},
		{"0</dev/null 1</dev/zero 2</dev/null", 4},
	} {
		b := shell(t, script)
		b.Wrapper = []string{"sh", "-c", `exec "$@" ` + c.redirection, "sh"}
		b.Run(t).WantExit(t, c.status)
		b.Wrapper = nil
		b.Spec.Process.Args = []string{"sleep", "1000"}
		b.Create(t).WantExit(t, 0)
		b.Start(t).WantExit(t, 0)
		b.Wrapper = []string{"sh", "-c", `exec "$@" ` + c.redirection, "sh"}
		b.Exec(t, nil, "sh", "-c", script).WantExit(t, c.status)
		b.Wrapper = nil
		b.Delete(t, "--force").WantExit(t, 0)
	}
}

func TestAContainerWithoutProcessCanBeCreatedButNotStarted(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "true")
	before := b.Snapshot(t)
	b.Spec.Process = nil
	b.Create(t).WantExit(t, 0)
	b.Start(t).WantOneError(t, "process")
	b.Delete(t, "--force").WantExit(t, 0)
	b.Run(t).WantOneError(t, "process")
	before.WantSame(t)
}

// editState changes one member of the saved state, as time or an accident would.
func editState(t *testing.T, b *harness.Bundle, member string, value any) {
	t.Helper()
	path := filepath.Join(b.Root, b.ID, "state.json")
	var state map[string]any
	if err := json.Unmarshal([]byte(harness.ReadFile(t, path)), &state); err != nil {
		t.Fatal(err)
	}
	if _, ok := state[member]; !ok {
		t.Fatalf("the saved state has no %s", member)
	}
	state[member] = value
	content, err := json.Marshal(state)
	if err != nil {
		t.Fatal(err)
	}
	harness.WriteFile(t, path, string(content), 0o600)
}

func TestEverythingIsStoppedAfterAReboot(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "sleep", "1000")
	b.Run(t, "-d").WantExit(t, 0)
	pid := b.State(t).Pid
	editState(t, b, "boot_id", "00000000-0000-0000-0000-000000000000")
	if s := b.State(t); s.Status != "stopped" || s.Pid != 0 {
		t.Errorf("state is %+v, want stopped", s)
	}
	b.Kill(t, "KILL").WantOneError(t, "container not running")
	if err := syscall.Kill(pid, 0); err != nil {
		t.Errorf("a process that only has the number of init was killed: %v", err)
	}
	b.Delete(t).WantExit(t, 0)
}

func TestAnotherProcessWithInitsNumberIsNotTheContainer(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "sleep", "1000")
	b.Run(t, "-d").WantExit(t, 0)
	editState(t, b, "init_process_start", 1)
	if s := b.State(t); s.Status != "stopped" || s.Pid != 0 {
		t.Errorf("state is %+v, want stopped", s)
	}
	b.Kill(t, "KILL").WantOneError(t, "container not running")
}

func TestABrokenStateFileHidesNothingElse(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "sleep", "1000")
	broken := harness.NewBundle(t, "sleep", "1000")
	broken.Root = b.Root
	b.Create(t).WantExit(t, 0)
	broken.Create(t).WantExit(t, 0)
	harness.WriteFile(t, filepath.Join(b.Root, broken.ID, "state.json"), "{", 0o600)
	b.RT(t, "list", "-q").WantExit(t, 0).WantStdoutIs(t, b.ID)
	broken.RT(t, "state", broken.ID).WantOneError(t, "state.json")
	before := b.Snapshot(t)
	broken.Delete(t, "--force").WantExit(t, 0)
	if left := before.Difference(t); len(left) != 1 || !strings.Contains(left[0], "gone: state") {
		t.Errorf("difference is %q, want the broken state gone", left)
	}
}

func TestTheVersionOfTheStateIsThatOfTheRuntime(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "sleep", "1000")
	b.Spec.Version = "1.0.2"
	b.Create(t).WantExit(t, 0)
	if got := b.State(t).Version; got != specs.Version {
		t.Errorf("version is %s, want %s", got, specs.Version)
	}
}

// inForeground starts `run` and waits until the program has said "up".
func inForeground(t *testing.T, b *harness.Bundle) *exec.Cmd {
	t.Helper()
	b.Write(t)
	output, err := os.Create(b.Path("output"))
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	run := b.Command(t, "run", "--bundle", b.Dir, b.ID)
	run.Stdout, run.Stderr = output, output
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, "the program", func() bool { return strings.Contains(harness.ReadFile(t, b.Path("output")), "up\n") })
	return run
}

func TestAForegroundRunMayBeKilledAndDeletedByOthers(t *testing.T) {
	t.Parallel()
	for _, command := range [][]string{{"kill", "KILL"}, {"delete", "--force"}} {
		b := shell(t, "echo up; exec sleep 1000")
		before := b.Snapshot(t)
		run := inForeground(t, b)
		b.WaitFor(t, "running")
		b.RT(t, command[0], b.ID, command[1]).WantExit(t, 0)
		_ = run.Wait()
		if got := run.ProcessState.ExitCode(); got != 128+9 {
			t.Errorf("%s: exit status is %d, want 137\n%s", command[0], got, harness.ReadFile(t, b.Path("output")))
		}
		before.WantSame(t)
	}
}

func TestOfSeveralStartsAtOnceOneWins(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "sleep", "1000")
	b.Create(t).WantExit(t, 0)
	if wins := atOnce(t, b, "start", b.ID); wins != 1 {
		t.Errorf("%d starts have succeeded", wins)
	}
	if got := b.State(t).Status; got != "running" {
		t.Errorf("status is %s", got)
	}
}

func TestSeveralDeletesAtOnceDoNoHarm(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "sleep", "1000")
	before := b.Snapshot(t)
	b.Run(t, "-d").WantExit(t, 0)
	if wins := atOnce(t, b, "delete", "--force", b.ID); wins != callers {
		t.Errorf("%d of %d deletes have succeeded", wins, callers)
	}
	before.WantSame(t)
}

const callers = 6

// atOnce runs a command several times at the same time and counts the successes.
func atOnce(t *testing.T, b *harness.Bundle, args ...string) (wins int) {
	t.Helper()
	var lock sync.Mutex
	var all sync.WaitGroup
	for range callers {
		cmd := b.Command(t, args...)
		all.Go(func() {
			if cmd.Run() == nil {
				lock.Lock()
				wins++
				lock.Unlock()
			}
		})
	}
	all.Wait()
	return wins
}
