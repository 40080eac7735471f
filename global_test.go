// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/urfave/cli/v2"

	"github.com/rt-oci/rt/libcontainer/sys"
)

func TestNames(t *testing.T) {
	for _, tc := range []struct{ arg0, invoked, product string }{
		{"rt", "rt", "rt"},
		{"/usr/bin/rt", "rt", "rt"},
		{"/usr/sbin/runc", "runc", "runc"},
		{"docker-runc", "docker-runc", "rt"},
		{"./foo", "foo", "rt"},
		{"", "rt", "rt"},
		{"/", "rt", "rt"},
	} {
		if got := invokedName(tc.arg0); got != tc.invoked {
			t.Errorf("invokedName(%q) = %q, want %q", tc.arg0, got, tc.invoked)
		}
		if got := productOf(tc.arg0); got != tc.product {
			t.Errorf("productOf(%q) = %q, want %q", tc.arg0, got, tc.product)
		}
	}
}

func TestDefaultRoot(t *testing.T) {
	for _, tc := range []struct {
		product    string
		runtimeDir string
		name       string
		uid        int
		nested     bool
		want       string
	}{
		{"rt", "", "root", 0, false, "/run/rt"},
		{"rt", "/run/user/0", "root", 0, false, "/run/rt"},
		{"rt", "/run/user/1000", "ann", 0, false, "/run/rt"}, // sudo
		{"runc", "", "root", 0, false, "/run/runc"},
		{"rt", "/run/user/1000", "ann", 1000, false, "/run/user/1000/rt"},
		{"runc", "/run/user/1000", "ann", 1000, false, "/run/user/1000/runc"},
		{"rt", "", "ann", 1000, false, "/run/rt"},
		{"rt", "/run/user/1000", "ann", 0, true, "/run/user/1000/rt"},
		{"rt", "/run/user/1000", "", 0, true, "/run/user/1000/rt"},
		{"rt", "/run/user/0", "root", 0, true, "/run/rt"},
		{"rt", "", "ann", 0, true, "/run/rt"},
		{"rt", "run", "ann", 1000, false, "/run/rt"},
	} {
		got := defaultRoot(tc.product, tc.runtimeDir, tc.name, tc.uid, func() bool { return tc.nested })
		if got != tc.want {
			t.Errorf("defaultRoot(%q, %q, %q, %d, %v) = %q, want %q", tc.product, tc.runtimeDir, tc.name, tc.uid, tc.nested, got, tc.want)
		}
	}
}

func TestStateRoot(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("XDG_RUNTIME_DIR", "/run/user/1")
	byDefault := "/run/rt"
	if os.Geteuid() != 0 || os.Getenv("USER") != "root" && sys.InUserNamespace() {
		byDefault = "/run/user/1/rt"
	}
	for _, tc := range []struct{ line, want string }{
		{"list", byDefault},
		{"--root /x/../r list", "/r"},
		{"--root=rel list", filepath.Join(dir, "rel")},
	} {
		parse(t, "list", tc.line, func(ctx *cli.Context) error {
			if got, err := stateRoot(ctx); err != nil || got != tc.want {
				t.Errorf("%s: stateRoot = %q, %v, want %q", tc.line, got, err, tc.want)
			}
			return nil
		})
	}
	got := rt(t, "--root=", "list")
	wantStatus(t, got, 1)
	wantContains(t, "stderr", got.stderr, "--root: empty path")
}

func TestGlobalOptionsAreChecked(t *testing.T) {
	for _, tc := range []struct{ line, want string }{
		{"--log-format xml list", `invalid log-format: "xml"`},
		{"--rootless maybe list", `invalid rootless: "maybe"`},
		{"--log /dev/null/x list", `open log "/dev/null/x": not a directory`},
	} {
		got := rt(t, words(tc.line)...)
		wantStatus(t, got, 1)
		wantContains(t, "stderr", got.stderr, tc.want)
	}
	for _, value := range []string{"true", "false", "auto", "1"} {
		wantStatus(t, rt(t, "--root", t.TempDir(), "--rootless", value, "list"), 0)
	}
}

func TestEveryCommandTakesTheSystemdOption(t *testing.T) {
	for _, name := range []string{"create", "run", "delete"} {
		wantStatus(t, rt(t, "--systemd-cgroup", name, "-h"), 0)
	}
	wantStatus(t, rt(t, "--systemd-cgroup", "--root", t.TempDir(), "list"), 0)
}
