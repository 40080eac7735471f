// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/seccomp/wire"
	"github.com/rt-oci/rt/libcontainer/sys"
)

// shellCompiler is a shell in the compiler's place: the request is its script.
func shellCompiler(t *testing.T, limit time.Duration) *compiler {
	t.Helper()
	shell, err := os.ReadFile("/bin/sh")
	if err != nil {
		t.Fatal(err)
	}
	return &compiler{shell, limit}
}

// wantNoChild wants all children of this process to have ended and to have been waited for.
func wantNoChild(t *testing.T) {
	t.Helper()
	if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); err != unix.ECHILD {
		t.Errorf("there is a child left: %d, %v", pid, err)
	}
}

func TestFailuresOfTheCompilerAreErrors(t *testing.T) {
	good := wire.EncodeRequest(&specs.LinuxSeccomp{DefaultAction: specs.ActAllow})
	answer := (&wire.Answer{Program: make([]byte, 16)}).Encode()
	for name, c := range map[string]struct {
		compiler *compiler
		request  string
		want     string
	}{
		"not a program":     {&compiler{[]byte("text"), time.Minute}, string(good), "execute it: exec format error"},
		"cut off":           {&compiler{program[:1000], time.Minute}, string(good), "run the filter compiler: "},
		"no program":        {&compiler{nil, time.Minute}, string(good), "execute it: exec format error"},
		"no answer":         {shellCompiler(t, time.Minute), "exit 0", "decode answer: it is cut off"},
		"half an answer":    {shellCompiler(t, time.Minute), fmt.Sprintf("printf '\\%03o'", answer[0]), "decode answer: it is cut off"},
		"words":             {shellCompiler(t, time.Minute), "echo it does not work; echo at all; exit 1", "it does not work"},
		"silence":           {shellCompiler(t, time.Minute), "exit 1", "it ended with status 1: \"\""},
		"crash":             {shellCompiler(t, time.Minute), "echo panic: x >&2; exit 2", "it ended with status 2: \"panic: x\""},
		"signal":            {shellCompiler(t, time.Minute), "kill -SEGV $$", "it was ended by SIGSEGV"},
		"endless":           {shellCompiler(t, time.Minute), "while :; do echo endless; done", "more than 32"},
		"late":              {shellCompiler(t, 50*time.Millisecond), "while :; do :; done", "it takes too long"},
		"late, output shut": {shellCompiler(t, 50*time.Millisecond), "exec >&- 2>&-; while :; do :; done", "it takes too long"},
		"too large":         {embedded(), strings.Repeat("x", wire.MaxRequestBytes+1), "the profile has 4194305 bytes"},
		"not a request":     {embedded(), "x", "decode request: it is cut off or damaged"},
	} {
		answer, err := c.compiler.run([]byte(c.request))
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, %v", name, answer, err)
		}
		wantNoChild(t)
	}
}

func TestTheCompilerIsGivenNothingElse(t *testing.T) {
	want := "/ 0 1 2"
	for fd := 3; fd < 1024; fd++ { // what is not close-on-exec is not ours, but our caller's
		if sys.Inherited(fd) {
			want += " " + strconv.Itoa(fd)
		}
	}
	script := "/usr/bin/env -u PWD -u OLDPWD -u SHLVL -u _; pwd; /bin/ls -v /proc/$$/fd; read -r stat </proc/$$/stat; set -- $stat; [ $5 = $$ ] && echo leads its group"
	output, status, err := shellCompiler(t, time.Minute).execute([]byte(script))
	if err != nil || status != 0 {
		t.Fatalf("%v, %v: %s", err, status, output)
	}
	if got := strings.Join(strings.Fields(string(output)), " "); got != want+" leads its group" {
		t.Errorf("environment, directory, descriptors: %s, want %s", got, want)
	}
}

// Descriptors that rt inherited stay open for the container, and so come along. The compiler closes them first.
func TestTheCompilerClosesWhatItInherits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rt-seccomp")
	if err := os.WriteFile(path, program, 0o700); err != nil {
		t.Fatal(err)
	}
	ours, theirs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	c := exec.Command(path)
	c.ExtraFiles = []*os.File{theirs}
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var output bytes.Buffer
	c.Stdout = &output
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	if n, err := ours.Read(make([]byte, 1)); n != 0 || err == nil { // while it waits for its request
		t.Errorf("%d, %v", n, err)
	}
	if _, err := stdin.Write(wire.EncodeRequest(&specs.LinuxSeccomp{DefaultAction: specs.ActAllow})); err != nil {
		t.Errorf("it has ended before its request came: %v", err)
	}
	stdin.Close()
	if err := c.Wait(); err != nil {
		t.Errorf("%v: %s", err, output.Bytes())
	}
	if _, err := wire.DecodeAnswer(output.Bytes()); err != nil {
		t.Error(err)
	}
}

const orphanVariable = "RT_TEST_SECCOMP_ORPHAN"

// leaveOrphan is the other half of TestTheCompilerEndsWithRt.
func leaveOrphan(mark string) {
	shell, err := os.ReadFile("/bin/sh")
	if err == nil {
		_, _, err = (&compiler{shell, time.Minute}).execute([]byte("echo $$ >" + mark + ".new; mv " + mark + ".new " + mark + "; while :; do :; done"))
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(97)
}

func TestTheCompilerEndsWithRt(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "pid")
	c := exec.Command("/proc/self/exe")
	c.Env = append(os.Environ(), orphanVariable+"="+mark)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	for until := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		if text, err := os.ReadFile(mark); err == nil {
			if _, err := fmt.Sscan(string(text), &pid); err != nil {
				t.Fatal(err)
			}
			break
		}
		if time.Now().After(until) {
			t.Fatal("it does not start")
		}
	}
	pidFD, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pidFD)
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait() // it was killed
	if err := wait(pidFD, time.Now().Add(time.Minute)); err != nil {
		t.Errorf("the compiler lives on: %v", err)
		_ = unix.PidfdSendSignal(pidFD, unix.SIGKILL, nil, 0)
	}
}
