// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/tests/harness"
)

func TestLongArgumentsAndManyVariables(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "sh", "-c", `printf %s "$0" | wc -c; env | grep -c ^V`, strings.Repeat("x", 100_000))
	for i := range 5000 {
		b.Spec.Process.Env = append(b.Spec.Process.Env, fmt.Sprintf("V%d=%d", i, i))
	}
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "100000\n5000")
}

func TestArgumentsThatAreTooLongAreAnError(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "echo", strings.Repeat("x", 200_000))
	before := b.Snapshot(t)
	b.Run(t).WantOneError(t, "argument list too long")
	before.WantSame(t)
}

func TestManyMounts(t *testing.T) {
	t.Parallel()
	b := shell(t, "grep -c ' /many/' /proc/self/mounts; cat /many/149/file")
	harness.WriteFile(t, b.Path("source/file"), "content", 0o644)
	for i := range 150 {
		b.Spec.Mounts = append(b.Spec.Mounts, bind(b.Path("source"), "/many/"+itoa(uint64(i)), "bind", "ro"))
	}
	b.Spec.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 20, Hard: 20}}
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "150\ncontent")
}

func TestNamesWithBlanksAndOtherLetters(t *testing.T) {
	t.Parallel()
	name := "a b\tc\n\"ü\\"
	b := shell(t, `pwd; cat "$FILE"; for d in /dev/d*; do echo "$d"; done`)
	harness.WriteFile(t, b.Path(name+"/file"), "content\n", 0o644)
	b.Spec.Mounts = append(b.Spec.Mounts, bind(b.Path(name), "/mnt/"+name, "bind"))
	b.Spec.Process.Cwd = "/mnt/" + name
	b.Spec.Process.Env = append(b.Spec.Process.Env, "FILE=/mnt/"+name+"/file")
	b.Spec.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/d ü", Type: "c", Major: 1, Minor: 3}}
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "/mnt/"+name+"\ncontent\n/dev/d ü")
}

func TestDestinationsAreCleaned(t *testing.T) {
	t.Parallel()
	b := shell(t, "cat /mnt/file /opt/file")
	harness.WriteFile(t, b.Path("source/file"), "content\n", 0o644)
	b.Spec.Mounts = append(
		b.Spec.Mounts, bind(b.Path("source"), "/../..//mnt/./x/../", "bind"), bind(b.Path("x/../source"), "opt/", "bind"),
	)
	harness.Mkdir(t, b.Path("x"), 0o755)
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "content\ncontent")
}

func TestABundlePathWithBlanksAndLinks(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "echo", "hello")
	link := b.Path("with blanks")
	if err := os.Symlink(b.Dir, link); err != nil {
		t.Fatal(err)
	}
	b.Dir = link
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "hello")
}

func TestAMinimalConfig(t *testing.T) {
	t.Parallel()
	for name, linux := range map[string]string{
		"no section for Linux": `null`, "mount namespace alone": `{"namespaces": [{"type": "mount"}]}`, "mount and pid": `{"namespaces": [{"type": "mount"}, {"type": "pid"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := harness.NewBundle(t)
			b.Config = []byte(`{"ociVersion": "1.0.0", "root": {"path": "rootfs"},
				"process": {"cwd": "/", "args": ["/bin/sh", "-c", "echo hello; ls /dev/null"]}, "linux": ` + linux + `}`)
			before := b.Snapshot(t)
			b.Run(t).WantExit(t, 0).WantStdoutIs(t, "hello\n/dev/null")
			before.WantSame(t)
		})
	}
}

func TestUnknownMembersAndNullsAreIgnored(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t)
	b.Config = []byte(`{"ociVersion": "1.0.0", "root": {"path": "rootfs", "new": 1}, "hooks": null, "mounts": null, "annotations": null, "NewThing": {},
		"Process": {"cwd": "/", "args": ["/bin/echo", "hello"], "user": null, "capabilities": null, "rlimits": null},
		"linux": {"namespaces": [{"type": "mount", "path": null}], "resources": null, "seccomp": null, "future": []}}`)
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "hello")
}

func TestAProgramRelativeToTheCurrentDirectory(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "./prog")
	harness.WriteFile(t, b.InRootfs("opt/prog"), "#!/bin/sh\necho hello\n", 0o755)
	b.Spec.Process.Cwd = "/opt"
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "hello")
}

func TestAContainerWithoutPathFindsProgramsInTheUsualPlacesOrSaysSo(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "echo", "hello")
	b.Spec.Process.Env = nil
	got := b.Run(t)
	if got.Exit != 0 {
		got.WantOneError(t, `exec: "echo": executable file not found in $PATH`)
		return
	}
	got.WantStdoutIs(t, "hello")
}

func TestAKilledCreatedContainerIsStopped(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "sleep", "1000")
	before := b.Snapshot(t)
	b.Create(t).WantExit(t, 0)
	b.Kill(t, "KILL").WantExit(t, 0)
	b.WaitFor(t, "stopped")
	b.Start(t).WantOneError(t, "cannot start a container that has stopped")
	b.Delete(t).WantExit(t, 0)
	before.WantSame(t)
}

// A child that holds the container's output must not hold rt.
func TestRunEndsWithInitAndTakesTheOthersAlong(t *testing.T) {
	t.Parallel()
	b := shell(t, "sleep 1000 & exit 6")
	dropNamespace(b, specs.PIDNamespace)
	before := b.Snapshot(t)
	b.Run(t).WantExit(t, 6)
	before.WantSame(t)
}

func TestManyContainersAtOnce(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "echo", "hello")
	b.Write(t)
	before := b.Snapshot(t)
	var all sync.WaitGroup
	for i := range 20 {
		cmd := b.Command(t, "run", "--bundle", b.Dir, fmt.Sprintf("%s-%d", b.ID, i))
		all.Go(func() {
			if out, err := cmd.CombinedOutput(); err != nil || string(out) != "hello\n" {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	all.Wait()
	before.WantSame(t)
}

func TestEverythingWorksInAUserNamespace(t *testing.T) {
	t.Parallel()
	b := terminal(shell(t,
		"id -u; hostname; echo x >/dev/null && head -c 2 /dev/zero | wc -c; cat /mnt/file; cat /sys/kernel/ostype 2>/dev/null; touch /dev/shm/x",
		"grep -c ' /proc/sys ' /proc/self/mounts; stat -c %u $(tty); cat /proc/keys; umount /proc/keys; mount -o remount,rw /proc/sys"))
	mapIDs(t, b)
	setNamespace(b, specs.CgroupNamespace, "")
	harness.WriteFile(t, b.Path("source/file"), "content\n", 0o644)
	b.Spec.Hostname = "inside"
	b.Spec.Mounts = append(b.Spec.Mounts, bind(b.Path("source"), "/mnt", "rbind", "ro"), tmpfs("/tmp/x", "size=1m"))
	b.Spec.Linux.Sysctl = map[string]string{"net.ipv4.ip_forward": "1"}
	b.Spec.Hooks = &specs.Hooks{
		CreateContainer: []specs.Hook{{Path: "/bin/true"}}, StartContainer: []specs.Hook{{Path: "/bin/true"}},
	}
	got := b.Run(t)
	got.WantStdout(t, "0\ninside\n2\ncontent\n", "1\n0\n")
	if n := strings.Count(got.Stdout, "Operation not permitted") + strings.Count(got.Stdout, "permission denied"); n < 2 {
		t.Errorf("the container could undo what covers its proc: %s", got.Stdout)
	}
}

func TestNoPivotInAUserNamespace(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "cat", "/etc/passwd")
	mapIDs(t, b)
	b.Run(t, "--no-pivot").WantExit(t, 0).WantStdout(t, "root:x:0:0")
}

func TestACgroupsPathMayBeRelativeButNotClimb(t *testing.T) {
	t.Parallel()
	inEachView(t, []string{"sleep", "1000"}, func(t *testing.T, b *harness.Bundle) {
		before := b.Snapshot(t)
		b.Spec.Linux.CgroupsPath = "../" + b.ID
		b.Run(t, "-d").WantOneError(t, "linux.cgroupsPath", "..")
		b.Spec.Linux.CgroupsPath = b.ID
		b.Run(t, "-d").WantExit(t, 0)
		for _, path := range groupsOf(t, b, b.State(t).Pid) {
			if filepath.Base(path) != b.ID {
				t.Errorf("init is in %s", path)
			}
		}
		b.Delete(t, "--force").WantExit(t, 0)
		before.WantSame(t)
	})
}
