// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/tests/harness"
)

func TestDefaultDevicesAndLinks(t *testing.T) {
	t.Parallel()
	b := shell(t,
		"cd /dev; for d in null zero full random urandom tty; do stat -c '%n %F %a %u %g %t:%T' $d; done",
		"for l in fd stdin stdout stderr ptmx; do echo $l $(readlink $l); done", "ls -d core 2>/dev/null; ls -LlnH ptmx | cut -c1-10")
	b.Run(t).WantExit(t, 0).WantStdout(t,
		"null character special file 666 0 0 1:3\n", "zero character special file 666 0 0 1:5\n", "full character special file 666 0 0 1:7\n",
		"\nrandom character special file 666 0 0 1:8\n", "urandom character special file 666 0 0 1:9\n", "tty character special file 666 0 0 5:0\n",
		"fd /proc/self/fd\n", "stdin /proc/self/fd/0\n", "stdout /proc/self/fd/1\n", "stderr /proc/self/fd/2\n", "ptmx pts/ptmx\n", "crw-rw-rw-",
	)
}

func TestDefaultDevicesWork(t *testing.T) {
	t.Parallel()
	b := shell(t, "echo x >/dev/null; head -c 3 /dev/zero | wc -c; head -c 3 /dev/urandom | wc -c; dd if=/dev/zero of=/dev/full count=1; echo err >>/dev/stderr")
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "3\n3").WantStderr(t, "No space left on device", "err")
}

func TestConfiguredDevices(t *testing.T) {
	t.Parallel()
	b := shell(t, "cd /dev; stat -c '%n %F %a %u %g %t:%T' c b pipe deep/u null /outside")
	mode := func(m os.FileMode) *os.FileMode { return &m }
	b.Spec.Linux.Devices = []specs.LinuxDevice{
		{Path: "/dev/c", Type: "c", Major: 10, Minor: 229, FileMode: mode(0o640), UID: pointer(uint32(1000)), GID: pointer(uint32(5))},
		{Path: "/dev/b", Type: "b", Major: 7, Minor: 3},
		{Path: "/dev/pipe", Type: "p", FileMode: mode(0o600)},
		{Path: "/dev/deep/u", Type: "u", Major: 1, Minor: 3, FileMode: mode(0o4622)},
		{Path: "/dev/null", Type: "c", Major: 1, Minor: 3, FileMode: mode(0o600)}, // in place of the default
		{Path: "/outside", Type: "c", Major: 1, Minor: 5},
	}
	b.Spec.Root.Readonly = false
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, strings.Join([]string{
		"c character special file 640 1000 5 a:e5", "b block special file 666 0 0 7:3", "pipe fifo 600 0 0 0:0",
		"deep/u character special file 4622 0 0 1:3", "null character special file 600 0 0 1:3", "/outside character special file 666 0 0 1:5",
	}, "\n"))
}

func TestAFifoMayHaveNumbers(t *testing.T) {
	t.Parallel()
	b := shell(t, "stat -c %F /dev/pipe")
	b.Spec.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/pipe", Type: "p", Major: 1, Minor: 3}}
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "fifo")
}

func TestListingADefaultDeviceIsHarmless(t *testing.T) {
	t.Parallel()
	b := shell(t, "ls -lLn /dev/tty /dev/ptmx | awk '{print $1, $2, $3, $4, $5, $6}'")
	b.Spec.Linux.Devices = []specs.LinuxDevice{
		{Path: "/dev/tty", Type: "c", Major: 5, Minor: 0}, {Path: "/dev/ptmx", Type: "c", Major: 5, Minor: 2},
	}
	b.Run(t).WantExit(t, 0).WantStdout(t, "crw-rw-rw- 1 0 0 5, 0", "crw-rw-rw- 1 0 0 5, 2")
}

// A file of the image where a device goes: what is there must be the device, or an error.
func TestAnImageThatHasAnotherFileInPlaceOfADevice(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, path, want string }{
		{"a file", "dev/null", "linux.devices"},
		{"a directory", "dev/null/x", "linux.devices"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := writable(shell(t, "stat -c '%F %t:%T' /dev/null"))
			dropMount(b, "/dev")
			dropMount(b, "/dev/pts")
			dropMount(b, "/dev/shm")
			dropMount(b, "/dev/mqueue")
			harness.WriteFile(t, b.InRootfs(c.path), "", 0o644)
			got := b.Run(t)
			if got.Exit == 0 {
				got.WantStdoutIs(t, "character special file 1:3")
				return
			}
			got.WantOneError(t, `"/dev/null"`)
		})
	}
}

// The device rules of a control group, by what they let through.
func TestDeviceRulesByTheirEffect(t *testing.T) {
	t.Parallel()
	deny := specs.LinuxDeviceCgroup{Access: "rwm"}
	kmsg := specs.LinuxDeviceCgroup{Allow: true, Type: "c", Major: pointer(int64(1)), Minor: pointer(int64(11)), Access: "rw"}
	null := specs.LinuxDeviceCgroup{Type: "c", Major: pointer(int64(1)), Minor: pointer(int64(3)), Access: "rwm"}
	loop := specs.LinuxDeviceCgroup{Allow: true, Type: "b", Major: pointer(int64(7)), Access: "rwm"}
	for _, c := range []struct {
		name   string
		rules  []specs.LinuxDeviceCgroup
		script string
		stdout string
		stderr string
	}{
		{"denied by default", nil, "head -c 0 /dev/kmsg", "", "/dev/kmsg: Operation not permitted"},
		{"denied", []specs.LinuxDeviceCgroup{deny}, "head -c 0 /dev/kmsg; echo x >/dev/kmsg", "", "/dev/kmsg: Operation not permitted"},
		{"allowed after", []specs.LinuxDeviceCgroup{deny, kmsg}, "head -c 0 /dev/kmsg && echo ok", "ok", ""},
		{"denied after", []specs.LinuxDeviceCgroup{kmsg, deny}, "head -c 0 /dev/kmsg", "", "/dev/kmsg: Operation not permitted"},
		{"defaults stay", []specs.LinuxDeviceCgroup{deny}, "echo x >/dev/null && head -c 1 /dev/zero | wc -c", "1", ""},
		{"defaults stay even if denied", []specs.LinuxDeviceCgroup{null}, "echo x >/dev/null && echo ok", "ok", ""},
		{"mknod of any, opening of none", []specs.LinuxDeviceCgroup{deny}, "mknod /tmp/d c 1 11 && echo made; cat /tmp/d", "made", "'/tmp/d': Operation not permitted"},
		{"a whole major", []specs.LinuxDeviceCgroup{deny, loop}, "mknod /tmp/l b 7 3 && echo made; head -c 0 /tmp/l; mknod /tmp/r b 8 3 && echo made", "made\nmade", ""},
	} {
		for _, view := range []string{"v1", "v2"} {
			t.Run(c.name+" "+view, func(t *testing.T) {
				t.Parallel()
				b := shell(t, c.script)
				if view == "v2" {
					b.UseV2View(t)
				}
				grant(b, "CAP_MKNOD", "CAP_SYSLOG")
				b.Spec.Mounts = append(b.Spec.Mounts, tmpfs("/tmp", "dev"))
				b.Spec.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/kmsg", Type: "c", Major: 1, Minor: 11}}
				b.Spec.Linux.Resources.Devices = c.rules
				b.Run(t).WantStdoutIs(t, c.stdout).WantStderr(t, c.stderr)
			})
		}
	}
}
