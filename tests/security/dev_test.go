// SPDX-License-Identifier: Apache-2.0

package security

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/tests/harness"
)

// The image's /dev is a link, and the config mounts nothing there: nodes, links and the console would be made where
// it leads (CVE-2026-41579, CVE-2026-47766).
func TestDevIsALink(t *testing.T) {
	t.Parallel()
	for _, form := range []string{"VICTIM", "/../../../../../../VICTIM", "../../../../../../../../../VICTIM", "/inside"} {
		for _, terminal := range []bool{false, true} {
			for _, mapped := range []bool{false, true} {
				b := script(t, "true")
				victim := makeVictim(t, b)
				harness.Mkdir(t, b.InRootfs("inside"), 0o755)
				target := strings.Replace(form, "/VICTIM", victim, 1)
				harness.Symlink(t, strings.Replace(target, "VICTIM", victim, 1), b.InRootfs("dev"))
				dropMounts(b, "/dev")
				if mapped {
					useUserNamespace(t, b)
				}
				var flags []string
				if terminal {
					b.Spec.Process.Terminal = true
					flags = consoleFlags(t, b)
				}
				before, host := look(t, victim), b.Snapshot(t)
				got := b.Create(t, flags...)
				wantNoCrash(t, got)
				before.wantSame(t)
				b.Delete(t, "--force").WantExit(t, 0)
				before.wantSame(t)
				host.WantSame(t)
			}
		}
	}
}

// The image makes a volume of the host land on /dev: rt's own nodes and links must not be made in the volume.
func TestVolumeLandsOnDev(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"/dev", "dev", "/x/../dev", "/dev/", "/other"} {
		b := script(t, "true")
		volume := harness.Mkdir(t, b.Path("volume"), 0o755)
		harness.WriteFile(t, filepath.Join(volume, "ptmx"), "precious", 0o644)
		makeNode(t, filepath.Join(volume, "null"), unix.S_IFCHR, 1, 3)
		harness.Symlink(t, target, b.InRootfs("hostdev"))
		harness.Symlink(t, "/dev", b.InRootfs("other"))
		harness.Mkdir(t, b.InRootfs("x"), 0o755)
		bind(b, volume, "/hostdev")
		before := look(t, volume)
		wantNoCrash(t, b.Run(t))
		before.wantSame(t)
	}
}

// With stdio on the null device, the image's /dev/null must neither be opened nor given to the user (CVE-2026-88265).
func TestImagesNullDeviceIsNotOpened(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"link", "absolute link", "file"} {
		b := script(t, "echo hello")
		victim := makeVictim(t, b)
		inside := harness.WriteFile(t, b.InRootfs("etc/hostfile"), "precious", 0o600)
		harness.WriteFile(t, b.InRootfs(filepath.Join(victim, "file")), "precious", 0o600)
		switch kind {
		case "link":
			harness.Symlink(t, "/etc/hostfile", b.InRootfs("dev/null"))
		case "absolute link":
			harness.Symlink(t, filepath.Join(victim, "file"), b.InRootfs("dev/null"))
		case "file":
			harness.WriteFile(t, b.InRootfs("dev/null"), "precious", 0o600)
		}
		dropMounts(b, "/dev")
		b.Spec.Process.User.UID, b.Spec.Process.User.GID = 1000, 1000
		before, image := look(t, victim), look(t, filepath.Dir(inside))
		wantNoCrash(t, b.Run(t))
		before.wantSame(t)
		image.wantSame(t)
	}
}

// The host's null device as stdio stays the host's, when the user is not root.
func TestHostsNullDeviceIsNotGivenAway(t *testing.T) {
	t.Parallel()
	b := script(t, "true")
	b.Spec.Process.User.UID, b.Spec.Process.User.GID = 1000, 1000
	// A node of the test's own: crun gives the machine's to the container's user for a moment, and may run meanwhile.
	device := b.Path("null")
	makeNode(t, device, unix.S_IFCHR, 1, 3)
	b.Wrapper = []string{"unshare", "-m", "--propagation", "private", "sh", "-c", "mount --bind " + device + ` /dev/null && exec "$@"`, "sh"}
	null, err := os.OpenFile(device, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	var before, after unix.Stat_t
	if err := unix.Stat(device, &before); err != nil {
		t.Fatal(err)
	}
	b.Run(t).WantExit(t, 0)
	cmd := b.Command(t, "run", "--bundle", b.Dir, b.ID)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = null, null, null
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if err := unix.Stat(device, &after); err != nil {
		t.Fatal(err)
	}
	if before.Mode != after.Mode || before.Uid != after.Uid || before.Gid != after.Gid || before.Ctim != after.Ctim {
		t.Errorf("/dev/null was %d:%d %o, is %d:%d %o (or its time of change is another)",
			before.Uid, before.Gid, before.Mode, after.Uid, after.Gid, after.Mode)
	}
}

// The image has something in the place of the console (CVE-2026-88264) or of the terminal (CVE-2025-52565).
func TestConsoleInTheImage(t *testing.T) {
	t.Parallel()
	for name, plant := range map[string]func(b *harness.Bundle, victim string){
		"console is a link to the host": func(b *harness.Bundle, victim string) {
			harness.Symlink(t, filepath.Join(victim, "console"), b.InRootfs("dev/console"))
		},
		"console is a dangling link": func(b *harness.Bundle, victim string) {
			harness.Symlink(t, filepath.Join(victim, "new"), b.InRootfs("dev/console"))
		},
		"console is a link to core_pattern": func(b *harness.Bundle, _ string) {
			harness.Symlink(t, "/proc/sys/kernel/core_pattern", b.InRootfs("dev/console"))
		},
		"console is a directory": func(b *harness.Bundle, _ string) { harness.Mkdir(t, b.InRootfs("dev/console"), 0o755) },
		"console is a fifo": func(b *harness.Bundle, _ string) {
			harness.Mkdir(t, b.InRootfs("dev"), 0o755)
			makeNode(t, b.InRootfs("dev/console"), unix.S_IFIFO, 0, 0)
		},
		"terminal is a link": func(b *harness.Bundle, victim string) {
			harness.Symlink(t, filepath.Join(victim, "file"), b.InRootfs("dev/pts/0"))
		},
		"root is read-only": func(b *harness.Bundle, _ string) { b.Spec.Root.Readonly = true },
		"multiplexer is a link": func(b *harness.Bundle, victim string) {
			harness.Symlink(t, filepath.Join(victim, "ptmx"), b.InRootfs("dev/ptmx"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := script(t, "stat -c %F /dev/console >/result; sleep 60")
			victim := makeVictim(t, b)
			plant(b, victim)
			for i := range b.Spec.Mounts {
				if m := &b.Spec.Mounts[i]; m.Destination == "/dev" {
					m.Destination = "/elsewhere"
				}
			}
			dropMounts(b, "/dev/shm", "/dev/mqueue")
			b.Spec.Process.Terminal = true
			before, host := look(t, victim), b.Snapshot(t)
			wantNoCrash(t, b.Create(t, consoleFlags(t, b)...))
			b.Delete(t, "--force").WantExit(t, 0)
			before.wantSame(t)
			host.WantSame(t)
		})
	}
}

// consoleFlags opens a socket for the terminal, and returns the flags that name it.
func consoleFlags(t *testing.T, b *harness.Bundle) []string {
	t.Helper()
	path := b.Path("console.sock")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 4); err != nil {
		t.Fatal(err)
	}
	return []string{"--console-socket", path}
}

// A container that has got the caller's terminal as its standard input can't push characters into it
// (CVE-2016-10124, CVE-2017-5226): the terminal is not that of its session.
func TestCallersTerminal(t *testing.T) {
	t.Parallel()
	b := script(t, "")
	addProbe(t, b)
	b.Spec.Process.Args = []string{"/bin/probe", "terminal"}
	b.Write(t)
	cmd := b.Command(t, "run", "--bundle", b.Dir, b.ID)
	var output strings.Builder
	cmd.Stdin, cmd.Stdout, cmd.Stderr = openTerminal(t), &output, &output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, output.String())
	}
	for _, line := range []string{"leader true", "TIOCGPGRP: " + unix.ENOTTY.Error(), "/dev/tty: " + unix.ENXIO.Error()} {
		if !strings.Contains(output.String(), line+"\n") {
			t.Errorf("the probe does not say %q:\n%s", line, output.String())
		}
	}
	if strings.Contains(output.String(), "TIOCSTI: <nil>") {
		t.Errorf("a character was pushed into the terminal:\n%s", output.String())
	}
}
