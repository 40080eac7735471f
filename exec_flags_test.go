// SPDX-License-Identifier: Apache-2.0

package main

import "testing"

// TestEveryOptionOfExecHasTests compares the options with the tests of what they do and of what they refuse.
func TestEveryOptionOfExecHasTests(t *testing.T) {
	t.Parallel()
	tests := map[string][2]string{
		"process":         {"TestExecOfAProcessFile", "TestExecRefusesABadProcessFile"},
		"tty":             {"TestExecWithATerminal", "TestExecErrors"},
		"console-socket":  {"TestExecSendsTheTerminal", "TestExecErrors"},
		"detach":          {"TestExecDetached", "TestExecErrors"},
		"pid-file":        {"TestExecDetached", "TestExecErrors"},
		"pidfd-socket":    {"TestExecSendsAPidfd", "TestExecErrors"},
		"cwd":             {"TestExecOptionsAreAboutTheProcess", "TestExecErrors"},
		"env":             {"TestExecOptionsAreAboutTheProcess", "TestExecErrors"},
		"user":            {"TestExecOptionsAreAboutTheProcess", "TestExecUserTable"},
		"additional-gids": {"TestExecOptionsAreAboutTheProcess", "TestExecErrors"},
		"cap":             {"TestExecCapabilitiesStayInTheirSets", "TestExecCapabilities"},
		"no-new-privs":    {"TestExecOptionsAreAboutTheProcess", "TestExecErrors"},
		"apparmor":        {"TestAppArmorOfExec", "TestExecErrors"},
		"process-label":   {"TestSELinuxLabelsProcesses", "TestExecErrors"},
		"preserve-fds":    {"TestExecPreservesDescriptors", "TestExecErrors"},
		"cgroup":          {"TestExecInASubCgroup", "TestExecRefusesBadSubCgroups"},
		"ignore-paused":   {"TestExecInAPausedContainer", "TestExecErrors"},
	}
	names := testNames(t)
	for _, flag := range execFlags(new(several)) {
		name := flag.Names()[0]
		for _, test := range tests[name] {
			if !names[test] {
				t.Errorf("--%s: there is no test %q", name, test)
			}
		}
		if _, ok := tests[name]; !ok {
			t.Errorf("--%s has no tests", name)
		}
		delete(tests, name)
	}
	for name := range tests {
		t.Errorf("--%s is no option", name)
	}
}
