// SPDX-License-Identifier: Apache-2.0

package security

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rt-oci/rt/tests/harness"
)

// plantedKeyring is a keyring of a user of the host that has the name of a container's.
func plantedKeyring(t *testing.T, name string, uid uint32) string {
	t.Helper()
	program, err := buildProbe()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "rt-probe-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(harness.WriteFile(t, filepath.Join(dir, "probe"), program, 0o755), "plant", name)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if line = strings.TrimSpace(line); err != nil || !strings.HasPrefix(line, "keyring ") {
		if strings.Contains(line, "not implemented") {
			t.Skip("the kernel has no keyrings")
		}
		t.Fatalf("plant a keyring: %q: %v", line, err)
	}
	return line
}

// A user of the host, or root of another container, makes a keyring of the name that the container's will have, and
// lets everybody find it: who joins it has keys of theirs, and they can read what the container adds.
func TestSomebodysKeyringIsNotJoined(t *testing.T) {
	t.Parallel()
	for name, uid := range map[string]uint32{"ordinary user": 12345, "root": 0} {
		t.Run(name, func(t *testing.T) {
			b := probed(t, func(*harness.Bundle) {}, "lease", "/etc/group") // it stays
			planted := plantedKeyring(t, "_ses."+b.ID, uid)
			b.Exec(t, nil, "/bin/probe", "keyring").WantExit(t, 0).WantStdout(t, "keyring ").WantNoStdout(t, planted)
			b.Delete(t, "--force").WantExit(t, 0)
			b.Spec.Process.Args = []string{"/bin/probe", "keyring"}
			b.Run(t).WantExit(t, 0).WantStdout(t, "keyring ").WantNoStdout(t, planted)
		})
	}
}
