// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/tests/harness"
)

// TestUserFromALoginSession is not run by root who has become the user, but by the user: `tests/vm/run` logs in and
// starts the test (suite rootless). Nothing is given to rt but the environment of the session.
func TestUserFromALoginSession(t *testing.T) {
	uid := os.Geteuid()
	if uid == 0 {
		t.Skip("needs an ordinary user with an instance of systemd, in a session of the own")
	}
	if !isV2() {
		t.Skip("needs cgroup v2: otherwise a user's systemd has no controllers")
	}
	own := harness.ReadFile(t, "/proc/self/cgroup")
	if strings.Contains(own, "/user@") {
		t.Fatalf("the test is in %q, which is no login session", own)
	}
	bundle, id := t.TempDir(), fmt.Sprintf("rt-test-login-%d", os.Getpid())
	harness.MakeRootfs(t, filepath.Join(bundle, "rootfs"))
	program := harness.Binary(t)
	rt := func(args ...string) string {
		t.Helper()
		out, err := exec.Command(program, args...).Output()
		if err != nil {
			t.Fatalf("rt %q: %v: %s", args, err, err.(*exec.ExitError).Stderr)
		}
		return strings.TrimSpace(string(out))
	}
	rt("spec", "--rootless", "--bundle", bundle)
	config := filepath.Join(bundle, "config.json")
	var s specs.Spec
	if err := json.Unmarshal([]byte(harness.ReadFile(t, config)), &s); err != nil {
		t.Fatal(err)
	}
	pids := int64(20)
	s.Process.Terminal, s.Process.Args = false, []string{"sleep", "1000"}
	s.Linux.Resources = &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: &pids}}
	data, err := json.Marshal(&s)
	if err != nil {
		t.Fatal(err)
	}
	harness.WriteFile(t, config, string(data), 0o600)
	t.Cleanup(func() { _ = exec.Command(program, "delete", "--force", id).Run() })
	// The container would hold the end of our pipe.
	create := exec.Command(program, "--systemd-cgroup", "create", "--bundle", bundle, id)
	if err := create.Run(); err != nil {
		t.Fatalf("rt create: %v", err)
	}
	rt("start", id)
	group := fmt.Sprintf("/user.slice/user-%d.slice/user@%[1]d.service/user.slice/rt-%s.scope", uid, id)
	var state specs.State
	if err := json.Unmarshal([]byte(rt("state", id)), &state); err != nil {
		t.Fatal(err)
	}
	wantFile(t, fmt.Sprintf("/proc/%d/cgroup", state.Pid), "0::"+group)
	wantFile(t, "/sys/fs/cgroup"+group+"/pids.max", "20")
	if got := rt("exec", id, "cat", "/proc/self/cgroup"); got != "0::/" {
		t.Errorf("a further process is in %q", got)
	}
	rt("delete", "--force", id)
	if _, err := os.Stat("/sys/fs/cgroup" + group); !os.IsNotExist(err) {
		t.Errorf("the scope is still there: %v", err)
	}
}
