// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/tests/harness"
)

// The container tries its devices for ever: kmsg may be allowed, null always is, and mem must never be.
const tryDevices = `while :; do
	r=; for d in kmsg null mem; do if true <>/dev/$d; then r="$r $d"; fi; done 2>/dev/null
	echo "open:$r."; sleep 0.1
done`

func TestDevicesAndLimitsSurviveAReload(t *testing.T) {
	for name, kmsg := range map[string]bool{"allowed": true, "denied": false} {
		t.Run(name, func(t *testing.T) {
			b := newBundle(t, "sh", "-c", tryDevices)
			needControllers(t, "memory", "cpu")
			mode := specs.LinuxDevice{Path: "/dev/kmsg", Type: "c", Major: 1, Minor: 11}
			mem := specs.LinuxDevice{Path: "/dev/mem", Type: "c", Major: 1, Minor: 1}
			b.Spec.Linux.Devices = append(b.Spec.Linux.Devices, mode, mem)
			caps := b.Spec.Process.Capabilities
			caps.Bounding, caps.Effective, caps.Permitted = append(caps.Bounding, "CAP_SYSLOG", "CAP_SYS_RAWIO"), append(caps.Effective, "CAP_SYSLOG", "CAP_SYS_RAWIO"), append(caps.Permitted, "CAP_SYSLOG", "CAP_SYS_RAWIO")
			limit, quota, period := int64(33554432), int64(33000), uint64(100000)
			major, minor := int64(1), int64(11)
			b.Spec.Linux.Resources = &specs.LinuxResources{
				Devices: []specs.LinuxDeviceCgroup{{Access: "rwm"}, {Allow: kmsg, Type: "c", Major: &major, Minor: &minor, Access: "rw"}},
				Memory:  &specs.LinuxMemory{Limit: &limit}, CPU: &specs.LinuxCPU{Quota: &quota, Period: &period},
			}
			want := "open: null."
			if kmsg {
				want = "open: kmsg null."
			}
			makeRunning(t, b, want)
			for _, command := range []string{"daemon-reload", "daemon-reexec", "daemon-reload"} {
				if out, status := systemctl(t, command); status != 0 {
					t.Fatalf("systemctl %s: status %d: %s", command, status, out)
				}
				wantOnly(t, b, want)
				wantFile(t, control(t, b, "memory.max", "memory", "memory.limit_in_bytes"), "33554432")
				if isV2() {
					wantFile(t, control(t, b, "cpu.max", "", ""), "33000 100000")
				}
				wantProperties(t, unitOf(b), "ActiveState=active", "NeedDaemonReload=no", "Delegate=yes")
			}
			b.Kill(t, "KILL").WantExit(t, 0)
			b.WaitFor(t, "stopped")
			b.Delete(t).WantExit(t, 0)
			wantStatus(t, unitOf(b), isUnknown)
		})
	}
}

// makeRunning runs the container and waits until it has said what it is to say.
func makeRunning(t *testing.T, b *harness.Bundle, want string) {
	t.Helper()
	b.Run(t, "--detach").WantExit(t, 0)
	harness.Eventually(t, want, func() bool { return strings.Count(b.Output(t), "\n") >= 2 })
	wantOnly(t, b, want)
}

// wantOnly demands that the container finds its devices as it should, from here on for some rounds, and never otherwise.
func wantOnly(t *testing.T, b *harness.Bundle, want string) {
	t.Helper()
	rounds := strings.Count(b.Output(t), "\n")
	harness.Eventually(t, "three more rounds", func() bool { return strings.Count(b.Output(t), "\n") >= rounds+3 })
	out := b.Output(t)
	for line := range strings.Lines(out[:strings.LastIndexByte(out, '\n')+1]) {
		if strings.TrimSpace(line) != want {
			t.Fatalf("the container found %q, want %q", line, want)
		}
	}
}

func TestAFailedScopeIsResetByDelete(t *testing.T) {
	b := newBundle(t, "sleep", "1000")
	b.Spec.Annotations = map[string]string{"org.systemd.property.RuntimeMaxSec": "2", "org.systemd.property.TimeoutStopSec": "1"}
	b.Run(t, "--detach").WantExit(t, 0)
	b.WaitFor(t, "stopped")
	harness.Eventually(t, "the scope has failed", func() bool {
		out, _ := systemctl(t, "show", "-p", "ActiveState", unitOf(b))
		return strings.TrimSpace(out) == "ActiveState=failed"
	})
	wantStatus(t, unitOf(b), isDead)
	b.Delete(t).WantExit(t, 0)
	wantStatus(t, unitOf(b), isUnknown)
}
