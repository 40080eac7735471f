// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// TestBPFAttrIsNotOverrun: Linux 6.17 to 7.1 writes behind a union bpf_attr of less than its full size when programs
// are queried (opencontainers/cgroups#69). A canary stands where that would be.
func TestBPFAttrIsNotOverrun(t *testing.T) {
	if size := len(bpfAttr{}); size < 128 {
		t.Errorf("bpfAttr has %d bytes, want at least 128", size)
	}
	var group *os.File
	for _, dir := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		var st unix.Statfs_t
		if err := unix.Statfs(dir, &st); err == nil && int64(st.Type) == unix.CGROUP2_SUPER_MAGIC {
			f, err := os.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			group = f
		}
	}
	if group == nil {
		t.Skip("no cgroup v2 hierarchy is mounted")
	}
	guarded := new(struct {
		attr   bpfAttr
		canary [64]byte
	})
	guarded.attr.set32(0, uint32(group.Fd()))
	guarded.attr.set32(4, unix.BPF_CGROUP_DEVICE)
	_, err := bpf(unix.BPF_PROG_QUERY, &guarded.attr)
	if errors.Is(err, unix.EPERM) {
		t.Skip("BPF_PROG_QUERY is for root only")
	}
	if err != nil && !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
	if guarded.canary != [64]byte{} {
		t.Errorf("the kernel has written behind the attribute: %x", guarded.canary)
	}
}
