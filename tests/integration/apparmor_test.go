// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/tests/harness"
)

var profileCount atomic.Int32

// profileText is a profile that lets a container do all but write below /home.
const profileText = "profile %s flags=(attach_disconnected,mediate_deleted) {\n" +
	" file,\n capability,\n mount,\n network,\n signal,\n ptrace,\n deny /home/** w,\n}\n"

// loadProfile loads a profile for the time of the test and returns its name. What can't is a reason to skip.
func loadProfile(t *testing.T) string {
	t.Helper()
	if !hasAppArmor() {
		t.Skip("AppArmor is not enabled in this kernel (make vm-test has a machine with it)")
	}
	if _, err := exec.LookPath("apparmor_parser"); err != nil {
		t.Skipf("no program loads profiles (Debian: apparmor): %v", err)
	}
	name := "rt-test-" + strconv.Itoa(os.Getpid()) + "-" + strconv.Itoa(int(profileCount.Add(1)))
	parse(t, name, "--replace")
	t.Cleanup(func() { parse(t, name, "--replace", "--remove") }) // --replace: it may have been removed
	return name
}

func parse(t *testing.T, name string, actions ...string) {
	t.Helper()
	parseText(t, fmt.Sprintf(profileText, name), actions...)
}

func parseText(t *testing.T, text string, actions ...string) {
	t.Helper()
	for _, action := range actions {
		cmd := exec.Command("apparmor_parser", "--skip-cache", action)
		cmd.Stdin = strings.NewReader(text)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("apparmor_parser %s: %v: %s", action, err, out)
		}
	}
}

// showProfile prints the profile, and what it allows and denies.
const showProfile = "cat /proc/self/attr/current; echo x >/tmp/x && echo allowed; echo x >/home/user/x || echo denied"

// withHome makes what showProfile writes to.
func withHome(b *harness.Bundle) *harness.Bundle {
	b.Spec.Mounts = append(b.Spec.Mounts, tmpfs("/tmp"), tmpfs("/home/user", "mode=777"))
	return b
}

func TestAppArmorConfines(t *testing.T) {
	t.Parallel()
	name := loadProfile(t)
	confined := name + " (enforce)\nallowed\ndenied"
	for _, c := range []struct {
		name   string
		change func(t *testing.T, b *harness.Bundle)
	}{
		{"default", nil},
		{"with new privileges", func(_ *testing.T, b *harness.Bundle) { b.Spec.Process.NoNewPrivileges = false }},
		{"user", func(_ *testing.T, b *harness.Bundle) { b.Spec.Process.User = specs.User{UID: 1000, GID: 1000} }},
		{"user namespace", mapIDs},
		{"user namespace, filter", func(t *testing.T, b *harness.Bundle) {
			mapIDs(t, b)
			b.Spec.Process.NoNewPrivileges = false
			b.Spec.Linux.Seccomp = filtered(t).Spec.Linux.Seccomp
		}},
		{"no pid namespace", func(_ *testing.T, b *harness.Bundle) { dropNamespace(b, specs.PIDNamespace) }},
		{"sysctl", func(_ *testing.T, b *harness.Bundle) {
			b.Spec.Linux.Sysctl = map[string]string{"net.ipv4.ip_forward": "1"}
		}},
		{"time namespace", func(_ *testing.T, b *harness.Bundle) { setNamespace(b, specs.TimeNamespace, "") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := withHome(shell(t, showProfile))
			if c.change != nil {
				c.change(t, b)
			}
			b.Spec.Process.ApparmorProfile = name
			b.Run(t).WantExit(t, 0).WantStdoutIs(t, confined)
			b.Create(t).WantExit(t, 0)
			if got := currentLabel(t, b.State(t).Pid); got != "unconfined" {
				t.Errorf("the created container is %q already", got)
			}
			b.Start(t).WantExit(t, 0)
			b.WaitFor(t, "stopped")
			if got := strings.TrimSpace(b.Output(t)); got != confined {
				t.Errorf("create and start: got %q, want %q", got, confined)
			}
			b.Delete(t).WantExit(t, 0)

			b.Spec.Process.Args, b.Spec.Process.ApparmorProfile = []string{"sleep", "1000"}, ""
			b.Run(t, "--detach").WantExit(t, 0)
			b.Exec(t, nil, "sh", "-c", showProfile).WantExit(t, 0).WantStdoutIs(t, "unconfined\nallowed")
			b.Exec(t, []string{"--apparmor", name}, "sh", "-c", showProfile).WantExit(t, 0).WantStdoutIs(t, confined)
		})
	}
}

func TestAppArmorOfExec(t *testing.T) {
	t.Parallel()
	first, second := loadProfile(t), loadProfile(t)
	b := running(t, func(b *harness.Bundle) { withHome(b).Spec.Process.ApparmorProfile = first })
	show := []string{"cat", "/proc/self/attr/current"}
	b.Exec(t, nil, show...).WantStdoutIs(t, first+" (enforce)")
	b.Exec(t, []string{"--apparmor", second}, show...).WantStdoutIs(t, second+" (enforce)")
	b.Exec(t, []string{"--apparmor", first + "//&" + second}, show...).WantStdout(t, first, "//&", second, "(enforce)")
	b.Exec(t, []string{"--apparmor", "unconfined"}, show...).WantStdoutIs(t, "unconfined")
	for content, want := range map[string]string{
		`{"args": ["cat", "/proc/self/attr/current"], "cwd": "/"}`:                                      first,
		`{"args": ["cat", "/proc/self/attr/current"], "cwd": "/", "apparmorProfile": "` + second + `"}`: second,
	} {
		file := harness.WriteFile(t, b.Path("process.json"), content, 0o600)
		b.Exec(t, []string{"--process", file}).WantExit(t, 0).WantStdoutIs(t, want+" (enforce)")
	}
	before := b.Snapshot(t)
	b.Exec(t, []string{"--apparmor", "rt-test-none"}, "true").
		WantExecError(t, `process.apparmorProfile "rt-test-none": `, "not loaded", "apparmor_parser")
	before.WantSameSoon(t)
}

// A hook that executes what is in the image has no more rights than the container.
func TestAppArmorConfinesStartHooks(t *testing.T) {
	t.Parallel()
	name := loadProfile(t)
	b := withHome(shell(t, "cat /tmp/label"))
	b.Spec.Process.ApparmorProfile = name
	addHook(b, "startContainer", "cat /proc/self/attr/current >/tmp/label")
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, name+" (enforce)")
	b.Create(t).WantExit(t, 0)
	parse(t, name, "--remove")
	b.Start(t).WantOneError(t, "startContainer", name, "not loaded")
}

func TestAppArmorProfileThatIsNotLoaded(t *testing.T) {
	t.Parallel()
	name := loadProfile(t)
	b := idle(t)
	b.Spec.Process.ApparmorProfile = "rt-test-none"
	before := b.Snapshot(t)
	for _, command := range []func(*testing.T, ...string) harness.Result{b.Create, b.Run} {
		command(t).WantOneError(t, `process.apparmorProfile "rt-test-none": `, "no such file or directory", "not loaded", "apparmor_parser")
		before.WantSame(t)
	}
	// The kernel would make a process unconfined whose profile goes before it executes.
	b.Spec.Process.ApparmorProfile = name
	b.Create(t).WantExit(t, 0)
	parse(t, name, "--remove")
	b.Start(t).WantOneError(t, "process.apparmorProfile", name, "not loaded")
	if got := b.State(t).Status; got != "stopped" {
		t.Errorf("the container is %s, want stopped", got)
	}
}

// TestAppArmorOfRt is about an rt that is confined itself: it needs a rule to change to a profile, and with
// no_new_privs the kernel only lets it change to less than it may.
func TestAppArmorOfRt(t *testing.T) {
	t.Parallel()
	name, outer := loadProfile(t), loadProfile(t)
	aaExec, err := exec.LookPath("aa-exec")
	if err != nil {
		t.Skipf("no program runs rt in a profile (Debian: apparmor): %v", err)
	}
	for _, c := range []struct {
		rule  string
		nnp   bool
		texts []string
	}{
		{"change_profile,", false, nil},
		{"change_profile,", true, []string{"exec", "sh: operation not permitted", "rt is confined by an AppArmor profile", name}},
		{"", false, []string{"process.apparmorProfile", name, "permission denied", "change_profile"}},
	} {
		cmd := exec.Command("apparmor_parser", "--skip-cache", "--replace")
		cmd.Stdin = strings.NewReader("profile " + outer + " flags=(attach_disconnected,mediate_deleted) {\n" +
			" file,\n capability,\n mount,\n umount,\n pivot_root,\n network,\n signal,\n ptrace,\n unix,\n " + c.rule + "\n}\n")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("apparmor_parser: %v: %s", err, out)
		}
		b := withHome(shell(t, showProfile))
		b.Spec.Process.ApparmorProfile, b.Spec.Process.NoNewPrivileges = name, c.nnp
		b.Wrapper = []string{aaExec, "-p", outer, "--"}
		if c.texts == nil {
			b.Run(t).WantExit(t, 0).WantStdoutIs(t, name+" (enforce)\nallowed\ndenied")
			continue
		}
		b.Run(t).WantOneError(t, c.texts...)
	}
}

// What the image has at /proc is nobody's procfs (CVE-2019-16884).
func TestAppArmorIsNotAskedThroughTheImage(t *testing.T) {
	t.Parallel()
	name := loadProfile(t)
	b := idle(t)
	dropMount(b, "/proc")
	b.Spec.Linux.MaskedPaths, b.Spec.Linux.ReadonlyPaths = nil, nil
	var fakes []string
	for _, file := range []string{"self/attr/exec", "self/attr/apparmor/exec", "thread-self/attr/exec", "thread-self/attr/apparmor/exec"} {
		fakes = append(fakes, harness.WriteFile(t, b.InRootfs("proc/"+file), "", 0o666))
	}
	b.Spec.Process.ApparmorProfile = name
	b.Run(t, "--detach").WantExit(t, 0)
	if got := currentLabel(t, b.State(t).Pid); got != name+" (enforce)" {
		t.Errorf("the process is %q", got)
	}
	for _, fake := range fakes {
		if got := harness.ReadFile(t, fake); got != "" {
			t.Errorf("%s has %q", fake, got)
		}
	}
}

// A profile without a rule about signals keeps everybody from sending some, root too.
func TestAppArmorProfileThatForbidsSignals(t *testing.T) {
	t.Parallel()
	hint := `an AppArmor profile allows it by the rule "signal (receive) peer=unconfined,"`
	for _, c := range []struct {
		name string
		kill func(*testing.T, *harness.Bundle) harness.Result
	}{
		{"delete --force", func(t *testing.T, b *harness.Bundle) harness.Result { return b.Delete(t, "--force") }},
		{"kill KILL", func(t *testing.T, b *harness.Bundle) harness.Result { return b.Kill(t, "KILL") }},
		{"kill --all KILL", func(t *testing.T, b *harness.Bundle) harness.Result { return b.RT(t, "kill", "--all", b.ID, "KILL") }},
	} {
		for _, shared := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, pid namespace of the host %v", c.name, shared), func(t *testing.T) {
				t.Parallel()
				name := loadProfile(t)
				b := idle(t)
				if shared {
					dropNamespace(b, specs.PIDNamespace)
				}
				b.Spec.Process.ApparmorProfile = name
				before := b.Snapshot(t)
				parseText(t, strings.Replace(fmt.Sprintf(profileText, name), " signal,", "", 1), "--replace")
				b.Run(t, "--detach").WantExit(t, 0)
				b.Exec(t, []string{"--detach"}, "sleep", "1000").WantExit(t, 0)
				b.Kill(t, "TERM").WantOneError(t, "permission denied", hint)
				if harness.HasCgroup1() && len(unifiedGroupsOf(b.ID)) == 0 {
					c.kill(t, b).WantExit(t, 1).WantStderr(t, "permission denied", hint)
					parse(t, name, "--replace") // as the error says
				}
				c.kill(t, b).WantExit(t, 0)
				if c.name != "delete --force" {
					b.WaitFor(t, "stopped")
					b.Delete(t).WantExit(t, 0)
				}
				before.WantSameSoon(t)
			})
		}
	}
}

// unifiedGroupsOf returns a container's groups in a cgroup v2 hierarchy.
func unifiedGroupsOf(id string) []string {
	return slices.DeleteFunc(harness.CgroupsOf(id), func(dir string) bool { return !harness.IsCgroup2(dir) })
}
