// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"strconv"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func setting(key, value string) func(*specs.Spec) {
	return func(s *specs.Spec) { s.Linux.Sysctl = map[string]string{key: value} }
}

func TestRefuseSysctlKeys(t *testing.T) {
	for _, key := range []string{
		"", ".", "/", "..", "net..", "net//a", ".net.a", "/net/a", "net/", "net.",
		"net.ipv4.../../../kernel.core_pattern", "net/../kernel/core_pattern", "net/./a", "net/ipv4/..",
		"net.//.kernel", "net.ipv4.a\n", "net.ipv4.a+kernel.core_pattern=x", "net.ipv4.a b", "net.ipv4.a=1", "net.ipv4.\x00", "net.ipv4.ä", "net.ipv4.*",
	} {
		wantRefusals(t, []refusal{{key, setting(key, "1"), "linux.sysctl " + strconv.Quote(key) + `: want a key such as "net.ipv4.ip_forward"`}})
	}
	for _, key := range []string{
		"kernel.core_pattern", "kernel/core_pattern", "kernel", "kernel.shm", "kernel.semaphore", "kernel.pid_max", "kernel.shmmax.x", "vm.swappiness",
		"fs.file-max", "fs.mqueuex.a", "network.a", "net", "user", "kernel.ns_last_pid", "NET.ipv4.ip_forward",
	} {
		wantRefusals(t, []refusal{{key, setting(key, "1"), "linux.sysctl " + strconv.Quote(key) + ": it belongs to the whole host, not to a container (remove it)"}})
	}
}

func TestSysctlNamespaces(t *testing.T) {
	for key, namespace := range map[string]specs.LinuxNamespaceType{
		"net.ipv4.ip_forward":                 specs.NetworkNamespace,
		"net/ipv4/ip_forward":                 specs.NetworkNamespace,
		"net.ipv4.conf.eth0/1.forwarding":     specs.NetworkNamespace,
		"net/ipv4/conf/eth0.1/forwarding":     specs.NetworkNamespace,
		"net.ipv4.ip_unprivileged_port_start": specs.NetworkNamespace,
		"kernel.shmmax":                       specs.IPCNamespace,
		"kernel/shm_rmid_forced":              specs.IPCNamespace,
		"kernel.msgmnb":                       specs.IPCNamespace,
		"kernel.sem":                          specs.IPCNamespace,
		"fs.mqueue.msg_max":                   specs.IPCNamespace,
		"kernel.domainname":                   specs.UTSNamespace,
		"user.max_pid_namespaces":             specs.UserNamespace,
	} {
		own := userNamespaced(setting(key, "1"))
		shared := func(s *specs.Spec) {
			own(s)
			without(s, namespace)
			s.Hostname = ""
			if namespace == specs.UserNamespace {
				s.Linux.UIDMappings, s.Linux.GIDMappings = nil, nil
			}
		}
		joined := func(s *specs.Spec) { own(s); with(s, namespace, "/proc/7/ns/x") }
		wantAcceptances(t, []acceptance{{key, own, nil}, {key + " joined", joined, nil}})
		wantRefusals(t, []refusal{{key, shared, "linux.sysctl " + strconv.Quote(key) + `: it would be the host's (add {"type": "` + string(namespace) + `"} to linux.namespaces)`}})
	}
}

func TestRefuseSysctls(t *testing.T) {
	wantRefusals(t, []refusal{
		{"hostname", setting("kernel.hostname", "x"), `linux.sysctl "kernel.hostname": set hostname instead`},
		{"two lines", setting("net.ipv4.ip_forward", "1\n2"), `linux.sysctl "net.ipv4.ip_forward": value "1\n2": want one line`},
		{"NUL", setting("net.ipv4.ip_forward", "1\x00"), `linux.sysctl "net.ipv4.ip_forward": value "1\x00": want one line`},
		{"first of several", func(s *specs.Spec) {
			s.Linux.Sysctl = map[string]string{"vm.b": "1", "net.ipv4.ip_forward": "1", "vm.a": "1", "vm.c": "1"}
		}, `linux.sysctl "vm.a": it belongs to the whole host, not to a container (remove it)`},
	})
	wantAcceptances(t, []acceptance{{"blanks", setting("net.ipv4.ping_group_range", "0 2147483647"), nil}})
}
