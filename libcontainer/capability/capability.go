// SPDX-License-Identifier: Apache-2.0

// Package capability knows the names of the Linux capabilities (capabilities(7)).
package capability

// names has the capability of bit i at index i (include/uapi/linux/capability.h).
var names = [...]string{
	"CAP_CHOWN",
	"CAP_DAC_OVERRIDE",
	"CAP_DAC_READ_SEARCH",
	"CAP_FOWNER",
	"CAP_FSETID",
	"CAP_KILL",
	"CAP_SETGID",
	"CAP_SETUID",
	"CAP_SETPCAP",
	"CAP_LINUX_IMMUTABLE",
	"CAP_NET_BIND_SERVICE",
	"CAP_NET_BROADCAST",
	"CAP_NET_ADMIN",
	"CAP_NET_RAW",
	"CAP_IPC_LOCK",
	"CAP_IPC_OWNER",
	"CAP_SYS_MODULE",
	"CAP_SYS_RAWIO",
	"CAP_SYS_CHROOT",
	"CAP_SYS_PTRACE",
	"CAP_SYS_PACCT",
	"CAP_SYS_ADMIN",
	"CAP_SYS_BOOT",
	"CAP_SYS_NICE",
	"CAP_SYS_RESOURCE",
	"CAP_SYS_TIME",
	"CAP_SYS_TTY_CONFIG",
	"CAP_MKNOD",
	"CAP_LEASE",
	"CAP_AUDIT_WRITE",
	"CAP_AUDIT_CONTROL",
	"CAP_SETFCAP",
	"CAP_MAC_OVERRIDE",
	"CAP_MAC_ADMIN",
	"CAP_SYSLOG",
	"CAP_WAKE_ALARM",
	"CAP_BLOCK_SUSPEND",
	"CAP_AUDIT_READ",
	"CAP_PERFMON",
	"CAP_BPF",
	"CAP_CHECKPOINT_RESTORE",
}

// Names returns the names of all known capabilities in the order of their bits.
func Names() []string {
	return append([]string(nil), names[:]...)
}

// Parse returns the bit, 0 to 40, of a capability. The name is the exact one of the specification,
// in upper case and with "CAP_".
func Parse(name string) (bit int, ok bool) {
	for i := range names {
		if names[i] == name {
			return i, true
		}
	}
	return 0, false
}

// Mask returns the set of the named capabilities, bit i for capability i, and the names that are not
// known, in the order given.
func Mask(names []string) (mask uint64, unknown []string) {
	for _, name := range names {
		bit, ok := Parse(name)
		if !ok {
			unknown = append(unknown, name)
			continue
		}
		mask |= 1 << bit
	}
	return mask, unknown
}
