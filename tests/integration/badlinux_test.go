// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/tests/harness"
)

func TestABadMountIsRefused(t *testing.T) {
	t.Parallel()
	mount := func(m specs.Mount) func(*testing.T, *harness.Bundle) {
		return edit(func(s *specs.Spec) { s.Mounts = append(s.Mounts, m) })
	}
	wantRefused(t, []badInput{
		{"source missing", mount(bind("/nosuch/source", "/mnt", "bind")), []string{"mounts[7]", `"/mnt"`, `"/nosuch/source"`, "no such file or directory"}},
		{"source empty", mount(bind("", "/mnt", "bind")), []string{"mounts[7]", "source"}},
		{"destination empty", mount(tmpfs("")), []string{"mounts[7].destination"}},
		{"file on a directory", mount(bind("/etc/passwd", "/etc", "bind")), []string{"mounts[7]", `"/etc"`, "the source is a file"}},
		{"directory on a file", mount(bind("/etc", "/etc/passwd", "bind")), []string{"mounts[7]", `"/etc/passwd"`, "the source is a directory"}},
		{"unknown option of a bind mount", mount(bind("/etc", "/mnt", "bind", "nosuchoption")), []string{"mounts[7]", `"nosuchoption"`}},
		{"unknown option of a remount", mount(bind("", "/dev", "bind", "remount", "nosuchoption")), []string{"mounts[7]", `"nosuchoption"`}},
		{"unknown option of control groups", mount(specs.Mount{Destination: "/mnt", Type: "cgroup", Options: []string{"nosuchoption"}}), []string{"mounts[7]", `"nosuchoption"`}},
		{"remount of control groups", mount(specs.Mount{Destination: "/mnt", Type: "cgroup", Options: []string{"remount"}}), []string{"mounts[7]", "remount needs the option bind"}},
		{"remount of what is no mount", mount(bind("", "/etc", "bind", "remount", "ro")), []string{"mounts[7]", `"/etc"`, "invalid argument", "nothing is mounted there"}},
		{"copy into a file system of the kernel", mount(specs.Mount{Destination: "/mnt", Type: "mqueue", Options: []string{"tmpcopyup"}}), []string{"mounts[7]", "tmpcopyup needs the type tmpfs"}},
		{"unknown option of a file system", mount(tmpfs("/mnt", "nosuchoption")), []string{"mounts[7]", "nosuchoption"}},
		{"bad value of an option", mount(tmpfs("/mnt", "size=lots")), []string{"mounts[7]", "size"}},
		{"unknown file system", mount(specs.Mount{Destination: "/mnt", Type: "nosuchfs", Source: "none"}), []string{"mounts[7]", "nosuchfs"}},
		{"on the root", mount(tmpfs("/")), []string{"mounts[7]"}},
		{"in proc", mount(tmpfs("/proc/sys")), []string{"mounts[7]", "/proc"}},
		{"mount point in a read-only file system", func(t *testing.T, b *harness.Bundle) {
			source := harness.Mkdir(t, b.Path("source"), 0o755)
			b.Spec.Mounts = append(b.Spec.Mounts, bind(source, "/mnt", "bind", "ro"), tmpfs("/mnt/below"))
		}, []string{"mounts[8]", "/mnt/below", "read-only"}},
	})
}

func TestBadNamespacesAreRefused(t *testing.T) {
	t.Parallel()
	namespace := func(kind specs.LinuxNamespaceType, path string) func(*testing.T, *harness.Bundle) {
		return func(_ *testing.T, b *harness.Bundle) { setNamespace(b, kind, path) }
	}
	wantRefused(t, []badInput{
		{"of another kind", namespace(specs.NetworkNamespace, "/proc/self/ns/uts"), []string{"linux.namespaces[", "uts", "not a net"}},
		{"not a namespace", namespace(specs.NetworkNamespace, "/etc/passwd"), []string{"linux.namespaces[", `"/etc/passwd"`, "not a namespace"}},
		{"no such path", namespace(specs.IPCNamespace, "/nosuch/ns"), []string{"linux.namespaces[", "/nosuch/ns", "no such file or directory"}},
		{"relative path", namespace(specs.IPCNamespace, "ns/ipc"), []string{"linux.namespaces[", "absolute"}},
		{"unknown", edit(func(s *specs.Spec) {
			s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: "nosuch"})
		}), []string{"linux.namespaces[", `"nosuch"`}},
		{"twice", edit(func(s *specs.Spec) {
			s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: "pid"})
		}), []string{"linux.namespaces[", `"pid"`, "twice"}},
		{"user without maps", namespace(specs.UserNamespace, ""), []string{"linux.uidMappings"}},
		{"time offsets without time", edit(func(s *specs.Spec) {
			s.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"monotonic": {Secs: 1}}
		}), []string{"linux.timeOffsets", "time namespace"}},
		{"unknown clock", func(_ *testing.T, b *harness.Bundle) {
			setNamespace(b, specs.TimeNamespace, "")
			b.Spec.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"realtime": {Secs: 1}}
		}, []string{"linux.timeOffsets", `realtime`}},
		{"hostname without uts", func(_ *testing.T, b *harness.Bundle) { dropNamespace(b, specs.UTSNamespace) }, []string{"hostname", "uts"}},
		{"domainname without uts", func(_ *testing.T, b *harness.Bundle) {
			dropNamespace(b, specs.UTSNamespace)
			b.Spec.Hostname, b.Spec.Domainname = "", "example.org"
		}, []string{"domainname", "uts"}},
	})
}

func TestBadSysctlsAreRefused(t *testing.T) {
	t.Parallel()
	sysctl := func(key, value string) func(*testing.T, *harness.Bundle) {
		return edit(func(s *specs.Spec) { s.Linux.Sysctl = map[string]string{key: value} })
	}
	wantRefused(t, []badInput{
		{"of the host", sysctl("vm.overcommit_memory", "1"), []string{"linux.sysctl", "vm.overcommit_memory"}},
		{"of the host, with slashes", sysctl("kernel/core_pattern", "x"), []string{"linux.sysctl", "kernel/core_pattern"}},
		{"with dots", sysctl("net/../kernel/core_pattern", "x"), []string{"linux.sysctl"}},
		{"unknown", sysctl("net.nosuch.key", "1"), []string{"linux.sysctl", "net.nosuch.key"}},
		{"bad value", sysctl("net.ipv4.ip_forward", "maybe"), []string{"linux.sysctl", "net.ipv4.ip_forward"}},
		{"net of the host", func(_ *testing.T, b *harness.Bundle) {
			dropNamespace(b, specs.NetworkNamespace)
			b.Spec.Linux.Sysctl = map[string]string{"net.ipv4.ip_forward": "1"}
		}, []string{"linux.sysctl", "net.ipv4.ip_forward", `{"type": "network"}`}},
		{"ipc of the host", func(_ *testing.T, b *harness.Bundle) {
			dropNamespace(b, specs.IPCNamespace)
			b.Spec.Linux.Sysctl = map[string]string{"kernel.shmmax": "1"}
		}, []string{"linux.sysctl", "kernel.shmmax", `{"type": "ipc"}`}},
		{"twice the hostname", func(_ *testing.T, b *harness.Bundle) {
			b.Spec.Linux.Sysctl = map[string]string{"kernel.hostname": "other"}
		}, []string{"linux.sysctl", "kernel.hostname"}},
	})
}

func TestBadDevicesAreRefused(t *testing.T) {
	t.Parallel()
	device := func(d specs.LinuxDevice) func(*testing.T, *harness.Bundle) {
		return edit(func(s *specs.Spec) { s.Linux.Devices = []specs.LinuxDevice{d} })
	}
	wantRefused(t, []badInput{
		{"without major", device(specs.LinuxDevice{Path: "/dev/x", Type: "c"}), []string{"linux.devices[0]", `"/dev/x"`, "major"}},
		{"without type", device(specs.LinuxDevice{Path: "/dev/x", Major: 1, Minor: 3}), []string{"linux.devices[0]", "type"}},
		{"unknown type", device(specs.LinuxDevice{Path: "/dev/x", Type: "x", Major: 1, Minor: 3}), []string{"linux.devices[0]", `"x"`}},
		{"without path", device(specs.LinuxDevice{Type: "c", Major: 1, Minor: 3}), []string{"linux.devices[0].path"}},
		{"rule of unknown type", edit(func(s *specs.Spec) {
			s.Linux.Resources.Devices = []specs.LinuxDeviceCgroup{{Allow: true, Type: "x", Access: "r"}}
		}), []string{"linux.resources.devices[0]", `"x"`}},
	})
}

func TestBadSeccompIsRefused(t *testing.T) {
	t.Parallel()
	profile := func(p specs.LinuxSeccomp) func(*testing.T, *harness.Bundle) {
		return edit(func(s *specs.Spec) { s.Linux.Seccomp = &p })
	}
	rule := func(r specs.LinuxSyscall) func(*testing.T, *harness.Bundle) {
		return profile(specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{r}})
	}
	wantRefused(t, []badInput{
		{"default action", profile(specs.LinuxSeccomp{DefaultAction: "SCMP_ACT_NOSUCH"}), []string{"linux.seccomp.defaultAction", "SCMP_ACT_NOSUCH"}},
		{
			"architecture", profile(specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Architectures: []specs.Arch{"SCMP_ARCH_NOSUCH"}}),
			[]string{"linux.seccomp.architectures[0]", "SCMP_ARCH_NOSUCH"},
		},
		{"flag", profile(specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Flags: []specs.LinuxSeccompFlag{"NOSUCH"}}), []string{"linux.seccomp.flags[0]", "NOSUCH"}},
		{"no names", rule(specs.LinuxSyscall{Action: specs.ActErrno}), []string{"linux.seccomp.syscalls[0].names"}},
		{"operator", rule(specs.LinuxSyscall{
			Names: []string{"chdir"}, Action: specs.ActErrno, Args: []specs.LinuxSeccompArg{{Op: "SCMP_CMP_NOSUCH"}},
		}), []string{"linux.seccomp.syscalls[0].args[0]", "SCMP_CMP_NOSUCH"}},
		{
			"notify for write", rule(specs.LinuxSyscall{Names: []string{"write"}, Action: specs.ActNotify}),
			[]string{"SCMP_ACT_NOTIFY cannot be used for the write syscall"},
		},
	})
}

func TestAStateRootThatCannotBeWrittenIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, options, want string }{
		{"read-only", "ro", "read-only file system"},
		{"without inodes", "nr_inodes=1", "no space left on device"},
		{"with one inode", "nr_inodes=2", "no space left on device"},
		{"without space", "size=4k", "no space left on device"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := harness.NewBundle(t, "echo", "the program has run")
			if err := unix.Mount("tmpfs", b.Root, "tmpfs", 0, ""); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = unix.Unmount(b.Root, unix.MNT_DETACH) })
			if err := unix.Mount("", b.Root, "", unix.MS_REMOUNT|flags(c.options), data(c.options)); err != nil {
				t.Fatal(err)
			}
			before := b.Snapshot(t)
			b.Create(t).WantOneError(t, c.want, b.Root)
			b.Run(t).WantOneError(t, c.want, b.Root)
			before.WantSame(t)
		})
	}
}

func flags(options string) uintptr {
	if options == "ro" {
		return unix.MS_RDONLY
	}
	return 0
}

func data(options string) string {
	if options == "ro" {
		return ""
	}
	return options
}

func TestAStateRootThatIsAFileIsRefused(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "true")
	b.Write(t)
	if err := os.WriteFile(b.Path("file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b.Raw(t, "--root", b.Path("file"), "create", "--bundle", b.Dir, b.ID).WantOneError(t, "not a directory", b.Path("file"))
}

func TestAPidFileThatCannotBeWrittenFailsAndLeavesNothing(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "echo", "the program has run")
	before := b.Snapshot(t)
	b.Create(t, "--pid-file", b.Path("nosuch/pid")).WantOneError(t, "nosuch/pid", "no such file or directory")
	before.WantSame(t)
	b.Run(t, "-d", "--pid-file", b.Path("nosuch/pid")).WantOneError(t, "nosuch/pid", "no such file or directory")
	before.WantSame(t)
}

func TestPreservedDescriptorsMustBeOpen(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "echo", "the program has run")
	before := b.Snapshot(t)
	b.Run(t, "--preserve-fds", "100").WantOneError(t, "--preserve-fds", "not open")
	b.Run(t, "--preserve-fds", "-1").WantOneError(t, "--preserve-fds")
	before.WantSame(t)
}
