// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/tests/harness"
)

// startOther has systemd-run start a scope of the same name, by somebody else.
func startOther(t *testing.T, unit string, flags ...string) *exec.Cmd {
	t.Helper()
	args := append([]string{"--quiet", "--scope", "--unit=" + unit}, flags...)
	cmd := exec.Command("systemd-run", append(args, "sleep", "1000")...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_, _ = systemctl(t, "reset-failed", unit)
	})
	harness.Eventually(t, unit+" is active", func() bool {
		_, status := systemctl(t, "status", unit)
		return status == isActive
	})
	return cmd
}

func TestAScopeOfSomebodyElseIsLeftAlone(t *testing.T) {
	b := newBundle(t, "true")
	other := startOther(t, unitOf(b))
	before := b.Snapshot(t)
	b.Run(t).WantOneError(t, "container's cgroup is not empty")
	before.WantSame(t)
	wantStatus(t, unitOf(b), isActive)
	if err := other.Process.Signal(unix.Signal(0)); err != nil {
		t.Errorf("the other's process: %v", err)
	}
}

func TestTheNameOfAFailedScopeIsTaken(t *testing.T) {
	b := newBundle(t, "echo", "ran")
	startOther(t, unitOf(b), "-p", "RuntimeMaxSec=1")
	harness.Eventually(t, "the other scope has failed", func() bool {
		_, status := systemctl(t, "status", unitOf(b))
		return status == isDead
	})
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "ran")
	wantStatus(t, unitOf(b), isUnknown)
}

// hide makes rt see something else at a path.
func hide(b *harness.Bundle, path, by string) {
	b.Wrapper = []string{"unshare", "-m", "sh", "-c", `mount --bind "$1" "$2" && shift 2 && exec "$@"`, "sh", by, path}
}

func TestTheSystemBusServesAsWell(t *testing.T) {
	b := newBundle(t, "sleep", "1000")
	before := b.Snapshot(t)
	hide(b, "/run/systemd/private", "/dev/null")
	b.Run(t, "--detach").WantExit(t, 0)
	wantProperties(t, unitOf(b), "ActiveState=active", "Slice=system.slice")
	b.Delete(t, "--force").WantExit(t, 0)
	wantStatus(t, unitOf(b), isUnknown)
	b.Wrapper = nil
	before.WantSame(t)
}

func TestASilentSystemdIsAnErrorInTime(t *testing.T) {
	b := newBundle(t, "true")
	l, err := net.Listen("unix", b.Path("silent"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	hide(b, "/run/systemd/private", b.Path("silent"))
	b.Write(t)
	before := b.Snapshot(t)
	cmd := b.Command(t, "--systemd-cgroup", "run", "--bundle", b.Dir, b.ID)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	start := time.Now()
	if err := cmd.Run(); err == nil || !strings.Contains(stderr.String(), "no answer within 30s") || strings.Count(stderr.String(), "\n") != 1 {
		t.Errorf("%v: %s", err, stderr.String())
	}
	if took := time.Since(start); took < 29*time.Second {
		t.Errorf("it waited only %v", took)
	}
	b.Wrapper = nil
	before.WantSame(t)
	wantStatus(t, unitOf(b), isUnknown)
}

// With rt the placeholder dies, and without a process there is no scope.
func TestAKilledRtLeavesNoScope(t *testing.T) {
	b := newBundle(t, "true")
	before := b.Snapshot(t)
	b.Spec.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{ // it holds rt up
		Path: "/bin/sh", Args: []string{"sh", "-c", "echo >" + b.Path("in-hook") + "; while kill -0 $PPID; do sleep 0.1; done 2>/dev/null"},
	}}}
	b.Write(t)
	cmd := b.Command(t, "--systemd-cgroup", "run", "--bundle", b.Dir, b.ID)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, "the hook runs", func() bool {
		_, err := os.Stat(b.Path("in-hook"))
		return err == nil
	})
	wantStatus(t, unitOf(b), isActive)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	harness.Eventually(t, "the scope is gone", func() bool {
		_, status := systemctl(t, "status", unitOf(b))
		return status == isUnknown
	})
	b.Delete(t, "--force").WantExit(t, 0)
	before.WantSameSoon(t)
}
