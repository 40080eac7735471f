// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/tests/harness"
)

// userShell is shell for an ordinary user.
func userShell(t *testing.T, lines ...string) *harness.Bundle {
	t.Helper()
	return harness.NewUserBundle(t, "sh", "-c", strings.Join(lines, "\n"))
}

func TestAUserIsRootOfTheContainer(t *testing.T) {
	t.Parallel()
	b := userShell(t, "id", "awk '{print $1, $2, $3}' /proc/self/uid_map /proc/self/gid_map", "cat /proc/self/setgroups",
		"grep CapEff /proc/self/status", "hostname", "echo $HOME", "touch /x 2>&1")
	before := b.Snapshot(t)
	maps := fmt.Sprintf("0 %d 1", b.User)
	b.Run(t).WantExit(t, 1).WantStdoutIs(t, strings.Join([]string{
		"uid=0(root) gid=0(root)", maps, maps, "deny", "CapEff:\t0000000020000420", "rt", "/root", "touch: /x: Read-only file system",
	}, "\n"))
	before.WantSame(t)
}

func TestTheLifeOfAUsersContainer(t *testing.T) {
	t.Parallel()
	b := harness.NewUserBundle(t, "sleep", "1000")
	b.Env = []string{"USER=somebody"} // who says so?
	before := b.Snapshot(t)
	b.Create(t).WantExit(t, 0)
	state := b.State(t)
	if state.Status != "created" || state.Owner != "#"+strconv.Itoa(int(b.User)) {
		t.Errorf("the state is %+v", state)
	}
	b.Exec(t, nil, "sh", "-c", "id -u; echo $HOME").WantExit(t, 0).WantStdoutIs(t, "0\n/root")
	b.Start(t).WantExit(t, 0)
	b.WaitFor(t, "running")
	b.Exec(t, []string{"--env", "A=b"}, "sh", "-c", "echo $A; exit 7").WantExit(t, 7).WantStdoutIs(t, "b")
	b.RT(t, "list", "-q").WantExit(t, 0).WantStdoutIs(t, b.ID)
	b.RT(t, "ps", "--format", "json", b.ID).WantExit(t, 0).WantStdout(t, strconv.Itoa(state.Pid))
	b.RT(t, "pause", b.ID).WantOneError(t, "no control group")
	b.RT(t, "events", "--stats", b.ID).WantOneError(t, "no control group")
	b.Exec(t, []string{"--cgroup", "x"}, "true").WantExecError(t, "no control group")
	b.Delete(t).WantOneError(t, "not stopped")
	b.Kill(t, "KILL").WantExit(t, 0)
	b.WaitFor(t, "stopped")
	b.Kill(t, "KILL").WantOneError(t, "container not running")
	b.Delete(t).WantExit(t, 0)
	before.WantSame(t)
}

func TestAUsersContainerHasTheDevicesOfTheHost(t *testing.T) {
	t.Parallel()
	b := userShell(t,
		"for d in null zero full random urandom tty; do stat -c '%n %F %u %a %t:%T' /dev/$d; done",
		"echo x >/dev/null; head -c 2 /dev/zero | wc -c; chmod 600 /dev/null 2>&1; cat /proc/keys | wc -c",
		"mknod /dev/new c 1 3 2>&1; ls /sys/firmware | wc -l")
	b.Run(t).WantExit(t, 0).WantStdout(t,
		"/dev/null character special file 65534 666 1:3", "/dev/tty character special file 65534 666 5:0", "\n2\n",
		"chmod: /dev/null: Read-only file system", "\n0\n", "mknod: /dev/new: Operation not permitted")
}

func TestAUsersContainerIsInTheGroupOfItsCaller(t *testing.T) {
	t.Parallel()
	b := userShell(t, "cat /proc/self/cgroup; touch /sys/fs/cgroup/x 2>&1; awk '$5 ~ \"^/sys/fs/cgroup\" {print $6}' /proc/self/mountinfo | tail -1")
	own := strings.TrimSpace(harness.ReadFile(t, "/proc/self/cgroup"))
	b.Spec.Linux.Namespaces = withoutNamespace(b.Spec.Linux.Namespaces, specs.CgroupNamespace)
	b.Run(t).WantExit(t, 0).WantStdout(t, own, "Read-only file system", "\nro,")
	b.Spec.Linux.Namespaces = append(b.Spec.Linux.Namespaces, specs.LinuxNamespace{Type: specs.CgroupNamespace})
	b.Run(t).WantExit(t, 0).WantStdout(t, ":/\n", "Read-only file system", "\nro,")
}

func withoutNamespace(list []specs.LinuxNamespace, kind specs.LinuxNamespaceType) []specs.LinuxNamespace {
	var rest []specs.LinuxNamespace
	for _, n := range list {
		if n.Type != kind {
			rest = append(rest, n)
		}
	}
	return rest
}

func TestAUsersContainerWithAnOwnNetworkAndTime(t *testing.T) {
	t.Parallel()
	b := userShell(t, "ip -o link show lo | grep -c 'LOOPBACK,UP'; awk '{print $1, $2}' /proc/self/timens_offsets; echo $$")
	b.Spec.Linux.Namespaces = append(b.Spec.Linux.Namespaces,
		specs.LinuxNamespace{Type: specs.NetworkNamespace}, specs.LinuxNamespace{Type: specs.TimeNamespace})
	b.Spec.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"boottime": {Secs: 1000}}
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "1\nmonotonic 0\nboottime 1000\n1")
}

func TestWhatIsSetFromOutsideReachesAUsersProcess(t *testing.T) {
	t.Parallel()
	b := userShell(t, "cat /proc/self/oom_score_adj; ulimit -n; ulimit -Hc; sleep 1000")
	score := 700
	b.Spec.Process.OOMScoreAdj = &score
	b.Spec.Process.Rlimits = append(b.Spec.Process.Rlimits, specs.POSIXRlimit{Type: "RLIMIT_CORE"})
	b.Run(t, "--detach").WantExit(t, 0)
	b.WaitForOutput(t, "700\n1024\n0\n")
	b.Exec(t, nil, "sh", "-c", "cat /proc/self/oom_score_adj; ulimit -n").WantExit(t, 0).WantStdoutIs(t, "700\n1024")
	b.Delete(t, "--force").WantExit(t, 0)
}

func TestAUsersTerminal(t *testing.T) {
	t.Parallel()
	b := terminal(userShell(t, "tty; stat -c '%u %a' $(tty); test -c /dev/console; exit 5"))
	b.Run(t).WantExit(t, 5).WantStdoutIs(t, "/dev/pts/0\n0 620")
}

func TestHooksOfAUser(t *testing.T) {
	t.Parallel()
	b := userShell(t, "cat /tmp/startContainer")
	b.Spec.Root.Readonly = false
	log := b.Path("log")
	if err := os.WriteFile(log, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(log, 0o666); err != nil {
		t.Fatal(err)
	}
	hook := func(kind, line string) []specs.Hook {
		return []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "echo " + kind + " " + line}}}
	}
	b.Spec.Hooks = &specs.Hooks{
		CreateRuntime:   hook("createRuntime", "$(id -u) >>"+log),
		CreateContainer: hook("createContainer", "$(id -u) $(cat /proc/self/uid_map | wc -l) >>"+log),
		StartContainer:  hook("startContainer", "$(id -u) >/tmp/startContainer"),
		Poststart:       hook("poststart", "$(id -u) >>"+log),
		Poststop:        hook("poststop", "$(id -u) >>"+log),
	}
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "startContainer 0")
	want := fmt.Sprintf("createRuntime %d\ncreateContainer 0 1\npoststart %[1]d\npoststop %[1]d\n", b.User)
	if got := harness.ReadFile(t, log); got != want {
		t.Errorf("the hooks wrote\n%s want\n%s", got, want)
	}
}

func TestAUsersFilterAndDescriptors(t *testing.T) {
	t.Parallel()
	for _, privileged := range []bool{false, true} {
		b := userShell(t, "mkdir /tmp/x 2>&1; echo $(ls /proc/self/fd)")
		b.Spec.Process.NoNewPrivileges = !privileged
		b.Spec.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{
			{Names: []string{"mkdir", "mkdirat"}, Action: specs.ActErrno},
		}}
		b.Run(t).WantExit(t, 0).WantStdoutIs(t, "mkdir: can't create directory '/tmp/x': Operation not permitted\n0 1 2 3")
	}
}

// The supplementary groups that a user has can't be given up where setgroups(2) is denied: a group that is kept from
// something must stay so.
func TestAUserKeepsItsGroups(t *testing.T) {
	t.Parallel()
	b := userShell(t, "awk '/^Groups/ {print NF, $2}' /proc/self/status")
	b.Groups = []uint32{56789}
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "2 65534")
}

func TestMountsOfAUser(t *testing.T) {
	t.Parallel()
	b := userShell(t, "cat /data/file; echo y >/data/new && cat /data/new; touch /ro/x 2>&1; cat /ro/file; cat /one; umount /data 2>&1")
	source := b.Path("source")
	if err := os.Mkdir(source, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(source, "file"), []byte("x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{source, filepath.Join(source, "file")} {
		if err := os.Chown(path, int(b.User), int(b.User)); err != nil {
			t.Fatal(err)
		}
	}
	b.Spec.Mounts = append(b.Spec.Mounts,
		specs.Mount{Destination: "/data", Type: "bind", Source: source, Options: []string{"rbind", "rw"}},
		specs.Mount{Destination: "/ro", Source: source, Options: []string{"bind", "ro"}},
		specs.Mount{Destination: "/one", Source: source + "/file", Options: []string{"bind"}})
	b.Run(t).WantExit(t, 1).WantStdoutIs(t, "x\ny\ntouch: /ro/x: Read-only file system\nx\nx\numount: can't unmount /data: Operation not permitted")
}

// What the host has locked stays so, and who asks for it gets an explanation (mount_namespaces(7)).
func TestLockedFlagsOfAUsersMounts(t *testing.T) {
	t.Parallel()
	b := userShell(t, "awk '$5 == \"/data\" {print $6}' /proc/self/mountinfo")
	source := b.Path("locked")
	if err := os.Mkdir(source, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", source, "tmpfs", unix.MS_RDONLY|unix.MS_NOSUID, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(source, 0) })
	mounts := b.Spec.Mounts
	add := func(options ...string) {
		b.Spec.Mounts = append(mounts[:len(mounts):len(mounts)], specs.Mount{Destination: "/data", Source: source, Options: options})
	}
	add("bind")
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "ro,nosuid,relatime")
	add("bind", "nodev")
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "ro,nosuid,nodev,relatime")
	for _, option := range []string{"rw", "suid", "noatime"} {
		add("bind", option)
		b.Run(t).WantOneError(t, "/data", "operation not permitted", "leave the option out")
	}
}

func TestTheStateRootOfAUser(t *testing.T) {
	t.Parallel()
	b := harness.NewUserBundle(t, "true")
	b.Write(t)
	xdg := b.Path("xdg")
	if err := os.Mkdir(xdg, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(xdg, int(b.User), int(b.User)); err != nil {
		t.Fatal(err)
	}
	b.Env = []string{"XDG_RUNTIME_DIR=" + xdg}
	b.Raw(t, "create", "--bundle", b.Dir, b.ID).WantExit(t, 0)
	b.Raw(t, "list", "-q").WantExit(t, 0).WantStdoutIs(t, b.ID)
	info, err := os.Stat(filepath.Join(xdg, "rt"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != os.ModeDir|os.ModeSticky|0o700 {
		t.Errorf("the state root's mode is %v", info.Mode())
	}
	b.Raw(t, "delete", b.ID).WantExit(t, 0)
	b.Env = []string{"XDG_RUNTIME_DIR="}
	b.Raw(t, "run", "--bundle", b.Dir, b.ID).WantOneError(t, "permission denied", "XDG_RUNTIME_DIR", "--root")
}

// 7.1 and 27.4 of what callers rely on: without pid namespace and group it works, with a warning.
func TestAUserWithThePidsOfTheHost(t *testing.T) {
	t.Parallel()
	b := harness.NewUserBundle(t, "sleep", "1000")
	b.Spec.Linux.Namespaces = withoutNamespace(b.Spec.Linux.Namespaces, specs.PIDNamespace)
	b.Spec.Mounts[0] = specs.Mount{Destination: "/proc", Type: "none", Source: "/proc", Options: []string{"rbind", "nosuid", "nodev", "noexec"}}
	b.Spec.Linux.MaskedPaths, b.Spec.Linux.ReadonlyPaths = nil, nil
	b.Run(t, "--detach").WantExit(t, 0).WantStderr(t, "Such configuration is strongly discouraged")
	b.Exec(t, nil, "true").WantExit(t, 0)
	b.Kill(t, "KILL").WantExit(t, 0)
	b.WaitFor(t, "stopped")
	b.Delete(t).WantExit(t, 0)
}

func TestTheOptionRootless(t *testing.T) {
	t.Parallel()
	b := harness.NewUserBundle(t, "true")
	before := b.Snapshot(t)
	b.Run(t).WantExit(t, 0)
	run := func(value string) harness.Result {
		return b.Raw(t, "--root", b.Root, "--rootless", value, "run", "--bundle", b.Dir, b.ID)
	}
	run("auto").WantExit(t, 0)
	run("true").WantExit(t, 0)
	run("false").WantOneError(t, "make control group", "permission denied")
	run("perhaps").WantFailure(t)
	why := "that takes cgroup v2"
	if harness.IsCgroup2("/sys/fs/cgroup") {
		why = "loginctl enable-linger"
	}
	b.Raw(t, "--root", b.Root, "--systemd-cgroup", "run", "--bundle", b.Dir, b.ID).WantOneError(t, "--systemd-cgroup", why)
	before.WantSame(t)
}

func TestWhatAUserCannotHaveIsRefused(t *testing.T) {
	t.Parallel()
	limit, major, low := int64(10), int64(1), -500
	for _, c := range []struct {
		name string
		edit func(s *specs.Spec)
		want []string
	}{
		{"no user namespace", func(s *specs.Spec) {
			s.Linux.Namespaces = withoutNamespace(s.Linux.Namespaces, specs.UserNamespace)
			s.Linux.UIDMappings, s.Linux.GIDMappings = nil, nil
		}, []string{"linux.namespaces", "user namespace is missing", "spec --rootless"}},
		{"no mount namespace", func(s *specs.Spec) {
			s.Linux.Namespaces = withoutNamespace(s.Linux.Namespaces, specs.MountNamespace)
			s.Linux.MaskedPaths, s.Linux.ReadonlyPaths = nil, nil
			s.Root.Readonly = false // which is refused earlier
		}, []string{"linux.namespaces", "mount namespace"}},
		{"network namespace of the host", func(s *specs.Spec) {
			s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.NetworkNamespace, Path: "/proc/self/ns/net"})
		}, []string{"linux.namespaces[", "operation not permitted"}},
		{"cgroupsPath", func(s *specs.Spec) { s.Linux.CgroupsPath = "/rt-rootless-test" }, []string{"unable to apply cgroup configuration", "permission denied"}},
		{"pids limit", func(s *specs.Spec) {
			s.Linux.Resources = &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: &limit}}
		}, []string{"rootless needs no limits + no cgrouppath when no permission is granted for cgroups", "linux.resources.pids.limit"}},
		{"device rule", func(s *specs.Spec) {
			s.Linux.Resources = &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Allow: false, Type: "c", Major: &major, Access: "rwm"}}}
		}, []string{"linux.resources.devices[0]", "only the host's root"}},
		{"device that can only be read", func(s *specs.Spec) {
			s.Linux.Resources = &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{
				{Access: "rwm"}, {Allow: true, Type: "c", Access: "m"}, {Allow: true, Type: "c", Major: &major, Access: "rm"},
			}}
		}, []string{"linux.resources.devices[2]: access \"rm\"", "only the host's root"}},
		{"groups", func(s *specs.Spec) {
			s.Process.User.AdditionalGids = []uint32{0}
		}, []string{"process.user.additionalGids", "setgroups", "gidMappings"}},
		{"unmapped user", func(s *specs.Spec) { s.Process.User.UID = 1 }, []string{"process.user.uid 1", "uidMappings"}},
		{"somebody else", func(s *specs.Spec) { s.Linux.UIDMappings[0].HostID = 0 }, []string{"linux.uidMappings"}},
		{"protection from the OOM killer", func(s *specs.Spec) { s.Process.OOMScoreAdj = &low }, []string{"process.oomScoreAdj -500", "permission denied", "only root"}},
		{"hard limit", func(s *specs.Spec) {
			s.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 1 << 29, Hard: 1 << 29}}
		}, []string{"process.rlimits[0]", "RLIMIT_NOFILE", "operation not permitted"}},
		{"source of somebody else", func(s *specs.Spec) {
			s.Mounts = append(s.Mounts, specs.Mount{Destination: "/x", Source: "/root/x", Options: []string{"bind"}})
		}, []string{"mounts[7] \"/x\"", "permission denied"}},
		{"device that is none", func(s *specs.Spec) {
			s.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/zero", Type: "c", Major: 1, Minor: 3}}
		}, []string{"linux.devices[0] \"/dev/zero\"", "another file"}},
		{"device that is not there", func(s *specs.Spec) {
			s.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/rt-none", Type: "c", Major: 1, Minor: 3}}
		}, []string{"linux.devices[0] \"/dev/rt-none\"", "no such file"}},
		{"terminal group", func(s *specs.Spec) {
			s.Mounts[2].Options = append(s.Mounts[2].Options, "gid=5")
		}, []string{"mounts[2] \"/dev/pts\"", "invalid argument"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := harness.NewUserBundle(t, "echo", "the program has run")
			c.edit(b.Spec)
			before := b.Snapshot(t)
			b.Run(t).WantOneError(t, c.want...).WantStderr(t, b.ID)
			before.WantSame(t)
			b.Create(t).WantOneError(t, c.want...).WantStderr(t, b.ID)
			before.WantSame(t)
			if left := harness.ProcessesOf(b.User); len(left) > 0 {
				t.Errorf("processes are left: %v", left)
			}
		})
	}
}

// With --rootless=true the host's root, too, goes without a group, but not without the filter of devices that only a group
// can have: in the host's user namespace nothing else keeps a container from making the nodes.
func TestRootWithoutAGroup(t *testing.T) {
	t.Parallel()
	harness.NeedCgroupfs(t, "systemd makes the group, whatever rt may do")
	b := harness.NewBundle(t, "echo", "it has run")
	b.Wrapper = readOnlyGroups
	b.Write(t)
	before := b.Snapshot(t)
	run := func() harness.Result {
		b.Write(t)
		return b.Raw(t, "--root", b.Root, "--rootless", "true", "run", "--bundle", b.Dir, b.ID)
	}
	run().WantOneError(t, "linux.resources.devices: without a control group", "read-only file system", "allow all devices")
	b.Spec.Linux.Resources = nil
	run().WantOneError(t, "linux.resources.devices: without a control group")
	before.WantSame(t)
	b.Spec.Linux.Resources = &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}}}
	run().WantExit(t, 0).WantStdoutIs(t, "it has run")
	before.WantSame(t)
}

// The bounding set of rt's caller ends at a user namespace: who is in that begins with a full one.
func TestABoundingSetEndsAtAUserNamespace(t *testing.T) {
	t.Parallel()
	b := harness.NewUserBundle(t, "grep", "CapBnd", "/proc/self/status")
	user := strconv.Itoa(int(b.User))
	b.Wrapper = []string{"setpriv", "--reuid", user, "--regid", user, "--clear-groups", "--bounding-set", "-sys_admin,-kill"}
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "CapBnd:\t0000000020000420").WantStderrIs(t, "")
	b.Spec.Process.Args = []string{"sleep", "1000"}
	b.Run(t, "--detach").WantExit(t, 0)
	b.Exec(t, nil, "grep", "CapBnd", "/proc/self/status").WantExit(t, 0).WantStdoutIs(t, "CapBnd:\t0000000020000420")
	b.Wrapper = nil
	b.Delete(t, "--force").WantExit(t, 0)
}
