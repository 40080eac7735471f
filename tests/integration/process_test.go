// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/tests/harness"
)

func TestTheProcessHasUserGroupsAndUmask(t *testing.T) {
	t.Parallel()
	b := shell(t, "id -u; id -g; id -G; umask")
	b.Spec.Process.User = specs.User{UID: 1000, GID: 100, AdditionalGids: []uint32{5, 65534}, Umask: pointer(uint32(0o77))}
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "1000\n100\n100 5 65534\n0077")
}

func TestTheUmaskIsTheCallersUnlessTheConfigHasOne(t *testing.T) {
	t.Parallel()
	b := shell(t, "umask")
	b.Wrapper = []string{"sh", "-c", `umask 0137 && exec "$@"`, "sh"}
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "0137")
	b.Spec.Process.User.Umask = pointer(uint32(0o27))
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "0027")
}

func TestSupplementaryGroupsOfTheCallerAreGone(t *testing.T) {
	t.Parallel()
	b := shell(t, "grep ^Groups: /proc/self/status")
	b.Wrapper = []string{"setpriv", "--groups", "4,20"}
	got := b.Run(t).WantExit(t, 0)
	if f := strings.Fields(got.Stdout); len(f) > 2 || len(f) == 2 && f[1] != "0" {
		t.Errorf("groups: %q", got.Stdout)
	}
}

func TestTheCurrentDirectoryIsThatOfTheConfig(t *testing.T) {
	t.Parallel()
	b := writable(shell(t, "pwd; stat -c '%a %u %g' ."))
	b.Spec.Process.Cwd = "/home/user"
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "/home/user\n755 1000 1000")
}

func TestAMissingCurrentDirectoryIsMade(t *testing.T) {
	t.Parallel()
	b := writable(shell(t, "pwd; stat -c '%a %u' . .."))
	b.Spec.Process.Cwd = "/new/deep"
	b.Spec.Process.User.UID = 1000
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "/new/deep\n755 0\n755 0")
}

func TestACurrentDirectoryThatOnlyTheUserMayEnter(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		uid    int
		mapped bool
	}{{"own", 42, false}, {"of root", 0, false}, {"own, with mapped ids", 100042, true}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := shell(t, "pwd")
			b.Spec.Process.User = specs.User{UID: 42}
			b.Spec.Process.Cwd = "/root"
			if c.mapped {
				mapIDs(t, b)
			}
			if err := os.Chown(b.InRootfs("root"), c.uid, c.uid); err != nil {
				t.Fatal(err)
			}
			b.Run(t).WantExit(t, 0).WantStdoutIs(t, "/root")
		})
	}
}

func TestTheEnvironmentIsThatOfTheConfig(t *testing.T) {
	t.Parallel()
	path := "PATH=/bin"
	for _, c := range []struct {
		name string
		uid  uint32
		env  []string
		want []string
	}{
		{"nothing of the caller", 0, []string{path, "HOME=/x"}, []string{path, "HOME=/x"}},
		{"home of root", 0, []string{path}, []string{path, "HOME=/root"}},
		{"home of a user", 1000, []string{path}, []string{path, "HOME=/home/user"}},
		{"home of an unknown user", 4711, []string{path}, []string{path, "HOME=/"}},
		{"empty home", 0, []string{"HOME=", path}, []string{"HOME=/root", path}},
		{"last one wins", 0, []string{"ONE=two", "ONE=", path, "HOME=/x"}, []string{"ONE=", path, "HOME=/x"}},
		{"last home empty", 0, []string{"HOME=/x", "HOME=", path}, []string{"HOME=/root", path}},
		{"newline", 0, []string{"NL=a\nb", path, "HOME=/x"}, []string{"NL=a\nb", path, "HOME=/x"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := harness.NewBundle(t, "/bin/cat", "/proc/self/environ")
			b.Env = []string{"RT_TEST_SECRET=1"}
			b.Spec.Process.Env, b.Spec.Process.User.UID = c.env, c.uid
			got := b.Run(t).WantExit(t, 0)
			have := strings.Split(strings.TrimSuffix(got.Stdout, "\x00"), "\x00")
			if !sameSet(have, c.want) {
				t.Errorf("environment is %q, want %q", have, c.want)
			}
		})
	}
}

func sameSet(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	count := map[string]int{}
	for i := range a {
		count[a[i]]++
		count[b[i]]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}

func TestTheProgramIsLookedUpInTheContainersPath(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "mine", "argument with blanks", "", "*")
	harness.WriteFile(t, b.InRootfs("opt/first/mine"), "not executable", 0o644)
	harness.WriteFile(t, b.InRootfs("opt/second/mine"), "#!/bin/sh\necho $0; for a; do echo \"<$a>\"; done\n", 0o755)
	if err := os.Symlink("loop", b.InRootfs("opt/loop")); err != nil {
		t.Fatal(err)
	}
	b.Spec.Process.Env = []string{"PATH=/nosuch:/opt/loop:/opt/first:/opt/second:/bin"}
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "/opt/second/mine\n<argument with blanks>\n<>\n<*>")
}

func TestAProgramThatLinksToItselfIsNotFoundInThePath(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "mine")
	harness.WriteFile(t, b.InRootfs("opt/other"), "", 0o644)
	if err := os.Symlink("mine", b.InRootfs("opt/mine")); err != nil {
		t.Fatal(err)
	}
	b.Spec.Process.Env = []string{"PATH=/bin:/opt"}
	before := b.Snapshot(t)
	b.Run(t).WantOneError(t, `exec: "mine": executable file not found in $PATH (too many levels of symbolic links; searched /bin:/opt)`)
	before.WantSame(t)
}

func TestArgumentZeroIsKept(t *testing.T) {
	t.Parallel()
	b := shell(t, "tr '\\0' ' ' </proc/1/cmdline")
	b.Spec.Process.Args[2] += "; true"
	b.Run(t).WantExit(t, 0).WantStdout(t, "sh -c ")
}

func TestCapabilitiesAreThoseOfTheConfig(t *testing.T) {
	t.Parallel()
	const status = "grep -E '^(Cap|NoNewPrivs)' /proc/self/status | tr -d '\\t'"
	admin, kill, chown := "CAP_SYS_ADMIN", "CAP_KILL", "CAP_CHOWN"
	for _, c := range []struct {
		name   string
		caps   *specs.LinuxCapabilities
		want   string
		stderr string
		uid    uint32
	}{
		{"default", harness.DefaultSpec(t).Process.Capabilities, "0000000000000000 0000000020000420 0000000020000420 0000000020000420 0000000000000000", "", 0},
		{"none", &specs.LinuxCapabilities{}, "0000000000000000 0000000000000000 0000000000000000 0000000000000000 0000000000000000", "", 0},
		{
			"bounding limits root",
			&specs.LinuxCapabilities{Bounding: []string{admin}, Permitted: []string{admin, kill}},
			"0000000000000000 0000000000200000 0000000000200000 0000000000200000 0000000000000000", "", 0,
		},
		{
			"ambient for a user",
			&specs.LinuxCapabilities{
				Bounding: []string{kill, chown}, Permitted: []string{kill, chown}, Effective: []string{kill},
				Inheritable: []string{kill}, Ambient: []string{kill},
			}, "0000000000000020 0000000000000020 0000000000000020 0000000000000021 0000000000000020", "", 1000,
		},
		{
			"ambient that is not inheritable",
			&specs.LinuxCapabilities{
				Bounding: []string{kill, chown}, Permitted: []string{kill, chown}, Effective: []string{kill},
				Inheritable: []string{kill}, Ambient: []string{chown, kill},
			}, "0000000000000020 0000000000000020 0000000000000020 0000000000000021 0000000000000020",
			"can't raise ambient capability CAP_CHOWN: ", 1000,
		},
		{
			"unknown",
			&specs.LinuxCapabilities{Bounding: []string{kill, "CAP_UNKNOWN"}, Permitted: []string{kill, "UNKNOWN_CAP"}, Effective: []string{kill}},
			"0000000000000000 0000000000000020 0000000000000020 0000000000000020 0000000000000000", "CAP_UNKNOWN", 0,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := shell(t, status)
			b.Spec.Process.Capabilities, b.Spec.Process.User.UID = c.caps, c.uid
			got := b.Run(t).WantExit(t, 0)
			for i, name := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
				got.WantStdout(t, name+":"+strings.Fields(c.want)[i])
			}
			got.WantStdout(t, "NoNewPrivs:1").WantStderr(t, c.stderr)
			if c.stderr == "" {
				got.WantStderrIs(t, "")
			}
		})
	}
}

func TestNoNewPrivilegesMayBeOff(t *testing.T) {
	t.Parallel()
	b := shell(t, "grep NoNewPrivs /proc/self/status")
	b.Spec.Process.NoNewPrivileges = false
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "NoNewPrivs:\t0")
}

func TestAProgramOnlyForCapabilityHolders(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "/prog")
	harness.WriteFile(t, b.InRootfs("prog"), "#!/bin/sh\necho hi\n", 0o744)
	b.Spec.Process.User.UID = 1000
	b.Run(t).WantOneError(t, "exec /prog: permission denied")
	c := b.Spec.Process.Capabilities
	c.Inheritable, c.Ambient = []string{"CAP_DAC_OVERRIDE"}, []string{"CAP_DAC_OVERRIDE"}
	grant(b, "CAP_DAC_OVERRIDE")
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "hi")
}

func TestRlimitsAreSoftAndHard(t *testing.T) {
	t.Parallel()
	for _, limit := range []specs.POSIXRlimit{
		{Type: "RLIMIT_NOFILE", Soft: 1000, Hard: 1000},
		{Type: "RLIMIT_NOFILE", Soft: 20, Hard: 3000},
	} {
		b := shell(t, "ulimit -S -n; ulimit -H -n")
		b.Spec.Process.Rlimits = []specs.POSIXRlimit{limit}
		b.Run(t).WantExit(t, 0).WantStdoutIs(t, itoa(limit.Soft)+"\n"+itoa(limit.Hard))
	}
}

func TestRlimitsMayBeAboveTheCallers(t *testing.T) {
	t.Parallel()
	if !harness.HasCapability(unix.CAP_SYS_RESOURCE) {
		t.Skip("needs CAP_SYS_RESOURCE, which raises a hard limit")
	}
	b := shell(t, "ulimit -H -n")
	b.Wrapper = []string{"prlimit", "--nofile=512:4096"}
	b.Spec.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 5000, Hard: 5000}}
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "5000")
}

// Go raises the soft limit of its own process; that must not reach the container.
func TestRlimitsOfTheCallerAreInherited(t *testing.T) {
	t.Parallel()
	b := shell(t, "ulimit -S -n; ulimit -H -n; ulimit -S -c; ulimit -S -s")
	b.Spec.Process.Rlimits = nil
	b.Wrapper = []string{"prlimit", "--nofile=512:4096", "--core=3584:3584", "--stack=1048576"}
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "512\n4096\n7\n1024")
}

func TestOOMScoreAdjustment(t *testing.T) {
	t.Parallel()
	b := shell(t, "cat /proc/self/oom_score_adj")
	b.Spec.Process.OOMScoreAdj = pointer(345)
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "345")
}

func TestPersonality(t *testing.T) {
	t.Parallel()
	for domain, want := range map[specs.LinuxPersonalityDomain]string{specs.PerLinux32: "i686", specs.PerLinux: "x86_64"} {
		b := shell(t, "uname -m")
		b.Spec.Linux.Personality = &specs.LinuxPersonality{Domain: domain}
		b.Run(t).WantExit(t, 0).WantStdoutIs(t, want)
	}
}

func TestSchedulerAndPriorities(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "sleep", "1000")
	b.Spec.Process.Scheduler = &specs.Scheduler{Policy: specs.SchedBatch, Nice: 7}
	b.Spec.Process.IOPriority = &specs.LinuxIOPriority{Class: specs.IOPRIO_CLASS_BE, Priority: 4}
	b.Run(t, "-d").WantExit(t, 0)
	pid := itoa(uint64(b.State(t).Pid))
	for _, c := range []struct{ command, want string }{
		{"chrt -p " + pid, "SCHED_BATCH"},
		{"ionice -p " + pid, "best-effort: prio 4"},
		{"awk '{print $19}' /proc/" + pid + "/stat", "7"},
	} {
		out, err := exec.Command("sh", "-c", c.command).CombinedOutput()
		if err != nil || !strings.Contains(string(out), c.want) {
			t.Errorf("%s: %v, %q, want %q", c.command, err, out, c.want)
		}
	}
}

func TestTheCallersAffinityIsNotInherited(t *testing.T) {
	t.Parallel()
	b := shell(t, "grep Cpus_allowed_list /proc/self/status")
	want := b.Run(t).WantExit(t, 0).Stdout
	b.Wrapper = []string{"taskset", "-c", "0"}
	if got := b.Run(t).WantExit(t, 0).Stdout; got != want {
		t.Errorf("under taskset the container has %q, else %q", got, want)
	}
}

func TestTheSessionKeyringHasTheContainersName(t *testing.T) {
	t.Parallel()
	b := shell(t, "cat /proc/keys")
	b.Spec.Linux.MaskedPaths = nil
	b.Run(t, "--no-new-keyring").WantExit(t, 0).WantNoStdout(t, "_ses."+b.ID) // first, as the kernel is slow to forget
	b.Run(t).WantExit(t, 0).WantStdout(t, "_ses."+b.ID)
}

func TestStdinIsPassed(t *testing.T) {
	t.Parallel()
	b := shell(t, "cat; readlink /proc/self/fd/0 >&2")
	input, err := os.Open(harness.WriteFile(t, b.Path("input"), "from outside", 0o600))
	if err != nil {
		t.Fatal(err)
	}
	defer input.Close()
	b.Stdin = input
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "from outside")
}

func TestTheProcessHasNoDescriptorsButStdio(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "ls", "/proc/self/fd")
	extra, err := os.Open(filepath.Join(b.Dir, "."))
	if err != nil {
		t.Fatal(err)
	}
	defer extra.Close()
	b.Files = []*os.File{extra, extra, extra}
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "0\n1\n2\n3") // 3 is that of ls
	b.Run(t, "--preserve-fds", "2").WantExit(t, 0).WantStdoutIs(t, "0\n1\n2\n3\n4\n5")
}

func TestPreservedDescriptorsAreTheCallers(t *testing.T) {
	t.Parallel()
	b := shell(t, "cat <&4")
	first, err := os.Open(harness.WriteFile(t, b.Path("first"), "first", 0o600))
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	second, err := os.Open(harness.WriteFile(t, b.Path("second"), "second", 0o600))
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	b.Files = []*os.File{first, second}
	b.Run(t, "--preserve-fds=2").WantExit(t, 0).WantStdoutIs(t, "second")
}
