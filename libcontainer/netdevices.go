// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"github.com/rt-oci/rt/libcontainer/network"
)

// moveNetDevices moves network devices of the host into the container's network namespace, which the stage is in. They
// come back if the container can't be made; later nobody takes them back (config-linux.md, "Namespace Lifecycle and
// Container Termination").
func (n *creation) moveNetDevices() error {
	var err error
	if n.devices, err = network.Move(n.spec.Linux.NetDevices, n.stage.pid); err != nil {
		return err
	}
	n.onFailure(func() {
		if err := n.devices.Back(); err != nil {
			n.c.runtime.Log.Warnf("%v", err)
		}
		n.leaveNetDevices()
	})
	return nil
}

// leaveNetDevices gives up the hold on the container's network namespace: it ends with its last process, and physical
// devices go back to the host then.
func (n *creation) leaveNetDevices() {
	if n.devices != nil {
		n.devices.Close()
		n.devices = nil
	}
}
