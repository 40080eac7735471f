// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"os"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/tests/harness"
)

// The placeholder is started before the container's process and must not take anything from it.
func TestDescriptorsOfTheCallerArePassedOn(t *testing.T) {
	b := newBundle(t, "sh", "-c", "cat <&3 && ls /proc/self/fd")
	before := b.Snapshot(t)
	file, err := os.Open(harness.WriteFile(t, b.Path("passed"), "from outside\n", 0o600))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	b.Files = []*os.File{file}
	b.Run(t, "--preserve-fds", "1").WantExit(t, 0).WantStdout(t, "from outside\n")
	b.Run(t).WantFailure(t).WantNoStdout(t, "from outside")
	before.WantSame(t)
}

// Between the stage's birth and its first word nothing but the placeholder may hold the scope.
func TestAStageThatFailsEarlySaysWhy(t *testing.T) {
	b := newBundle(t, "true")
	before := b.Snapshot(t)
	b.Spec.Mounts = append([]specs.Mount{{Destination: "/x", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuchoption=1"}}}, b.Spec.Mounts...)
	for range 10 {
		b.Run(t).WantOneError(t, "/x", "nosuchoption")
	}
	wantStatus(t, unitOf(b), isUnknown)
	before.WantSame(t)
}

// Each hook sees the container's own processes in its control group, and no other.
func TestHooksDontSeeThePlaceholder(t *testing.T) {
	b := newBundle(t, "true")
	b.Spec.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", `
		pid=$(sed 's/.*"pid": *\([0-9]*\).*/\1/' | head -n 1)
		sed -n 's/^\(0:\|.*pids\).*:/&/p' /proc/$pid/cgroup | head -n 1 | sed 's/.*://' >` + b.Path("group") + `
		d=/sys/fs/cgroup; [ -d $d/pids ] && d=$d/pids
		wc -l <$d$(cat ` + b.Path("group") + `)/cgroup.procs >` + b.Path("count")}}}}
	b.Run(t).WantExit(t, 0)
	wantFile(t, b.Path("count"), "1")
}
