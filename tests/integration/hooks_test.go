// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/tests/harness"
)

// kinds of hooks in the order in which they run.
var kinds = []string{"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"}

func hooksOf(b *harness.Bundle, kind string) *[]specs.Hook {
	if b.Spec.Hooks == nil {
		b.Spec.Hooks = &specs.Hooks{}
	}
	h := b.Spec.Hooks
	return map[string]*[]specs.Hook{
		"prestart":        &h.Prestart, // deprecated, and supported
		"createRuntime":   &h.CreateRuntime,
		"createContainer": &h.CreateContainer,
		"startContainer":  &h.StartContainer,
		"poststart":       &h.Poststart,
		"poststop":        &h.Poststop,
	}[kind]
}

// addHook adds a hook that runs a script of the host's shell, or of the container's for startContainer.
func addHook(b *harness.Bundle, kind, script string) *specs.Hook {
	list := hooksOf(b, kind)
	*list = append(*list, specs.Hook{Path: "/bin/sh", Args: []string{"sh", "-c", script}})
	return &(*list)[len(*list)-1]
}

// logTo makes a directory that host and container see at the same path, and returns the path of a file in it.
func logTo(t *testing.T, b *harness.Bundle) string {
	t.Helper()
	dir := harness.Mkdir(t, b.Path("log"), 0o777)
	b.Spec.Mounts = append(b.Spec.Mounts, bind(dir, dir, "bind"))
	return filepath.Join(dir, "log")
}

func TestHooksRunInTheOrderOfTheSpec(t *testing.T) {
	t.Parallel()
	b := shell(t, "")
	log := logTo(t, b)
	b.Spec.Process.Args[2] = "echo program >>" + log + "; exec sleep 1000"
	for _, kind := range kinds {
		addHook(b, kind, "echo "+kind+" 1 >>"+log)
		addHook(b, kind, "echo "+kind+" 2 >>"+log)
	}
	before := b.Snapshot(t)
	want := "prestart 1\nprestart 2\ncreateRuntime 1\ncreateRuntime 2\ncreateContainer 1\ncreateContainer 2\n"
	b.Create(t).WantExit(t, 0)
	wantFile(t, log, want)
	b.Start(t).WantExit(t, 0)
	harness.Eventually(t, "the program", func() bool { return strings.Contains(harness.ReadFile(t, log), "program") })
	// poststart comes after the program was executed, which then may be faster or slower.
	got := strings.Replace(harness.ReadFile(t, log), "program\n", "", 1)
	want += "startContainer 1\nstartContainer 2\npoststart 1\npoststart 2\n"
	if got != want {
		t.Errorf("after start: %q, want %q", got, want)
	}
	b.Kill(t, "KILL").WantExit(t, 0)
	b.WaitFor(t, "stopped")
	b.Delete(t).WantExit(t, 0)
	wantFile(t, log, strings.Replace(harness.ReadFile(t, log), "poststop 1\npoststop 2\n", "", 1)+"poststop 1\npoststop 2\n")
	before.WantSame(t)
}

func wantFile(t *testing.T, path, want string) {
	t.Helper()
	if got := harness.ReadFile(t, path); got != want {
		t.Errorf("%s has %q, want %q", path, got, want)
	}
}

func TestHooksGetTheStateOnStdin(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "sleep", "1000")
	b.Spec.Annotations = map[string]string{"org.example": "a value"}
	dir := filepath.Dir(logTo(t, b))
	for _, kind := range kinds {
		addHook(b, kind, "cat >"+dir+"/"+kind)
	}
	b.Create(t).WantExit(t, 0)
	pid := b.State(t).Pid
	b.Start(t).WantExit(t, 0)
	b.Delete(t, "--force").WantExit(t, 0)
	for kind, status := range map[string]specs.ContainerState{
		"prestart": "created", "createRuntime": "created", "createContainer": "created",
		"startContainer": "created", "poststart": "running", "poststop": "stopped",
	} {
		var s specs.State
		if err := json.Unmarshal([]byte(harness.ReadFile(t, filepath.Join(dir, kind))), &s); err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		want := pid
		switch kind {
		case "createContainer", "startContainer":
			want = 1 // as seen in the container's pid namespace
		case "poststop":
			want = 0
		}
		if s.Status != status || s.Pid != want || s.ID != b.ID || s.Bundle != b.Dir ||
			s.Version == "" || s.Annotations["org.example"] != "a value" {
			t.Errorf("%s: state is %+v, want status %s, pid %d", kind, s, status, want)
		}
	}
}

func TestHooksHaveTheirOwnEnvironmentArgumentsAndDirectory(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "sleep", "1000")
	b.Env = []string{"RT_TEST_SECRET=1"}
	dir := filepath.Dir(logTo(t, b))
	for _, kind := range kinds {
		h := addHook(b, kind, `pwd >`+dir+`/`+kind+`; tr '\0' '\n' </proc/self/environ >`+dir+`/`+kind+`.env; echo "$0 $1" >`+dir+"/"+kind+".args")
		h.Args = append(h.Args, "zero", "one two")
		h.Env = []string{"ONE=two", "PATH=/usr/bin:/bin"}
	}
	b.Run(t, "-d").WantExit(t, 0)
	b.Delete(t, "--force").WantExit(t, 0)
	for _, kind := range kinds {
		want := b.Dir
		switch kind {
		case "createContainer":
			want = b.Rootfs
		case "startContainer":
			want = "/"
		}
		wantFile(t, filepath.Join(dir, kind), want+"\n")
		wantFile(t, filepath.Join(dir, kind+".args"), "zero one two\n")
		for line := range strings.Lines(harness.ReadFile(t, filepath.Join(dir, kind+".env"))) {
			switch strings.TrimSpace(line) {
			case "ONE=two", "PATH=/usr/bin:/bin":
			default:
				t.Errorf("%s: environment has %s", kind, line)
			}
		}
	}
}

func TestTheFirstArgumentOfAHookIsItsName(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "true")
	*hooksOf(b, "startContainer") = []specs.Hook{{Path: "/bin/busybox", Args: []string{"cat", "/nosuchfile"}}}
	b.Run(t).WantExit(t, 1).WantStderr(t, "error running startContainer hook #0:", "nosuchfile")
}

func TestStartContainerHooksInheritTheProcessEnvironmentAndHaveNoDescriptors(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "true")
	b.Spec.Process.Env = append(b.Spec.Process.Env, "MINE=yes")
	dir := filepath.Dir(logTo(t, b))
	addHook(b, "startContainer", `echo "$MINE $HOME" >`+dir+"/env; ls /proc/self/fd | wc -l >"+dir+"/fds")
	b.Run(t).WantExit(t, 0)
	wantFile(t, filepath.Join(dir, "env"), "yes /root\n")
	wantFile(t, filepath.Join(dir, "fds"), "4\n")
}

// A startContainer hook has the limits of the container's process, whoever that is.
func TestStartContainerHooksHaveTheLimitsOfTheProcess(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*harness.Bundle){
		"root":           func(*harness.Bundle) {},
		"user":           func(b *harness.Bundle) { b.Spec.Process.User = specs.User{UID: 1000, GID: 1000} },
		"user namespace": func(b *harness.Bundle) { mapIDs(t, b) },
	} {
		b := harness.NewBundle(t, "true")
		b.Spec.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 77, Hard: 88}, {Type: "RLIMIT_CORE", Soft: 0, Hard: 0}}
		dir := filepath.Dir(logTo(t, b))
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		change(b)
		addHook(b, "startContainer", "(ulimit -n; ulimit -H -n; ulimit -c) >"+dir+"/limits")
		t.Log(name)
		b.Run(t).WantExit(t, 0)
		wantFile(t, filepath.Join(dir, "limits"), "77\n88\n0\n")
	}
}

// The command fails, the program has not run, the later hooks neither, poststop hooks have, and nothing is left.
func TestAFailingHookFailsTheCommand(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds[:5] {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			b := shell(t, "")
			log := logTo(t, b)
			b.Spec.Process.Args[2] = "exec sleep 1000"
			if kind != "poststart" {
				b.Spec.Process.Args[2] = "echo program >>" + log
			}
			addHook(b, kind, "echo 1 >>"+log)
			addHook(b, kind, "echo why >&2; exit 3")
			addHook(b, kind, "echo 3 >>"+log)
			addHook(b, "poststop", "echo poststop >>"+log)
			before := b.Snapshot(t)
			b.Run(t, "-d").WantOneError(t, "error running "+kind+" hook #1:", "exit status 3", "why")
			before.WantSame(t)
			wantFile(t, log, "1\npoststop\n")
			failing := b.Create(t)
			if failing.Exit == 0 {
				if kind == "prestart" || strings.HasPrefix(kind, "create") {
					t.Errorf("create has succeeded with a failing %s hook", kind)
				}
				failing = b.Start(t)
			}
			failing.WantOneError(t, "error running "+kind+" hook #1:")
			before.WantSame(t)
		})
	}
}

func TestAFailingPoststopHookIsAWarning(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "sleep", "1000")
	log := logTo(t, b)
	addHook(b, "poststop", "exit 3")
	addHook(b, "poststop", "echo second >>"+log)
	before := b.Snapshot(t)
	b.Run(t, "-d").WantExit(t, 0)
	b.Delete(t, "--force").WantExit(t, 0).WantStderr(t, "warning", "error running poststop hook #0:")
	wantFile(t, log, "second\n")
	before.WantSame(t)
}

func TestAHookThatIgnoresStdinDoesNoHarm(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "true")
	b.Spec.Annotations = map[string]string{"big": strings.Repeat("x", 1<<20)} // more than a pipe holds
	for _, kind := range kinds {
		addHook(b, kind, "exec <&-; exit 0")
	}
	b.Run(t).WantExit(t, 0)
}

func TestTheOutputOfHooksIsNotTheContainers(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "echo", "program")
	for _, kind := range kinds {
		addHook(b, kind, "echo noise; echo noise >&2")
	}
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "program")
}

// Namespaces and mounts are there, pivot_root has not been: what a hook mounts below the rootfs is in the container.
func TestHooksOfCreateMayMountIntoTheContainer(t *testing.T) {
	t.Parallel()
	b := shell(t, "cat /one /two")
	for _, name := range []string{"one", "two"} {
		harness.WriteFile(t, b.InRootfs(name), "", 0o644)
		harness.WriteFile(t, b.Path("new-"+name), name+"\n", 0o644)
	}
	pid := `pid=$(sed 's/.*"pid":[ ]*\([0-9]*\).*/\1/'); `
	addHook(b, "createRuntime", pid+"nsenter -m -t $pid mount --bind "+b.Path("new-one")+" "+b.InRootfs("one"))
	addHook(b, "createContainer", "mount --bind "+b.Path("new-two")+" ./two")
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "one\ntwo")
}

func TestCreateContainerHooksRunInTheContainersNamespaces(t *testing.T) {
	t.Parallel()
	b := shell(t, "for n in mnt net uts ipc pid; do readlink /proc/self/ns/$n; done")
	if err := os.Mkdir(b.Path("out"), 0o777); err != nil {
		t.Fatal(err)
	}
	addHook(b, "createContainer", "for n in mnt net uts ipc pid_for_children; do readlink /proc/thread-self/ns/$n; done >"+b.Path("out/ns"))
	got := b.Run(t).WantExit(t, 0)
	wantFile(t, b.Path("out/ns"), got.Stdout)
}
