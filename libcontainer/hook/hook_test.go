// SPDX-License-Identifier: Apache-2.0

package hook

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// sh returns a hook that runs a shell script.
func sh(script string) specs.Hook {
	return specs.Hook{Path: "/bin/sh", Args: []string{"sh", "-c", script}}
}

func seconds(n int) *int { return &n }

func wantParts(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q lacks %q", err, part)
		}
	}
	if strings.ContainsAny(err.Error(), "\n\r\x1b") {
		t.Errorf("error is not one printable line: %q", err)
	}
}

// output runs a hook that writes to the file $OUT and returns what it wrote.
func output(t *testing.T, h specs.Hook, state string, o Options) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out")
	if h.Env == nil {
		t.Setenv("OUT", out)
	} else {
		h.Env = append(h.Env, "OUT="+out)
	}
	if err := Run("createRuntime", []specs.Hook{h}, []byte(state), o); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

func TestStateArrivesOnStandardInput(t *testing.T) {
	for _, size := range []int{0, 2, 65536, 1 << 20} {
		state := strings.Repeat("x", size)
		if got := output(t, sh(`cat >"$OUT"`), state, Options{}); got != state {
			t.Errorf("state of %d bytes: got %d", size, len(got))
		}
	}
}

func TestStandardInputBlocks(t *testing.T) {
	got := output(t, sh(`grep ^flags: /proc/self/fdinfo/0 >"$OUT"`), "{}", Options{})
	flags, err := strconv.ParseUint(strings.TrimSpace(strings.TrimPrefix(got, "flags:")), 8, 32)
	if err != nil || flags&unix.O_NONBLOCK != 0 {
		t.Errorf("flags %q, %v", got, err)
	}
}

func TestHookThatNeverReads(t *testing.T) {
	big := bytes.Repeat([]byte("x"), 1<<20)
	for _, script := range []string{":", "exec 0<&-; sleep 0.05", "sleep 0.05"} {
		if err := Run("poststart", []specs.Hook{sh(script)}, big, Options{}); err != nil {
			t.Errorf("%s: %v", script, err)
		}
	}
}

func TestArguments(t *testing.T) {
	script := filepath.Join(t.TempDir(), "hook")
	if err := os.WriteFile(script, []byte("#!/bin/sh\ntr '\\0' '|' </proc/$$/cmdline >\"$OUT\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if got, want := output(t, specs.Hook{Path: script}, "", Options{}), "/bin/sh|"+script+"|"; got != want {
		t.Errorf("without args: %q, want %q", got, want)
	}
	h := specs.Hook{Path: "/bin/sh", Args: []string{"own name", "-c", `tr '\0' '|' </proc/$$/cmdline >"$OUT"`, "one", ""}}
	if got := output(t, h, "", Options{}); !strings.HasPrefix(got, "own name|-c|") || !strings.HasSuffix(got, "|one||") {
		t.Errorf("with args: %q", got)
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv("FROM_RUNTIME", "1")
	show := `tr '\0' '\n' </proc/$$/environ | grep -v '^OUT=' | sort | tr '\n' '|' >"$OUT"`
	h := sh(show)
	if got := output(t, h, "", Options{}); !strings.Contains(got, "FROM_RUNTIME=1|") {
		t.Errorf("absent: %q", got)
	}
	h.Env = []string{"A=1", "B=x y", "PATH=/bin:/usr/bin"}
	if got := output(t, h, "", Options{}); got != "A=1|B=x y|PATH=/bin:/usr/bin|" {
		t.Errorf("given: %q", got)
	}
	h = specs.Hook{Path: "/bin/sh", Args: []string{"sh", "-c", `test -z "$(cat /proc/$$/environ)"`}, Env: []string{}}
	if err := Run("prestart", []specs.Hook{h}, nil, Options{}); err != nil {
		t.Errorf("empty: %v", err)
	}
	h.Env = nil
	if err := Run("prestart", []specs.Hook{h}, nil, Options{Env: []string{"X=1"}}); err == nil {
		t.Error("Options.Env not used")
	}
}

func TestWorkingDirectory(t *testing.T) {
	dir := t.TempDir()
	if got := output(t, sh(`pwd >"$OUT"`), "", Options{Dir: dir}); got != dir+"\n" {
		t.Errorf("got %q, want %q", got, dir)
	}
	err := Run("prestart", []specs.Hook{sh(":")}, nil, Options{Dir: dir + "/gone"})
	wantParts(t, err, `error running prestart hook #0: "/bin/sh": chdir `, "no such file or directory")
}

func TestOrderAndStopAtFirstFailure(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	t.Setenv("LOG", log)
	err := Run("createContainer", []specs.Hook{sh(`echo a >>"$LOG"`), sh(`echo b >>"$LOG"; echo sorry >&2; exit 3`), sh(`echo c >>"$LOG"`)}, nil, Options{})
	wantParts(t, err, `error running createContainer hook #1: "/bin/sh": exit status 3 after `, ": sorry")
	if got, _ := os.ReadFile(log); string(got) != "a\nb\n" {
		t.Errorf("log %q", got)
	}
}

func TestRunAll(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	t.Setenv("LOG", log)
	hooks := []specs.Hook{sh(`echo a >>"$LOG"; exit 1`), sh(`echo b >>"$LOG"`), {Path: "/nosuchfile"}}
	err := RunAll("poststop", hooks, nil, Options{})
	wantParts(t, err, "error running poststop hook #0:", "; error running poststop hook #2: \"/nosuchfile\": execve: no such file or directory")
	var warnings Warnings
	if !errors.As(err, &warnings) || len(warnings) != 2 || !errors.Is(err, unix.ENOENT) {
		t.Errorf("warnings %v", warnings)
	}
	if got, _ := os.ReadFile(log); string(got) != "a\nb\n" {
		t.Errorf("log %q", got)
	}
	if err := RunAll("poststop", hooks[1:2], nil, Options{}); err != nil {
		t.Errorf("success: %v", err)
	}
}

func TestSignals(t *testing.T) {
	wantParts(t, Run("startContainer", []specs.Hook{sh("kill -SYS $$")}, nil, Options{}),
		"error running startContainer hook #0:", "killed by signal 31 (bad system call) after ")
	wantParts(t, Run("prestart", []specs.Hook{sh("kill -KILL $$")}, nil, Options{}), "killed by signal 9 (killed)")
}

func TestOutputIsCapturedAndBounded(t *testing.T) {
	err := Run("prestart", []specs.Hook{sh(`printf 'one\r\ntwo \033[31mred\a\n' ; echo three >&2; exit 1`)}, nil, Options{})
	wantParts(t, err, `: one\ntwo .[31mred.\nthree`)
	err = Run("prestart", []specs.Hook{sh(`head -c 300000 /dev/zero | tr '\0' x; echo end >&2; exit 1`)}, nil, Options{})
	wantParts(t, err, ": [...] xxx", "xend")
	if n := len(err.Error()); n > tailBytes+200 {
		t.Errorf("error has %d bytes", n)
	}
}

func TestTimeoutKillsDescendants(t *testing.T) {
	pidFile := filepath.Join(t.TempDir(), "pid")
	t.Setenv("PIDFILE", pidFile)
	h := sh(`sleep 1000 & echo $! >"$PIDFILE"; echo waiting; wait`)
	h.Timeout = seconds(1)
	began := time.Now()
	err := Run("poststart", []specs.Hook{h}, nil, Options{})
	wantParts(t, err, `error running poststart hook #0: "/bin/sh": killed after 1`, "its timeout is 1 s: waiting")
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("took %v", took)
	}
	text, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	for deadline := time.Now().Add(5 * time.Second); alive(pid); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("child %d of the hook lives", pid)
		}
	}
}

// alive reports whether a process exists and is not a zombie.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

func TestDaemonDoesNotBlock(t *testing.T) {
	pidFile := filepath.Join(t.TempDir(), "pid")
	t.Setenv("PIDFILE", pidFile)
	began := time.Now()
	if err := Run("poststart", []specs.Hook{sh(`sleep 1000 & echo $! >"$PIDFILE"`)}, nil, Options{}); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
	text, _ := os.ReadFile(pidFile)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if !alive(pid) {
		t.Error("the daemon was killed")
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Error(err)
	}
}

func TestOwnStart(t *testing.T) {
	var seen specs.Hook
	o := Options{Env: []string{"A=1"}, Start: func(h specs.Hook, stdin, stdout, stderr *os.File) (Process, error) {
		seen = h
		h.Path = "/bin/sh"
		h.Args = []string{"sh", "-c", `read line; echo "$line $A" >&2; exit 7`}
		return startOnHost(h, "", stdin, stdout, stderr)
	}}
	err := Run("createContainer", []specs.Hook{{Path: "/in/container"}}, []byte("state\n"), o)
	wantParts(t, err, `error running createContainer hook #0: "/in/container": exit status 7 after `, ": state 1")
	if len(seen.Args) != 1 || seen.Args[0] != "/in/container" || len(seen.Env) != 1 {
		t.Errorf("incomplete hook %+v", seen)
	}
	o.Start = func(specs.Hook, *os.File, *os.File, *os.File) (Process, error) { return Process{}, unix.EACCES }
	wantParts(t, Run("createContainer", []specs.Hook{{Path: "/x"}}, nil, o), `hook #0: "/x": permission denied`)
}

func TestNoDescriptorIsLeft(t *testing.T) {
	count := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	before := count()
	for range 5 {
		_ = RunAll("poststop", []specs.Hook{sh("exit 1"), sh(":"), {Path: "/nosuchfile"}}, []byte("{}"), Options{})
	}
	if after := count(); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		hooks *specs.Hooks
		want  string
	}{
		"none":     {nil, ""},
		"good":     {&specs.Hooks{Poststop: []specs.Hook{{Path: "/x", Timeout: seconds(1)}}}, ""},
		"missing":  {&specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/x"}, {}}}, "hooks.createRuntime[1].path: missing"},
		"relative": {&specs.Hooks{StartContainer: []specs.Hook{{Path: "x"}}}, `hooks.startContainer[0].path: "x" is not absolute`},
		"zero":     {&specs.Hooks{Poststart: []specs.Hook{{Path: "/x", Timeout: seconds(0)}}}, "hooks.poststart[0].timeout: 0 is not greater than 0"},
		"negative": {&specs.Hooks{CreateContainer: []specs.Hook{{Path: "/x", Timeout: seconds(-1)}}}, "hooks.createContainer[0].timeout: -1"},
		"nul":      {&specs.Hooks{Poststop: []specs.Hook{{Path: "/x", Env: []string{"A=\x00"}}}}, "NUL byte"},
	} {
		err := Check(c.hooks)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
