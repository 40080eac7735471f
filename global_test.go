// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/urfave/cli/v2"
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
		uid        int
		runtimeDir string
		want       string
	}{
		{"rt", 0, "", "/run/rt"},
		{"rt", 0, "/run/user/0", "/run/rt"},
		{"runc", 0, "", "/run/runc"},
		{"rt", 1000, "/run/user/1000", "/run/user/1000/rt"},
		{"runc", 1000, "/run/user/1000", "/run/user/1000/runc"},
		{"rt", 1000, "", "/run/rt"},
		{"rt", 1000, "run", "/run/rt"},
	} {
		if got := defaultRoot(tc.product, tc.uid, tc.runtimeDir); got != tc.want {
			t.Errorf("defaultRoot(%q, %d, %q) = %q, want %q", tc.product, tc.uid, tc.runtimeDir, got, tc.want)
		}
	}
}

func TestStateRoot(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	byDefault := defaultRoot(productName, os.Geteuid(), os.Getenv("XDG_RUNTIME_DIR"))
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
