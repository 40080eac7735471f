// SPDX-License-Identifier: Apache-2.0

//go:build faults

package libcontainer

import (
	"fmt"
	"os"
	"strconv"

	"github.com/rt-oci/rt/libcontainer/plan"
)

// injectFault is for tests/fault, whose rt is built with the tag faults. RT_FAIL_AT=show prints the members and steps
// of the plan; RT_FAIL_AT=N puts a step that fails in the stage before step N, in N's name.
func injectFault(p *plan.Plan) {
	at := os.Getenv("RT_FAIL_AT")
	for i := range p.Steps {
		e := p.Steps[i]
		if at == "show" {
			fmt.Printf("%s\t%s\n", plan.Name(e.Step), e.Member)
		}
		if at != strconv.Itoa(i) {
			continue
		}
		fault := plan.Entry{Step: plan.ChangeDirectory{Path: "/rt-fault"}, Member: e.Member} // needs no privilege to fail
		if fault.Member == "" {
			fault.Member = plan.Name(e.Step)
		}
		p.Steps = append(p.Steps[:i:i], append([]plan.Entry{fault}, p.Steps[i:]...)...)
		return
	}
}
