// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

type silent struct{}

func (silent) Debugf(string, ...any) {}
func (silent) Warnf(string, ...any)  {}

func TestIDs(t *testing.T) {
	for _, id := range []string{"a", "A-b_c+d.e", "0", "..x", "-x", strings.Repeat("x", maxIDBytes)} {
		if err := checkID(id); err != nil {
			t.Errorf("%q: %v", id, err)
		}
	}
	for _, id := range []string{"", ".", "..", "a/b", "/", "a b", "a\x00", "ä", "a\n", "a:b", strings.Repeat("x", maxIDBytes+1)} {
		if err := checkID(id); !errors.Is(err, ErrInvalidID) || len(err.Error()) > 200 {
			t.Errorf("%q: got %v", id, err)
		}
	}
}

// With a wrong --root, the directories there are somebody's data.
func TestForeignDirectoriesAreNoContainers(t *testing.T) {
	root := t.TempDir()
	r := &Runtime{Root: root, Log: silent{}}
	precious := filepath.Join(root, "data", "precious")
	if err := os.MkdirAll(precious, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(root, "half"), 0o700); err != nil {
		t.Fatal(err)
	}
	containers, err := r.List()
	if err != nil || len(containers) != 1 || containers[0].ID() != "half" {
		t.Errorf("list: %v, %v", containers, err)
	}
	if err := r.Delete("data", true); !errors.Is(err, ErrNotExist) {
		t.Errorf("delete: %v", err)
	}
	if _, err := os.Stat(precious); err != nil {
		t.Error(err)
	}
	if err := r.Delete("half", true); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(root, "half")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("half is still there: %v", err)
	}
}

func TestHomeDirectory(t *testing.T) {
	passwd := "1000:x:0:0::/evil:/bin/sh\nroot:x:0:0:root:/root:/bin/sh\nshort:x:7\nu:x:1000:1000::/home/u:/bin/sh\n" +
		"rel:x:1001:1::home:/x\nnul:x:1002:1::/a\x00b:/x\nlong:x:1003:1::/" + strings.Repeat("l", 2000) + ":/x\nlast:x:1004:1::/last:"
	path := filepath.Join(t.TempDir(), "passwd")
	if err := os.WriteFile(path, []byte(passwd), 0o644); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for uid, want := range map[uint32]string{
		0: "/evil", 1000: "/home/u", 7: "/", 1001: "/", 1002: "/", 1003: "/", 1004: "/last", 5: "/",
	} {
		if got := homeDirectory(int(file.Fd()), uid); got != want {
			t.Errorf("%d: got %q, want %q", uid, got, want)
		}
	}
	if got := homeDirectory(-1, 0); got != "/" {
		t.Errorf("without a file: %q", got)
	}
	device, err := os.Open("/dev/zero")
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	if got := homeDirectory(int(device.Fd()), 0); got != "/" {
		t.Errorf("device: %q", got)
	}
}

func TestKernelWords(t *testing.T) {
	for log, want := range map[string]string{
		"":                                       "",
		"e tmpfs: Unknown parameter 'x'\n":       "tmpfs: Unknown parameter 'x'",
		"w one\ni two\nno level":                 "one; two; no level",
		"the source is a file, not a directory ": "the source is a file, not a directory",
	} {
		if got := kernelWords(log); got != want {
			t.Errorf("%q: got %q, want %q", log, got, want)
		}
	}
}

func TestSettingsOfTheHostsNamespaces(t *testing.T) {
	s := &specs.Spec{Hostname: "x", Linux: &specs.Linux{
		Sysctl:     map[string]string{"net.ipv4.ip_forward": "1"},
		Namespaces: []specs.LinuxNamespace{{Type: specs.UTSNamespace, Path: "/proc/self/ns/uts"}},
	}}
	if err := checkJoined(s); err == nil || !strings.Contains(err.Error(), "hostname would change the host") {
		t.Errorf("uts: %v", err)
	}
	s.Linux.Namespaces[0] = specs.LinuxNamespace{Type: specs.NetworkNamespace, Path: "/proc/self/ns/net"}
	if err := checkJoined(s); err == nil || !strings.Contains(err.Error(), `linux.sysctl "net.ipv4.ip_forward" would change the host`) {
		t.Errorf("net: %v", err)
	}
	s.Linux.Namespaces[0] = specs.LinuxNamespace{Type: specs.IPCNamespace, Path: "/proc/self/ns/ipc"}
	if err := checkJoined(s); err != nil {
		t.Errorf("ipc: %v", err)
	}
}
