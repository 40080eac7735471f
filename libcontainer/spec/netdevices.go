// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// deviceNameBytesMax is the longest name of a network device, less its NUL (netdevice(7), IFNAMSIZ).
const deviceNameBytesMax = 15

// netDevices are network devices of the host that the container gets (config-linux.md, "Network Devices").
func (v *validator) netDevices() error {
	if len(v.linux.NetDevices) == 0 {
		return nil
	}
	if !v.has(specs.NetworkNamespace) {
		return fmt.Errorf("linux.netDevices: the container has no network namespace to move them to (add %q to linux.namespaces)", specs.NetworkNamespace)
	}
	hostNames := make([]string, 0, len(v.linux.NetDevices))
	for name := range v.linux.NetDevices {
		hostNames = append(hostNames, name)
	}
	slices.Sort(hostNames)
	inside := make(map[string]string, len(hostNames))
	for _, hostName := range hostNames {
		member := fmt.Sprintf("linux.netDevices %q", hostName)
		if err := checkDeviceName(member, hostName, false); err != nil {
			return err
		}
		name := v.linux.NetDevices[hostName].Name
		if name == "" {
			name = hostName
		} else if err := checkDeviceName(fmt.Sprintf("%s.name %q", member, name), name, true); err != nil {
			return err
		}
		if other, taken := inside[name]; taken && !strings.HasSuffix(name, "%d") {
			return fmt.Errorf("%s: the name %q inside the container is that of %q too", member, name, other)
		}
		inside[name] = hostName
	}
	return nil
}

// checkDeviceName refuses what the kernel takes for no name of a device (dev_valid_name in its sources). A name in the
// container may end in %d, for which the kernel finds a number.
func checkDeviceName(member, name string, template bool) error {
	plain := name
	if template {
		plain = strings.TrimSuffix(name, "%d")
	}
	switch {
	case name == "" || len(name) > deviceNameBytesMax:
		return fmt.Errorf("%s: a network device's name has 1 to %d bytes, this one %d", member, deviceNameBytesMax, len(name))
	case name == "." || name == "..":
		return fmt.Errorf("%s: no name for a network device", member)
	case strings.ContainsAny(plain, "/:% \t\n\v\f\r\x00"):
		return fmt.Errorf("%s: a network device's name has no slashes, colons, blanks and percent signs (but %%d at the end of a name in the container)", member)
	}
	return nil
}
