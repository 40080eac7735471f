// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
)

// CVE-2026-30892: what is not exactly a number must not become another one.
func TestParseUser(t *testing.T) {
	const none = -1
	for text, want := range map[string][2]int64{
		"0": {0, none}, "1": {1, none}, "1:2": {1, 2}, "0:5": {0, 5}, "1000:0": {1000, 0}, "4294967294:4294967294": {4294967294, 4294967294},
	} {
		uid, gid, err := parseUser(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if int64(*uid) != want[0] || gid == nil != (want[1] == none) || gid != nil && int64(*gid) != want[1] {
			t.Errorf("%q: uid %d, gid %v, want %v", text, *uid, gid, want)
		}
	}
	for _, text := range []string{
		"", ":", "1:", ":1", "+1", " 1", "1 ", "0x1", "1e3", "-1", "01", "1_000", "4294967295", "1:4294967295", "4294967296",
		"99999999999999999999", "1:2:3", "root", "root:root", "1\n", "１",
	} {
		if uid, gid, err := parseUser(text); err == nil {
			t.Errorf("%q is taken for %d and %v", text, *uid, gid)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: the error has two lines: %v", text, err)
		}
	}
}

// Failures of exec are told by a status that no program should have.
func TestExecFailsWith255(t *testing.T) {
	root := t.TempDir()
	for _, args := range [][]string{
		{"exec", "nosuch", "true"}, {"exec", "../x", "true"}, {"exec", "nosuch"}, {"exec", "--user", "root", "nosuch", "true"},
	} {
		got := rt(t, append([]string{"--root", root}, args...)...)
		wantStatus(t, got, execFailed)
		if strings.Count(got.stderr, "\n") != 1 || !strings.HasPrefix(got.stderr, "exec") {
			t.Errorf("%q: stderr %q", args, got.stderr)
		}
	}
	wantStatus(t, rt(t, "--root", root, "exec"), 1)
}

// All that stands behind the container belongs to the program.
func TestExecLeavesTheProgramItsOptions(t *testing.T) {
	line := []string{"rt", "exec", "-t", "--env", "A=1,2", "web1", "ls", "-t", "--env", "x", "--", "-h"}
	got := arrange(line, globalFlags(productName), commands())
	if text := strings.Join(got, " "); text != "rt exec -t --env A=1,2 -- web1 ls -t --env x -- -h" {
		t.Errorf("arranged: %q", text)
	}
}
