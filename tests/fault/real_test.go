// SPDX-License-Identifier: Apache-2.0

package fault

import (
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/tests/harness"
)

// realFault is a config that makes a step fail of itself: at create, or, with atStart, at start.
type realFault struct {
	step    string
	change  func(*testing.T, *harness.Bundle)
	want    string
	atStart bool
	run     bool // run in place of create
}

func addMount(m specs.Mount) func(*testing.T, *harness.Bundle) {
	return func(_ *testing.T, b *harness.Bundle) { b.Spec.Mounts = append(b.Spec.Mounts, m) }
}

// withoutMounts leaves the given destinations out of the config.
func withoutMounts(b *harness.Bundle, destinations string) {
	var kept []specs.Mount
	for _, m := range b.Spec.Mounts {
		if !strings.Contains(" "+destinations+" ", " "+m.Destination+" ") {
			kept = append(kept, m)
		}
	}
	b.Spec.Mounts = kept
}

func mountFaults() []realFault {
	return []realFault{
		{
			step: "NewMount", change: addMount(specs.Mount{Destination: "/x", Type: "nofs"}),
			want: `mounts[7] "/x": fsopen: no such device (the kernel has no file system type "nofs"`,
		},
		{
			step: "NewMount, option", change: addMount(specs.Mount{Destination: "/x", Type: "tmpfs", Options: []string{"colour=red"}}),
			want: `Unknown parameter 'colour' (an option is unknown`,
		},
		{
			step: "CloneTree", change: addMount(specs.Mount{Destination: "/x", Source: "/not/there", Options: []string{"bind"}}),
			want: `mounts[7] "/x": openat2: no such file or directory (the source "/not/there"`,
		},
		{
			step: "Attach, directory on file", change: addMount(specs.Mount{Destination: "/etc/passwd", Source: "/tmp", Options: []string{"bind"}}),
			want: `mounts[7] "/etc/passwd": directory on file: not a directory`,
		},
		{
			step: "Attach, file on directory", change: addMount(specs.Mount{Destination: "/tmp", Source: "/etc/passwd", Options: []string{"bind"}}),
			want: `mounts[7] "/tmp": file on directory: not a directory`,
		},
		{
			step: "Attach, read-only", change: addMount(specs.Mount{Destination: "/sys/not/there", Type: "tmpfs"}),
			want: `mounts[7] "/sys/not/there": `,
		},
		{step: "Attach, link", want: `mounts[0] "/proc": `, change: func(t *testing.T, b *harness.Bundle) {
			harness.Symlink(t, "/tmp", b.InRootfs("proc"))
		}},
		{step: "CopyUp", want: `mounts[7] "/deep": tmpcopyup: too many levels of symbolic links`, change: func(t *testing.T, b *harness.Bundle) {
			harness.Mkdir(t, b.InRootfs("deep"+strings.Repeat("/d", 70)), 0o755)
			addMount(specs.Mount{Destination: "/deep", Type: "tmpfs", Options: []string{"tmpcopyup"}})(t, b)
		}},
		{step: "Attributes", want: `mounts[7] "/x": mount_setattr: operation not permitted (in a user namespace`, change: func(t *testing.T, b *harness.Bundle) {
			mapUsers(t, b)
			locked := harness.Mkdir(t, b.Path("locked"), 0o755)
			b.Wrapper = []string{"unshare", "-m", "--propagation", "private", "sh", "-c", "mount -t tmpfs -o noexec none " + locked + ` && exec "$@"`, "sh"}
			addMount(specs.Mount{Destination: "/x", Source: locked, Options: []string{"bind", "exec"}})(t, b)
		}},
		{step: "MakeNode", want: `default device "/dev/null": mknodat: file exists: another file is there`, change: func(t *testing.T, b *harness.Bundle) {
			withoutMounts(b, "/dev /dev/pts /dev/shm /dev/mqueue")
			harness.WriteFile(t, b.InRootfs("dev/null"), "", 0o644)
		}},
		{step: "Symlink", want: `link "/dev/ptmx": unlinkat: is a directory`, change: func(t *testing.T, b *harness.Bundle) {
			withoutMounts(b, "/dev /dev/pts /dev/shm /dev/mqueue")
			harness.Mkdir(t, b.InRootfs("dev/ptmx"), 0o755)
		}},
		{step: "ReadonlyPath", want: `linux.readonlyPaths[0] "/etc/loop": openat2: too many levels of symbolic links`, change: func(t *testing.T, b *harness.Bundle) {
			harness.Symlink(t, "loop", b.InRootfs("etc/loop"))
			b.Spec.Linux.ReadonlyPaths = []string{"/etc/loop"}
		}},
		{step: "MaskPath", want: `linux.maskedPaths[0] "/etc/loop": openat2: too many levels of symbolic links`, change: func(t *testing.T, b *harness.Bundle) {
			harness.Symlink(t, "loop", b.InRootfs("etc/loop"))
			b.Spec.Linux.MaskedPaths = []string{"/etc/loop"}
		}},
	}
}

func processFaults() []realFault {
	return []realFault{
		{step: "Sysctl, name", want: `linux.sysctl "net.not.there": openat2: no such file or directory`, change: func(_ *testing.T, b *harness.Bundle) {
			b.Spec.Linux.Sysctl = map[string]string{"net.not.there": "1"}
		}},
		{step: "Sysctl, value", want: `linux.sysctl "net.ipv4.ip_forward": write: invalid argument`, change: func(_ *testing.T, b *harness.Bundle) {
			b.Spec.Linux.Sysctl = map[string]string{"net.ipv4.ip_forward": "many"}
		}},
		{step: "Console", run: true, want: `process.terminal: openat2: no such file or directory (`, change: func(_ *testing.T, b *harness.Bundle) {
			withoutMounts(b, "/dev/pts")
			b.Spec.Process.Terminal = true
		}},
		{step: "MakeDirectory", want: `process.cwd "/etc/passwd/below": `, change: func(_ *testing.T, b *harness.Bundle) {
			b.Spec.Process.Cwd = "/etc/passwd/below"
		}},
		{step: "FindProgram", want: `exec: "not-there": executable file not found in $PATH`, change: func(_ *testing.T, b *harness.Bundle) {
			b.Spec.Process.Args = []string{"not-there"}
		}},
		{step: "ChangeDirectory", want: `process.cwd "/proc/0": chdir: no such file or directory`, change: func(_ *testing.T, b *harness.Bundle) {
			b.Spec.Process.Cwd = "/proc/0"
		}},
		{step: "Capabilities", want: `process.capabilities.inheritable: CAP_KILL must be in bounding too (capabilities(7))`, change: func(_ *testing.T, b *harness.Bundle) {
			b.Spec.Process.Capabilities = &specs.LinuxCapabilities{Inheritable: []string{"CAP_KILL"}}
		}},
		{step: "Execute", atStart: true, want: `exec /bin/garbage: exec format error (it is neither`, change: func(t *testing.T, b *harness.Bundle) {
			harness.WriteFile(t, b.InRootfs("bin/garbage"), "garbage\n", 0o755)
			b.Spec.Process.Args = []string{"/bin/garbage"}
		}},
	}
}

// fail does what must fail, and removes the container if there is one.
func (f *realFault) fail(t *testing.T, b *harness.Bundle) harness.Result {
	t.Helper()
	if f.run {
		return b.Run(t)
	}
	got := b.Create(t)
	if f.atStart {
		got.WantExit(t, 0)
		got = b.Start(t)
		b.Delete(t).WantExit(t, 0)
	}
	return got
}

// mapUsers gives the container a user namespace and the ownership of its root.
func mapUsers(t *testing.T, b *harness.Bundle) {
	t.Helper()
	s := b.Spec
	s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
	s.Linux.UIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: 100000, Size: 65536}}
	s.Linux.GIDMappings = s.Linux.UIDMappings
	for _, name := range []string{"", "dev", "proc", "sys", "x"} {
		if err := os.Chown(harness.Mkdir(t, b.InRootfs(name), 0o755), 100000, 100000); err != nil {
			t.Fatal(err)
		}
	}
}

// TestStepsThatFailOfThemselves has a config for each kind of step that a config can make fail.
func TestStepsThatFailOfThemselves(t *testing.T) {
	t.Parallel()
	for _, c := range append(mountFaults(), processFaults()...) {
		t.Run(c.step, func(t *testing.T) {
			t.Parallel()
			b := harness.NewBundle(t, "sh", "-c", "exit 0")
			c.change(t, b)
			before := b.Snapshot(t)
			c.fail(t, b).WantOneError(t, c.want)
			before.WantSame(t)
		})
	}
}
