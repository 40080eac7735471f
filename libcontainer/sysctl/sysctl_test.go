// SPDX-License-Identifier: Apache-2.0

package sysctl

import "testing"

func TestPath(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ key, want string }{
		{"net.ipv4.ip_forward", "net/ipv4/ip_forward"},
		{"net/ipv4/ip_forward", "net/ipv4/ip_forward"},
		{"net/ipv4/conf/eth0.100/forwarding", "net/ipv4/conf/eth0.100/forwarding"},
		{"net.ipv4.conf.eth0/100.forwarding", "net/ipv4/conf/eth0.100/forwarding"},
		{"kernel.shm_rmid_forced", "kernel/shm_rmid_forced"},
		{"kernel", "kernel"},
	} {
		if got, err := Path(c.key); err != nil || got != c.want {
			t.Errorf("Path(%q) = %q, %v, want %q", c.key, got, err, c.want)
		}
	}
}

func TestPathRefuses(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"", ".", "net..x", "net/../kernel", "net./.x", "/net/x", "net/x/", "net/a b", "net/\x00"} {
		if got, err := Path(key); err == nil {
			t.Errorf("Path(%q) = %q, want an error", key, got)
		}
	}
}
