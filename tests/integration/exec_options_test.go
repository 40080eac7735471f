// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/tests/harness"
)

func TestExecOptionsAreAboutTheProcess(t *testing.T) {
	t.Parallel()
	b := running(t, func(b *harness.Bundle) {
		b.Spec.Process.Cwd = "/home"
		b.Spec.Process.Env = append(b.Spec.Process.Env, "FROM=config")
	})
	for _, c := range []struct {
		name   string
		flags  []string
		script string
		want   string
	}{
		{"defaults", nil, "pwd; id -u; id -g; echo $HOME $FROM", "/home\n0\n0\n/root config"},
		{"cwd", []string{"--cwd", "/bin"}, "pwd", "/bin"},
		{"env", []string{"-e", "X=a,b", "-e", "Y=2", "-e=FROM=option"}, "echo $X $Y $FROM", "a,b 2 option"},
		{"user", []string{"--user", "1000:1000"}, "id -u; id -g; echo $HOME", "1000\n1000\n/home/user"},
		{"user without an entry", []string{"-u", "4711"}, "id -u; id -g; echo $HOME", "4711\n0\n/"},
		{"groups", []string{"--user", "1000:1000", "--additional-gids", "100", "--additional-gids", "65534"}, "id -G", "1000 100 65534"},
		{"no new privileges", []string{"--no-new-privs"}, "grep NoNewPrivs /proc/self/status", "NoNewPrivs:\t1"},
		{"new privileges", []string{"--no-new-privs=false"}, "grep NoNewPrivs /proc/self/status", "NoNewPrivs:\t0"},
		{"empty labels", []string{"--apparmor", "", "--process-label", ""}, "echo ok", "ok"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b.Exec(t, c.flags, "sh", "-c", c.script).WantExit(t, 0).WantStdoutIs(t, c.want)
		})
	}
}

// The sets of compat.md 16.6: --cap adds to bounding, effective and permitted, never to inheritable, and to ambient
// where the config has inheritable ones.
func TestExecCapabilities(t *testing.T) {
	t.Parallel()
	script := "grep ^Cap /proc/self/status | tr -d '\\t\\n'"
	plain := running(t)
	plain.Exec(t, nil, "sh", "-c", script).WantExit(t, 0).WantStdoutIs(t,
		"CapInh:0000000000000000CapPrm:0000000020000420CapEff:0000000020000420CapBnd:0000000020000420CapAmb:0000000000000000")
	plain.Exec(t, []string{"-c", "CAP_SYSLOG", "-c", "CAP_CHOWN"}, "sh", "-c", script).WantExit(t, 0).WantStdoutIs(t,
		"CapInh:0000000000000000CapPrm:0000000420000421CapEff:0000000420000421CapBnd:0000000420000421CapAmb:0000000000000000")
	ambient := running(t, func(b *harness.Bundle) {
		b.Spec.Process.Capabilities = &specs.LinuxCapabilities{
			Inheritable: []string{"CAP_CHOWN", "CAP_SYSLOG"}, Ambient: []string{"CAP_CHOWN"}, Permitted: []string{"CAP_KILL", "CAP_CHOWN"},
			Effective: []string{"CAP_KILL"}, Bounding: []string{"CAP_KILL", "CAP_CHOWN", "CAP_SYSLOG"},
		}
	})
	ambient.Exec(t, []string{"--user", "1000"}, "sh", "-c", script).WantExit(t, 0).WantStdout(t,
		"CapInh:0000000400000001", "CapBnd:0000000400000021", "CapAmb:0000000000000001")
	ambient.Exec(t, []string{"--cap", "CAP_SYSLOG"}, "sh", "-c", script).WantExit(t, 0).WantStdoutIs(t,
		"CapInh:0000000400000001CapPrm:0000000400000021CapEff:0000000400000021CapBnd:0000000400000021CapAmb:0000000400000001")
	plain.Exec(t, []string{"--cap", "CAP_NOSUCH"}, "true").WantExit(t, 0).WantStderr(t, "CAP_NOSUCH")
}

func TestExecPreservesDescriptors(t *testing.T) {
	t.Parallel()
	b := running(t)
	for _, text := range []string{"three", "four", "five"} {
		f, err := os.Open(harness.WriteFile(t, b.Path(text), text+"\n", 0o600))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		b.Files = append(b.Files, f)
	}
	b.Exec(t, []string{"--preserve-fds=2"}, "sh", "-c", "cat <&3; cat <&4; echo $(ls /proc/self/fd)").WantExit(t, 0).
		WantStdoutIs(t, "three\nfour\n0 1 2 3 4 5") // 5 is that of ls
	b.Exec(t, nil, "sh", "-c", "echo $(ls /proc/self/fd)").WantExit(t, 0).WantStdoutIs(t, "0 1 2 3")
}

func TestExecDetached(t *testing.T) {
	t.Parallel()
	b := running(t)
	init := b.State(t).Pid
	b.Cwd = b.Dir
	b.Exec(t, []string{"--detach", "--pid-file", "exec.pid"}, "sleep", "1000").WantExit(t, 0).WantStdoutIs(t, "").WantStderrIs(t, "")
	text := harness.ReadFile(t, filepath.Join(b.Dir, "exec.pid"))
	pid, err := strconv.Atoi(text)
	if err != nil || pid == init {
		t.Fatalf("pid file %q, init is %d", text, init)
	}
	if comm := harness.ReadFile(t, "/proc/"+text+"/comm"); comm != "sleep\n" {
		t.Errorf("process %d is %q when exec has returned", pid, comm)
	}
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		t.Error(err)
	}
	harness.Eventually(t, "the process has left the control group", func() bool { return members(t, b) == 1 })
	b.Exec(t, []string{"-d", "--pid-file", "exec.pid2"}, "nosuch").WantExecError(t, "executable file not found in $PATH")
	if exists(filepath.Join(b.Dir, "exec.pid2")) {
		t.Error("the pid file of an exec that failed is there")
	}
}

func TestExecSendsAPidfd(t *testing.T) {
	t.Parallel()
	b := running(t)
	path := b.Path("pidfd.sock")
	socket := harness.Listen(t, path)
	b.Exec(t, []string{"-d", "--pidfd-socket", path}, "sleep", "1000").WantExit(t, 0)
	_, fd := socket.ReceiveFD(t)
	defer unix.Close(fd)
	if n := members(t, b); n != 2 {
		t.Errorf("%d processes in the container, want 2", n)
	}
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil {
		t.Error(err)
	}
	harness.Eventually(t, "the process has ended", func() bool { return members(t, b) == 1 })
	if s := b.State(t).Status; s != specs.StateRunning {
		t.Errorf("the container is %s", s)
	}
}

// processFile writes a process.json.
func processFile(t *testing.T, b *harness.Bundle, p any) string {
	t.Helper()
	data, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return harness.WriteFile(t, b.Path("process.json"), string(data), 0o600)
}

func TestExecOfAProcessFile(t *testing.T) {
	t.Parallel()
	b := running(t, func(b *harness.Bundle) {
		b.Spec.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 100, Hard: 200}}
		b.Spec.Process.User.Umask = pointer(uint32(0o77))
		b.Spec.Process.OOMScoreAdj = pointer(100)
		b.Spec.Process.Env = append(b.Spec.Process.Env, "FROM=config")
	})
	script := []string{"/bin/sh", "-c", "ulimit -n; ulimit -Hn; umask; grep -E 'CapBnd|NoNewPrivs' /proc/self/status; cat /proc/self/oom_score_adj; echo $HOME $FROM; id -u"}
	// What a file leaves out comes from the container, but for the environment and no_new_privs.
	file := processFile(t, b, map[string]any{"args": script, "cwd": "/"})
	b.Exec(t, []string{"--process", file}).WantExit(t, 0).WantStdoutIs(t,
		"100\n200\n0077\nCapBnd:\t0000000020000420\nNoNewPrivs:\t0\n100\n/root\n0")
	file = processFile(t, b, specs.Process{
		Args: script, Cwd: "/tmp", Env: []string{"HOME=/x", "FROM=file"}, NoNewPrivileges: true, OOMScoreAdj: pointer(200),
		User:         specs.User{UID: 1000, Umask: pointer(uint32(0o27))},
		Rlimits:      []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 50, Hard: 60}},
		Capabilities: &specs.LinuxCapabilities{Bounding: []string{"CAP_KILL"}},
	})
	b.Exec(t, []string{"-p", file}).WantExit(t, 0).WantStdoutIs(t,
		"50\n60\n0027\nCapBnd:\t0000000000000020\nNoNewPrivs:\t1\n200\n/x file\n1000")
	b.Exec(t, []string{"-p", file, "--user", "0", "--env", "FROM=option"}).WantExit(t, 0).WantStdout(t, "/x option\n0")
}

// A shell gives a process substitution as /dev/fd/N, which is a pipe.
func TestExecReadsAProcessFileFromAPipe(t *testing.T) {
	t.Parallel()
	b := running(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := w.WriteString(`{"args": ["/bin/echo", "by pipe"], "cwd": "/"}`); err != nil {
		t.Fatal(err)
	}
	w.Close()
	b.Files = []*os.File{r}
	b.Exec(t, []string{"--process", "/dev/fd/3"}).WantExit(t, 0).WantStdoutIs(t, "by pipe")
}

func TestExecRefusesABadProcessFile(t *testing.T) {
	t.Parallel()
	b := running(t)
	before := b.Snapshot(t)
	for text, wants := range map[string][]string{
		`{`:                            {"line 1", "ends in the middle"},
		`{"args": "sh", "cwd": "/"}`:   {"args", "array of strings"},
		`{"cwd": "/"}`:                 {"process.args", "missing"},
		`{"args": ["sh"]}`:             {"process.cwd", "missing"},
		`{"args": ["sh"], "cwd": "x"}`: {"process.cwd", "absolute"},
		`{"args": ["sh"], "cwd": "/", "env": ["A"]}`:                                {"process.env[0]", "NAME=VALUE"},
		`{"args": ["sh"], "cwd": "/", "user": {"uid": 4294967295}}`:                 {"process.user.uid"},
		`{"args": ["sh"], "cwd": "/", "user": {"uid": -1}}`:                         {"user.uid"},
		`{"args": ["sh"], "cwd": "/", "rlimits": [{"type": "RLIMIT_X"}]}`:           {"process.rlimits[0]"},
		`{"args": ["sh"], "cwd": "/", "apparmorProfile": "x "}`:                     {"process.apparmorProfile", "blanks"},
		`{"args": ["sh"], "cwd": "/", "selinuxLabel": "x"}`:                         {"process.selinuxLabel", "USER:ROLE:TYPE"},
		`{"args": ["sh"], "cwd": "/", "scheduler": {"policy": "SCHED_X"}}`:          {"process.scheduler.policy"},
		`{"args": ["sh"], "cwd": "/", "ioPriority": {"class": "X"}}`:                {"process.ioPriority.class"},
		`{"args": ["sh"], "cwd": "/", "execCPUAffinity": {"final": "x"}}`:           {"process.execCPUAffinity.final"},
		`{"args": ["sh"], "cwd": "/", "execCPUAffinity": {"final": "8000"}}`:        {"process.execCPUAffinity.final", "invalid argument"},
		`{"args": ["sh"], "cwd": "/", "execCPUAffinity": {"initial": "8000"}}`:      {"process.execCPUAffinity.initial", "invalid argument"},
		`{"args": ["sh"], "cwd": "/", "capabilities": {"effective": ["CAP_KILL"]}}`: {"process.capabilities.effective"},
		`{"args": ["sh"], "cwd": "/", "oomScoreAdj": 5000}`:                         {"process.oomScoreAdj"},
		`{"args": ["sh"], "cwd": "/", "terminal": true}`:                            nil,
	} {
		file := harness.WriteFile(t, b.Path("bad.json"), text, 0o600)
		got := b.Exec(t, []string{"--process", file, "--detach"})
		if wants == nil {
			wants = []string{"cannot allocate tty if runc will detach"}
		}
		got.WantExecError(t, append(wants, "exec "+b.ID+": ")...)
	}
	before.WantSameSoon(t)
}

// The process section is that of the bundle as it is now; everything else is that of the container.
func TestExecReadsTheBundleAgain(t *testing.T) {
	t.Parallel()
	b := running(t, func(b *harness.Bundle) {
		b.Spec.Linux.Personality = &specs.LinuxPersonality{Domain: specs.PerLinux}
	})
	b.Spec.Process.Env = append(b.Spec.Process.Env, "NEW=1")
	b.Spec.Process.User.UID = 1000
	b.Spec.Linux.Namespaces, b.Spec.Linux.Personality = nil, &specs.LinuxPersonality{Domain: specs.PerLinux32}
	errno := uint(unix.EPERM)
	b.Spec.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{rule(specs.ActErrno, &errno, "uname")}}
	b.Write(t)
	b.Exec(t, nil, "sh", "-c", "echo $NEW; id -u; uname -m; set -- /proc/[0-9]*; echo $#").WantExit(t, 0).WantStdoutIs(t, "1\n1000\nx86_64\n2")
	for _, broken := range []string{"{", ""} {
		harness.WriteFile(t, filepath.Join(b.Dir, "config.json"), broken, 0o600)
		b.Exec(t, nil, "true").WantExecError(t, filepath.Join(b.Dir, "config.json"))
	}
	if err := os.Remove(filepath.Join(b.Dir, "config.json")); err != nil {
		t.Fatal(err)
	}
	b.Exec(t, nil, "true").WantExecError(t, "config.json", "no such file or directory", "--process")
	b.Exec(t, []string{"--process", processFile(t, b, map[string]any{"args": []string{"/bin/true"}, "cwd": "/"})}).WantExit(t, 0)
}

func TestExecIsUnderTheContainersFilter(t *testing.T) {
	t.Parallel()
	errno := uint(unix.EPERM)
	for _, noNewPrivileges := range []bool{true, false} {
		b := running(t, func(b *harness.Bundle) {
			b.Spec.Process.NoNewPrivileges = noNewPrivileges
			b.Spec.Linux.Seccomp = &specs.LinuxSeccomp{
				DefaultAction: specs.ActAllow,
				Syscalls:      []specs.LinuxSyscall{rule(specs.ActErrno, &errno, "mkdir", "mkdirat", "clone3", "setsid")},
			}
			b.Spec.Linux.Personality = &specs.LinuxPersonality{Domain: specs.PerLinux32}
		})
		b.Exec(t, []string{"--user", "1000"}, "sh", "-c", "mkdir /tmp/x; grep -E 'Seccomp:|NoNewPrivs' /proc/self/status; uname -m").WantExit(t, 0).
			WantStderr(t, "Operation not permitted").
			WantStdoutIs(t, "NoNewPrivs:\t"+map[bool]string{true: "1", false: "0"}[noNewPrivileges]+"\nSeccomp:\t2\ni686")
		b.Exec(t, []string{"-t", "--user", "1000"}, "tty").WantExit(t, 0).WantStdoutIs(t, "/dev/pts/0")
	}
}

// Root of the container may enter what only its user may, and the other way round.
func TestExecEntersTheWorkingDirectory(t *testing.T) {
	t.Parallel()
	b := running(t, func(b *harness.Bundle) {
		b.Spec.Process.User, b.Spec.Process.Cwd = specs.User{UID: 42}, "/root"
		if err := os.Chown(b.InRootfs("root"), 42, 42); err != nil {
			t.Fatal(err)
		}
	})
	b.Exec(t, nil, "pwd").WantExit(t, 0).WantStdoutIs(t, "/root")
	b.Exec(t, []string{"--user", "0"}, "pwd").WantExit(t, 0).WantStdoutIs(t, "/root")
	b.Exec(t, []string{"--user", "0"}, "ls", "/root").WantFailure(t).WantStderr(t, "Permission denied") // no CAP_DAC_OVERRIDE
}

func TestExecDoesNotGiveDevicesAway(t *testing.T) {
	t.Parallel()
	b := running(t)
	before := b.Snapshot(t)
	b.Exec(t, []string{"--detach", "--user", "1000:1000"}, "true").WantExit(t, 0)
	before.WantSameSoon(t)
}

func needTwoCPUs(t *testing.T) {
	t.Helper()
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		t.Fatal(err)
	}
	if all.Count() < 2 {
		t.Skip("needs two CPUs")
	}
}

func TestExecCPUAffinity(t *testing.T) {
	t.Parallel()
	needTwoCPUs(t)
	script := []string{"/bin/sh", "-c", "sed -n 's/^Cpus_allowed_list:\\t//p' /proc/self/status"}
	inEachView(t, []string{"sleep", "1000"}, func(t *testing.T, b *harness.Bundle) {
		b.Run(t, "--detach").WantExit(t, 0)
		all := b.Exec(t, nil, script...).WantExit(t, 0).Stdout
		view := b.Wrapper
		b.Wrapper = append(append([]string{}, view...), "taskset", "-c", "0")
		b.Exec(t, nil, script...).WantExit(t, 0).WantStdoutIs(t, strings.TrimSpace(all))
		b.Wrapper = view
		for _, c := range []struct{ initial, final, want, mask string }{
			{"", "1", "1", ""}, {"0", "", strings.TrimSpace(all), "0x1"}, {"1", "0-1", "0-1", "0x2"}, {"0,1", "0", "0", "0x3"},
		} {
			file := processFile(t, b, map[string]any{
				"args": script, "cwd": "/", "execCPUAffinity": map[string]string{"initial": c.initial, "final": c.final},
			})
			got := b.RT(t, "--debug", "exec", "--process", file, b.ID).WantExit(t, 0).WantStdoutIs(t, c.want)
			if c.mask != "" {
				got.WantStderr(t, "nsexec", ": affinity: "+c.mask)
			}
		}
	})
}

func TestExecScheduling(t *testing.T) {
	t.Parallel()
	b := running(t, func(b *harness.Bundle) {
		b.Spec.Process.Scheduler = &specs.Scheduler{Policy: specs.SchedBatch, Nice: 19}
		b.Spec.Process.IOPriority = &specs.LinuxIOPriority{Class: specs.IOPRIO_CLASS_BE, Priority: 4}
	})
	exec := func(p map[string]any) int {
		pidFile := b.Path("pid")
		p["args"], p["cwd"] = []string{"/bin/sleep", "1000"}, "/"
		b.Exec(t, []string{"-d", "--pid-file", pidFile, "--process", processFile(t, b, p)}).WantExit(t, 0)
		pid, err := strconv.Atoi(harness.ReadFile(t, pidFile))
		if err != nil {
			t.Fatal(err)
		}
		return pid
	}
	wantScheduling(t, exec(map[string]any{}), unix.SCHED_BATCH, 2<<13|4)
	wantScheduling(t, exec(map[string]any{"ioPriority": map[string]any{"class": "IOPRIO_CLASS_IDLE"}}), unix.SCHED_BATCH, 3<<13)
	deadline := map[string]any{
		"policy": "SCHED_DEADLINE", "flags": []string{"SCHED_FLAG_RESET_ON_FORK"}, "runtime": 42000, "deadline": 100000, "period": 1000000,
	}
	wantScheduling(t, exec(map[string]any{"scheduler": deadline}), unix.SCHED_DEADLINE, 2<<13|4)
}

// wantScheduling wants a policy of sched(7) and a priority of ioprio_get(2).
func wantScheduling(t *testing.T, pid, policy, priority int) {
	t.Helper()
	attr, err := unix.SchedGetAttr(pid, 0)
	if err != nil || int(attr.Policy) != policy {
		t.Errorf("scheduled by %+v (%v), want policy %d", attr, err, policy)
	}
	got, _, errno := unix.Syscall(unix.SYS_IOPRIO_GET, 1, uintptr(pid), 0)
	if errno != 0 || int(got) != priority {
		t.Errorf("I/O priority %#x (%v), want %#x", got, errno, priority)
	}
}
