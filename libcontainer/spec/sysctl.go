// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/libcontainer/sysctl"
)

// sysctl allows only what belongs to a namespace that the container has to itself. Whether a joined
// one is the host's can only be seen on the host.
func (v *validator) sysctl() error {
	for _, key := range sortedKeys(v.linux.Sysctl) {
		member := fmt.Sprintf("linux.sysctl %q", key)
		p, err := sysctl.Path(key)
		if err != nil {
			return fmt.Errorf("%s: %w", member, err)
		}
		if p == "kernel/hostname" {
			return fmt.Errorf("%s: set hostname instead", member)
		}
		namespace, ok := sysctlNamespace(p)
		if !ok {
			return fmt.Errorf("%s: it belongs to the whole host, not to a container (remove it)", member)
		}
		if !v.has(namespace) {
			return fmt.Errorf("%s: it would be the host's (add {\"type\": %q} to linux.namespaces)", member, namespace)
		}
		if value := v.linux.Sysctl[key]; strings.ContainsAny(value, "\x00\n") {
			return fmt.Errorf("%s: value %q: want one line", member, value)
		}
	}
	return nil
}

// sysctlNamespace returns the type of namespace that a sysctl, given as path, belongs to
// (namespaces(7), ipc_namespaces(7), Documentation/admin-guide/sysctl).
func sysctlNamespace(p string) (specs.LinuxNamespaceType, bool) {
	switch p {
	case "kernel/auto_msgmni", "kernel/msg_next_id", "kernel/msgmax", "kernel/msgmnb", "kernel/msgmni",
		"kernel/sem", "kernel/sem_next_id",
		"kernel/shm_next_id", "kernel/shm_rmid_forced", "kernel/shmall", "kernel/shmmax", "kernel/shmmni":
		return specs.IPCNamespace, true
	case "kernel/domainname":
		return specs.UTSNamespace, true
	}
	switch {
	case strings.HasPrefix(p, "fs/mqueue/"):
		return specs.IPCNamespace, true
	case strings.HasPrefix(p, "net/"):
		return specs.NetworkNamespace, true
	case strings.HasPrefix(p, "user/"):
		return specs.UserNamespace, true
	}
	return "", false
}

// sortedKeys makes the error for a map the same in every run.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	return slices.Sorted(maps.Keys(m))
}
