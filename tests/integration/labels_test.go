// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/tests/harness"
)

// hasAppArmor tells whether the running kernel enforces AppArmor profiles.
func hasAppArmor() bool {
	value, err := os.ReadFile("/sys/module/apparmor/parameters/enabled")
	return err == nil && strings.TrimSpace(string(value)) == "Y"
}

func hasSELinux() bool {
	var fs unix.Statfs_t
	return unix.Statfs("/sys/fs/selinux", &fs) == nil && fs.Type == unix.SELINUX_MAGIC
}

// currentLabel is what an LSM says of a process, as the host sees it.
func currentLabel(t *testing.T, pid int) string {
	t.Helper()
	return string(bytes.TrimRight([]byte(harness.ReadFile(t, "/proc/"+strconv.Itoa(pid)+"/attr/current")), "\x00\n"))
}

// What asks for a label that the machine can't give is refused, by each command that can ask for it, and nothing is left.
func TestLabelsThatTheMachineCannotGive(t *testing.T) {
	t.Parallel()
	const label = "system_u:system_r:container_t:s0:c1,c2"
	for _, c := range []struct {
		name    string
		skip    bool
		change  func(*specs.Spec)
		flags   []string
		process string
		want    []string
	}{
		{
			"apparmorProfile", hasAppArmor(), func(s *specs.Spec) { s.Process.ApparmorProfile = "docker-default" },
			[]string{"--apparmor", "docker-default"},
			`"apparmorProfile": "docker-default"`,
			[]string{`process.apparmorProfile "docker-default": AppArmor is not available: `},
		},
		{
			"selinuxLabel", hasSELinux(), func(s *specs.Spec) { s.Process.SelinuxLabel = label },
			[]string{"--process-label", label},
			`"selinuxLabel": "` + label + `"`,
			[]string{`process.selinuxLabel "` + label + `": SELinux is not available: `},
		},
		{
			"mountLabel", hasSELinux(), func(s *specs.Spec) { s.Linux.MountLabel = label },
			nil, "",
			[]string{`linux.mountLabel "` + label + `": SELinux is not available: `},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.skip {
				t.Skip("this machine can give it")
			}
			b := idle(t)
			c.change(b.Spec)
			before := b.Snapshot(t)
			b.Run(t).WantOneError(t, c.want...)
			b.Create(t).WantOneError(t, c.want...)
			before.WantSame(t)
			if c.process == "" {
				return
			}
			b = running(t)
			before = b.Snapshot(t)
			b.Exec(t, c.flags, "true").WantExecError(t, c.want...)
			file := harness.WriteFile(t, b.Path("process.json"), `{"args": ["true"], "cwd": "/", `+c.process+`}`, 0o600)
			b.Exec(t, []string{"--process", file}).WantExecError(t, c.want...)
			before.WantSameSoon(t)
		})
	}
}

// Unconfined is what a process is anyway where there is no AppArmor, and what it becomes where there is.
func TestAnUnconfinedProcess(t *testing.T) {
	t.Parallel()
	b := shell(t, "echo started")
	b.Spec.Process.ApparmorProfile = "unconfined"
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "started").WantStderrIs(t, "")
	b = running(t, func(b *harness.Bundle) { b.Spec.Process.ApparmorProfile = "unconfined" })
	b.Exec(t, []string{"--apparmor", "unconfined"}, "echo", "started").WantExit(t, 0).WantStdoutIs(t, "started")
}

func TestBadLabelsAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		change func(*specs.Spec)
		want   string
	}{
		{func(s *specs.Spec) { s.Process.ApparmorProfile = "a\nb" }, `process.apparmorProfile "a\nb"`},
		{func(s *specs.Spec) { s.Process.ApparmorProfile = " a" }, `process.apparmorProfile " a"`},
		{func(s *specs.Spec) { s.Process.ApparmorProfile = strings.Repeat("a", 5000) }, "at most 4090 bytes"},
		{func(s *specs.Spec) { s.Process.SelinuxLabel = "container_t" }, `process.selinuxLabel "container_t"`},
		{func(s *specs.Spec) { s.Process.SelinuxLabel = "a:b:c\x00" }, `process.selinuxLabel "a:b:c\x00"`},
		{func(s *specs.Spec) { s.Linux.MountLabel = "a:b:c d" }, `linux.mountLabel "a:b:c d"`},
	} {
		b := idle(t)
		c.change(b.Spec)
		before := b.Snapshot(t)
		b.Create(t).WantOneError(t, c.want)
		before.WantSame(t)
	}
}
