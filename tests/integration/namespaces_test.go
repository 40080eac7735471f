// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/tests/harness"
)

// namespaceFiles are the names below /proc/PID/ns of the spec's namespace types.
var namespaceFiles = map[specs.LinuxNamespaceType]string{
	specs.PIDNamespace: "pid", specs.NetworkNamespace: "net", specs.MountNamespace: "mnt", specs.IPCNamespace: "ipc",
	specs.UTSNamespace: "uts", specs.UserNamespace: "user", specs.CgroupNamespace: "cgroup", specs.TimeNamespace: "time",
}

func namespaceOf(t *testing.T, pid int, kind specs.LinuxNamespaceType) string {
	t.Helper()
	link, err := os.Readlink("/proc/" + itoa(uint64(pid)) + "/ns/" + namespaceFiles[kind])
	if err != nil {
		t.Fatal(err)
	}
	return link
}

func TestNamespacesAreNewOrTheHosts(t *testing.T) {
	t.Parallel()
	for kind := range namespaceFiles {
		if kind == specs.MountNamespace {
			continue // TestAHostMountNamespaceIsAChroot
		}
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			for _, private := range []bool{true, false} {
				b := harness.NewBundle(t, "sleep", "1000")
				switch {
				case kind == specs.UserNamespace && private:
					mapIDs(t, b)
				case private:
					setNamespace(b, kind, "")
				default:
					share(b, kind)
				}
				b.Run(t, "-d").WantExit(t, 0)
				own := namespaceOf(t, os.Getpid(), kind)
				if got := namespaceOf(t, b.State(t).Pid, kind); (got != own) != private {
					t.Errorf("private %v: the container is in %s, the host in %s", private, got, own)
				}
			}
		})
	}
}

// share makes a container share a namespace with the host, and drops from the config what then is refused.
func share(b *harness.Bundle, kind specs.LinuxNamespaceType) {
	dropNamespace(b, kind)
	if kind == specs.UTSNamespace {
		b.Spec.Hostname = ""
	}
}

func TestAllNamespacesOfAnotherContainerAreJoined(t *testing.T) {
	t.Parallel()
	first := harness.NewBundle(t, "sleep", "1000")
	mapIDs(t, first)
	for _, kind := range []specs.LinuxNamespaceType{specs.CgroupNamespace, specs.TimeNamespace} {
		setNamespace(first, kind, "")
	}
	first.Spec.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"boottime": {Secs: 4711}}
	first.Run(t, "-d").WantExit(t, 0)
	pid := first.State(t).Pid

	second := shell(t, "cat /proc/self/uid_map /proc/self/gid_map /proc/self/timens_offsets; ps; exec sleep 1000")
	giveRoot(t, second)
	second.Spec.Hostname = ""
	for kind, file := range namespaceFiles {
		if kind != specs.MountNamespace {
			setNamespace(second, kind, "/proc/"+itoa(uint64(pid))+"/ns/"+file)
		}
	}
	second.Run(t, "-d").WantExit(t, 0)
	second.WaitForOutput(t, "ps")
	got := harness.Result{Stdout: second.Output(t)}
	for _, want := range []string{"0     100000      65536", "0     200000      65536", "boottime         4711", "sleep 1000"} {
		got.WantStdout(t, want)
	}
	for kind := range namespaceFiles {
		same := namespaceOf(t, second.State(t).Pid, kind) == namespaceOf(t, pid, kind)
		if same != (kind != specs.MountNamespace) {
			t.Errorf("%s: same as the first container's is %v", kind, same)
		}
	}
	second.Kill(t, "9").WantExit(t, 0)
	second.Delete(t, "--force").WantExit(t, 0)
	if status := first.State(t).Status; status != "running" {
		t.Errorf("the first container is %s", status)
	}
}

// A container that joins a mount namespace has its mounts there, and nothing of them stays: neither there, nor on the host,
// nor if it could not be made.
func TestAMountNamespaceIsJoinedByPath(t *testing.T) {
	t.Parallel()
	owner := exec.Command("unshare", "-m", "--propagation", "private", "sh", "-c", "echo up; exec sleep 1000")
	up, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = owner.Process.Kill()
		_ = owner.Wait()
	})
	if _, err := io.ReadFull(up, make([]byte, len("up\n"))); err != nil {
		t.Fatal(err)
	}
	theirs := "/proc/" + strconv.Itoa(owner.Process.Pid)
	for _, path := range []string{theirs + "/ns/mnt", "/proc/self/ns/mnt"} {
		b := shell(t, "touch /mnt/x && echo joined; exec sleep 1000")
		b.Spec.Root.Readonly, b.Spec.Linux.MaskedPaths, b.Spec.Linux.ReadonlyPaths = false, nil, nil
		b.Spec.Mounts = append(b.Spec.Mounts, tmpfs("/mnt"))
		setNamespace(b, specs.MountNamespace, path)
		before := b.Snapshot(t)
		b.Run(t, "--detach").WantExit(t, 0)
		b.WaitForOutput(t, "joined")
		b.Delete(t, "--force").WantExit(t, 0)
		b.Spec.Process.Args = []string{"/nosuch"}
		b.Create(t).WantOneError(t, "/nosuch")
		before.WantSame(t)
		if mounts := harness.ReadFile(t, theirs+"/mountinfo"); strings.Contains(mounts, b.Rootfs) {
			t.Errorf("%s: mounts are left in it:\n%s", path, mounts)
		}
	}
}

// The process that owned the namespaces has gone, only bind mounts of them are left.
func TestNamespacesThatNobodyLivesInAreJoined(t *testing.T) {
	t.Parallel()
	first := harness.NewBundle(t, "sleep", "1000")
	mapIDs(t, first)
	first.Run(t, "-d").WantExit(t, 0)
	proc := "/proc/" + itoa(uint64(first.State(t).Pid)) + "/ns/"
	links := map[string]string{}
	for _, name := range []string{"user", "net", "uts"} {
		path := harness.WriteFile(t, first.Path(name), "", 0o600)
		if err := unix.Mount(proc+name, path, "", unix.MS_BIND, ""); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Unmount(path, unix.MNT_DETACH) })
		links[name], _ = os.Readlink(proc + name)
	}
	first.Delete(t, "--force").WantExit(t, 0)

	b := shell(t, "for n in user net uts; do readlink /proc/self/ns/$n; done; cat /proc/self/uid_map")
	giveRoot(t, b)
	b.Spec.Hostname = ""
	setNamespace(b, specs.UserNamespace, first.Path("user"))
	setNamespace(b, specs.NetworkNamespace, first.Path("net"))
	setNamespace(b, specs.UTSNamespace, first.Path("uts"))
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, strings.Join([]string{
		links["user"], links["net"], links["uts"], "         0     100000      65536",
	}, "\n"))
}

// A network namespace that the user namespace does not own.
func TestAUserNamespaceAndAForeignNetworkNamespaceAreJoined(t *testing.T) {
	t.Parallel()
	user := harness.NewBundle(t, "sleep", "1000")
	mapIDs(t, user)
	user.Run(t, "-d").WantExit(t, 0)
	net := harness.NewBundle(t, "sleep", "1000")
	net.Run(t, "-d").WantExit(t, 0)
	b := shell(t, "for n in user net; do readlink /proc/self/ns/$n; done")
	giveRoot(t, b)
	dropMount(b, "/sys") // only the owner of the network namespace may mount a sysfs
	dropMount(b, "/sys/fs/cgroup")
	setNamespace(b, specs.UserNamespace, "/proc/"+itoa(uint64(user.State(t).Pid))+"/ns/user")
	setNamespace(b, specs.NetworkNamespace, "/proc/"+itoa(uint64(net.State(t).Pid))+"/ns/net")
	b.Run(t).WantExit(t, 0).WantStdoutIs(
		t, namespaceOf(t, user.State(t).Pid, specs.UserNamespace)+"\n"+namespaceOf(t, net.State(t).Pid, specs.NetworkNamespace),
	)
}

func TestIDMapsOfAUserNamespace(t *testing.T) {
	t.Parallel()
	b := shell(t, "cat /proc/self/uid_map /proc/self/gid_map; id -u; id -g; stat -c %u /home/user /mnt/old; touch /tmp/x; ls -ln /dev/null | cut -c1-10")
	mapIDs(t, b)
	b.Spec.Linux.UIDMappings = append(b.Spec.Linux.UIDMappings, specs.LinuxIDMapping{ContainerID: 70000, HostID: 1000, Size: 1})
	b.Spec.Mounts = append(b.Spec.Mounts, tmpfs("/tmp"))
	if err := os.Chown(harness.WriteFile(t, b.InRootfs("mnt/old"), "", 0o644), 1000, 1000); err != nil {
		t.Fatal(err)
	}
	b.Spec.Process.User = specs.User{UID: 5, GID: 6}
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, strings.Join([]string{
		"         0     100000      65536", "     70000       1000          1", "         0     200000      65536",
		"5", "6", "1000", "70000", "crw-rw-rw-",
	}, "\n"))
}

func TestAUserNamespaceGivesNoRightsOnTheHostsFiles(t *testing.T) {
	t.Parallel()
	b := writable(shell(t, "touch /host/x; cat /host/secret"))
	mapIDs(t, b)
	grant(b, "CAP_DAC_OVERRIDE")
	harness.WriteFile(t, b.InRootfs("host/secret"), "secret", 0o600)
	b.Run(t).WantExit(t, 1).WantNoStdout(t, "secret").WantStderr(t, "/host/x: Permission denied", "'/host/secret': Permission denied")
}

// Only the host's root can reach the sources.
func TestBindSourcesInAUserNamespaceAreOpenedByTheHost(t *testing.T) {
	t.Parallel()
	b := shell(t, "cat /mnt/1/file /mnt/2/file /mnt/file")
	for _, name := range []string{"1", "2"} {
		harness.WriteFile(t, b.Path("closed/"+name+"/file"), name+"\n", 0o644)
		b.Spec.Mounts = append(b.Spec.Mounts, bind(b.Path("closed/"+name), "/mnt/"+name, "bind"))
	}
	b.Spec.Mounts = append(b.Spec.Mounts, bind(b.Path("closed/1/file"), "/mnt/file", "bind"))
	harness.Mkdir(t, b.Path("closed"), 0o700)
	mapIDs(t, b)
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "1\n2\n1")
}

func TestTimeOffsets(t *testing.T) {
	t.Parallel()
	for _, user := range []bool{false, true} {
		b := shell(t, "cat /proc/self/timens_offsets; cut -d. -f1 /proc/uptime")
		setNamespace(b, specs.TimeNamespace, "")
		b.Spec.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"monotonic": {Secs: 7881, Nanosecs: 2718281}, "boottime": {Secs: 500000000}}
		if user {
			mapIDs(t, b)
		}
		got := b.Run(t).WantExit(t, 0).WantStdout(t, "monotonic        7881   2718281\n", "boottime    500000000         0\n")
		if lines := strings.Fields(got.Stdout); len(lines[len(lines)-1]) != len("500000000") {
			t.Errorf("uptime is %s", lines[len(lines)-1])
		}
	}
}

func TestHostAndDomainName(t *testing.T) {
	t.Parallel()
	b := shell(t, "hostname; cat /proc/sys/kernel/domainname")
	before := b.Snapshot(t)
	b.Spec.Hostname, b.Spec.Domainname = "my-host", "example.org"
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "my-host\nexample.org")
	before.WantSame(t)
}

func TestSysctls(t *testing.T) {
	t.Parallel()
	b := shell(t, "cd /proc/sys; cat net/ipv4/ip_forward fs/mqueue/queues_max kernel/msgmax net/ipv4/conf/lo/forwarding")
	b.Spec.Linux.Sysctl = map[string]string{
		"net.ipv4.ip_forward": "1", "fs.mqueue.queues_max": "123", "kernel.msgmax": "4567", "net/ipv4/conf/lo/forwarding": "0",
	}
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "1\n123\n4567\n0")
}

func TestTheLoopbackDeviceIsUp(t *testing.T) {
	t.Parallel()
	b := shell(t, "ip link show lo")
	b.Run(t).WantExit(t, 0).WantStdout(t, "LOOPBACK,UP")
}
