// SPDX-License-Identifier: Apache-2.0

package capability

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func TestNamesAreInBitOrder(t *testing.T) {
	all := Names()
	if len(all) != unix.CAP_LAST_CAP+1 {
		t.Fatalf("%d names, want %d", len(all), unix.CAP_LAST_CAP+1)
	}
	for _, c := range []struct {
		bit  int
		name string
	}{
		{unix.CAP_CHOWN, "CAP_CHOWN"},
		{unix.CAP_KILL, "CAP_KILL"},
		{unix.CAP_SETPCAP, "CAP_SETPCAP"},
		{unix.CAP_NET_BIND_SERVICE, "CAP_NET_BIND_SERVICE"},
		{unix.CAP_NET_RAW, "CAP_NET_RAW"},
		{unix.CAP_IPC_OWNER, "CAP_IPC_OWNER"},
		{unix.CAP_SYS_CHROOT, "CAP_SYS_CHROOT"},
		{unix.CAP_SYS_ADMIN, "CAP_SYS_ADMIN"},
		{unix.CAP_SYS_RESOURCE, "CAP_SYS_RESOURCE"},
		{unix.CAP_SYS_TTY_CONFIG, "CAP_SYS_TTY_CONFIG"},
		{unix.CAP_MKNOD, "CAP_MKNOD"},
		{unix.CAP_AUDIT_WRITE, "CAP_AUDIT_WRITE"},
		{unix.CAP_SETFCAP, "CAP_SETFCAP"},
		{unix.CAP_MAC_ADMIN, "CAP_MAC_ADMIN"},
		{unix.CAP_SYSLOG, "CAP_SYSLOG"},
		{unix.CAP_AUDIT_READ, "CAP_AUDIT_READ"},
		{unix.CAP_BPF, "CAP_BPF"},
		{unix.CAP_CHECKPOINT_RESTORE, "CAP_CHECKPOINT_RESTORE"},
	} {
		if all[c.bit] != c.name {
			t.Errorf("bit %d is %s, want %s", c.bit, all[c.bit], c.name)
		}
		if bit, ok := Parse(c.name); !ok || bit != c.bit {
			t.Errorf("Parse(%s) = %d, %v, want %d, true", c.name, bit, ok, c.bit)
		}
	}
}

func TestNamesIsACopy(t *testing.T) {
	Names()[0] = "CAP_NONE"
	if Names()[0] != "CAP_CHOWN" {
		t.Error("the caller can change the table")
	}
}

func TestParseRefusesOtherSpellings(t *testing.T) {
	for _, name := range []string{"", "CAP_", "KILL", "cap_kill", "Cap_Kill", " CAP_KILL", "CAP_KILL ", "CAP_UNKNOWN", "ALL", "5"} {
		if bit, ok := Parse(name); ok {
			t.Errorf("Parse(%q) = %d", name, bit)
		}
	}
}

func TestMask(t *testing.T) {
	for _, c := range []struct {
		names   []string
		mask    uint64
		unknown []string
	}{
		{nil, 0, nil},
		{[]string{"CAP_CHOWN"}, 1, nil},
		{[]string{"CAP_KILL", "CAP_KILL", "CAP_CHOWN"}, 0x21, nil},
		{[]string{"CAP_UNKNOWN", "CAP_CHECKPOINT_RESTORE", "UNKNOWN_CAP"}, 1 << 40, []string{"CAP_UNKNOWN", "UNKNOWN_CAP"}},
		{Names(), 1<<41 - 1, nil},
	} {
		mask, unknown := Mask(c.names)
		if mask != c.mask || !slices.Equal(unknown, c.unknown) {
			t.Errorf("Mask(%q) = %#x, %q, want %#x, %q", c.names, mask, unknown, c.mask, c.unknown)
		}
	}
}
