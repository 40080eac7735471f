// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rt-oci/rt/tests/harness"
)

// What a caller in Go makes of the output of state and list: containerd and Docker decode both into one such structure.
type callersContainer struct {
	ID          string            `json:"id"`
	Pid         int               `json:"pid"`
	Status      string            `json:"status"`
	Bundle      string            `json:"bundle"`
	Rootfs      string            `json:"rootfs"`
	Created     time.Time         `json:"created"`
	Annotations map[string]string `json:"annotations"`
}

func TestStateIsWhatCallersDecode(t *testing.T) {
	b := harness.NewBundle(t, "sleep", "1000")
	b.Spec.Annotations = map[string]string{"org.example": "yes"}
	before := time.Now()
	b.Create(t).WantExit(t, 0)
	check := func(c callersContainer, status string) {
		t.Helper()
		running := c.Pid > 0
		if c.ID != b.ID || c.Status != status || running == (status == "stopped") || c.Bundle != b.Dir || c.Rootfs != b.Rootfs {
			t.Errorf("%s: %+v", status, c)
		}
		if c.Created.Before(before.Add(-time.Second)) || c.Created.After(time.Now()) {
			t.Errorf("created %v, want after %v", c.Created, before)
		}
	}
	both := func(status string) {
		t.Helper()
		var c callersContainer
		decode(t, b.RT(t, "state", b.ID).WantExit(t, 0).Stdout, &c)
		check(c, status)
		if c.Annotations["org.example"] != "yes" {
			t.Errorf("annotations %v", c.Annotations)
		}
		var list []callersContainer
		decode(t, b.RT(t, "list", "--format=json").WantExit(t, 0).Stdout, &list)
		if len(list) != 1 {
			t.Fatalf("list: %+v", list)
		}
		check(list[0], status)
	}
	both("created")
	b.Start(t).WantExit(t, 0)
	both("running")

	var pids []int // of ps --format json
	decode(t, b.RT(t, "ps", "--format", "json", b.ID).WantExit(t, 0).Stdout, &pids)
	if !slices.Equal(pids, []int{b.State(t).Pid}) {
		t.Errorf("ps: %v", pids)
	}
	b.Kill(t, "KILL").WantExit(t, 0)
	b.WaitFor(t, "stopped")
	both("stopped")
}

// decode reads one JSON value as a caller's decoder does.
func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.NewDecoder(strings.NewReader(text)).Decode(into); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
}

// What monitoring tools read in ROOT/ID/state.json, which runc's own package would decode, under the names that it has there.
type monitorsState struct {
	ID                   string            `json:"id"`
	InitProcessPid       int               `json:"init_process_pid"`
	InitProcessStartTime uint64            `json:"init_process_start"`
	Created              time.Time         `json:"created"`
	Rootless             bool              `json:"rootless"`
	CgroupPaths          map[string]string `json:"cgroup_paths"`
	NamespacePaths       map[string]string `json:"namespace_paths"`
	IntelRdtPath         string            `json:"intel_rdt_path"`
}

func TestStateFileIsWhatMonitorsDecode(t *testing.T) {
	b := harness.NewBundle(t, "sleep", "1000")
	b.Create(t).WantExit(t, 0)
	dir := filepath.Join(b.Root, b.ID)
	if info, err := os.Stat(filepath.Join(dir, "exec.fifo")); err != nil || info.Mode()&os.ModeNamedPipe == 0 {
		t.Errorf("exec.fifo of a created container: %v", err)
	}
	b.Start(t).WantExit(t, 0)
	if _, err := os.Stat(filepath.Join(dir, "exec.fifo")); !os.IsNotExist(err) {
		t.Errorf("exec.fifo of a running container: %v", err)
	}
	var s monitorsState
	decode(t, harness.ReadFile(t, filepath.Join(dir, "state.json")), &s)
	state := b.State(t)
	if s.ID != b.ID || s.InitProcessPid != state.Pid || !s.Created.Equal(state.Created) || s.Rootless || s.IntelRdtPath != "" {
		t.Errorf("state.json: %+v, but state says %+v", s, state)
	}
	// Behind the name in brackets, field 22 of proc_pid_stat(5) is the 20th.
	stat := harness.ReadFile(t, fmt.Sprintf("/proc/%d/stat", s.InitProcessPid))
	if fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:]); fields[19] != fmt.Sprint(s.InitProcessStartTime) {
		t.Errorf("init_process_start %d, want %s", s.InitProcessStartTime, fields[19])
	}
	kinds := map[string]string{
		"NEWCGROUP": "cgroup", "NEWIPC": "ipc", "NEWNS": "mnt", "NEWNET": "net", "NEWPID": "pid", "NEWUSER": "user", "NEWUTS": "uts",
	}
	for name, file := range kinds {
		path := s.NamespacePaths[name]
		if path != fmt.Sprintf("/proc/%d/ns/%s", s.InitProcessPid, file) {
			t.Errorf("namespace_paths[%s] is %q", name, path)
		}
		if _, err := os.Readlink(path); err != nil {
			t.Error(err)
		}
	}
	if len(s.CgroupPaths) == 0 {
		t.Error("no cgroup_paths")
	}
	for controller, path := range s.CgroupPaths { // "" is the unified hierarchy
		procs, err := os.ReadFile(filepath.Join(path, "cgroup.procs"))
		if err != nil || !slices.Contains(strings.Fields(string(procs)), fmt.Sprint(s.InitProcessPid)) {
			t.Errorf("cgroup_paths[%q] = %q: %q, %v", controller, path, procs, err)
		}
		if !strings.HasPrefix(path, "/sys/fs/cgroup/") && path != "/sys/fs/cgroup" {
			t.Errorf("cgroup_paths[%q] = %q", controller, path)
		}
	}
}

// compat-points.md 2.5: help is for people who have nothing yet.
func TestHelpTouchesNoState(t *testing.T) {
	b := harness.NewBundle(t, "true")
	root := filepath.Join(t.TempDir(), "state")
	for _, args := range [][]string{{"--help"}, {"--version"}, {"version", "--json"}, {"features"}, {"run", "--help"}, {"delete", "-h"}, {"help", "exec"}} {
		b.Raw(t, append([]string{"--root", root}, args...)...).WantExit(t, 0).WantStderrIs(t, "")
		if _, err := os.Lstat(root); !os.IsNotExist(err) {
			t.Fatalf("%q has made the state root: %v", args, err)
		}
	}
}

// compat-points.md 4.9.
func TestDebugDoesNotChangeTheStatus(t *testing.T) {
	b := harness.NewBundle(t, "sh", "-c", "echo out; exit 42")
	b.Write(t)
	log := filepath.Join(t.TempDir(), "log")
	got := b.RT(t, "--debug", "--log", log, "run", "--bundle", b.Dir, b.ID).WantExit(t, 42).WantStdoutIs(t, "out")
	if text := harness.ReadFile(t, log); !strings.Contains(text, "level=debug") || got.Stderr != "" {
		t.Errorf("log %q, stderr %q", text, got.Stderr)
	}
	b.RT(t, "--debug", "run", "--bundle", b.Dir, b.ID).WantExit(t, 42).WantStdoutIs(t, "out").WantStderr(t, "level=debug")
}
