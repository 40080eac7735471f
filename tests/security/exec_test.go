// SPDX-License-Identifier: Apache-2.0

package security

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/tests/harness"
)

// victim is a container to enter.
func victim(t *testing.T, change ...func(*harness.Bundle)) *harness.Bundle {
	t.Helper()
	b := harness.NewBundle(t, "sleep", "1000")
	b.Spec.Root.Readonly = false
	for _, c := range change {
		c(b)
	}
	b.Run(t, "--detach").WantExit(t, 0)
	return b
}

// busySocket returns the path of a socket whose queue is full: who sends a pidfd to it waits.
func busySocket(t *testing.T, b *harness.Bundle) string {
	t.Helper()
	path := b.Path("busy.sock")
	listener, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(listener) })
	if err := unix.Bind(listener, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(listener, 0); err != nil {
		t.Fatal(err)
	}
	first, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(first) })
	if err := unix.Connect(first, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	return path
}

// lookAtStage prints what a process of the container can find out about a stage in its pid namespace.
const lookAtStage = `for i in $(seq 1000); do for p in /proc/[0-9]*; do
	[ "$(cat $p/comm 2>/dev/null)" = rt-stage ] || continue
	grep -E '^(Uid|CapPrm|CapEff|CapInh|CapBnd|CapAmb|Groups|NoNewPrivs):' $p/status
	for l in root cwd exe; do echo $l $(readlink $p/$l || echo denied); done
	for f in $p/fd/*; do echo fd $(readlink $f || echo denied); done
	exit 0
done; done; exit 1`

// A process of the container looks at the stage while it waits in the container's pid namespace: as its own user, and
// as one who may trace everybody (CVE-2016-9962).
func TestTheStageOfExecHasNothingToGive(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		observer []string
		want     []string
	}{
		"same user": {[]string{"--user", "1000:1000"}, []string{"root denied\n", "cwd denied\n", "exe denied\n", "fd denied\n"}},
		"tracer": {[]string{"--cap", "CAP_SYS_PTRACE", "--cap", "CAP_DAC_READ_SEARCH"}, []string{
			"root /\n", "cwd /tmp\n", "exe /memfd:rt-stage (deleted)\n",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := victim(t)
			b.Files = openDirectories(t, 5)
			cmd := b.Command(t, "exec", "--user", "1000:1000", "--cwd", "/tmp", "--pidfd-socket", busySocket(t, b), b.ID, "true")
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			b.Files = nil
			got := b.Exec(t, c.observer, "sh", "-c", lookAtStage).WantExit(t, 0)
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			got.WantStdout(t, c.want...)
			got.WantStdout(t, "Uid:\t1000\t1000\t1000\t1000\n", "CapPrm:\t0000000020000420\n", "CapBnd:\t0000000020000420\n", "Groups:\t \n")
			for line := range strings.Lines(got.Stdout) {
				kind, target, _ := strings.Cut(strings.TrimSpace(line), " ")
				if kind == "fd" && target != "denied" && !strings.HasPrefix(target, "socket:") && !strings.HasPrefix(target, "pipe:") &&
					target != "/dev/null" && !strings.HasPrefix(target, "anon_inode:") {
					t.Errorf("the stage has %q open", target)
				}
			}
			harness.Eventually(t, "the stage has died with rt", func() bool {
				return b.Exec(t, nil, "sh", "-c", "grep -q rt-stage /proc/[0-9]*/comm").Exit == 1
			})
		})
	}
}

// The exec'd process has its own descriptors and no others, whatever its caller and rt have open.
func TestExecPassesNoDescriptorsOn(t *testing.T) {
	t.Parallel()
	b := victim(t)
	b.Files = openDirectories(t, 8)
	for _, flags := range [][]string{nil, {"--tty"}, {"--user", "1000"}, {"--cgroup", "/"}} {
		b.Exec(t, flags, "sh", "-c", "echo $(ls /proc/self/fd)").WantExit(t, 0).WantStdoutIs(t, "0 1 2 3") // 3 is that of ls
	}
}

// The working directory is reached through a descriptor that the runtime has open (CVE-2024-21626).
func TestExecWorkingDirectoryThroughDescriptor(t *testing.T) {
	t.Parallel()
	b := victim(t)
	for n := 3; n < 20; n++ {
		_ = os.Remove(b.InRootfs("wd"))
		self := fmt.Sprintf("/proc/self/fd/%d", n)
		harness.Symlink(t, self, b.InRootfs("wd"))
		for _, cwd := range []string{self, self + "/../../..", "/wd", fmt.Sprintf("/proc/1/fd/%d", n), fmt.Sprintf("/proc/thread-self/fd/%d", n)} {
			got := b.Exec(t, []string{"--cwd", cwd}, "sh", "-c", whereAmI)
			wantNoCrash(t, got)
			if got.Exit == 0 {
				got.WantStdoutIs(t, "inside")
			}
		}
	}
}

// What is not exactly an id is refused (CVE-2026-30892), and what is one is used.
func TestExecUserTable(t *testing.T) {
	t.Parallel()
	b := victim(t)
	for user, want := range map[string]string{"1": "1 0", "1:2": "1 2", "0:5": "0 5", "4294967294:1": "4294967294 1"} {
		b.Exec(t, []string{"--user", user}, "sh", "-c", "echo $(id -u) $(id -g)").WantExit(t, 0).WantStdoutIs(t, want)
	}
	for _, user := range []string{
		"", ":", "1:", ":1", "+1", " 1", "1 ", "0x1", "1e3", "-1", "4294967295", "1:4294967295", "4294967296", "99999999999999999999", "1:2:3", "root", "1,2",
	} {
		b.Exec(t, []string{"--user=" + user}, "touch", "/tmp/ran").WantExecError(t, "--user")
	}
	b.Exec(t, nil, "test", "-e", "/tmp/ran").WantExit(t, 1)
}

// exec --cap must not fill the inheritable set (CVE-2022-29162), nor add what was not asked for.
func TestExecCapabilitiesStayInTheirSets(t *testing.T) {
	t.Parallel()
	b := victim(t)
	got := b.Exec(t, []string{"--cap", "CAP_NET_RAW"}, "grep", "^Cap", "/proc/self/status").WantExit(t, 0)
	got.WantStdout(t, "CapInh:\t0000000000000000", "CapAmb:\t0000000000000000", "CapBnd:\t0000000020002420")
}

// The program that exec starts is looked up and read by the kernel in the container alone: what lies on the host under
// the same name does not matter, and /proc/self/exe is never a program of the host (CVE-2019-5736).
func TestExecOfItself(t *testing.T) {
	t.Parallel()
	before := binarySum(t)
	b := victim(t)
	for _, program := range []string{"/proc/self/exe", "/proc/1/exe", "/proc/thread-self/exe"} {
		got := b.Exec(t, nil, program, "echo", "busybox")
		wantNoCrash(t, got)
		if strings.Contains(got.Stdout+got.Stderr, "rt-stage") || strings.Contains(got.Stdout, "USAGE") {
			t.Errorf("%s: a program of the host was started:\n%s%s", program, got.Stdout, got.Stderr)
		}
	}
	if binarySum(t) != before {
		t.Error("the binary of rt has changed")
	}
}

// A process that is entered can't make exec use a file of the host: the image's passwd and the program may be links.
func TestExecFollowsLinksInTheContainer(t *testing.T) {
	t.Parallel()
	b := victim(t, func(b *harness.Bundle) {
		secret := harness.WriteFile(t, b.Path("passwd"), "x:x:4711:4711::/host/secret:/bin/sh\n", 0o644)
		_ = os.Remove(b.InRootfs("etc/passwd"))
		harness.Symlink(t, secret, b.InRootfs("etc/passwd"))
	})
	b.Exec(t, []string{"--user", "4711"}, "sh", "-c", "echo $HOME").WantExit(t, 0).WantStdoutIs(t, "/")
}
