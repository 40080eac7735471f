// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/tests/harness"
)

// ticking prints something ten times a second.
const ticking = "i=0; while :; do i=$((i+1)); echo tick $i; sleep 0.1; done"

// execedPID returns the host's number of a process that exec has started with this pid file.
func execedPID(t *testing.T, file string) int {
	t.Helper()
	var pid int
	harness.Eventually(t, file, func() bool {
		text, _ := os.ReadFile(file)
		pid, _ = strconv.Atoi(string(text))
		return pid > 0
	})
	return pid
}

// stops waits until a process has stopped: for a signal that was sent, it needs a processor.
func stops(t *testing.T, pid int) {
	t.Helper()
	harness.Eventually(t, "the program has stopped", func() bool { return runState(pid) == 'T' })
}

// Without a terminal, ^Z stops the program together with rt, and fg continues both, as if there were no container.
func TestControlZStopsTheJob(t *testing.T) {
	t.Parallel()
	b := shell(t, "trap 'echo interrupted; exit 7' INT", ticking)
	b.Write(t)
	p := newPerson(t, b)
	p.runs(t, b)
	p.sees(t, "tick 3")
	p.types(t, "\x1a")
	p.sees(t, "Stopped")
	pid := b.State(t).Pid
	stops(t, pid)
	p.types(t, "fg; echo status=$?\n")
	p.sees(t, "tick")
	if state := runState(pid); state == 'T' {
		t.Error("the program is still stopped")
	}
	p.types(t, "\x1a")
	p.sees(t, "Stopped")
	p.types(t, "bg\n")
	p.sees(t, "tick")
	p.types(t, "fg; echo status=$?\n")
	p.sees(t, "tick")
	p.types(t, "\x03")
	p.sees(t, "interrupted")
	p.sees(t, "status=7\r\n")
}

// The same for exec, whose process is stopped, and not the container.
func TestControlZStopsAnExec(t *testing.T) {
	t.Parallel()
	b := running(t)
	p := newPerson(t, b)
	pidFile := b.Path("pid")
	p.types(t, "$rt exec --pid-file "+pidFile+" "+b.ID+" sh -c '"+ticking+"'; echo status=$?\n")
	p.sees(t, "tick 3")
	p.types(t, "\x1a")
	p.sees(t, "Stopped")
	stops(t, execedPID(t, pidFile))
	b.Exec(t, nil, "true").WantExit(t, 0)
	p.types(t, "fg; echo status=$?\n")
	p.sees(t, "tick 5")
	p.types(t, "\x03")
	p.sees(t, "status=130\r\n")
}

// A program that has a handler for SIGTSTP gets it, and decides.
func TestControlZOfAProgramThatHandlesIt(t *testing.T) {
	t.Parallel()
	b := shell(t, "trap 'echo handled' TSTP; trap 'exit 7' INT", ticking)
	b.Write(t)
	p := newPerson(t, b)
	p.runs(t, b)
	p.sees(t, "tick 3")
	p.types(t, "\x1a")
	p.sees(t, "handled")
	p.sees(t, "tick")
	p.types(t, "\x03")
	p.sees(t, "status=7\r\n")
}

// With a terminal, ^C, ^Z and ^\ are the container's.
func TestTheKeysOfATerminalAreTheContainers(t *testing.T) {
	t.Parallel()
	b := terminal(shell(t, "trap 'echo got INT' INT; trap 'echo got TSTP' TSTP; trap 'echo got QUIT; exit 7' QUIT; stty -echo; echo ready; while :; do sleep 0.1; done"))
	b.Write(t)
	p := newPerson(t, b)
	before := p.mode(t)
	p.runs(t, b)
	p.sees(t, "ready")
	p.wantRaw(t)
	for _, key := range []struct{ typed, seen string }{{"\x03", "got INT"}, {"\x1a", "got TSTP"}, {"\x1c", "got QUIT"}} {
		p.types(t, key.typed)
		p.sees(t, key.seen)
	}
	p.sees(t, "status=7\r\n")
	if after := p.mode(t); after != before {
		t.Errorf("mode %+v, was %+v", after, before)
	}
}

// The shell in a container has job control of its own.
func TestAShellInAContainerHasJobControl(t *testing.T) {
	t.Parallel()
	b := terminal(harness.NewBundle(t, "sh", "-i"))
	b.Spec.Process.Env = append(b.Spec.Process.Env, "PS1=inner# ")
	b.Write(t)
	p := newPerson(t, b)
	p.runs(t, b)
	p.sees(t, "inner# ")
	p.types(t, "sleep 1000\n")
	time.Sleep(300 * time.Millisecond) // until sleep has the terminal
	p.types(t, "\x1a")
	p.sees(t, "Stopped")
	p.sees(t, "inner# ")
	p.types(t, "fg; echo status=$?\n")
	time.Sleep(300 * time.Millisecond)
	p.types(t, "\x03")
	p.sees(t, "inner# ")
	p.types(t, "exit 3\n")
	p.sees(t, "status=3\r\n")
}

// While rt is stopped, the terminal is in the mode in which the shell has left it; the size that changed meanwhile is
// passed on.
func TestAStoppedTerminalIsTheShells(t *testing.T) {
	t.Parallel()
	b := terminal(shell(t, "echo ready; while read line; do stty size; done"))
	b.Write(t)
	p := newPerson(t, b)
	before := p.mode(t)
	p.runs(t, b)
	p.sees(t, "ready")
	p.wantRaw(t)
	signal(t, p.job(t), unix.SIGTSTP)
	p.sees(t, "Stopped")
	if during := p.mode(t); during.Lflag != before.Lflag || during.Oflag != before.Oflag || during.Iflag != before.Iflag {
		t.Errorf("mode %+v, was %+v", during, before)
	}
	if err := unix.IoctlSetWinsize(int(p.screen.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 33, Col: 111}); err != nil {
		t.Fatal(err)
	}
	p.types(t, "fg; echo status=$?\n")
	p.wantRaw(t)
	harness.Eventually(t, "the size", func() bool {
		p.types(t, "\r")
		return strings.Contains(p.all(), "33 111")
	})
	signal(t, b.State(t).Pid, unix.SIGKILL)
	p.sees(t, "status=137\r\n")
	if after := p.mode(t); after != before {
		t.Errorf("mode %+v, was %+v", after, before)
	}
}

// In the background, what wants the terminal waits until it is in the foreground.
func TestATerminalInTheBackgroundWaits(t *testing.T) {
	t.Parallel()
	b := running(t)
	p := newPerson(t, b)
	before := p.mode(t)
	p.types(t, "$rt exec -t "+b.ID+" sh -c 'echo in-$((1+1)); exit 4' &\n")
	harness.Eventually(t, "the job is stopped", func() bool {
		p.types(t, "jobs\n")
		return strings.Contains(p.all(), "Stopped")
	})
	if after := p.mode(t); after != before {
		t.Errorf("mode %+v, was %+v", after, before)
	}
	b.Exec(t, nil, "true").WantExit(t, 0)
	p.types(t, "fg; echo status=$?\n")
	p.sees(t, "in-2")
	p.sees(t, "status=4\r\n")
}

// Whatever ends rt, the terminal is as it was before.
func TestSignalsLeaveTheTerminalAsItWas(t *testing.T) {
	t.Parallel()
	for _, s := range []unix.Signal{unix.SIGTERM, unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGUSR1} {
		t.Run(unix.SignalName(s), func(t *testing.T) {
			t.Parallel()
			b := running(t)
			p := newPerson(t, b)
			before := p.mode(t)
			p.types(t, "$rt exec -t "+b.ID+" sh -c 'ulimit -c 0; echo ready; exec sleep 1000'; echo status=$?\n")
			p.sees(t, "ready\r\n")
			p.wantRaw(t)
			signal(t, p.job(t), s)
			p.sees(t, "status="+strconv.Itoa(128+int(s))+"\r\n")
			if after := p.mode(t); after != before {
				t.Errorf("mode %+v, was %+v", after, before)
			}
		})
	}
}

// Errors, early and late ones, leave it as it was, too.
func TestErrorsLeaveTheTerminalAsItWas(t *testing.T) {
	t.Parallel()
	b := terminal(harness.NewBundle(t, "/nosuch"))
	harness.WriteFile(t, b.InRootfs("script"), "#!/nosuch\n", 0o755)
	p := newPerson(t, b)
	before := p.mode(t)
	for _, program := range []string{"/nosuch", "/script"} { // found missing before execve, and by it
		b.Spec.Process.Args = []string{program}
		b.Write(t)
		p.runs(t, b)
		p.sees(t, "no such file or directory")
		p.sees(t, "prompt> ")
		if after := p.mode(t); after != before {
			t.Errorf("%s: mode %+v, was %+v", program, after, before)
		}
	}
}

// When the window is closed, the container's terminal hangs up, too: a shell ends, though as the first process of its
// pid namespace no SIGHUP reaches it.
func TestAClosedWindowHangsUpTheContainer(t *testing.T) {
	t.Parallel()
	b := terminal(harness.NewBundle(t, "sh", "-i"))
	b.Spec.Process.Env = append(b.Spec.Process.Env, "PS1=inner# ")
	b.Write(t)
	p := newPerson(t, b)
	p.runs(t, b)
	p.sees(t, "inner# ")
	rt := p.job(t)
	p.tty.Close()
	p.leave()
	signal(t, p.shell.Process.Pid, unix.SIGKILL)
	harness.Eventually(t, "rt has ended", func() bool { return runState(rt) == 0 || runState(rt) == 'Z' })
	b.RT(t, "state", b.ID).WantOneError(t, "container does not exist")
}

// What was ignored when rt was started stays so: nohup, and the background jobs of scripts.
func TestIgnoredSignalsAreNotForwarded(t *testing.T) {
	t.Parallel()
	b := running(t)
	output := b.Path("output")
	file, err := os.Create(output)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	b.Wrapper = []string{"/bin/sh", "-c", "trap '' HUP INT; exec \"$@\"", "sh"}
	cmd := b.Command(t, "exec", b.ID, "sh", "-c", "trap 'echo HUP' HUP; trap 'echo INT' INT; trap 'echo TERM; exit 3' TERM; "+ticking)
	b.Wrapper = nil
	cmd.Stdout = file
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, "ticks", func() bool { return strings.Contains(harness.ReadFile(t, output), "tick 2") })
	for _, s := range []syscall.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGTERM} {
		if err := cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	ends(t, cmd)
	got := harness.ReadFile(t, output)
	if status := cmd.ProcessState.ExitCode(); status != 3 || strings.Contains(got, "HUP") || strings.Contains(got, "INT") {
		t.Errorf("status %d, output %q", status, got)
	}
}

// So do those that come when rt does not yet pass any on, but holds them: a hook sends one.
func TestIgnoredSignalsThatComeEarlyAreNotForwarded(t *testing.T) {
	t.Parallel()
	b := shell(t, `trap "echo got HUP" HUP; trap "echo got TERM; exit 3" TERM; echo up; while :; do sleep 0.01; done`)
	addHook(b, "poststart", "until grep -q up "+b.Path("output")+"; do sleep 0.01; done; kill -HUP $PPID")
	b.Wrapper = []string{"/bin/sh", "-c", "trap '' HUP; exec \"$@\"", "sh"}
	run := inForeground(t, b)
	if err := run.Process.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	ends(t, run)
	if got := run.ProcessState.ExitCode(); got != 3 {
		t.Errorf("exit status is %d, want the program's 3", got)
	}
	wantFile(t, b.Path("output"), "up\ngot TERM\n")
}

// A person is told why ^C does nothing, once.
func TestADroppedInterruptIsExplained(t *testing.T) {
	t.Parallel()
	b := idle(t)
	b.Write(t)
	p := newPerson(t, b)
	p.runs(t, b)
	b.WaitFor(t, "running")
	for range 3 { // the first ones may come before the program is executed, whose handlers are looked at
		time.Sleep(200 * time.Millisecond)
		p.types(t, "\x03")
	}
	p.sees(t, "SIGINT does nothing to \\\"sleep\\\"")
	p.sees(t, "kill "+b.ID+" KILL")
	b.Kill(t, "KILL").WantExit(t, 0)
	p.sees(t, "prompt> ")
	if n := strings.Count(p.all(), "does nothing"); n != 1 {
		t.Errorf("said %d times", n)
	}
}

// A stage that does not go on, here in a group that is frozen, keeps nobody waiting who wants to leave. In a unified
// hierarchy, rt itself waits in clone3.
func TestAFrozenExecCanBeInterrupted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		option, group, file, freeze, thaw string
		v2                                bool
	}{
		"v2": {"/frozen", "/sys/fs/cgroup/unified", "cgroup.freeze", "1", "0", true},
		"v1": {"freezer:/frozen", "/sys/fs/cgroup/freezer", "freezer.state", "FROZEN", "THAWED", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := idle(t)
			b.Spec.Linux.CgroupsPath = "/" + b.ID
			if c.v2 {
				b.Wrapper = harness.InV2View(t)
			} else if !harness.HasCgroup1() {
				t.Skip("needs a freezer of cgroup v1")
			}
			if !harness.HasCgroup1() {
				c.group = "/sys/fs/cgroup"
			}
			b.Run(t, "--detach").WantExit(t, 0)
			sub := harness.Mkdir(t, filepath.Join(c.group, b.ID, "frozen"), 0o755)
			control := filepath.Join(sub, c.file)
			if err := os.WriteFile(control, []byte(c.freeze), 0); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				_ = os.WriteFile(control, []byte(c.thaw), 0)
				harness.Eventually(t, "nobody is left in the group", func() bool { return harness.ReadFile(t, sub+"/cgroup.procs") == "" })
				_ = os.Remove(sub)
			})
			stderr := b.Path("stderr")
			file, err := os.Create(stderr)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			cmd := b.Command(t, "exec", "--cgroup", c.option, b.ID, "true")
			cmd.Stderr = file
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			harness.Eventually(t, "the stage is in the group", func() bool { return harness.ReadFile(t, sub+"/cgroup.procs") != "" })
			time.Sleep(time.Second) // until rt has done what it can
			if err := cmd.Process.Signal(unix.SIGTERM); err != nil {
				t.Fatal(err)
			}
			ends(t, cmd)
			text := harness.ReadFile(t, stderr)
			if died := cmd.ProcessState.Sys().(syscall.WaitStatus).Signaled(); c.v2 && (!died || text != "") {
				t.Errorf("%v, %q", cmd.ProcessState, text)
			}
			if !c.v2 && (cmd.ProcessState.ExitCode() != 255 || !strings.Contains(text, "interrupted by a signal") || strings.Count(text, "\n") != 1) {
				t.Errorf("%v, %q", cmd.ProcessState, text)
			}
		})
	}
}

// ends waits for the end of a command, which must come.
func ends(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	late := time.AfterFunc(30*time.Second, func() {
		t.Error("the command hangs")
		_ = cmd.Process.Kill()
	})
	defer late.Stop()
	_ = cmd.Wait()
}
