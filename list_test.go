// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rt-oci/rt/libcontainer"
)

func statesForTest() []libcontainer.State {
	created := time.Date(2026, 1, 2, 3, 4, 5, 6789, time.UTC)
	return []libcontainer.State{
		{Version: "1.3.0", ID: "a", Pid: 42, Status: "running", Bundle: "/b/a & <b>", Rootfs: "/b/a/rootfs", Created: created, Owner: "root"},
		{Version: "1.3.0", ID: "a-long-identifier", Status: "stopped", Bundle: "/b/two\nlines", Rootfs: "/r", Created: created, Owner: "root"},
	}
}

func TestListTable(t *testing.T) {
	var out bytes.Buffer
	if err := printTable(&out, statesForTest()); err != nil {
		t.Fatal(err)
	}
	header := regexp.MustCompile(`^ID +PID +STATUS +BUNDLE +CREATED +OWNER$`)
	if l := line(out.String(), 0); !header.MatchString(l) {
		t.Errorf("header: %q", l)
	}
	want := []string{
		`^a +42 +running +/b/a & <b> +2026-01-02T03:04:05\.000006789Z +root$`,
		`^a-long-identifier +0 +stopped +/b/two\\nlines +2026-01-02T03:04:05\.000006789Z +root$`,
	}
	for i, form := range want {
		if l := line(out.String(), i+1); !regexp.MustCompile(form).MatchString(l) {
			t.Errorf("line %d: %q does not match %s", i+1, l, form)
		}
	}
	if n := strings.Count(out.String(), "\n"); n != 3 {
		t.Errorf("%d lines, want 3", n)
	}
}

func TestListJSONOrderOfMembers(t *testing.T) {
	var out bytes.Buffer
	if err := printJSON(&out, statesForTest(), ""); err != nil {
		t.Fatal(err)
	}
	form := regexp.MustCompile(`^\[\{"ociVersion":"[0-9.]+","id":"a","pid":42,"status":"running","bundle":"/b/a & <b>",` +
		`"rootfs":"/b/a/rootfs","created":"[^"]+",.*"owner":"root".*\},\{.*\}\]\n$`)
	if !form.Match(out.Bytes()) {
		t.Errorf("output: %s", out.String())
	}
}

func TestListOfNothing(t *testing.T) {
	root := t.TempDir()
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"list", "-q"}, ""},
		{[]string{"list", "--quiet", "-f", "json"}, ""},
		{[]string{"list", "-f", "json"}, "[]\n"},
		{[]string{"list", "--format=json"}, "[]\n"},
	} {
		got := rt(t, append([]string{"--root", root}, tc.args...)...)
		wantStatus(t, got, 0)
		if got.stdout != tc.want {
			t.Errorf("%q printed %q, want %q", tc.args, got.stdout, tc.want)
		}
	}
	for _, args := range [][]string{{"list"}, {"list", "--format", "table"}} {
		got := rt(t, append([]string{"--root", root}, args...)...)
		wantStatus(t, got, 0)
		if strings.Join(strings.Fields(got.stdout), " ") != "ID PID STATUS BUNDLE CREATED OWNER" {
			t.Errorf("%q printed %q", args, got.stdout)
		}
	}
}

func TestListOfAMissingRoot(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	for _, args := range [][]string{{"list"}, {"list", "-q"}} {
		got := rt(t, append([]string{"--root", missing}, args...)...)
		wantStatus(t, got, 1)
		wantContains(t, "stderr", got.stderr, "no such file or directory")
	}
}

func TestListWithoutADefaultRoot(t *testing.T) {
	if os.Geteuid() == 0 {
		if _, err := os.Stat("/run/" + productName); err == nil {
			t.Skip("the default state root of root exists")
		}
	}
	t.Setenv("XDG_RUNTIME_DIR", filepath.Join(t.TempDir(), "missing"))
	got := rt(t, "list", "-q")
	wantStatus(t, got, 0)
	if got.stdout+got.stderr != "" {
		t.Errorf("printed %q %q", got.stdout, got.stderr)
	}
}

// state.json as a container leaves it that has stopped.
const stoppedState = `{"id":"web1","oci_version":"1.3.0","init_process_pid":0,"created":"2026-01-02T03:04:05Z",` +
	`"bundle":"/b","rootfs":"/b/rootfs","owner":0,"cgroup_paths":{}}`

func TestListLeavesOutWhatIsBroken(t *testing.T) {
	root := t.TempDir()
	for id, state := range map[string]string{"a-broken": "{", "web1": stoppedState, "z-broken": `{"created":5}`, "not an id": stoppedState} {
		if err := os.Mkdir(filepath.Join(root, id), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, id, "state.json"), []byte(state), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	got := rt(t, "--root", root, "list", "-q")
	wantStatus(t, got, 0)
	if got.stdout != "web1\n" {
		t.Errorf("list -q printed %q, %q", got.stdout, got.stderr)
	}
	got = rt(t, "--root", root, "list", "-f", "json")
	want := `[{"ociVersion":"1.3.0","id":"web1","pid":0,"status":"stopped","bundle":"/b","rootfs":"/b/rootfs","created":"2026-01-02T03:04:05Z"`
	if !strings.HasPrefix(got.stdout, want) || !strings.HasSuffix(got.stdout, "}]\n") {
		t.Errorf("list -f json printed %q", got.stdout)
	}
}

func TestListRefusesUnknownFormat(t *testing.T) {
	got := rt(t, "list", "-f", "yaml")
	wantStatus(t, got, 1)
	wantContains(t, "stderr", got.stderr, `invalid format option "yaml"`)
}
