// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseBytes(t *testing.T) {
	for value, want := range map[string]int64{
		"0": 0, "33554432": 33554432, "50M": 50 << 20, "50m": 50 << 20, "50MB": 50 << 20, "50MiB": 50 << 20, "1.5g": 3 << 29,
		"2 k": 2048, "7b": 7, "1T": 1 << 40, "1p": 1 << 50, "9223372036854775807": 9223372036854775807, ".5k": 512,
	} {
		if got, ok := parseBytes(value); !ok || got != want {
			t.Errorf("%q: got %d, %v, want %d", value, got, ok, want)
		}
	}
	for _, value := range []string{
		"", "-1", "-5", "M", "5x", "5Q", "5i", "5bb", "5kk", "5bk", "5kbi", "+5", "1e3", "0x10", "5..5", ".", "5 5", "inf", "nan", "9223372036854775808", "8192P", "1\n",
	} {
		if got, ok := parseBytes(value); ok {
			t.Errorf("%q: got %d, want no size", value, got)
		}
	}
}

func TestBadOptionsOfUpdateAreRefused(t *testing.T) {
	root := t.TempDir()
	file := filepath.Join(root, "resources.json")
	big := filepath.Join(root, "big.json")
	for name, content := range map[string]string{file: `{"memory": {"limit": "5M"}}`, big: strings.Repeat(" ", resourcesMaxBytes+1)} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ option, value, want string }{
		{"--memory", "50Q", `invalid value for memory: "50Q": invalid size`},
		{"--memory", "-2", `invalid value for memory: "-2": invalid size`},
		{"--memory-reservation", "x", `invalid value for memory-reservation: "x": invalid size`},
		{"--memory-swap", "1e9", `invalid value for memory-swap: "1e9": invalid size`},
		{"--cpu-period", "-1", `invalid value for cpu-period: "-1": want a whole number from 0 on`},
		{"--cpu-quota", "1.5", `invalid value for cpu-quota: "1.5": want a whole number`},
		{"--cpu-burst", "-1", `invalid value for cpu-burst: "-1": want a whole number from 0 on`},
		{"--cpu-share", "-3", `invalid value for cpu-share: "-3": want a whole number from 0 on`},
		{"--cpu-rt-period", "x", `invalid value for cpu-rt-period: "x": want a whole number from 0 on`},
		{"--cpu-rt-runtime", "x", `invalid value for cpu-rt-runtime: "x": want a whole number`},
		{"--cpu-idle", "yes", `invalid value for cpu-idle: "yes": want a whole number`},
		{"--pids-limit", "many", `invalid value for pids-limit: "many": want a whole number`},
		{"--blkio-weight", "9", `invalid value for blkio-weight: "9": want a whole number from 10 to 1000`},
		{"--blkio-weight", "1001", `invalid value for blkio-weight: "1001": want a whole number from 10 to 1000`},
		{"--deadline", "soon", `invalid value for deadline: "soon": want a duration`},
		{"--deadline", "-1s", `invalid value for deadline: "-1s": want a duration`},
		{"--resources", filepath.Join(root, "missing"), "no such file or directory"},
		{"--resources", root, "is a directory"},
		{"--resources", file, "line 1, column 22: memory.limit: want whole number"},
		{"--resources", big, "more than 4194304 bytes"},
		{"-r", file, "line 1, column 22: memory.limit: want whole number"},
	} {
		for _, args := range [][]string{{"update", c.option, c.value, "x"}, {"update", "x", c.option, c.value}, {"update", "x", c.option + "=" + c.value}} {
			got := rt(t, append([]string{"--root", root}, args...)...)
			wantStatus(t, got, 1)
			wantContains(t, "stderr", got.stderr, "update: ")
			wantContains(t, "stderr", got.stderr, c.want)
			if strings.Count(got.stderr, "\n") != 1 {
				t.Errorf("%q: not one line: %s", args, got.stderr)
			}
		}
	}
}
