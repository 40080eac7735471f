// SPDX-License-Identifier: Apache-2.0

package fault

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/tests/harness"
)

// step is one line of what rt prints with RT_FAIL_AT=show.
type step struct{ name, member string }

// told is what an error must name.
func (s step) told() string {
	if s.member == "" {
		return s.name
	}
	return s.member
}

// call is create or run of a bundle, with its flags.
type call func(*testing.T) harness.Result

// steps returns the plan of a bundle, and removes the container that had to be made for it.
func steps(t *testing.T, b *harness.Bundle, create call) []step {
	t.Helper()
	b.Env = []string{"RT_FAIL_AT=show"}
	text := create(t).WantExit(t, 0).Stdout
	b.Env = nil
	b.Delete(t, "--force").WantExit(t, 0)
	var all []step
	for line := range strings.Lines(text) {
		if name, member, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t"); ok {
			all = append(all, step{name, member})
		}
	}
	if len(all) < 20 {
		t.Fatalf("a plan of %d steps:\n%s", len(all), text)
	}
	return all
}

// richBundle asks for something of every concern that needs no other side.
func richBundle(t *testing.T) *harness.Bundle {
	t.Helper()
	b := harness.NewBundle(t, "sh", "-c", "exit 0")
	s := b.Spec
	s.Process.User.AdditionalGids = []uint32{5, 44}
	umask := uint32(0o27)
	s.Process.User.Umask = &umask
	s.Process.Cwd = "/made/here"
	s.Hostname, s.Domainname = "fault", "example.org"
	s.Hooks = &specs.Hooks{
		CreateRuntime:   []specs.Hook{{Path: "/bin/true"}},
		CreateContainer: []specs.Hook{{Path: "/bin/true"}},
		Poststop:        []specs.Hook{{Path: "/bin/true"}},
	}
	s.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/fuse", Type: "c", Major: 10, Minor: 229}, {Path: "/dev/queue", Type: "p"}}
	s.Linux.Sysctl = map[string]string{"net.ipv4.ip_forward": "1", "kernel.shm_rmid_forced": "1"}
	s.Linux.RootfsPropagation = "private"
	s.Linux.MemoryPolicy = &specs.LinuxMemoryPolicy{Mode: specs.MpolBind, Nodes: "0"}
	s.Mounts = append(s.Mounts,
		specs.Mount{Destination: "/bound", Source: harness.Mkdir(t, b.Path("source"), 0o755), Options: []string{"rbind", "ro", "rnosuid", "rshared"}},
		specs.Mount{Destination: "/again", Source: b.InRootfs("etc"), Options: []string{"bind"}},
		specs.Mount{
			Destination: "/mapped", Source: b.Path("source"), Options: []string{"bind"},
			UIDMappings: []specs.LinuxIDMapping{{HostID: 200000, Size: 10}}, GIDMappings: []specs.LinuxIDMapping{{HostID: 200000, Size: 10}},
		},
		specs.Mount{Destination: "/etc", Type: "tmpfs", Options: []string{"tmpcopyup", "ro"}},
	)
	return b
}

// TestEveryStepOfCreate makes create, or the start after it, fail at each step.
func TestEveryStepOfCreate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		make func(*testing.T) (*harness.Bundle, []string) // with the flags of create
	}{
		{"host's root", func(t *testing.T) (*harness.Bundle, []string) { return richBundle(t), nil }},
		{"no pivot", withoutPivot},
		{"user namespace", func(t *testing.T) (*harness.Bundle, []string) { return userNamespaced(t), nil }},
		{"terminal", withTerminal},
		{"privileged filter", func(t *testing.T) (*harness.Bundle, []string) { return withFilter(t, false, "acct"), nil }},
		{"strict filter", func(t *testing.T) (*harness.Bundle, []string) { return withFilter(t, true, "close"), nil }},
		{"strict filter, privileged", func(t *testing.T) (*harness.Bundle, []string) { return withFilter(t, false, "close"), nil }},
		{"agent", func(t *testing.T) (*harness.Bundle, []string) { return withAgent(t, true), nil }},
		{"agent, privileged", func(t *testing.T) (*harness.Bundle, []string) { return withAgent(t, false), nil }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b, flags := c.make(t)
			create := func(t *testing.T) harness.Result { return b.Create(t, flags...) }
			plan := steps(t, b, create)
			start := 1 + slices.IndexFunc(plan, func(s step) bool { return s.name == "WaitStart" })
			t.Logf("%d steps, %d of them before the start", len(plan), start)
			before := b.Snapshot(t)
			for i, s := range plan {
				if i < start {
					wantFailure(t, b, before, i, s, create)
				} else {
					wantFailedStart(t, b, before, i, s, create)
				}
			}
		})
	}
}

// TestEveryStepOfRun makes run fail at each step; the container must be gone, whoever failed.
func TestEveryStepOfRun(t *testing.T) {
	t.Parallel()
	b := withAgent(t, true)
	giveDevice := withNetDevice(t, b)
	plan := steps(t, b, func(t *testing.T) harness.Result { return b.Run(t, "--detach") })
	giveDevice() // the first one has gone with that container; from here on it must come back
	before := b.Snapshot(t)
	for i, s := range plan {
		wantFailure(t, b, before, i, s, func(t *testing.T) harness.Result { return b.Run(t) })
	}
}

// withFilter has a filter that refuses some calls.
func withFilter(t *testing.T, noNewPrivileges bool, calls ...string) *harness.Bundle {
	t.Helper()
	b := richBundle(t)
	b.Spec.Process.NoNewPrivileges = noNewPrivileges
	b.Spec.Linux.Seccomp = &specs.LinuxSeccomp{
		DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Names: calls, Action: specs.ActErrno}},
	}
	return b
}

// withAgent has a filter with a listener, and somebody who takes that.
func withAgent(t *testing.T, noNewPrivileges bool) *harness.Bundle {
	t.Helper()
	b := richBundle(t)
	b.Spec.Process.NoNewPrivileges = noNewPrivileges
	b.Spec.Linux.Seccomp = &specs.LinuxSeccomp{
		DefaultAction: specs.ActAllow, ListenerPath: b.Path("agent"),
		Syscalls: []specs.LinuxSyscall{{Names: []string{"mkdir", "setresuid", "execve"}, Action: specs.ActNotify}},
	}
	agent := harness.NewAgent(t, b.Path("agent"), func(int) harness.Answer { return harness.Proceed })
	agent.Ignore()
	return b
}

func failAt(b *harness.Bundle, i int) { b.Env = []string{"RT_FAIL_AT=" + strconv.Itoa(i)} }

// wantFailure wants create or run to fail at step i and to leave nothing.
func wantFailure(t *testing.T, b *harness.Bundle, before *harness.HostState, i int, s step, create call) {
	t.Helper()
	failAt(b, i)
	got := create(t)
	b.Env = nil
	if !wantNamed(t, got, i, s) {
		b.Delete(t, "--force")
	}
	for _, change := range before.Difference(t) {
		t.Errorf("after a failure at step %d %s: %s", i, s.name, change)
	}
}

// wantNamed wants one line that names the step, and the cause that the fault has.
func wantNamed(t *testing.T, got harness.Result, i int, s step) bool {
	t.Helper()
	line, more, _ := strings.Cut(strings.TrimSpace(got.Stderr), "\n")
	if got.Exit != 1 || more != "" || !strings.Contains(line, s.told()+": ") || !strings.HasSuffix(line, "no such file or directory") {
		t.Errorf("step %d %s: exit status %d, want 1 and one line with %q; got\n%s", i, s.name, got.Exit, s.told(), got.Stderr)
		return false
	}
	return true
}

// wantFailedStart wants create to succeed, start to fail at step i, and delete to leave nothing.
func wantFailedStart(t *testing.T, b *harness.Bundle, before *harness.HostState, i int, s step, create call) {
	t.Helper()
	failAt(b, i)
	create(t).WantExit(t, 0)
	b.Env = nil
	if s.name == "Execute" {
		s.member = "exec /bin/sh" // an error of execve is told with the program, whatever the call was
	}
	wantNamed(t, b.Start(t), i, s)
	if status := b.State(t).Status; status != specs.StateStopped {
		t.Errorf("step %d %s: the container is %s after the start that failed", i, s.name, status)
	}
	b.Delete(t).WantExit(t, 0)
	for _, change := range before.Difference(t) {
		t.Errorf("after a start that failed at step %d %s: %s", i, s.name, change)
	}
}

// withNetDevice gives the bundle a network device of a network of its own. What it returns makes the device anew.
func withNetDevice(t *testing.T, b *harness.Bundle) func() {
	t.Helper()
	holder := exec.Command("sleep", "600")
	holder.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	path := fmt.Sprintf("/proc/%d/ns/net", holder.Process.Pid)
	b.Wrapper = []string{"nsenter", "--net=" + path, "--"}
	b.Spec.Linux.NetDevices = map[string]specs.LinuxNetDevice{"dev0": {Name: "eth0"}}
	t.Cleanup(func() {
		b.Wrapper = nil
		_ = holder.Process.Kill()
		_ = holder.Wait()
	})
	add := func() {
		ns, err := netns.GetFromPath(path)
		if err != nil {
			t.Fatal(err)
		}
		defer ns.Close()
		handle, err := netlink.NewHandleAt(ns)
		if err != nil {
			t.Fatal(err)
		}
		defer handle.Close()
		harness.Eventually(t, "the end of the device before", func() bool {
			_, err := handle.LinkByName("peer0")
			return err != nil
		})
		if err := handle.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "dev0"}, PeerName: "peer0"}); err != nil {
			t.Fatal(err)
		}
	}
	add()
	return add
}

func userNamespaced(t *testing.T) *harness.Bundle {
	t.Helper()
	b := richBundle(t)
	s := b.Spec
	s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace}, specs.LinuxNamespace{Type: specs.TimeNamespace})
	s.Linux.UIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: 100000, Size: 65536}}
	s.Linux.GIDMappings = s.Linux.UIDMappings
	s.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"monotonic": {Secs: 100}}
	for _, dir := range []string{b.Rootfs, b.InRootfs("made"), b.InRootfs("made/here"), b.InRootfs("dev"), b.InRootfs("proc"), b.InRootfs("sys"), b.InRootfs("bound"), b.InRootfs("mapped"), b.InRootfs("again")} {
		harness.Mkdir(t, dir, 0o755)
		if err := os.Chown(dir, 100000, 100000); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// withoutPivot is --no-pivot, whose plan unmounts each procfs and sysfs of the host. So the bundle has a mount namespace of
// its own, held by a process, with one of each: those of other tests come and go. It must end as it was, too.
func withoutPivot(t *testing.T) (*harness.Bundle, []string) {
	t.Helper()
	b := richBundle(t)
	holder := exec.Command("unshare", "-m", "--propagation", "private", "sh", "-c", `mounts=$(cat /proc/self/mountinfo); IFS='
'; for line in $mounts; do case $line in *" - proc "*|*" - sysfs "*)
	point=$(echo "$line" | cut -d" " -f5); case $point in /proc|/sys) ;; *) umount -l "$(printf %b "$point")" ;; esac ;;
esac; done; echo; exec sleep 600`)
	ready, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := ready.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	mounts := func() string { return harness.ReadFile(t, fmt.Sprintf("/proc/%d/mountinfo", holder.Process.Pid)) }
	before := mounts()
	b.Wrapper = []string{"nsenter", fmt.Sprintf("--mount=/proc/%d/ns/mnt", holder.Process.Pid), "--"}
	t.Cleanup(func() {
		for line := range strings.Lines(mounts()) {
			if !strings.Contains(before, line) { // what others unmount goes here, too
				t.Errorf("a mount is left: %s", line)
			}
		}
		b.Wrapper = nil
		_ = holder.Process.Kill()
		_ = holder.Wait()
	})
	return b, []string{"--no-pivot"}
}

// hold receives a terminal and keeps it until the test ends: without its master the other side is of no use.
func hold(t *testing.T, connection *net.UnixConn) {
	control := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := connection.ReadMsgUnix(make([]byte, 4096), control)
	if err != nil {
		return
	}
	messages, err := unix.ParseSocketControlMessage(control[:n])
	if err != nil || len(messages) != 1 {
		t.Errorf("console socket: %d control messages: %v", len(messages), err)
		return
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		t.Errorf("console socket: %v", err)
	}
	for _, fd := range fds {
		t.Cleanup(func() { unix.Close(fd) })
	}
}

// withTerminal has somebody at the console socket.
func withTerminal(t *testing.T) (*harness.Bundle, []string) {
	t.Helper()
	b := richBundle(t)
	b.Spec.Process.Terminal = true
	path := b.Path("console.sock")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			hold(t, connection.(*net.UnixConn))
			connection.Close()
		}
	}()
	return b, []string{"--console-socket", path}
}
