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

// idle is a bundle whose container does nothing until it is killed.
func idle(t *testing.T) *harness.Bundle {
	t.Helper()
	return harness.NewBundle(t, "sleep", "100000") // a test that has paused may go on hours later, where machines are emulated
}

// running is a container that runs.
func running(t *testing.T, change ...func(*harness.Bundle)) *harness.Bundle {
	t.Helper()
	b := idle(t)
	for _, c := range change {
		c(b)
	}
	b.Run(t, "--detach").WantExit(t, 0)
	return b
}

func TestExecPassesStreamsAndStatusOn(t *testing.T) {
	t.Parallel()
	b := running(t)
	got := b.Exec(t, nil, "sh", "-c", "echo out; echo error >&2; exit 42")
	got.WantExit(t, 42).WantStdoutIs(t, "out").WantStderrIs(t, "error")
	b.Exec(t, nil, "false").WantExit(t, 1)
	b.Exec(t, nil, "true").WantExit(t, 0).WantStdoutIs(t, "").WantStderrIs(t, "")
	for signal, want := range map[string]int{"KILL": 137, "TERM": 143, "HUP": 129} {
		b.Exec(t, nil, "sh", "-c", "kill -"+signal+" $$").WantExit(t, want)
	}
	script, err := os.Open(harness.WriteFile(t, b.Path("script"), "echo from the script $((6 * 7))\n", 0o600))
	if err != nil {
		t.Fatal(err)
	}
	defer script.Close()
	b.Stdin = script
	b.Exec(t, nil, "sh").WantExit(t, 0).WantStdoutIs(t, "from the script 42")
	b.Exec(t, nil, "--", "echo", "--", "-t").WantExit(t, 0).WantStdoutIs(t, "-- -t")
}

// The process is one of the container: its namespaces, its control group, its root; and a session of its own.
func TestExecIsInTheContainer(t *testing.T) {
	t.Parallel()
	b := running(t)
	script := `for n in cgroup ipc mnt net pid time user uts; do readlink /proc/$1/ns/$n; done; cat /proc/$1/cgroup`
	inside := b.Exec(t, nil, "sh", "-c", script, "sh", "self").WantExit(t, 0).Stdout
	if init := b.Exec(t, nil, "sh", "-c", script, "sh", "1").WantExit(t, 0).Stdout; inside != init {
		t.Errorf("exec is in\n%sinit in\n%s", inside, init)
	}
	for _, path := range groupsOf(t, b, b.State(t).Pid) {
		if filepath.Base(path) != b.CgroupName() {
			t.Errorf("init is in %q", path)
		}
	}
	b.Exec(t, nil, "sh", "-c", "hostname; pwd; awk '{print $1 == $6, $5 == $6}' /proc/$$/stat").WantExit(t, 0).
		WantStdoutIs(t, b.Spec.Hostname+"\n/\n1 1")
	b.Exec(t, nil, "sh", "-c", "set -- /proc/[0-9]*; echo $#").WantExit(t, 0).WantStdoutIs(t, "2") // init and sh
}

func TestExecJoinsUserAndTimeNamespaces(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"time", "user", "user and time"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			b := running(t, func(b *harness.Bundle) {
				if strings.Contains(kind, "user") {
					mapIDs(t, b)
				}
				if strings.Contains(kind, "time") {
					setNamespace(b, specs.TimeNamespace, "")
					b.Spec.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"monotonic": {Secs: 7881, Nanosecs: 2718281}, "boottime": {Secs: 1337}}
				}
			})
			script := "cat /proc/self/timens_offsets /proc/self/uid_map /proc/self/gid_map; for n in user time pid net; do readlink /proc/self/ns/$n; done"
			want := harness.ReadFile(t, fmt.Sprintf("/proc/%d/uid_map", b.State(t).Pid))
			got := b.Exec(t, nil, "sh", "-c", script+"; id -u; id -G").WantExit(t, 0)
			got.WantStdout(t, strings.Fields(want)[1])
			if strings.Contains(kind, "time") {
				got.WantStdout(t, "7881", "2718281", "1337")
			}
			for _, n := range []string{"user", "time", "pid", "net"} {
				link, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", b.State(t).Pid, n))
				if err != nil {
					t.Fatal(err)
				}
				got.WantStdout(t, link)
			}
			b.Exec(t, []string{"-t", "--user", "1000:1000"}, "sh", "-c", "tty; stat -c '%u %g' $(tty); id -u").WantExit(t, 0).
				WantStdoutIs(t, "/dev/pts/0\n1000 5\n1000")
		})
	}
}

// A container whose namespaces are those of another one, but for the mounts.
func TestExecJoinsNamespacesThatTheContainerHasJoined(t *testing.T) {
	t.Parallel()
	target := running(t, func(b *harness.Bundle) { mapIDs(t, b); setNamespace(b, specs.TimeNamespace, "") })
	pid := target.State(t).Pid
	b := running(t, func(b *harness.Bundle) {
		giveRoot(t, b)
		for kind, file := range map[specs.LinuxNamespaceType]string{
			specs.UserNamespace: "user", specs.PIDNamespace: "pid", specs.NetworkNamespace: "net", specs.IPCNamespace: "ipc",
			specs.UTSNamespace: "uts", specs.TimeNamespace: "time",
		} {
			setNamespace(b, kind, fmt.Sprintf("/proc/%d/ns/%s", pid, file))
		}
		b.Spec.Hostname = ""
	})
	got := b.Exec(t, nil, "sh", "-c", "cat /proc/self/uid_map; ps; readlink /proc/self/ns/mnt").WantExit(t, 0)
	got.WantStdout(t, "100000", "sleep 1000")
	if strings.Count(got.Stdout, "sleep 1000") != 2 {
		t.Errorf("not both containers are seen:\n%s", got.Stdout)
	}
	mounts, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/mnt", b.State(t).Pid))
	if err != nil {
		t.Fatal(err)
	}
	got.WantStdout(t, mounts)
}

// The root of a container without a mount namespace, of one that was moved instead of pivoted, and of one without
// any namespace.
func TestExecFindsTheRoot(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*harness.Bundle) []string{
		"no pivot": func(*harness.Bundle) []string { return []string{"--no-pivot"} },
		"no mount namespace": func(b *harness.Bundle) []string {
			dropNamespace(b, specs.MountNamespace)
			b.Spec.Linux.MaskedPaths, b.Spec.Linux.ReadonlyPaths, b.Spec.Mounts, b.Spec.Root.Readonly = nil, nil, nil, false
			return nil
		},
		"no namespaces": func(b *harness.Bundle) []string {
			b.Spec.Linux.Namespaces, b.Spec.Hostname = nil, ""
			b.Spec.Linux.MaskedPaths, b.Spec.Linux.ReadonlyPaths, b.Spec.Mounts, b.Spec.Root.Readonly = nil, nil, nil, false
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := idle(t)
			b.UseOwnMounts()
			flags := change(b)
			harness.WriteFile(t, b.InRootfs("mark"), "of the container", 0o644)
			b.Run(t, append(flags, "--detach")...).WantExit(t, 0)
			b.Wrapper = nil
			b.Exec(t, nil, "sh", "-c", "pwd; cat /mark; ls -d /.. /home").WantExit(t, 0).WantStdoutIs(t, "/\nof the container/..\n/home")
			b.Kill(t, "KILL").WantExit(t, 0)
			b.WaitFor(t, "stopped")
		})
	}
}

func TestExecInACreatedContainer(t *testing.T) {
	t.Parallel()
	b := idle(t)
	b.Create(t).WantExit(t, 0)
	b.Exec(t, nil, "sh", "-c", "hostname; id -u").WantExit(t, 0).WantStdoutIs(t, b.Spec.Hostname+"\n0")
	if s := b.State(t).Status; s != specs.StateCreated {
		t.Errorf("the container is %s after exec", s)
	}
	b.Start(t).WantExit(t, 0)
	b.Exec(t, nil, "true").WantExit(t, 0)
}

func TestExecNeedsAContainerThatRuns(t *testing.T) {
	t.Parallel()
	b := idle(t)
	b.Exec(t, nil, "true").WantExecError(t, "exec "+b.ID+": ", "does not exist")
	b.Run(t, "--detach").WantExit(t, 0)
	b.Kill(t, "KILL").WantExit(t, 0)
	b.WaitFor(t, "stopped")
	b.Exec(t, nil, "true").WantExecError(t, "cannot exec in a stopped container")
	b.Exec(t, []string{"--ignore-paused"}, "true").WantExecError(t, "cannot exec in a stopped container")
}

// setFrozen freezes or thaws the control group of a container, in every hierarchy that can.
func setFrozen(t *testing.T, b *harness.Bundle, frozen bool) {
	t.Helper()
	words := map[string]string{"freezer.state": "THAWED", "cgroup.freeze": "0"}
	if frozen {
		words = map[string]string{"freezer.state": "FROZEN", "cgroup.freeze": "1"}
	}
	for _, group := range harness.CgroupsOf(b.ID) {
		for file, word := range words {
			if path := filepath.Join(group, file); exists(path) {
				if err := os.WriteFile(path, []byte(word), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// members counts the processes of the container's control group, in the hierarchy that has most.
func members(t *testing.T, b *harness.Bundle) int {
	t.Helper()
	most := 0
	for _, group := range harness.CgroupsOf(b.ID) {
		procs, _ := os.ReadFile(filepath.Join(group, "cgroup.procs"))
		most = max(most, strings.Count(string(procs), "\n"))
	}
	return most
}

func TestExecInAPausedContainer(t *testing.T) {
	t.Parallel()
	inEachView(t, []string{"sleep", "1000"}, func(t *testing.T, b *harness.Bundle) {
		b.Run(t, "--detach").WantExit(t, 0)
		setFrozen(t, b, true)
		b.WaitFor(t, "paused")
		before := b.Snapshot(t)
		b.Exec(t, nil, "true").WantExecError(t, "cannot exec in a paused container")
		before.WantSame(t)
		cmd := b.Command(t, "exec", "--ignore-paused", b.ID, "echo", "resumed")
		var out strings.Builder
		cmd.Stdout = &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		harness.Eventually(t, "the stage is in the frozen group", func() bool { return members(t, b) == 2 })
		if out.String() != "" {
			t.Errorf("exec did not wait: %q", out.String())
		}
		setFrozen(t, b, false)
		if err := cmd.Wait(); err != nil || out.String() != "resumed\n" {
			t.Errorf("exec: %v, output %q", err, out.String())
		}
	})
}

// An interrupt ends an exec that waits for a paused container, and nothing of it runs later.
func TestExecThatWaitsCanBeInterrupted(t *testing.T) {
	t.Parallel()
	inEachView(t, []string{"sleep", "1000"}, func(t *testing.T, b *harness.Bundle) {
		b.Run(t, "--detach").WantExit(t, 0)
		setFrozen(t, b, true)
		b.WaitFor(t, "paused")
		cmd := b.Command(t, "exec", "--ignore-paused", b.ID, "touch", "/dev/shm/ran")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		harness.Eventually(t, "the stage is in the frozen group", func() bool { return members(t, b) == 2 })
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err == nil {
			t.Error("exec was interrupted and has succeeded")
		}
		setFrozen(t, b, false)
		harness.Eventually(t, "the stage has ended", func() bool { return members(t, b) == 1 })
		b.Exec(t, nil, "test", "-e", "/dev/shm/ran").WantExit(t, 1)
	})
}

func TestExecErrors(t *testing.T) {
	t.Parallel()
	b := running(t, func(b *harness.Bundle) {
		harness.WriteFile(t, b.InRootfs("bin/plain"), "x", 0o644)
		harness.WriteFile(t, b.InRootfs("run.sh"), "#!/bin/nosuch\n", 0o755)
		harness.WriteFile(t, b.InRootfs("noformat"), "no format", 0o755)
	})
	before := b.Snapshot(t)
	for _, c := range []struct {
		flags   []string
		program []string
		texts   []string
	}{
		{nil, nil, []string{"exec args cannot be empty"}},
		{nil, []string{"nosuch"}, []string{`exec: "nosuch": executable file not found in $PATH`}},
		{[]string{"-e", "PATH=/tmp"}, []string{"nosuch"}, []string{`exec: "nosuch": executable file not found in $PATH (searched /tmp)`}},
		{[]string{"-e", "PATH=:/bin", "--cwd", "/bin"}, []string{"true"}, []string{`exec: "true": cannot run executable found relative to current directory`}},
		{nil, []string{"/nosuch"}, []string{"exec /nosuch: no such file or directory"}},
		{nil, []string{"/bin/plain"}, []string{"exec /bin/plain: permission denied"}},
		{nil, []string{"/bin"}, []string{"exec /bin: is a directory"}},
		{nil, []string{"/run.sh"}, []string{"exec /run.sh: no such file or directory", "/bin/nosuch"}},
		{nil, []string{"/noformat"}, []string{"exec /noformat: exec format error"}},
		{nil, []string{""}, []string{"process.args[0]"}},
		{[]string{"--cwd", "bin"}, []string{"true"}, []string{`--cwd "bin"`, "absolute path"}},
		{[]string{"--cwd", "/nosuch"}, []string{"true"}, []string{"/nosuch", "no such file or directory"}},
		{[]string{"--cwd", "/etc/passwd"}, []string{"true"}, []string{"/etc/passwd", "not a directory"}},
		{[]string{"--env", "NAME"}, []string{"true"}, []string{`--env "NAME": want NAME=VALUE`}},
		{[]string{"--env", "=x"}, []string{"true"}, []string{`--env "=x"`}},
		{[]string{"--user", "root"}, []string{"true"}, []string{`--user "root"`, "not an id"}},
		{[]string{"--user", ""}, []string{"true"}, []string{`--user ""`}},
		{[]string{"--additional-gids", "-1"}, []string{"true"}, []string{"--additional-gids"}},
		{[]string{"--preserve-fds", "-1"}, []string{"true"}, []string{"--preserve-fds -1"}},
		{[]string{"--preserve-fds", "100"}, []string{"true"}, []string{"--preserve-fds", "not open"}},
		{[]string{"--apparmor", "no-such-profile"}, []string{"true"}, []string{"process.apparmorProfile", "no-such-profile"}},
		{[]string{"--process-label", "x"}, []string{"true"}, []string{`process.selinuxLabel "x"`, "USER:ROLE:TYPE"}},
		{[]string{"--pid-file", "/nosuch/dir/pid"}, []string{"true"}, []string{"pid file", "no such file or directory"}},
		{[]string{"--pidfd-socket", "/nosuch.sock"}, []string{"true"}, []string{"--pidfd-socket", "/nosuch.sock"}},
		{[]string{"--process", "/nosuch.json"}, nil, []string{"--process", "/nosuch.json", "no such file or directory"}},
		{[]string{"--process", "/dev/null"}, nil, []string{"--process", "/dev/null", "empty"}},
		{[]string{"--process", "/dev/null"}, []string{"true"}, []string{"--process", "true", "one of them"}},
		{[]string{"--detach", "--tty"}, []string{"true"}, []string{"cannot allocate tty if runc will detach without setting console socket"}},
		{[]string{"--console-socket", "/x"}, []string{"true"}, []string{"cannot use console socket if runc will not detach or allocate tty"}},
		{[]string{"--tty", "--console-socket", "/x"}, []string{"true"}, []string{"cannot use console socket if runc will not detach or allocate tty"}},
		{[]string{"--detach", "--tty", "--console-socket", "/nosuch.sock"}, []string{"true"}, []string{"--console-socket", "/nosuch.sock"}},
	} {
		b.Exec(t, c.flags, c.program...).WantExecError(t, append(c.texts, "exec "+b.ID+": ")...)
	}
	before.WantSameSoon(t)
	for flag, told := range map[string]string{"--bogus": "-bogus", "--no-new-privs=maybe": "-no-new-privs", "--ignore-paused=maybe": "-ignore-paused"} {
		if got := b.Exec(t, []string{flag}, "true"); got.Exit == 0 || !strings.Contains(got.Stderr, told) {
			t.Errorf("%s: exit status %d, %s", flag, got.Exit, got.Stderr)
		}
	}
}
