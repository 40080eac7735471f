// SPDX-License-Identifier: Apache-2.0

// Package sysctl knows how the keys of sysctls are written. What is checked and what is written must be the same file.
package sysctl

import (
	"fmt"
	"strings"
)

// Path returns the path below /proc/sys of a sysctl key. Both separators work as in sysctl(8):
// the first one in the key separates, the other one then stands for a dot in a name, as in
// "net/ipv4/conf/eth0.1/forwarding" or "net.ipv4.conf.eth0/1.forwarding".
func Path(key string) (string, error) {
	p := key
	if i := strings.IndexAny(key, "./"); i >= 0 && key[i] == '.' {
		p = strings.Map(func(r rune) rune {
			switch r {
			case '.':
				return '/'
			case '/':
				return '.'
			}
			return r
		}, key)
	}
	for name := range strings.SplitSeq(p, "/") {
		if name == "" || name == "." || name == ".." || strings.IndexFunc(name, odd) >= 0 {
			return "", fmt.Errorf("want a key such as %q", "net.ipv4.ip_forward")
		}
	}
	return p, nil
}

// odd tells what neither the kernel's names nor sane names of network devices have.
func odd(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return false
	}
	return !strings.ContainsRune("_-.:@", r)
}
