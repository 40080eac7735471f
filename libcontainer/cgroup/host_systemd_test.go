// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// needManager skips without an instance of systemd: that of the system for root, his own for an ordinary user, whom
// tests/vm runs these tests as, too.
func needManager(t *testing.T) (layout Layout, isUser bool) {
	t.Helper()
	isUser = os.Geteuid() != 0
	socket := "/run/systemd/private"
	if isUser {
		socket = filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "systemd/private")
	}
	if _, err := os.Stat(socket); err != nil {
		t.Skipf("needs systemd: %v", err)
	}
	layout, err := Detect()
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv(viewVariable) != "" {
		t.Skip("needs the control groups as systemd has them, not a view")
	}
	if isUser && layout.Version != V2 {
		t.Skipf("needs cgroup v2: on %v a user gets no controllers", layout.Version)
	}
	return layout, isUser
}

// shownBySystemd returns a property of a unit.
func shownBySystemd(t *testing.T, isUser bool, unit, name string) string {
	t.Helper()
	args := []string{"show", "-p", name, unit}
	if isUser {
		args = append([]string{"--user"}, args...)
	}
	out, err := exec.Command("systemctl", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("systemctl %v: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestHostScope(t *testing.T) {
	layout, isUser := needManager(t)
	name := "t" + strconv.Itoa(os.Getpid())
	unit := "rt-" + name + ".scope"
	for range 2 { // the name is free again at once
		first, quota := int64(25), int64(33333)
		placeholder := exec.Command("sleep", "1000")
		if err := placeholder.Start(); err != nil {
			t.Fatal(err)
		}
		end := func() {
			_ = placeholder.Process.Kill()
			_ = placeholder.Wait()
		}
		defer end()
		g, err := Systemd{User: isUser}.Place(layout, "rt-test.slice:rt:"+name, "x")
		if err != nil {
			t.Fatal(err)
		}
		r := &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: &first}, CPU: &specs.LinuxCPU{Quota: &quota}}
		if err := g.StartUnit(placeholder.Process.Pid, r); err != nil {
			t.Fatal(err)
		}
		if err := g.Create(); err != nil {
			t.Fatal(err)
		}
		if err := g.Set(r); err != nil {
			t.Fatal(err)
		}
		if err := g.ReleasePlaceholder(); err != nil {
			t.Fatal(err)
		}
		wantOwnGroup(t, g, placeholder.Process.Pid, "/rt.slice/rt-test.slice/"+unit)
		wantLimits(t, g, isUser, unit, "25", "33333", "340ms")

		// As update does, with a group made from the state. systemd must not overwrite the exact values with its own later.
		again, err := FromPaths(g.Paths())
		if err != nil {
			t.Fatal(err)
		}
		again.UseUnit(unit, isUser)
		for i := range int64(5) {
			second, quota := 30+i, 44444+i
			r = &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: &second}, CPU: &specs.LinuxCPU{Quota: &quota}}
			if err := again.Set(r); err != nil {
				t.Fatal(err)
			}
			wantLimits(t, again, isUser, unit, strconv.FormatInt(second, 10), strconv.FormatInt(quota, 10), "450ms")
		}
		end()
		if err := again.Remove(10 * time.Second); err != nil {
			t.Fatal(err)
		}
		if state := shownBySystemd(t, isUser, unit, "LoadState"); state != "LoadState=not-found" {
			t.Errorf("after Remove: %s", state)
		}
	}
}

func wantOwnGroup(t *testing.T, g *Group, pid int, want string) {
	t.Helper()
	own, err := readOwn(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		t.Fatal(err)
	}
	path := own["pids"]
	if path == "" {
		path = own[unifiedKey]
	}
	m, _ := g.controller("pids")
	if m.dir == "" {
		m, _ = g.unified()
	}
	if !strings.HasSuffix(path, want) || m.dir != filepath.Join(m.mount, path) {
		t.Errorf("the process is in %q, the group is %q, want ...%s", path, m.dir, want)
	}
}

// wantLimits looks at the files of the group and at systemd's properties.
func wantLimits(t *testing.T, g *Group, isUser bool, unit, pids, quota, perSecond string) {
	t.Helper()
	m, file := member{}, "cpu.cfs_quota_us"
	if pidsMember, ok := g.controller("pids"); ok {
		m = pidsMember
	} else {
		m, _ = g.unified()
		file, quota = "cpu.max", quota+" 100000"
	}
	if value, err := readControl(m.dir, "pids.max"); err != nil || value != pids {
		t.Errorf("pids.max: %s, %v; want %s", value, err, pids)
	}
	if cpu, ok := g.controller("cpu"); ok {
		m = cpu
	}
	if value, err := readControl(m.dir, file); err != nil || value != quota {
		t.Errorf("%s: %s, %v; want %s", file, value, err, quota)
	}
	for name, want := range map[string]string{"TasksMax": pids, "CPUQuotaPerSecUSec": perSecond} {
		if got := shownBySystemd(t, isUser, unit, name); got != name+"="+want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
