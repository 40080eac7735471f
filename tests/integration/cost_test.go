// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"debug/elf"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/rt-oci/rt/tests/harness"
)

// What a run costs can be counted, also on a machine that is busy with other things. What the Go runtime does to have
// its threads wait for each other depends on the machine and does not count.
func TestRunTakesFewSystemCalls(t *testing.T) {
	t.Parallel()
	harness.NeedCgroupfs(t, "it holds the scope by one more program, the placeholder")
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("needs strace: the system calls of rt, the stage and the program are counted")
	}
	b := harness.NewBundle(t, "true")
	b.Spec.Process.Args = []string{"/bin/true"}
	trace := b.Path("trace")
	b.Wrapper = []string{strace, "-f", "-qq", "-e", "signal=none", "-o", trace}
	b.Run(t).WantExit(t, 0)
	waiting := []string{"futex", "nanosleep", "sched_yield", "rt_sigprocmask", "rt_sigaction", "rt_sigreturn", "tgkill", "getpid", "<..."}
	calls, programs := 0, 0
	for line := range strings.Lines(harness.ReadFile(t, trace)) {
		_, call, _ := strings.Cut(line, " ")
		call = strings.TrimLeft(call, " ")
		if strings.HasPrefix(call, "execve(") {
			programs++
		}
		if !slices.ContainsFunc(waiting, func(name string) bool { return strings.HasPrefix(call, name) }) {
			calls++
		}
	}
	t.Logf("%d system calls, %d programs", calls, programs)
	if programs != 3 {
		t.Errorf("%d programs are executed, want rt, the stage and the container's", programs)
	}
	const most = 1100 // with ten hierarchies of control groups; little more than half with one
	if calls > most {
		t.Errorf("%d system calls, more than %d", calls, most)
	}
}

// How the Makefile builds rt (build/go-runtime) and package startup make each start shorter. None of it can be seen
// from outside but by a clock, so the binary is looked at.
func TestTheStartOfTheGoRuntimeIsShortened(t *testing.T) {
	t.Parallel()
	binary, err := elf.Open(harness.Binary(t))
	if err != nil {
		t.Fatal(err)
	}
	defer binary.Close()
	table, err := binary.Section(".gopclntab").Data()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(table, []byte("runtime.schedinit")) {
		t.Fatal("the table of functions has no names")
	}
	if bytes.Contains(table, []byte("runtime.adjustCgroupGOMAXPROCS")) {
		t.Error("Go's runtime reads the files of its control group at the start")
	}
	command := exec.Command(harness.Binary(t), "--version")
	command.Env = []string{"GODEBUG=inittrace=1"}
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	first := "none"
	for line := range strings.Lines(string(output)) {
		if name, ok := strings.CutPrefix(line, "init "); ok && !strings.HasPrefix(name, "internal/") && !strings.HasPrefix(name, "runtime ") {
			first, _, _ = strings.Cut(name, " ")
			break
		}
	}
	if !strings.HasSuffix(first, "/startup") {
		t.Errorf("package %s is initialised first, want startup", first)
	}
}
