// SPDX-License-Identifier: Apache-2.0

package security

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/tests/harness"
)

// The capabilities of `exec`, and its way of naming a user, are tested with that command.

// capabilities prints what of /proc/self/status is about privileges.
const capabilities = `grep -E '^(Cap|NoNewPrivs|Groups|Uid|Gid)' /proc/self/status | tr '\t' ' ' | sed 's/ *$//'`

// wantStatus demands lines of what capabilities has printed.
func wantStatus(t *testing.T, got harness.Result, lines ...string) {
	t.Helper()
	got.WantExit(t, 0)
	for _, line := range lines {
		if !strings.Contains("\n"+got.Stdout, "\n"+line+"\n") {
			t.Errorf("%s: no line %q in\n%s", got.Command, line, got.Stdout)
		}
	}
}

const defaultSet = "0000000020000420" // CAP_KILL (5), CAP_NET_BIND_SERVICE (10), CAP_AUDIT_WRITE (29)

// Nothing is inheritable or ambient that the config does not name (CVE-2022-29162, CVE-2022-27650, CVE-2025-27612).
func TestCapabilitiesOfTheDefaultConfig(t *testing.T) {
	t.Parallel()
	wantStatus(t, script(t, capabilities).Run(t),
		"CapInh: 0000000000000000", "CapAmb: 0000000000000000", "NoNewPrivs: 1",
		"CapBnd: "+defaultSet, "CapPrm: "+defaultSet, "CapEff: "+defaultSet)
}

func TestCapabilitiesOfAnotherUser(t *testing.T) {
	t.Parallel()
	b := script(t, capabilities)
	b.Spec.Process.User.UID, b.Spec.Process.User.GID = 1000, 1000
	wantStatus(t, b.Run(t), "CapInh: 0000000000000000", "CapAmb: 0000000000000000", "CapBnd: "+defaultSet,
		"CapPrm: 0000000000000000", "CapEff: 0000000000000000",
		"Uid: 1000 1000 1000 1000", "Gid: 1000 1000 1000 1000", "Groups:")
}

// Without the section, and with an empty one, there are none, in the bounding set neither.
func TestNoCapabilities(t *testing.T) {
	t.Parallel()
	none := []string{
		"CapInh: 0000000000000000", "CapPrm: 0000000000000000", "CapEff: 0000000000000000",
		"CapBnd: 0000000000000000", "CapAmb: 0000000000000000",
	}
	absent := script(t, capabilities)
	absent.Spec.Process.Capabilities = nil
	wantStatus(t, absent.Run(t), none...)
	empty := script(t, capabilities)
	*empty.Spec.Process.Capabilities = struct {
		Bounding    []string `json:"bounding,omitempty" platform:"linux"`
		Effective   []string `json:"effective,omitempty" platform:"linux"`
		Inheritable []string `json:"inheritable,omitempty" platform:"linux"`
		Permitted   []string `json:"permitted,omitempty" platform:"linux"`
		Ambient     []string `json:"ambient,omitempty" platform:"linux"`
	}{}
	wantStatus(t, empty.Run(t), none...)
}

// A name that rt does not know gives no capability, whatever it looks like.
func TestUnknownCapabilities(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"CAP_NO_SUCH", "CAP_", "", "21", "CAP_21", "CAP_SYS_ADMIN\x01", "ALL", "CAP_64"} {
		b := script(t, capabilities)
		addCapabilities(b, name)
		got := b.Run(t)
		wantNoCrash(t, got)
		if got.Exit == 0 {
			wantStatus(t, got, "CapBnd: "+defaultSet, "CapPrm: "+defaultSet, "CapEff: "+defaultSet)
		}
	}
}

// The groups are those of the config, not those of the caller (CVE-2023-25173, CVE-2022-2995).
func TestGroupsAreThoseOfTheConfig(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		groups []uint32
		want   string
	}{{nil, "1000"}, {[]uint32{2000, 2000}, "1000 2000"}, {[]uint32{5, 4294967294}, "1000 5 4294967294"}} {
		b := script(t, "id -G | tr ' ' '\n' | uniq | tr '\n' ' '")
		b.Spec.Process.User.UID, b.Spec.Process.User.GID, b.Spec.Process.User.AdditionalGids = 1000, 1000, c.groups
		b.Wrapper = []string{"setpriv", "--groups", "0,4,27"}
		got := b.Run(t).WantExit(t, 0)
		b.Wrapper = nil
		if list := strings.TrimSpace(got.Stdout); list != c.want {
			t.Errorf("groups %v: the process has %q, want %q", c.groups, list, c.want)
		}
	}
}

// Ids are whole numbers of 32 bits, and the last of those is none (CVE-2024-40635): setresuid would keep root.
func TestOddIDsAreRefused(t *testing.T) {
	t.Parallel()
	b := script(t, "id")
	for _, id := range []string{
		"4294967295", "4294967296", "99999999999999999999", "-1", "1.5", "1e10", `"1000"`, `"root"`, "true", "[]",
	} {
		for _, member := range []string{"uid", "gid", "additionalGids"} {
			value := id
			if member == "additionalGids" {
				value = "[" + id + "]"
			}
			b.Config = withMember(t, b, member, value)
			t.Log(member, value)
			b.Run(t).WantOneError(t, member)
		}
	}
}

// withMember returns the config with a member of process.user that has a value which Go's types don't.
func withMember(t *testing.T, b *harness.Bundle, member, value string) []byte {
	t.Helper()
	b.Spec.Process.User.AdditionalGids = []uint32{7}
	config, err := json.Marshal(b.Spec)
	if err != nil {
		t.Fatal(err)
	}
	user := regexp.MustCompile(`"user":\{[^}]*\}`)
	old := user.Find(config)
	if old == nil {
		t.Fatalf("no process.user in %s", config)
	}
	return []byte(strings.Replace(string(config), string(old), fmt.Sprintf(`"user":{%q:%s}`, member, value), 1))
}

// A user whose name is a number says nothing about the number (CVE-2016-3697).
func TestNumericNamesAreNotIDs(t *testing.T) {
	t.Parallel()
	b := script(t, "id -u; id -g; echo $HOME")
	b.Spec.Process.Env = []string{"PATH=/bin"}
	b.Spec.Process.User.UID, b.Spec.Process.User.GID = 1000, 1000
	harness.WriteFile(t, b.InRootfs("etc/passwd"), "1000:x:0:0::/root:/bin/sh\nroot:x:0:0::/root:/bin/sh\n", 0o644)
	harness.WriteFile(t, b.InRootfs("etc/group"), "1000:x:0:\n", 0o644)
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "1000\n1000\n/")
}

// What the image has for /etc/passwd costs neither time nor memory (CVE-2026-47262 is of this kind).
func TestOddPasswordFiles(t *testing.T) {
	t.Parallel()
	for name, plant := range map[string]func(path string){
		"fifo":              func(path string) { makeNode(t, path, unix.S_IFIFO, 0, 0) },
		"zero":              func(path string) { makeNode(t, path, unix.S_IFCHR, 1, 5) },
		"disk":              func(path string) { makeNode(t, path, unix.S_IFBLK, 7, 0) },
		"link to zero":      func(path string) { harness.Symlink(t, "/dev/zero", path) },
		"link to the host":  func(path string) { harness.Symlink(t, strings.Repeat("../", 20)+"etc/passwd", path) },
		"link to a program": func(path string) { harness.Symlink(t, "/proc/self/exe", path) },
		"link to itself":    func(path string) { harness.Symlink(t, "passwd", path) },
		"directory":         func(path string) { harness.Mkdir(t, path, 0o755) },
		"sparse": func(path string) {
			harness.WriteFile(t, path, "", 0o644)
			if err := os.Truncate(path, 20<<30); err != nil {
				t.Fatal(err)
			}
		},
		"one long line": func(path string) { harness.WriteFile(t, path, strings.Repeat("x", 16<<20), 0o644) },
		"NUL bytes": func(path string) {
			harness.WriteFile(t, path, "a:x:1000:1000::/evil\x00/x:\n\x00\x00:x:1000:1000::/evil:\n", 0o644)
		},
		"relative home": func(path string) { harness.WriteFile(t, path, "u:x:1000:1000::evil:/bin/sh\n", 0o644) },
		"long home": func(path string) {
			harness.WriteFile(t, path, "u:x:1000:1000::/"+strings.Repeat("x", 4080)+":/bin/sh\n", 0o644)
		},
		"missing": func(string) {},
	} {
		t.Run(name, func(t *testing.T) {
			b := script(t, "echo HOME=$HOME")
			b.Spec.Process.Env = []string{"PATH=/bin"}
			b.Spec.Process.User.UID, b.Spec.Process.User.GID = 1000, 1000
			if err := os.Remove(b.InRootfs("etc/passwd")); err != nil {
				t.Fatal(err)
			}
			plant(b.InRootfs("etc/passwd"))
			began := time.Now()
			b.Run(t).WantExit(t, 0).WantStdoutIs(t, "HOME=/")
			if took := time.Since(began); took > harness.Slow(5*time.Second) {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// Programs of the image that have the names of the runtime's helpers are never executed outside of the container
// (CVE-2026-84042): each would leave a mark on the host.
func TestHelpersAreNotTakenFromTheImage(t *testing.T) {
	t.Parallel()
	b := script(t, "true")
	mark := b.Path("mark")
	for _, name := range []string{"newuidmap", "newgidmap", "criu", "passt", "systemctl", "systemd-run", "nsenter", "ip", "iptables"} {
		program := "#!/bin/sh\necho $0 >>" + mark + "\n"
		_ = os.Remove(b.InRootfs(filepath.Join("bin", name)))
		harness.WriteFile(t, b.InRootfs(filepath.Join("bin", name)), program, 0o755)
	}
	b.Spec.Process.Env = []string{"PATH=" + b.InRootfs("bin") + ":/bin"}
	b.Cwd = b.InRootfs("bin")
	b.Create(t).WantExit(t, 0)
	b.Start(t).WantExit(t, 0)
	b.WaitFor(t, "stopped")
	b.Delete(t).WantExit(t, 0)
	b.Run(t).WantExit(t, 0)
	useUserNamespace(t, b)
	b.Run(t).WantExit(t, 0)
	if ran, err := os.ReadFile(mark); err == nil {
		t.Errorf("programs of the image ran on the host: %s", ran)
	}
}

// A program that is a device node is not opened to find out why it can't be executed: opening some devices has
// consequences, and the host's side is not bound by the container's device rules.
func TestProgramThatIsADevice(t *testing.T) {
	t.Parallel()
	b := script(t)
	makeNode(t, b.InRootfs("bin/app"), unix.S_IFCHR, 1, 3)
	if err := os.Chmod(b.InRootfs("bin/app"), 0o755); err != nil {
		t.Fatal(err)
	}
	b.Spec.Process.Args = []string{"/bin/app"}
	wantNeverOpened(t, b, "bin/app").WantFailure(t)
}

// Nor is a device node in the place of /etc/passwd opened, unless the container may open it anyhow.
func TestPasswordFileThatIsADevice(t *testing.T) {
	t.Parallel()
	b := script(t, "true")
	b.Spec.Process.Env = []string{"PATH=/bin"}
	if err := os.Remove(b.InRootfs("etc/passwd")); err != nil {
		t.Fatal(err)
	}
	makeNode(t, b.InRootfs("etc/passwd"), unix.S_IFCHR, 1, 11) // the kernel's log
	wantNeverOpened(t, b, "etc/passwd").WantExit(t, 0)
}

// wantNeverOpened runs the container and demands that nobody succeeds in opening the file for more than a look at it.
func wantNeverOpened(t *testing.T, b *harness.Bundle, name string) harness.Result {
	t.Helper()
	trace := b.Path("trace")
	b.Wrapper = tracer(t, trace, "openat2,openat,open")
	got := b.Run(t)
	b.Wrapper = nil
	for line := range strings.Lines(harness.ReadFile(t, trace)) {
		if strings.Contains(line, name+`"`) && !strings.Contains(line, "O_PATH") && !strings.Contains(line, " = -1 ") {
			t.Errorf("the device was opened: %s", line)
		}
	}
	return got
}
