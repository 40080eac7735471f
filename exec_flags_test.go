// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// testBodies returns the text of each test of the packages, and that of the functions beside them.
func testBodies(t *testing.T, packages ...string) map[string]string {
	t.Helper()
	bodies := map[string]string{}
	for _, directory := range packages {
		files, err := filepath.Glob(filepath.Join(directory, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, function := range strings.Split(string(data), "\nfunc ")[1:] {
				name, _, _ := strings.Cut(function, "(")
				bodies[name], _, _ = strings.Cut(function, "\n}\n")
			}
		}
	}
	return bodies
}

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
	bodies := testBodies(t, "tests/integration", "tests/security")
	for _, flag := range execFlags(new(several)) {
		name := flag.Names()[0]
		for _, test := range tests[name] {
			body, ok := bodies[test]
			used := false
			for _, word := range flag.Names() {
				used = used || strings.Contains(body, `"-`+word) || strings.Contains(body, `"--`+word)
			}
			if !ok {
				t.Errorf("--%s: there is no test %q", name, test)
			} else if !used {
				t.Errorf("--%s: %s does not use it", name, test)
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
