// SPDX-License-Identifier: Apache-2.0

//go:build !faults

package libcontainer

import "github.com/rt-oci/rt/libcontainer/plan"

// injectFault does nothing in a real rt; see fault_on.go.
func injectFault(*plan.Plan) {}
