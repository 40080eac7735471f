// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer"
	"github.com/rt-oci/rt/libcontainer/cgroup"
)

var update = flag.Bool("update", false, "write the golden files")

// usagesForTest are a container with all counters, one with few, as on v2 without controllers, and a stopped one.
func usagesForTest(t *testing.T) []libcontainer.Usage {
	t.Helper()
	now := time.Date(2026, 1, 2, 3, 4, 5, 6789000, time.FixedZone("", 3600))
	cpu, idle := 123.456, 0.0
	full, few := &cgroup.Stats{}, &cgroup.Stats{}
	for text, into := range map[string]*cgroup.Stats{
		`{"cpu":{"usage":{"total":613894747,"kernel":30000000,"user":580000000},"throttling":{"periods":14,"throttledPeriods":11,"throttledTime":565773953},
			"psi":{"some":{"avg10":1.5,"total":1234567},"full":{"total":89}}},
		  "memory":{"usage":{"limit":67108864,"usage":16777216,"max":33554432,"failcnt":3},"swapOnlyUsage":{"usage":4096},"oomKills":1,
			"raw":{"inactive_file":1,"total_inactive_file":777216},"psi":{"some":{"avg10":0.25,"total":5},"full":{"total":4}}},
		  "pids":{"current":3,"limit":20},
		  "blkio":{"ioServiceBytesRecursive":[{"major":8,"minor":0,"op":"Read","value":4096},{"major":8,"minor":0,"op":"Write","value":1048576},
			{"major":8,"minor":0,"op":"Total","value":1052672},{"major":8,"minor":16,"op":"Read","value":4096}],
			"ioServicedRecursive":[{"major":8,"minor":0,"op":"Read","value":1},{"major":8,"minor":0,"op":"Discard","value":9}],
			"psi":{"some":{"avg10":99.99,"total":2},"full":{"total":1}}},
		  "hugetlb":{"2MB":{"usage":2097152},"1GB":{}}}`: full,
		`{"cpu":{"usage":{"total":1000000000}},"memory":{"psi":{}},"pids":{"current":1},"hugetlb":{}}`: few,
	} {
		if err := json.Unmarshal([]byte(text), into); err != nil {
			t.Fatal(err)
		}
	}
	return []libcontainer.Usage{
		{ID: "web1", Bundle: "/srv/web1", Status: specs.StateRunning, Time: now, Counters: full, CPUPercent: &cpu},
		{ID: "few", Bundle: "/srv/a \"b\"\\c\nd\xff", Status: libcontainer.StatusPaused, Time: now, Counters: few, CPUPercent: &idle},
		{ID: "stopped", Bundle: "/srv/stopped", Status: specs.StateStopped, Time: now},
	}
}

// wantGolden compares output with the file, or writes it (go test -run STATS . -update).
func wantGolden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", path, got, want)
	}
}

func TestStatsFormats(t *testing.T) {
	rows := usagesForTest(t)
	for name, print := range map[string]func(v *statsView) error{
		"stats.table": func(v *statsView) error { return v.table(rows) },
		"stats.json":  func(v *statsView) error { return v.json(rows) },
		"stats.prom":  func(v *statsView) error { return v.prom(rows) },
	} {
		var out bytes.Buffer
		if err := print(&statsView{out: &out}); err != nil {
			t.Fatal(err)
		}
		wantGolden(t, name, out.String())
	}
}

// The rules of the text format, and those of OpenMetrics that are stricter.
func TestStatsForPrometheusAreValid(t *testing.T) {
	var out bytes.Buffer
	if err := (&statsView{out: &out}).prom(usagesForTest(t)); err != nil {
		t.Fatal(err)
	}
	kinds, seen := map[string]string{}, map[string]bool{}
	family := ""
	for line := range strings.Lines(out.String()) {
		line = strings.TrimSuffix(line, "\n")
		words := strings.SplitN(line, " ", 4)
		switch {
		case words[0] == "#" && words[1] == "HELP":
			if family = words[2]; kinds[family] != "" || words[3] == "" {
				t.Errorf("second or empty HELP: %s", line)
			}
			kinds[family] = "?"
		case words[0] == "#" && words[1] == "TYPE":
			if words[2] != family || kinds[family] != "?" {
				t.Errorf("TYPE that does not follow its HELP: %s", line)
			}
			kinds[family] = words[3]
		default:
			at := strings.LastIndexByte(line, ' ')
			name, _, _ := strings.Cut(line, "{")
			if name != family || seen[line[:at]] {
				t.Errorf("sample outside of its family, or twice: %s", line)
			}
			seen[line[:at]] = true
			if _, err := strconv.ParseFloat(line[at+1:], 64); err != nil {
				t.Errorf("%s: %v", line, err)
			}
		}
	}
	for name, kind := range kinds {
		if strings.HasSuffix(name, "_total") != (kind == counter) || kind != counter && kind != gauge {
			t.Errorf("%s is a %s", name, kind)
		}
	}
	if len(kinds) < 20 {
		t.Errorf("%d families", len(kinds))
	}
}

func TestSizesHaveThreeDigits(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "0B", 1023: "1023B", 1024: "1.00KiB", 10234: "9.99KiB", 10240: "10.0KiB", 102348: "99.9KiB", 102400: "100KiB",
		1047552: "1023KiB", 1048063: "1023KiB", 1048064: "1.00MiB", 1 << 30: "1.00GiB", 1<<64 - 1: "16.0EiB",
	} {
		if got := size(&n); got != want {
			t.Errorf("%d: got %s, want %s", n, got, want)
		}
	}
}

func TestTableFitsTheTerminal(t *testing.T) {
	const text = "0123456789\nabc\ndef\nghi\n"
	for name, tc := range map[string]struct {
		size *unix.Winsize
		want []string
	}{
		"no size":      {nil, []string{"0123456789", "abc", "def", "ghi"}},
		"unknown size": {&unix.Winsize{}, []string{"0123456789", "abc", "def", "ghi"}},
		"wide":         {&unix.Winsize{Row: 5, Col: 10}, []string{"0123456789", "abc", "def", "ghi"}},
		"narrow":       {&unix.Winsize{Row: 5, Col: 5}, []string{"01234", "abc", "def", "ghi"}},
		"low":          {&unix.Winsize{Row: 4, Col: 14}, []string{"0123456789", "abc", "... and 2 more"}},
	} {
		if got := fit(text, tc.size); !slices.Equal(got, tc.want) {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}
}

func TestStatsRefusesBadInput(t *testing.T) {
	root := t.TempDir()
	for line, want := range map[string]string{
		"stats --format yaml":               `stats: invalid format option "yaml" (use table, json or prom)`,
		"stats --interval 0s":               "stats: duration interval must be greater than 0",
		"stats --interval 1s --format prom": "stats: prom is printed once: --interval does not go with it",
		"stats a":                           "stats: a: container does not exist",
		"stats a/b":                         `stats: invalid container ID format: "a/b" (nor is it a bundle: it has no config.json)`,
		"stats ä":                           "stats: ä: invalid container ID format",
	} {
		got := rt(t, append([]string{"--root", root}, words(line)...)...)
		wantStatus(t, got, 1)
		if !strings.HasPrefix(got.stderr, want) || strings.Count(got.stderr, "\n") != 1 || got.stdout != "" {
			t.Errorf("%s: got %q and %q, want %q", line, got.stdout, got.stderr, want)
		}
	}
	got := rt(t, "--root", filepath.Join(root, "nosuch"), "stats", "--no-stream")
	wantStatus(t, got, 1)
	wantContains(t, "stderr", got.stderr, "stats: look up state root: ")
}

func TestStatsOfNothing(t *testing.T) {
	root := t.TempDir()
	for format, want := range map[string]string{
		"table": "ID", "json": "", "prom": "# HELP rt_containers ",
	} {
		got := rt(t, "--root", root, "stats", "--no-stream", "--format", format)
		wantStatus(t, got, 0)
		if !strings.HasPrefix(got.stdout, want) || want == "" && got.stdout != "" {
			t.Errorf("%s: got %q", format, got.stdout)
		}
	}
}

// Entries of all kinds that are no container, or a broken one, keep neither list nor stats from showing the others.
func TestBadEntriesHideNothing(t *testing.T) {
	root := t.TempDir()
	for name, state := range map[string]string{
		"good": `{"bundle":"/b"}`, "empty": "", "cut": `{"id":"cut","init_pro`, "list": "[]", "null": "null", "number": "7",
		"kinds": `{"init_process_pid":"seven"}`, "negative": `{"init_process_pid":-1,"boot_id":""}`,
		"paths": `{"cgroup_paths":{"memory":"../x"},"init_process_pid":1}`, "binary": "\x00\xff\x7fELF",
	} {
		dir := filepath.Join(root, name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "state.json"), []byte(state), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{"loop": "loop", "dangling": "/nonexistent", "link": root} {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"directory/state.json", "fifo", "loops", "data/x", "bad name", "ä"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	err := unix.Mkfifo(filepath.Join(root, "fifo/state.json"), 0o600)
	if err == nil {
		err = os.Symlink("state.json", filepath.Join(root, "loops/state.json"))
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(root, "file"), nil, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range []string{
		"list", "list -q", "list -f json", "stats --no-stream -i 1ms --all", "stats --no-stream -i 1ms --all -f json", "stats --all -f prom", "stats --all -i 1ms --no-stream good",
	} {
		got := rt(t, append([]string{"--root", root}, words(args)...)...)
		wantStatus(t, got, 0)
		wantContains(t, fmt.Sprintf("stdout of %s", args), got.stdout, "good")
		for _, name := range []string{"cut", "fifo"} {
			if args != "stats --all -i 1ms --no-stream good" && strings.Count(got.stderr, `leave out \"`+name+`\"`)+strings.Count(got.stderr, `leave out "`+name+`"`) != 1 {
				t.Errorf("%s: not one warning about %s: %s", args, name, got.stderr)
			}
		}
	}
}
