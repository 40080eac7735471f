// SPDX-License-Identifier: Apache-2.0

package fault

import (
	"strconv"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/tests/harness"
)

// A stage that ends without a word behind the start is not the program: its status would be taken for that of one.
func TestAStageThatCannotTellIsNotTheProgram(t *testing.T) {
	t.Parallel()
	const told = "the stage ended with status 1 before it executed the program (linux.seccomp"
	mute := func(b *harness.Bundle, action specs.LinuxSeccompAction, call string) {
		b.Spec.Linux.Seccomp = &specs.LinuxSeccomp{
			DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Names: []string{call}, Action: action}},
		}
	}
	t.Run("run", func(t *testing.T) {
		t.Parallel()
		b := richBundle(t)
		mute(b, specs.ActErrno, "write")
		plan := steps(t, b, func(t *testing.T) harness.Result { return b.Run(t, "--detach") })
		before := b.Snapshot(t)
		failAt(b, len(plan)-1) // behind the filter
		b.Run(t).WantOneError(t, told)
		b.Env = nil
		before.WantSame(t)
	})
	t.Run("exec", func(t *testing.T) {
		t.Parallel()
		b := harness.NewBundle(t, "sleep", "1000")
		mute(b, specs.ActErrno, "write")
		b.Run(t, "--detach").WantExit(t, 0)
		plan := execSteps(t, b, nil)
		before := b.Snapshot(t)
		failAt(b, len(plan)-1)
		b.Exec(t, nil, "true").WantExecError(t, told)
		b.Env = nil
		before.WantSame(t)
	})
	t.Run("killed", func(t *testing.T) {
		t.Parallel()
		b := harness.NewBundle(t, "true")
		mute(b, specs.ActKillProcess, "execve")
		b.Run(t).WantExit(t, 159).WantStderr(t, "the stage was killed by SIGSYS before it executed the program")
	})
	// Statuses of programs stay what they are, whatever they are called.
	for _, name := range []string{"program", "rt-stage"} {
		for _, status := range []int{1, 2, 127} {
			t.Run(name+" "+strconv.Itoa(status), func(t *testing.T) {
				t.Parallel()
				b := harness.NewBundle(t, "/"+name)
				harness.WriteFile(t, b.InRootfs(name), "#!/bin/sh\nexit "+strconv.Itoa(status)+"\n", 0o755)
				b.Run(t).WantExit(t, status).WantStderrIs(t, "")
			})
		}
	}
}
