// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

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

// A file of the image where a device goes is the device, or it is an error (config-linux.md, "Devices").
func TestAnImageThatHasAnotherFileInPlaceOfADevice(t *testing.T) {
	t.Parallel()
	node := func(kind uint32, minor uint32) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			if err := unix.Mknod(path, kind|0o600, int(unix.Mkdev(1, minor))); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		name  string
		plant func(t *testing.T, path string)
		want  string // of the node's mode; "" is an error
	}{
		{"a file", func(t *testing.T, path string) { harness.WriteFile(t, path, "", 0o644) }, ""},
		{"a directory", func(t *testing.T, path string) { harness.Mkdir(t, path, 0o755) }, ""},
		{"a link to another device", func(t *testing.T, path string) { harness.Symlink(t, "/dev/zero", path) }, ""},
		{"a dangling link", func(t *testing.T, path string) { harness.Symlink(t, "/nosuch", path) }, ""},
		{"a fifo", node(unix.S_IFIFO, 0), ""},
		{"a block device", node(unix.S_IFBLK, 3), ""},
		{"a device of other numbers", node(unix.S_IFCHR, 5), ""},
		{"the device", node(unix.S_IFCHR, 3), "600"},
	} {
		for _, path := range []string{"dev/null", "opt/configured"} {
			t.Run(c.name+" "+path, func(t *testing.T) {
				t.Parallel()
				b := writable(shell(t, "stat -c '%F %t:%T %a' /"+path))
				for _, point := range []string{"/dev", "/dev/pts", "/dev/shm", "/dev/mqueue"} {
					dropMount(b, point)
				}
				harness.Mkdir(t, filepath.Dir(b.InRootfs(path)), 0o755)
				c.plant(t, b.InRootfs(path))
				b.Spec.Linux.Devices = []specs.LinuxDevice{{Path: "/opt/configured", Type: "c", Major: 1, Minor: 3}}
				before := b.Snapshot(t)
				if got := b.Run(t); c.want == "" {
					got.WantOneError(t, `"/`+path+`"`)
				} else {
					got.WantExit(t, 0).WantStdoutIs(t, "character special file 1:3 "+c.want)
				}
				before.WantSame(t)
			})
		}
	}
}

// In a user namespace devices are the host's, or it is an error.
func TestADeviceThatTheHostLacksInAUserNamespace(t *testing.T) {
	t.Parallel()
	device := func(path string) func(*testing.T, *harness.Bundle) {
		return func(t *testing.T, b *harness.Bundle) {
			mapIDs(t, b)
			b.Spec.Linux.Devices = []specs.LinuxDevice{{Path: path, Type: "c", Major: 1, Minor: 5}}
		}
	}
	wantRefused(t, []badInput{
		{"missing", device("/dev/rt-test-none"), []string{`linux.devices[0] "/dev/rt-test-none"`, "no such file or directory"}},
		{"another device", device("/dev/null"), []string{`linux.devices[0] "/dev/null"`, "is not the device 1:5"}},
		{"no device", device("/etc/passwd"), []string{`linux.devices[0] "/etc/passwd"`, "is not the device 1:5"}},
	})
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

// A disk, the memory and the ports of the host can be made by mknod(2) but not opened: without rules, with those of the
// default config, and after an update of something else (GHSA-g54h-m393-cpwq).
func TestDevicesOfTheHostCannotBeOpened(t *testing.T) {
	t.Parallel()
	const script = `cd /tmp; for d in "b 8 0" "c 1 1" "c 1 4"; do rm -f d; mknod d $d && head -c 0 d; done 2>&1`
	const denied = "head: d: Operation not permitted\n"
	for name, rules := range map[string][]specs.LinuxDeviceCgroup{"none": nil, "empty": {}, "default": harness.DefaultSpec(t).Linux.Resources.Devices} {
		for view, other := range map[string]string{"v1": `{"memory": {"limit": 67108864}}`, "v2": `{"unified": {"cgroup.max.depth": "7"}}`} {
			t.Run(name+" "+view, func(t *testing.T) {
				t.Parallel()
				b := shell(t, "sleep 1000")
				if view == "v2" {
					b.UseV2View(t)
				} else if !harness.HasCgroup1() {
					t.Skip("needs v1 hierarchies")
				}
				grant(b, "CAP_MKNOD", "CAP_SYS_RAWIO")
				b.Spec.Mounts = append(b.Spec.Mounts, tmpfs("/tmp", "dev"))
				b.Spec.Linux.Resources.Devices = rules
				b.Run(t, "--detach").WantExit(t, 0)
				for range 2 {
					b.Exec(t, nil, "sh", "-c", script).WantExit(t, 1).WantStdoutIs(t, strings.TrimSuffix(strings.Repeat(denied, 3), "\n"))
					updateFrom(t, b, other).WantExit(t, 0)
				}
			})
		}
	}
}
