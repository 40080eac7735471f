// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/tests/harness"
)

// Labels of the policy in the machine of make vm-test.
const (
	containerLabel = "system_u:system_r:container_t:s0:c1,c2"
	otherLabel     = "system_u:system_r:container_t:s0:c3,c4"
	fileLabel      = "system_u:object_r:container_file_t:s0:c1,c2"
)

// labelled gives a bundle labels, and its root file system the one that its processes may read.
func labelled(t *testing.T, b *harness.Bundle) *harness.Bundle {
	t.Helper()
	if !hasSELinux() {
		t.Skip("SELinux is not enabled in this kernel (tests/vm/vm-run --selinux has it)")
	}
	b.Spec.Process.SelinuxLabel, b.Spec.Linux.MountLabel = containerLabel, fileLabel
	setFileLabel(t, filepath.Dir(b.Dir), "system_u:object_r:container_file_t:s0") // with the file that is rt's stdout
	return b
}

func setFileLabel(t *testing.T, top, label string) {
	t.Helper()
	err := filepath.WalkDir(top, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return unix.Lsetxattr(path, "security.selinux", append([]byte(label), 0), 0)
	})
	if err == unix.EINVAL {
		t.Skipf("the policy does not know the label %s", label)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func fileLabelOf(t *testing.T, path string) string {
	t.Helper()
	value := make([]byte, 256)
	n, err := unix.Lgetxattr(path, "security.selinux", value)
	if err != nil {
		t.Fatalf("label of %s: %v", path, err)
	}
	return strings.TrimRight(string(value[:n]), "\x00")
}

func enforcing(t *testing.T) bool {
	t.Helper()
	return strings.TrimSpace(harness.ReadFile(t, "/sys/fs/selinux/enforce")) == "1"
}

const showLabel = "tr -d '\\0' </proc/self/attr/current; echo"

func TestSELinuxLabelsProcesses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(t *testing.T, b *harness.Bundle)
	}{
		{"default", nil},
		{"with new privileges", func(_ *testing.T, b *harness.Bundle) { b.Spec.Process.NoNewPrivileges = false }},
		{"user", func(_ *testing.T, b *harness.Bundle) { b.Spec.Process.User = specs.User{UID: 1000, GID: 1000} }},
		{"user namespace", mapIDs},
		{"filter", func(t *testing.T, b *harness.Bundle) {
			b.Spec.Process.NoNewPrivileges = false
			b.Spec.Linux.Seccomp = filtered(t).Spec.Linux.Seccomp
		}},
		{"sysctl", func(_ *testing.T, b *harness.Bundle) {
			b.Spec.Linux.Sysctl = map[string]string{"net.ipv4.ip_forward": "1"}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := labelled(t, shell(t, showLabel))
			if c.change != nil {
				c.change(t, b)
			}
			b.Run(t).WantExit(t, 0).WantStdoutIs(t, containerLabel)
			b.Spec.Process.Args = []string{"sleep", "1000"}
			b.Create(t).WantExit(t, 0)
			if got := currentLabel(t, b.State(t).Pid); got == containerLabel {
				t.Errorf("the created container is %q already", got)
			}
			b.Start(t).WantExit(t, 0)
			if got := currentLabel(t, b.State(t).Pid); got != containerLabel {
				t.Errorf("create and start: the label is %q", got)
			}
			b.Exec(t, nil, "sh", "-c", showLabel).WantExit(t, 0).WantStdoutIs(t, containerLabel)
			b.Exec(t, []string{"--process-label", otherLabel}, "sh", "-c", showLabel).WantExit(t, 0).WantStdoutIs(t, otherLabel)
			// What a process.json leaves out is the container's.
			file := harness.WriteFile(t, b.Path("process.json"), `{"args": ["sh", "-c", "`+strings.ReplaceAll(showLabel, `\`, `\\`)+`"], "cwd": "/"}`, 0o600)
			b.Exec(t, []string{"--process", file}).WantExit(t, 0).WantStdoutIs(t, containerLabel)
		})
	}
}

func TestSELinuxLabelsStartHooks(t *testing.T) {
	t.Parallel()
	b := labelled(t, shell(t, "cat /tmp/label"))
	b.Spec.Mounts = append(b.Spec.Mounts, tmpfs("/tmp"))
	addHook(b, "startContainer", "{ "+showLabel+"; } >/tmp/label")
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, containerLabel)
}

func TestSELinuxProtectsFiles(t *testing.T) {
	t.Parallel()
	b := labelled(t, shell(t, "cat /etc/secret && echo read"))
	setFileLabel(t, harness.WriteFile(t, b.InRootfs("etc/secret"), "secret\n", 0o644), "system_u:object_r:shadow_t:s0")
	if enforcing(t) {
		b.Run(t).WantExit(t, 1).WantNoStdout(t, "secret").WantStderr(t, "Permission denied")
	} else {
		b.Run(t).WantExit(t, 0).WantStdoutIs(t, "secret\nread")
	}
}

// New file systems have the label; what the kernel labels itself, and bind mounts, don't.
func TestSELinuxLabelsMounts(t *testing.T) {
	t.Parallel()
	for _, mapped := range []bool{false, true} {
		b := labelled(t, idle(t))
		if mapped {
			mapIDs(t, b)
		}
		harness.WriteFile(t, b.Path("source/file"), "", 0o644)
		other := "system_u:object_r:container_file_t:s0:c3,c4"
		b.Spec.Mounts = append(b.Spec.Mounts, bind(b.Path("source"), "/mnt", "rbind"), tmpfs("/own", `context="`+other+`"`))
		b.Spec.Linux.MaskedPaths = append(b.Spec.Linux.MaskedPaths, "/sys/firmware")
		source := fileLabelOf(t, b.Path("source"))
		b.Run(t, "--detach").WantExit(t, 0)
		root := "/proc/" + strconv.Itoa(b.State(t).Pid) + "/root"
		for path, want := range map[string]string{
			"/dev": fileLabel, "/dev/null": fileLabel, "/dev/shm": fileLabel, "/dev/pts": fileLabel, "/dev/mqueue": fileLabel,
			"/own": other, "/mnt": source, "/sys/firmware": fileLabel,
		} {
			if mapped && path == "/dev/null" {
				continue // the host's
			}
			if got := fileLabelOf(t, root+path); got != want {
				t.Errorf("user namespace %v: the label of %s is %s, want %s", mapped, path, got, want)
			}
		}
		if got := fileLabelOf(t, root+"/proc"); got == fileLabel {
			t.Errorf("user namespace %v: the label of /proc is %s", mapped, got)
		}
		b.Exec(t, nil, "sh", "-c", "echo x >/dev/shm/x && cat /dev/shm/x").WantExit(t, 0).WantStdoutIs(t, "x")
	}
}

func TestSELinuxLeavesTheHostsMessageQueuesAlone(t *testing.T) {
	t.Parallel()
	b := labelled(t, idle(t))
	dropNamespace(b, specs.IPCNamespace)
	b.Run(t).WantOneError(t, "/dev/mqueue", "linux.mountLabel", "host's message queues")
}

// The session keyring is one that the container may use.
func TestSELinuxLabelsTheKeyring(t *testing.T) {
	t.Parallel()
	b := labelled(t, idle(t))
	b.Run(t, "--detach").WantExit(t, 0)
	for line := range strings.Lines(harness.ReadFile(t, "/proc/keys")) {
		fields := strings.Fields(line)
		if !strings.Contains(line, "_ses."+b.ID+":") {
			continue
		}
		serial, err := strconv.ParseUint(fields[0], 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		value := make([]byte, 256)
		n, err := unix.KeyctlBuffer(unix.KEYCTL_GET_SECURITY, int(serial), value, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimRight(string(value[:n]), "\x00"); got != containerLabel {
			t.Errorf("the label of the keyring is %q", got)
		}
		return
	}
	t.Errorf("no keyring of the container in /proc/keys: %v", os.ErrNotExist)
}

func TestSELinuxRefusesAnUnknownLabel(t *testing.T) {
	t.Parallel()
	const unknown = "system_u:system_r:no_such_t:s0"
	b := labelled(t, idle(t))
	b.Run(t, "--detach").WantExit(t, 0)
	before := b.Snapshot(t)
	b.Exec(t, []string{"--process-label", unknown}, "true").WantExecError(t, `process.selinuxLabel "`+unknown+`"`, "the loaded policy")
	before.WantSameSoon(t)
	for _, mount := range []bool{false, true} {
		b := labelled(t, idle(t))
		want := "process.selinuxLabel"
		if mount {
			b.Spec.Linux.MountLabel, want = unknown, "mounts["
		} else {
			b.Spec.Process.SelinuxLabel = unknown
		}
		before := b.Snapshot(t)
		b.Create(t).WantOneError(t, want, "invalid argument")
		before.WantSame(t)
	}
}
