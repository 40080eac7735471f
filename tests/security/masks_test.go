// SPDX-License-Identifier: Apache-2.0

package security

import (
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/tests/harness"
)

// maskedFiles are files of procfs that every kernel has.
var maskedFiles = []string{"/proc/version", "/proc/uptime"}

// The image has something else where the null device should be, and keeps its own /dev (CVE-2025-31133). Then either
// no container is made, or the masks hold.
func TestMasksDoNotTrustTheImagesNullDevice(t *testing.T) {
	t.Parallel()
	for name, plant := range map[string]func(path string){
		"link to core_pattern": func(path string) { harness.Symlink(t, "/proc/sys/kernel/core_pattern", path) },
		"link to passwd":       func(path string) { harness.Symlink(t, "/etc/passwd", path) },
		"file":                 func(path string) { harness.WriteFile(t, path, "not null", 0o666) },
		"zero":                 func(path string) { makeNode(t, path, unix.S_IFCHR, 1, 5) },
		"fifo":                 func(path string) { makeNode(t, path, unix.S_IFIFO, 0, 0) },
		"directory":            func(path string) { harness.Mkdir(t, path, 0o755) },
		"missing":              func(string) {},
	} {
		t.Run(name, func(t *testing.T) {
			for _, over := range []bool{false, true} {
				b := script(t, "stat -c '%t:%T' "+strings.Join(maskedFiles, " "),
					"(echo x >/proc/sys/kernel/core_pattern) 2>&- && echo WRITTEN")
				dropMounts(b, "/dev")
				dev := b.InRootfs("dev")
				if over {
					dev = harness.Mkdir(t, b.Path("dev"), 0o755)
					bind(b, dev, "/dev")
				}
				harness.Mkdir(t, dev, 0o755)
				plant(dev + "/null")
				b.Spec.Linux.MaskedPaths = maskedFiles
				got := b.Run(t)
				wantNoCrash(t, got)
				got.WantNoStdout(t, "WRITTEN")
				if strings.Contains(got.Stdout, ":") && !strings.HasPrefix(got.Stdout, "1:3\n1:3\n") {
					t.Errorf("the mask is not the null device: %s", got.Stdout)
				}
			}
		})
	}
}

func makeNode(t *testing.T, path string, kind uint32, major, minor uint32) {
	t.Helper()
	if err := unix.Mknod(path, kind|0o666, int(unix.Mkdev(major, minor))); err != nil {
		t.Fatal(err)
	}
}

// A mask shows the host's null device, whose owner and mode the container must not change. (The test sets what is
// set already.)
func TestMaskedFilesCanNotBeChanged(t *testing.T) {
	t.Parallel()
	b := script(t, "for f in "+strings.Join(maskedFiles, " ")+"; do",
		"chmod 0666 $f && echo CHANGED mode; chown 0:0 $f && echo CHANGED owner; touch $f && echo CHANGED times", "done; true")
	addCapabilities(b, "CAP_CHOWN", "CAP_FOWNER", "CAP_DAC_OVERRIDE")
	b.Spec.Linux.MaskedPaths = maskedFiles
	b.Run(t).WantExit(t, 0).WantNoStdout(t, "CHANGED")
}

// Masks are looked up in the container's root, whatever links the image has.
func TestMasksBehindLinks(t *testing.T) {
	t.Parallel()
	b := script(t, "ls -A /secrets; cat /secret; ls -A /etc/keep; grep -c ' /twice ' /proc/self/mountinfo; echo end")
	victim := makeVictim(t, b)
	harness.WriteFile(t, b.InRootfs("secrets/one"), "SECRET", 0o644)
	harness.WriteFile(t, b.InRootfs("secret"), "SECRET", 0o644)
	harness.WriteFile(t, b.InRootfs("etc/keep/file"), "", 0o644)
	harness.WriteFile(t, b.InRootfs("twice"), "", 0o644)
	harness.Symlink(t, "../../../../secrets", b.InRootfs("etc/link"))
	harness.Symlink(t, "/secret", b.InRootfs("flink"))
	harness.Symlink(t, victim, b.InRootfs("out"))
	b.Spec.Linux.MaskedPaths = []string{
		"/etc/link", "/flink", "/out", "/out/file", "/etc/passwd/x", "/missing/x", "/twice", "/twice",
	}
	before, host := look(t, victim), b.Snapshot(t)
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "file\n1\nend")
	before.wantSame(t)
	host.WantSame(t)
}

// From inside, with the capabilities of the default config, masks and read-only paths can't be taken off.
func TestMasksHold(t *testing.T) {
	t.Parallel()
	b := script(t, `
for p in /proc/version /proc/sys /masked; do
	umount $p; umount -l $p; mount -o remount,bind,rw $p; mount -o remount,rw $p
	mkdir -p /tmp/there; mount --move $p /tmp/there; mount --bind /proc /tmp/there
done 2>/dev/null
for root in "" /proc/self/root /proc/1/root /proc/self/cwd/proc/..; do
	stat -c %t:%T $root/proc/version
	ls -A $root/masked
	(echo x >$root/proc/sys/kernel/domainname) 2>/dev/null && echo WRITTEN
	(echo x >$root/masked/file) 2>/dev/null && echo WRITTEN
done`, "true")
	harness.WriteFile(t, b.InRootfs("masked/secret"), "SECRET", 0o644)
	b.Spec.Linux.MaskedPaths = append(b.Spec.Linux.MaskedPaths, "/proc/version", "/masked")
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, strings.Repeat("1:3\n", 3)+"1:3")
}

// The empty directory behind masks is not shared between containers, even if one may write to it.
func TestMasksOfTwoContainersAreTwo(t *testing.T) {
	t.Parallel()
	a := script(t, "mount -o remount,rw /masked; mount -o remount,bind,rw /masked; echo x >/masked/message; echo tried; sleep 60")
	addCapabilities(a, "CAP_SYS_ADMIN")
	b := script(t, "ls -A /masked /masked2; echo end")
	for _, x := range []*harness.Bundle{a, b} {
		harness.WriteFile(t, x.InRootfs("masked/secret"), "", 0o644)
		harness.WriteFile(t, x.InRootfs("masked2/secret"), "", 0o644)
		x.Spec.Linux.MaskedPaths = []string{"/masked", "/masked2"}
	}
	a.Run(t, "--detach").WantExit(t, 0)
	a.WaitForOutput(t, "tried")
	b.Run(t).WantExit(t, 0).WantNoStdout(t, "message").WantStdout(t, "end")
}

// What leaks secrets or figures of the host is masked in the config that rt writes (also GHSA-7ww5-4wqc-m92c).
func TestDefaultMasks(t *testing.T) {
	t.Parallel()
	s := harness.DefaultSpec(t)
	for _, path := range []string{
		"/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
		"/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap",
	} {
		if !slices.Contains(s.Linux.MaskedPaths, path) {
			t.Errorf("%s is not masked by default", path)
		}
	}
	for _, path := range []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"} {
		if !slices.Contains(s.Linux.ReadonlyPaths, path) {
			t.Errorf("%s is not read-only by default", path)
		}
	}
	b := script(t, "for f in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /proc/irq/default_smp_affinity; do",
		"(: >>$f) 2>/dev/null && echo WRITABLE $f; done; ls -A /sys/firmware /proc/acpi | grep -v :; true")
	b.Run(t).WantExit(t, 0).WantNoStdout(t, "WRITABLE").WantStdoutIs(t, "")
}

// Many masks cost one file system and few descriptors.
func TestManyMasks(t *testing.T) {
	t.Parallel()
	b := script(t, "cat /m/*/f 2>/dev/null | head -1; stat -c %d /m/* | sort -u | wc -l")
	for i := range 300 {
		name := "m/" + strings.Repeat("x", i+1)[:min(i+1, 100)] + string(rune('a'+i%26)) + string(rune('a'+i/26))
		harness.WriteFile(t, b.InRootfs(name+"/f"), "SECRET\n", 0o644)
		b.Spec.Linux.MaskedPaths = append(b.Spec.Linux.MaskedPaths, "/"+name)
	}
	b.Spec.Process.Rlimits = nil
	b.Wrapper = []string{"sh", "-c", `ulimit -n 256 && exec "$@"`, "sh"}
	got := b.Run(t)
	b.Wrapper = nil
	got.WantExit(t, 0).WantStdoutIs(t, "1")
	if _, err := os.Stat(b.InRootfs("m")); err != nil {
		t.Fatal(err)
	}
}
