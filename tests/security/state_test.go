// SPDX-License-Identifier: Apache-2.0

package security

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/tests/harness"
)

// Nobody but root can read or write a container's state (CVE-2021-41103), and no socket of rt can be reached from a
// container of the host's network (CVE-2020-15257).
func TestStateIsForRootAlone(t *testing.T) {
	t.Parallel()
	for _, mapped := range []bool{false, true} {
		b := script(t, "sleep 60")
		if mapped {
			useUserNamespace(t, b)
		}
		b.Root = b.Path("run/deeper") // rt has to make it
		b.Wrapper = []string{"sh", "-c", `umask 0 && exec "$@"`, "sh"}
		b.Create(t).WantExit(t, 0)
		if s := harness.ReadFile(t, "/proc/net/unix"); strings.Contains(s, b.ID) || strings.Contains(s, b.Root) {
			t.Error("rt has left a socket open")
		}
		wantPrivate(t, b.Root)
		b.Start(t).WantExit(t, 0)
		wantPrivate(t, b.Root)
	}
}

// wantPrivate demands that directory and contents belong to root and are open to nobody else.
func wantPrivate(t *testing.T, dir string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var s unix.Stat_t
		if err := unix.Lstat(path, &s); err != nil {
			return err
		}
		files++
		if s.Uid != 0 || s.Gid != 0 || s.Mode&0o077 != 0 || s.Mode&unix.S_IFMT == unix.S_IFREG && s.Mode&0o777 != 0o600 {
			t.Errorf("%s: owner %d:%d, mode %o", path, s.Uid, s.Gid, s.Mode&0o7777)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 4 {
		t.Errorf("%s has %d files only: the test tests nothing", dir, files)
	}
}

// An id becomes a directory's name: nothing that is, or contains, a path gets as far as that.
func TestContainerIDs(t *testing.T) {
	t.Parallel()
	b := script(t, "true")
	b.Write(t)
	host := b.Snapshot(t)
	for _, id := range []string{
		"", ".", "..", "a/b", "/a", "../a", "a/../b", strings.Repeat("x", 1025), "a b", "a\nb", "a\tb", "a\\b", "a*", "ä", "a\x7f", "a%", "a:b", "a@b",
	} {
		for _, args := range [][]string{
			{"run", "--bundle", b.Dir, "--", id},
			{"create", "--bundle", b.Dir, "--", id},
			{"state", "--", id},
			{"kill", "--", id},
			{"delete", "--force", "--", id},
			{"start", "--", id},
		} {
			got := b.RT(t, args...)
			wantNoCrash(t, got)
			got.WantFailure(t)
		}
	}
	host.WantSame(t)
	good := script(t, "echo hello")
	good.ID = "A-z_0+9." + good.ID
	good.Run(t).WantExit(t, 0).WantStdoutIs(t, "hello")
}

// Text from outside can't break a line of the log in two, nor end a string in it.
func TestLogLinesCanNotBeForged(t *testing.T) {
	t.Parallel()
	evil := "x\n{\"level\":\"error\",\"msg\":\"forged\"}\n\"quote\" \x1b[31m \\ \r end"
	for name, prepare := range map[string]func(b *harness.Bundle) (id string){
		"id":         func(*harness.Bundle) string { return evil },
		"annotation": func(b *harness.Bundle) string { b.Spec.Annotations = map[string]string{"": evil}; return b.ID },
		"program":    func(b *harness.Bundle) string { b.Spec.Process.Args = []string{evil}; return b.ID },
		"capability": func(b *harness.Bundle) string { addCapabilities(b, evil); return b.ID },
		"mount":      func(b *harness.Bundle) string { bind(b, "/"+evil, "/data"); return b.ID },
		"directory":  func(b *harness.Bundle) string { b.Spec.Process.Cwd = "/bin/sh/" + evil; return b.ID },
		"interpreter": func(b *harness.Bundle) string {
			harness.WriteFile(t, b.InRootfs("bin/app"), "#!/a\"\x1b[31m\rb\\\nforged\n", 0o755)
			b.Spec.Process.Args = []string{"/bin/app"}
			return b.ID
		},
		"option": func(b *harness.Bundle) string {
			tmpfs(b, "/data")
			b.Spec.Mounts[len(b.Spec.Mounts)-1].Options = []string{evil}
			return b.ID
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := script(t, "true")
			id := prepare(b)
			b.Write(t)
			for _, format := range []string{"json", "text"} {
				log := b.Path("log." + format)
				got := b.RT(t, "--log", log, "--log-format", format, "run", "--bundle", b.Dir, "--", id)
				wantNoCrash(t, got)
				wantCleanLog(t, harness.ReadFile(t, log), format)
				if strings.Contains(got.Stderr, "\n{") || strings.ContainsAny(got.Stderr, "\x1b\r") {
					t.Errorf("stderr has the text as it was: %q", got.Stderr)
				}
			}
		})
	}
}

func wantCleanLog(t *testing.T, log, format string) {
	t.Helper()
	if log == "" {
		t.Error("nothing was logged: the test tests nothing")
	}
	for line := range strings.Lines(log) {
		var entry struct{ Level, Msg string }
		switch {
		case format == "json" && json.Unmarshal([]byte(line), &entry) != nil:
			t.Errorf("not a JSON line: %q", line)
		case format == "json" && entry.Msg == "forged":
			t.Errorf("a forged line: %q", line)
		case strings.ContainsAny(line, "\x1b\r"), strings.HasPrefix(line, "{\"level\":\"error\",\"msg\":\"forged\""):
			t.Errorf("text as it was: %q", line)
		}
	}
}

// tracer returns a command that runs another under strace, which writes the named system calls to a file.
func tracer(t *testing.T, output, calls string) []string {
	t.Helper()
	path, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("needs strace: the system calls of rt are looked at")
	}
	return []string{path, "-f", "-qq", "-s", "300", "-e", "signal=none", "-e", "trace=" + calls, "-o", output}
}

// Mounts are attached to descriptors, never to paths, and behind the change of root nothing is opened by a path of
// procfs: the image can put nothing in the way.
func TestMountsAreMadeOnDescriptors(t *testing.T) {
	t.Parallel()
	b := script(t, "true")
	volume := harness.Mkdir(t, b.Path("volume"), 0o755)
	bind(b, volume, "/volume", "ro")
	tmpfs(b, "/volume2/deeper")
	b.Spec.Linux.Sysctl = map[string]string{"net.ipv4.ip_forward": "0"}
	trace := b.Path("trace")
	b.Wrapper = tracer(t, trace, "mount,move_mount,open,openat,openat2,pivot_root,execve")
	got := b.Run(t)
	b.Wrapper = nil
	got.WantExit(t, 0)
	attached, pivoted := 0, ""
	for line := range strings.Lines(harness.ReadFile(t, trace)) {
		pid, call, _ := strings.Cut(line, " ")
		call = strings.TrimSpace(call)
		switch {
		case strings.HasPrefix(call, "mount("):
			t.Errorf("a mount by path: %s", call)
		case strings.HasPrefix(call, "move_mount("):
			attached++
			if strings.Count(call, `""`) != 2 {
				t.Errorf("a mount point is a path: %s", call)
			}
		case strings.HasPrefix(call, "pivot_root("):
			pivoted = pid
		case pivoted == pid && strings.HasPrefix(call, "execve("):
			pivoted = ""
		case pivoted == pid && strings.HasPrefix(call, "open") && !strings.Contains(call, "RESOLVE_"):
			t.Errorf("opened without being confined: %s", call)
		case pivoted == pid && strings.Contains(call, `"/proc/`) && !strings.Contains(call, "RESOLVE_IN_ROOT"):
			t.Errorf("opened by a path of procfs: %s", call)
		}
	}
	if attached < 8 {
		t.Errorf("only %d mounts were seen: the test tests nothing", attached)
	}
}

// The host is as before: its sysctls, the options of its control groups, its devices, its mounts.
func TestHostIsAsBefore(t *testing.T) {
	b := script(t, "echo x >/dev/shm/x; hostname changed; umount /proc; mount -t tmpfs tmpfs /tmp; ip link set lo mtu 1400; true")
	addCapabilities(b, "CAP_SYS_ADMIN", "CAP_NET_ADMIN", "CAP_SYS_RESOURCE")
	b.Spec.Hostname = "inside"
	b.Spec.Linux.Sysctl = map[string]string{
		"net.ipv4.ip_forward": "1", "kernel.shmmax": "4096", "fs.mqueue.msg_max": "12", "kernel.domainname": "inside",
	}
	host, files := b.Snapshot(t), hostFigures(t)
	b.Run(t).WantExit(t, 0)
	b.Create(t).WantExit(t, 0)
	b.Start(t).WantExit(t, 0)
	b.WaitFor(t, "stopped")
	b.Delete(t).WantExit(t, 0)
	host.WantSame(t)
	for path, before := range files {
		if after := hostFigures(t)[path]; after != before {
			t.Errorf("%s was %q, is %q", path, before, after)
		}
	}
}

func hostFigures(t *testing.T) map[string]string {
	t.Helper()
	figures := map[string]string{}
	for _, name := range []string{
		"net/ipv4/ip_forward", "kernel/shmmax", "fs/mqueue/msg_max", "kernel/domainname", "kernel/hostname",
		"kernel/core_pattern",
	} {
		figures[name] = hostSysctl(t, name)
	}
	figures["cgroup2 mounts"] = grep(harness.ReadFile(t, "/proc/self/mountinfo"), " - cgroup")
	return figures
}

// A container that is being made dies with the runtime that makes it, whenever that is killed, and what is left is
// removed entirely by `delete --force`.
func TestNothingSurvivesAKilledRuntime(t *testing.T) {
	t.Parallel()
	for _, mapped := range []bool{false, true} {
		b := script(t, "sleep 60")
		if mapped {
			useUserNamespace(t, b)
		}
		hook := b.Path("hook-ran")
		addHook(b, "echo $$ >"+hook+"; sleep 30")
		host := b.Snapshot(t)
		b.Write(t)
		cmd := b.Command(t, "create", "--bundle", b.Dir, b.ID)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		harness.Eventually(t, "the hook runs", func() bool { _, err := os.Stat(hook); return err == nil })
		if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		harness.Eventually(t, "init is gone", func() bool { return b.State(t).Status == "stopped" })
		b.Delete(t, "--force").WantExit(t, 0)
		killHook(t, hook)
		host.WantSameSoon(t)
	}
}
