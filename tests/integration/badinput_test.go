// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/tests/harness"
)

// badInput is an edit of a good bundle and what the one error line must have.
type badInput struct {
	name string
	edit func(t *testing.T, b *harness.Bundle)
	want []string
}

// wantRefused makes each edit and demands that `run` and `create` say the same in one line, and leave nothing.
func wantRefused(t *testing.T, cases []badInput) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := harness.NewBundle(t, "echo", "the program has run")
			c.edit(t, b)
			before := b.Snapshot(t)
			b.Run(t).WantOneError(t, c.want...).WantStderr(t, b.ID)
			before.WantSame(t)
			b.Create(t).WantOneError(t, c.want...).WantStderr(t, b.ID)
			before.WantSame(t)
		})
	}
}

func raw(config string) func(*testing.T, *harness.Bundle) {
	return func(_ *testing.T, b *harness.Bundle) { b.Config = []byte(config) }
}

// edit is an edit that needs no more than the spec.
func edit(change func(s *specs.Spec)) func(*testing.T, *harness.Bundle) {
	return func(_ *testing.T, b *harness.Bundle) { change(b.Spec) }
}

func TestAFileThatIsNoConfigIsRefused(t *testing.T) {
	t.Parallel()
	wantRefused(t, []badInput{
		{"empty", raw(""), []string{"config.json", "empty"}},
		{"cut off", raw("{\n\t\"ociVersion\": \"1.0.2\","), []string{"config.json", "line 2"}},
		{"no JSON", raw("{\n\t\"ociVersion\": 1.0.2\n}\n"), []string{"line 2", "column 19"}},
		{"trailing comma", raw("{\n\t\"ociVersion\": \"1.0.2\",\n}\n"), []string{"line 3", "column 1"}},
		{"an array", raw("[]"), []string{"config.json", "line 1"}},
		{"null", raw("null"), []string{"config.json"}},
		{
			"text for a number", raw("{\"ociVersion\": \"1.0.2\",\n \"process\": {\"user\": {\"uid\": \"0\"}}}"),
			[]string{"line 2", "process.user.uid", "string"},
		},
		{"text for a list", raw("{\"ociVersion\": \"1.0.2\", \"mounts\": \"/\"}"), []string{"line 1", "mounts", "string"}},
		{"negative id", raw("{\"ociVersion\": \"1.0.2\", \"process\": {\"user\": {\"uid\": -1}}}"), []string{"process.user.uid", "-1"}},
	})
}

func TestABundleWithoutConfigIsRefused(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "true")
	before := b.Snapshot(t)
	for _, command := range []string{"run", "create"} {
		b.RT(t, command, "--bundle", b.Rootfs, b.ID).WantOneError(t, "config.json", "no such file or directory")
		b.RT(t, command, "--bundle", b.Path("nosuch"), b.ID).WantOneError(t, "nosuch", "no such file or directory")
	}
	before.WantSame(t)
}

func TestAnUnsupportedVersionIsRefused(t *testing.T) {
	t.Parallel()
	version := func(v string) func(*testing.T, *harness.Bundle) {
		return edit(func(s *specs.Spec) { s.Version = v })
	}
	wantRefused(t, []badInput{
		{"missing", version(""), []string{"ociVersion", "missing"}},
		{"too new", version("2.0.0"), []string{"ociVersion", `"2.0.0"`}},
		{"too old", version("0.9.0"), []string{"ociVersion", `"0.9.0"`}},
		{"no version", version("one"), []string{"ociVersion", `"one"`}},
	})
}

func TestABadRootIsRefused(t *testing.T) {
	t.Parallel()
	wantRefused(t, []badInput{
		{"missing", edit(func(s *specs.Spec) { s.Root = nil }), []string{"root"}},
		{"empty path", edit(func(s *specs.Spec) { s.Root.Path = "" }), []string{"root.path"}},
		{"no such directory", edit(func(s *specs.Spec) { s.Root.Path = "nosuch" }), []string{`root.path "nosuch"`, "no such file or directory"}},
		{"a file", edit(func(s *specs.Spec) { s.Root.Path = "config.json" }), []string{`root.path "config.json"`, "not a directory"}},
		{"a dangling link", func(t *testing.T, b *harness.Bundle) {
			harness.Symlink(t, "nosuch", b.Dir+"/link")
			b.Spec.Root.Path = "link"
		}, []string{`root.path "link"`, "no such file or directory"}},
		{"propagation", edit(func(s *specs.Spec) { s.Linux.RootfsPropagation = "sideways" }), []string{"linux.rootfsPropagation", `"sideways"`}},
	})
}

func TestABadProgramIsRefused(t *testing.T) {
	t.Parallel()
	args := func(list ...string) func(*testing.T, *harness.Bundle) {
		return edit(func(s *specs.Spec) { s.Process.Args = list })
	}
	wantRefused(t, []badInput{
		{"no args", args(), []string{"process.args"}},
		{"empty name", args(""), []string{"process.args"}},
		{"not in PATH", args("nosuch"), []string{`exec: "nosuch": executable file not found in $PATH`, "/bin"}},
		{"not in a PATH of one directory", edit(func(s *specs.Spec) {
			s.Process.Args, s.Process.Env = []string{"nosuch"}, []string{"PATH=/tmp"}
		}), []string{`exec: "nosuch": executable file not found in $PATH (searched /tmp)`}},
		{"in a relative directory of PATH", edit(func(s *specs.Spec) {
			s.Process.Args, s.Process.Env, s.Process.Cwd = []string{"true"}, []string{"PATH=/tmp:../bin"}, "/tmp"
		}), []string{`exec: "true": cannot run executable found relative to current directory`}},
		{"in the working directory", edit(func(s *specs.Spec) {
			s.Process.Args, s.Process.Env, s.Process.Cwd = []string{"true"}, []string{"PATH="}, "/bin"
		}), []string{`exec: "true": cannot run executable found relative to current directory`}},
		{"no such path", args("/opt/nosuch"), []string{"exec /opt/nosuch: no such file or directory"}},
		{"a directory", args("/etc"), []string{"exec /etc: is a directory"}},
		{"not executable", args("/etc/passwd"), []string{"exec /etc/passwd: permission denied"}},
		{"below a file", args("/etc/passwd/x"), []string{"exec /etc/passwd/x: not a directory"}},
	})
}

// What only execve finds out is an error of `run` and of `start`.
func TestAProgramThatCannotBeExecutedFailsRunAndStart(t *testing.T) {
	t.Parallel()
	elf := "\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 9) + "\x02\x00\xf3\x00" + strings.Repeat("\x00", 100)
	for _, c := range []struct {
		name, content string
		want          []string
	}{
		{"interpreter missing", "#!/nosuch/interpreter -x\n", []string{"exec /prog: no such file or directory", `"/nosuch/interpreter"`}},
		{"CR LF", "#!/bin/sh\r\necho hi\r\n", []string{"exec /prog: no such file or directory", "CR LF"}},
		{"wrong machine", elf, []string{"exec /prog: exec format error", "riscv64"}},
		{"empty", "", []string{"exec /prog: exec format error"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := harness.NewBundle(t, "/prog")
			harness.WriteFile(t, b.InRootfs("prog"), c.content, 0o755)
			before := b.Snapshot(t)
			b.Run(t).WantOneError(t, c.want...)
			before.WantSame(t)
			b.Create(t).WantExit(t, 0)
			b.Start(t).WantOneError(t, c.want...)
			if got := b.State(t).Status; got != "stopped" {
				t.Errorf("after a failed start the container is %s, want stopped", got)
			}
			b.Delete(t).WantExit(t, 0)
			before.WantSame(t)
		})
	}
}

func TestABadProcessIsRefused(t *testing.T) {
	t.Parallel()
	process := func(change func(p *specs.Process)) func(*testing.T, *harness.Bundle) {
		return edit(func(s *specs.Spec) { change(s.Process) })
	}
	wantRefused(t, []badInput{
		{"cwd missing in a read-only root", process(func(p *specs.Process) { p.Cwd = "/etc/passwd/x" }), []string{"process.cwd", "/etc/passwd/x"}},
		{"cwd empty", process(func(p *specs.Process) { p.Cwd = "" }), []string{"process.cwd"}},
		{"cwd relative", process(func(p *specs.Process) { p.Cwd = "tmp" }), []string{"process.cwd", "absolute"}},
		{"cwd a file", process(func(p *specs.Process) { p.Cwd = "/etc/passwd" }), []string{"process.cwd", "/etc/passwd", "not a directory"}},
		{"rlimit unknown", process(func(p *specs.Process) {
			p.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOSUCH", Soft: 1, Hard: 1}}
		}), []string{"process.rlimits[0]", `"RLIMIT_NOSUCH"`}},
		{"rlimit soft above hard", process(func(p *specs.Process) {
			p.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 2, Hard: 1}}
		}), []string{"process.rlimits[0]", "RLIMIT_NOFILE", "soft"}},
		{"rlimit twice", process(func(p *specs.Process) {
			l := specs.POSIXRlimit{Type: "RLIMIT_NOFILE", Soft: 10, Hard: 10}
			p.Rlimits = []specs.POSIXRlimit{l, l}
		}), []string{"process.rlimits[1]", "RLIMIT_NOFILE"}},
		{"oomScoreAdj", process(func(p *specs.Process) { p.OOMScoreAdj = pointer(2000) }), []string{"process.oomScoreAdj", "2000"}},
		{
			"scheduler policy", process(func(p *specs.Process) { p.Scheduler = &specs.Scheduler{Policy: "SCHED_NOSUCH"} }),
			[]string{"process.scheduler", "SCHED_NOSUCH"},
		},
		{
			"ioPriority class", process(func(p *specs.Process) { p.IOPriority = &specs.LinuxIOPriority{Class: "IOPRIO_CLASS_NOSUCH"} }),
			[]string{"process.ioPriority", "IOPRIO_CLASS_NOSUCH"},
		},
		{"env with NUL", process(func(p *specs.Process) { p.Env = append(p.Env, "A=\x00") }), []string{"process.env["}},
		{"effective not permitted", process(func(p *specs.Process) { p.Capabilities.Permitted = nil }), []string{"process.capabilities"}},
		{"user not mapped", func(t *testing.T, b *harness.Bundle) {
			mapIDs(t, b)
			b.Spec.Process.User.UID = 70000
		}, []string{"process.user.uid 70000"}},
	})
}

func TestBadHooksAreRefused(t *testing.T) {
	t.Parallel()
	hook := func(h specs.Hook) func(*testing.T, *harness.Bundle) {
		return edit(func(s *specs.Spec) { s.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/bin/true"}, h}} })
	}
	wantRefused(t, []badInput{
		{"missing", hook(specs.Hook{Path: "/nosuch/hook"}), []string{"error running createRuntime hook #1:", "/nosuch/hook", "no such file or directory"}},
		{
			"failing", hook(specs.Hook{Path: "/bin/sh", Args: []string{"sh", "-c", "echo why >&2; exit 3"}}),
			[]string{"error running createRuntime hook #1:", "exit status 3", "why"},
		},
		{
			"hanging", hook(specs.Hook{Path: "/bin/sleep", Args: []string{"sleep", "1000"}, Timeout: pointer(1)}),
			[]string{"error running createRuntime hook #1:", "timeout", "1 s"},
		},
		{"killed", hook(specs.Hook{Path: "/bin/sh", Args: []string{"sh", "-c", "kill -9 $$"}}), []string{"error running createRuntime hook #1:", "signal 9"}},
		{"relative path", hook(specs.Hook{Path: "bin/true"}), []string{"hooks.createRuntime[1]", "absolute"}},
		{"no path", hook(specs.Hook{}), []string{"hooks.createRuntime[1]", "path"}},
		{"zero timeout", hook(specs.Hook{Path: "/bin/true", Timeout: pointer(0)}), []string{"hooks.createRuntime[1]", "timeout"}},
	})
}

// A child of a hook that holds its output must not hold rt.
func TestAHookThatLeavesAChildBehindDoesNotHang(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "true")
	life := harness.Slow(10 * time.Second)
	b.Spec.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{
		{Path: "/bin/sh", Args: []string{"sh", "-c", fmt.Sprintf("sleep %d & exit 0", int(life.Seconds()))}},
	}}
	begin := time.Now()
	b.Run(t).WantExit(t, 0)
	if took := time.Since(begin); took > life*8/10 {
		t.Errorf("run took %v: it has waited for the hook's child", took)
	}
}

func TestABadIDIsRefused(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "true")
	b.Write(t)
	before := b.Snapshot(t)
	for _, id := range []string{"", ".", "..", "a b", "a/b", "../" + b.ID, "a\nb", "ä", "a\x01", strings.Repeat("x", 2000), "a:b", "~"} {
		for _, command := range []string{"run", "create", "start", "state", "kill", "delete"} {
			args := []string{command, "--", id}
			if command == "run" || command == "create" {
				args = []string{command, "--bundle", b.Dir, "--", id}
			}
			b.RT(t, args...).WantOneError(t, "invalid container ID format")
		}
	}
	before.WantSame(t)
	if entries, _ := os.ReadDir(b.Root); len(entries) > 0 {
		t.Errorf("state root has %v", entries)
	}
}
