// SPDX-License-Identifier: Apache-2.0

package security

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/tests/harness"
)

// The image has something other than a directory where procfs or sysfs belong (CVE-2019-19921, CVE-2023-27561,
// CVE-2023-28642, CVE-2025-54867).
func TestKernelFileSystemsNeedOrdinaryDirectories(t *testing.T) {
	t.Parallel()
	for _, place := range []string{"proc", "sys"} {
		for name, make := range map[string]func(b *harness.Bundle, path string){
			"link":          func(b *harness.Bundle, path string) { harness.Symlink(t, "/x", path) },
			"dangling link": func(b *harness.Bundle, path string) { harness.Symlink(t, "/missing", path) },
			"link to the host": func(b *harness.Bundle, path string) {
				harness.Symlink(t, makeVictim(t, b), path)
			},
			"file": func(_ *harness.Bundle, path string) { harness.WriteFile(t, path, "", 0o644) },
		} {
			b := script(t, "true")
			harness.Mkdir(t, b.InRootfs("x"), 0o755)
			make(b, b.InRootfs(place))
			host := b.Snapshot(t)
			t.Logf("%s is a %s", place, name)
			b.Run(t).WantOneError(t, "must be mounted on ordinary directory")
			host.WantSame(t)
		}
	}
	b := script(t, "test -e /proc/self/status && test -d /sys/kernel && echo fine")
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "fine") // both are missing in this image
}

// Volumes over parts of procfs or sysfs make what the runtime and security modules write there go elsewhere
// (CVE-2019-16884, CVE-2025-52881).
func TestVolumesOverProcAreRefused(t *testing.T) {
	t.Parallel()
	for _, place := range []string{
		"/proc", "/proc/", "/x/../proc", "/proc/self", "/proc/self/attr", "/proc/1", "/proc/sys", "/proc/sys/kernel",
		"/proc/sysrq-trigger", "/proc/thread-self",
	} {
		b := script(t, "true")
		source := harness.Mkdir(t, b.Path("source"), 0o755)
		harness.Mkdir(t, filepath.Join(source, "self/attr"), 0o755)
		bind(b, source, place)
		t.Log(place)
		b.Run(t).WantOneError(t, "allowed there")
	}
	allowed := script(t, "cat /proc/meminfo /proc/uptime")
	file := harness.WriteFile(t, allowed.Path("figures"), "my figures\n", 0o644)
	bind(allowed, file, "/proc/meminfo")
	bind(allowed, file, "/proc/uptime")
	allowed.Run(t).WantExit(t, 0).WantStdoutIs(t, "my figures\nmy figures")
}

// The same, where an innocent mount point is a link into procfs in the image.
func TestLinksIntoProcAreRefused(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"/proc", "/proc/self/attr", "/proc/sys", "proc/sys/kernel", "/proc/1", "/sys"} {
		b := script(t, "cat /proc/self/mountinfo")
		source := harness.Mkdir(t, b.Path("source"), 0o755)
		harness.Symlink(t, target, b.InRootfs("data"))
		bind(b, source, "/data")
		if got := b.Run(t); got.Exit == 0 {
			t.Errorf("a volume covers %s:\n%s", target, grep(got.Stdout, "/source "))
		}
	}
}

// grep returns the lines that contain text.
func grep(all, text string) string {
	var lines []string
	for line := range strings.Lines(all) {
		if strings.Contains(line, text) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

// A bind mount from inside of the image can't be a way to a procfs without its read-only paths and masks.
func TestSourceThatLeadsIntoProc(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"/proc/sys", "/proc", "/proc/sys/kernel/domainname", "/proc/self/root/proc"} {
		b := script(t, "for f in /data /data/kernel/domainname /data/sys/kernel/domainname; do",
			"[ -f $f ] && echo escaped >$f && echo WRITTEN; done; true")
		harness.Symlink(t, target, b.InRootfs("link"))
		b.Spec.Mounts = append(b.Spec.Mounts, specs.Mount{
			Source: "rootfs/link", Destination: "/data", Type: "bind", Options: []string{"rbind", "rw"},
		})
		b.Run(t).WantNoStdout(t, "WRITTEN")
	}
}

// The same, with a bundle that is reached through a link, so that the rootfs has two names.
func TestSourceThatLeadsIntoProcBySecondName(t *testing.T) {
	t.Parallel()
	for _, source := range []string{"rootfs/link", "LINK/rootfs/link", "LINK/../bundle/rootfs/link", "LINK/rootfs/../rootfs/link"} {
		b := script(t, "(: >>/data/kernel/core_pattern) && echo WRITABLE; true")
		harness.Symlink(t, "/proc/sys", b.InRootfs("link"))
		link := b.Path("second")
		harness.Symlink(t, b.Dir, link)
		b.Spec.Mounts = append(b.Spec.Mounts, specs.Mount{
			Source: strings.Replace(source, "LINK", link, 1), Destination: "/data", Type: "bind", Options: []string{"bind", "rw"},
		})
		b.Write(t)
		b.RT(t, "run", "--bundle", link, b.ID).WantNoStdout(t, "WRITABLE")
	}
}

// A sysctl is written into a namespace of the container or not at all (CVE-2022-0811).
func TestSysctlsOfTheHostAreRefused(t *testing.T) {
	t.Parallel()
	own := func(file string) string { return fmt.Sprintf("/proc/%d/ns/%s", os.Getpid(), file) }
	drop := func(kind specs.LinuxNamespaceType) func(*harness.Bundle) {
		return func(b *harness.Bundle) { dropNamespace(b, kind) }
	}
	joinHost := func(kind specs.LinuxNamespaceType, file string) func(*harness.Bundle) {
		return func(b *harness.Bundle) { namespace(t, b, kind).Path = own(file) }
	}
	keep := func(*harness.Bundle) {}
	for _, c := range []struct {
		key, value string
		prepare    func(*harness.Bundle)
	}{
		{"net.ipv4.../../../kernel.core_pattern", "|/evil", keep},
		{"net/../kernel/core_pattern", "|/evil", keep},
		{"net.ipv4/../../kernel/core_pattern", "|/evil", keep},
		{"net..kernel.core_pattern", "|/evil", keep},
		{"kernel.core_pattern", "|/evil", keep},
		{"kernel/core_pattern", "|/evil", keep},
		{"/kernel/core_pattern", "|/evil", keep},
		{"kernel.shm_rmid_forced+net.ipv4.ip_forward", "1", keep},
		{"net.ipv4.ip_forward\nkernel.core_pattern", "1", keep},
		{"net.ipv4.ip_forward", "1\n2", keep},
		{"", "1", keep},
		{"net", "1", keep},
		{"kernel.hostname", "evil", keep},
		{"vm.swappiness", "61", keep},
		{"fs.file-max", "100000", keep},
		{"user.max_user_namespaces", "0", keep},
		{"net.ipv4.ip_default_ttl", hostSysctl(t, "net/ipv4/ip_default_ttl"), drop(specs.NetworkNamespace)},
		{"kernel.shm_rmid_forced", hostSysctl(t, "kernel/shm_rmid_forced"), drop(specs.IPCNamespace)},
		{"fs.mqueue.msg_max", hostSysctl(t, "fs/mqueue/msg_max"), drop(specs.IPCNamespace)},
		{"kernel.domainname", hostSysctl(t, "kernel/domainname"), drop(specs.UTSNamespace)},
		{"net.ipv4.ip_default_ttl", hostSysctl(t, "net/ipv4/ip_default_ttl"), joinHost(specs.NetworkNamespace, "net")},
		{"kernel.shm_rmid_forced", hostSysctl(t, "kernel/shm_rmid_forced"), joinHost(specs.IPCNamespace, "ipc")},
	} {
		b := script(t, "true")
		b.Spec.Hostname = ""
		c.prepare(b)
		b.Spec.Linux.Sysctl = map[string]string{c.key: c.value}
		t.Logf("%q = %q", c.key, c.value)
		got := b.Run(t)
		wantNoCrash(t, got)
		if got.Exit != 1 || strings.Count(got.Stderr, "\n") != 1 {
			t.Errorf("sysctl %q = %q was not refused in one line: exit %d, %s", c.key, c.value, got.Exit, got.Stderr)
		}
	}
	if got := hostSysctl(t, "kernel/core_pattern"); strings.Contains(got, "evil") {
		t.Errorf("the host's core_pattern is now %q", got)
	}
}

// hostSysctl returns the host's value, which a test writes again: what is tested does no harm where it fails.
func hostSysctl(t *testing.T, path string) string {
	t.Helper()
	return strings.TrimSpace(harness.ReadFile(t, "/proc/sys/"+path))
}

// A host name is not set in a namespace that is the host's.
func TestHostNameOfTheHostIsNotSet(t *testing.T) {
	t.Parallel()
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	b := script(t, "true")
	b.Spec.Hostname = name // what it is already
	namespace(t, b, specs.UTSNamespace).Path = fmt.Sprintf("/proc/%d/ns/uts", os.Getpid())
	b.Run(t).WantOneError(t, "hostname")
}

// A protection that was asked for and can't be given is an error, never a warning (CVE-2025-65105).
func TestProtectionThatIsMissingIsAnError(t *testing.T) {
	t.Parallel()
	for name, ask := range map[string]func(s *specs.Spec){
		"apparmorProfile": func(s *specs.Spec) { s.Process.ApparmorProfile = "rt-test-no-such-profile" },
		"selinuxLabel":    func(s *specs.Spec) { s.Process.SelinuxLabel = "system_u:system_r:container_t:s0:c1,c2" },
		"mountLabel":      func(s *specs.Spec) { s.Linux.MountLabel = "system_u:object_r:container_file_t:s0:c1,c2" },
		"seccomp": func(s *specs.Spec) {
			s.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: "SCMP_ACT_NO_SUCH"}
		},
		"unified": func(s *specs.Spec) {
			s.Linux.Resources = &specs.LinuxResources{Unified: map[string]string{"no.such.file": "1"}}
		},
	} {
		b := script(t, "echo started")
		ask(b.Spec)
		host := b.Snapshot(t)
		t.Log(name)
		b.Run(t).WantOneError(t, name)
		host.WantSame(t)
	}
}
