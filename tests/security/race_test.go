// SPDX-License-Identifier: Apache-2.0

package security

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/tests/harness"
)

// replaceByLink renames what is at path away and puts a link there.
func replaceByLink(path, target string) error {
	if err := os.Rename(path, path+".away"); err != nil {
		return err
	}
	return os.Symlink(target, path)
}

// races is how many containers a racing test makes: enough to meet an exchange in each step, in seconds.
const races = 25

// One container exchanges a directory of a shared volume with a link out of it, again and again, while another is
// made with mounts below that directory (CVE-2021-30465, CVE-2024-45310).
func TestExchangedDirectoriesOfSharedVolume(t *testing.T) {
	for _, target := range []string{"/", "/../../../..", "VICTIM", "/proc/self/root"} {
		b := script(t, "cut -d ' ' -f 5 /proc/self/mountinfo | grep -c rt-race-")
		victim := makeVictim(t, b)
		volume := harness.Mkdir(t, b.Path("volume"), 0o777)
		harness.Mkdir(t, filepath.Join(volume, "sub"), 0o777)
		harness.Symlink(t, strings.Replace(target, "VICTIM", victim, 1), filepath.Join(volume, "evil"))
		attacker := exchanging(t, volume)
		bind(b, volume, "/V")
		tmpfs(b, "/V/sub/rt-race-m1")
		tmpfs(b, "/V/sub/rt-race-m1/etc")
		bind(b, harness.WriteFile(t, b.Path("source"), "", 0o644), "/V/sub/rt-race-file")
		bind(b, b.Path("source"), "/V/sub/rt-race-other")
		before, host := look(t, victim), b.Snapshot(t)
		race(t, b, "4") // what is missing was mounted outside, and lost with the old root
		before.wantSame(t)
		host.WantSame(t)
		if found, _ := filepath.Glob("/rt-race-*"); len(found) > 0 {
			t.Errorf("the host has new files: %q", found)
		}
		harness.WriteFile(t, attacker.InRootfs("stop"), "", 0o644)
		attacker.WaitFor(t, "stopped")
	}
}

// The same for a directory on the way to a procfs: what rt writes for the container, here sysctls, reaches the container's
// files alone (CVE-2019-19921, CVE-2025-52881).
func TestExchangedDirectoriesOnTheWayToProc(t *testing.T) {
	for _, target := range []string{"/proc", "/proc/sys/kernel", "VICTIM"} {
		b := script(t, "cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/domainname")
		victim := makeVictim(t, b)
		volume := harness.Mkdir(t, b.Path("volume"), 0o777)
		harness.Mkdir(t, filepath.Join(volume, "sub/p"), 0o777)
		harness.Symlink(t, strings.Replace(target, "VICTIM", victim, 1), filepath.Join(volume, "evil"))
		attacker := exchanging(t, volume)
		bind(b, volume, "/V")
		b.Spec.Mounts = append(b.Spec.Mounts, specs.Mount{Destination: "/V/sub/p", Type: "proc", Source: "proc"})
		b.Spec.Linux.Sysctl = map[string]string{"net.ipv4.ip_unprivileged_port_start": "77", "kernel.domainname": "rt-race"}
		b.Spec.Linux.MaskedPaths = append(b.Spec.Linux.MaskedPaths, "/V/sub/p/cpuinfo")
		before, host, figures := look(t, victim), b.Snapshot(t), hostFigures(t)
		race(t, b, "77\nrt-race")
		before.wantSame(t)
		host.WantSame(t)
		for path, was := range figures {
			if is := hostFigures(t)[path]; is != was {
				t.Errorf("%s was %q, is %q", path, was, is)
			}
		}
		harness.WriteFile(t, attacker.InRootfs("stop"), "", 0o644)
		attacker.WaitFor(t, "stopped")
	}
}

// exchanging runs a container that exchanges sub and evil of a volume until its root has a file named stop.
func exchanging(t *testing.T, volume string) *harness.Bundle {
	t.Helper()
	attacker := script(t, "")
	addProbe(t, attacker)
	attacker.Spec.Process.Args = []string{"/bin/probe", "exchange", "/V/sub", "/V/evil"}
	bind(attacker, volume, "/V")
	attacker.Run(t, "--detach").WantExit(t, 0)
	attacker.WaitForOutput(t, "exchanging")
	return attacker
}

// race runs the container again and again. It may fail, since its mount points come and go, but not for any reason.
func race(t *testing.T, b *harness.Bundle, stdout string) {
	t.Helper()
	retries, made := 0, 0
	for range races {
		got := b.Run(t)
		if got.Exit == 0 {
			made++
			got.WantStdoutIs(t, stdout)
		}
		wantNoCrash(t, got)
		if strings.Contains(got.Stderr, "resource temporarily unavailable") {
			retries++
		}
	}
	t.Logf("%d of %d containers were made", made, races)
	if retries > 0 {
		t.Errorf("%d of %d containers were not made because of renames that were under way", retries, races)
	}
}
