// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/tests/harness"
)

// usage is a line of `stats --format json`.
type usage struct {
	Time                 time.Time
	ID, Status           string
	CPUPercent           *float64
	CPUTime, MemoryUsage *uint64
	MemoryLimit          *uint64
	Pids                 *uint64
}

func decodeUsage(t *testing.T, line string) (u usage) {
	t.Helper()
	if err := json.Unmarshal([]byte(line), &u); err != nil {
		t.Fatalf("decode %q: %v", line, err)
	}
	return u
}

// usagesOf decodes all lines, by container.
func usagesOf(t *testing.T, text string) map[string]usage {
	t.Helper()
	usages := map[string]usage{}
	for line := range strings.Lines(text) {
		u := decodeUsage(t, line)
		usages[u.ID] = u
	}
	return usages
}

// runSecond runs another container of the same bundle under its own id, and returns that.
func runSecond(t *testing.T, b *harness.Bundle, suffix, command string) string {
	t.Helper()
	id := b.ID + suffix
	b.Write(t)
	t.Cleanup(func() { b.RT(t, "delete", "--force", id) })
	args := []string{command, "--bundle", b.Dir}
	if command == "run" {
		args = append(args, "--detach")
	}
	b.RT(t, append(args, id)...).WantExit(t, 0)
	return id
}

func TestStatsShowWhatContainersUse(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "sh", "-c", "x=$(head -c 3000000 /dev/zero | tr '\\0' x); sleep 1000 & echo ready; while :; do :; done")
	if harness.HasController("memory") {
		b.Spec.Linux.Resources.Memory = &specs.LinuxMemory{Limit: pointer(int64(64 << 20))}
	}
	b.Run(t, "--detach").WantExit(t, 0)
	b.WaitForOutput(t, "ready")
	b.Spec.Process.Args = []string{"sleep", "1000"}
	idle := runSecond(t, b, "-idle", "run")

	before := time.Now()
	got := usagesOf(t, b.RT(t, "stats", "--no-stream", "--format", "json").WantExit(t, 0).Stdout)
	busy := got[b.ID]
	switch {
	case len(got) != 2 || busy.Status != "running" || got[idle].Status != "running":
		t.Fatalf("got %+v", got)
	// A machine with other work gives it little, and no machine more than its one thread can use.
	case busy.CPUPercent == nil || *busy.CPUPercent < 2 || *busy.CPUPercent > 110:
		t.Errorf("processor time of the busy one: %v", busy.CPUPercent)
	case got[idle].CPUPercent == nil || *got[idle].CPUPercent > *busy.CPUPercent/2:
		t.Errorf("processor time of the idle one: %v", got[idle].CPUPercent)
	case busy.CPUTime == nil || *busy.CPUTime == 0 || busy.Pids == nil || *busy.Pids != 2 || *got[idle].Pids != 1:
		t.Errorf("got %+v", got)
	case busy.Time.Before(before) || busy.Time.After(time.Now()):
		t.Errorf("time %v", busy.Time)
	}
	if harness.HasController("memory") {
		if busy.MemoryUsage == nil || *busy.MemoryUsage < 3000000 || busy.MemoryLimit == nil || *busy.MemoryLimit != 64<<20 || got[idle].MemoryLimit == nil {
			t.Errorf("memory: %+v", busy)
		}
	} else if busy.MemoryUsage != nil {
		t.Errorf("memory without a controller: %d", *busy.MemoryUsage)
	}

	table := b.RT(t, "stats", "--no-stream", b.ID).WantExit(t, 0).Stdout
	lines := strings.Split(strings.TrimSpace(table), "\n")
	header, row := strings.Fields(lines[0]), strings.Fields(lines[len(lines)-1])
	if len(lines) != 2 || len(header) != len(row) || row[0] != b.ID || row[1] != "running" {
		t.Fatalf("table:\n%s", table)
	}
	if percent, err := strconv.ParseFloat(row[slices.Index(header, "CPU%")], 64); err != nil || percent < 2 {
		t.Errorf("table:\n%s", table)
	}
	if row[slices.Index(header, "PIDS")] != "2" {
		t.Errorf("table:\n%s", table)
	}

	b.RT(t, "stats", "--format", "prom", b.ID, idle).WantExit(t, 0).WantStderrIs(t, "").WantStdout(t,
		`rt_containers{status="running"} 2`,
		"# TYPE rt_container_cpu_usage_seconds_total counter\nrt_container_cpu_usage_seconds_total{id=\""+b.ID+`"} `,
		`rt_container_pids{id="`+b.ID+`"} 2`,
		`rt_container_pids{id="`+idle+`"} 1`)
}

func TestStatsFollowContainersThatComeAndGo(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "sleep", "1000")
	all := startStream(t, b, "stats", "--format", "json", "--interval", "30ms")
	b.Run(t, "--detach").WantExit(t, 0)
	all.waitForLines(2)
	named := startStream(t, b, "stats", "--format", "json", "--interval", "30ms", b.ID)
	named.waitForLines(2)
	second := runSecond(t, b, "-second", "create")
	harness.Eventually(t, "line of the second container", func() bool {
		lines := all.lines()
		return slices.ContainsFunc(lines, func(line string) bool {
			u := decodeUsage(t, line)
			return u.ID == second && u.Status == "created" && u.CPUPercent != nil
		})
	})
	if slices.ContainsFunc(named.lines(), func(line string) bool { return decodeUsage(t, line).ID != b.ID }) {
		t.Errorf("a container that was not named: %q", named.lines())
	}
	b.Delete(t, "--force").WantExit(t, 0)
	named.wantEnd()
	n := len(all.lines())
	all.waitForLines(n + 3)
	if u := decodeUsage(t, all.lines()[n+2]); u.ID != second {
		t.Errorf("a container that is gone: %+v", u)
	}
	b.RT(t, "delete", "--force", second).WantExit(t, 0)
	all.stillRuns() // there may be others later
}

func TestStatsShowStoppedContainersIfAsked(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "true")
	b.Run(t, "--detach").WantExit(t, 0)
	b.WaitFor(t, "stopped")
	for _, tc := range []struct {
		args []string
		want int
	}{
		{nil, 0}, {[]string{"--all"}, 1}, {[]string{"-a"}, 1}, {[]string{b.ID}, 1}, {[]string{b.ID, b.ID}, 1},
	} {
		args := append([]string{"stats", "--no-stream", "--format", "json", "-i", "1ms"}, tc.args...)
		got := b.RT(t, args...).WantExit(t, 0)
		if n := strings.Count(got.Stdout, `"id":"`+b.ID+`","status":"stopped"}`); n != tc.want || strings.Count(got.Stdout, "\n") != tc.want {
			t.Errorf("%q: got %q, want %d lines", args, got.Stdout, tc.want)
		}
	}
	// The path of a bundle names a container by the name of its directory, which is no container here.
	b.RT(t, "stats", "--no-stream", b.Dir).WantOneError(t, "stats: bundle: container does not exist")
}

func TestStatsShowAPausedContainer(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "sh", "-c", "while :; do :; done")
	b.Run(t, "--detach").WantExit(t, 0)
	b.RT(t, "pause", b.ID).WantExit(t, 0)
	u := usagesOf(t, b.RT(t, "stats", "--no-stream", "--format", "json").WantExit(t, 0).Stdout)[b.ID]
	if u.Status != "paused" || u.CPUPercent == nil || *u.CPUPercent > 1 || u.Pids == nil || *u.Pids != 1 {
		t.Errorf("got %+v", u)
	}
	// Events of a paused container go on, too.
	if c := statsOf(t, b); c.Data.CPU.Usage.Total == 0 {
		t.Errorf("got %+v", c)
	}
}

// One container that can't be read leaves the others in the table, and the stream going on.
func TestStatsGoOnWithABrokenContainer(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "sleep", "1000")
	b.Run(t, "--detach").WantExit(t, 0)
	second := runSecond(t, b, "-second", "run")
	s := startStream(t, b, "stats", "--interval", "30ms")
	s.waitForLines(3)
	state := b.Root + "/" + second + "/state.json"
	whole := harness.ReadFile(t, state)
	write := func(content string) { // at once: half a file would be another error
		if err := os.Rename(harness.WriteFile(t, b.Path("new-state.json"), content, 0o600), state); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"id":`)
	harness.Eventually(t, "a warning and three more tables", func() bool {
		_, after, found := strings.Cut(strings.Join(s.lines(), "\n"), "leave out")
		return found && strings.Count(after, "\nID ") >= 3
	})
	text := strings.Join(s.lines(), "\n")
	write(whole)
	s.stillRuns()
	if n := strings.Count(text, "leave out"); n != 1 {
		t.Errorf("%d warnings: %s", n, text)
	}
	_, after, _ := strings.Cut(text, "leave out")
	tables := strings.Split(after, "\nID ")
	if complete := tables[len(tables)-2]; !strings.Contains(complete, "\n"+b.ID+" ") || strings.Contains(complete, "\n"+second+" ") {
		t.Errorf("table: %s", complete)
	}
}

func TestStatsWithoutATerminalHaveNoEscapes(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "sleep", "1000")
	b.Run(t, "--detach").WantExit(t, 0)
	s := startStream(t, b, "stats", "--interval", "20ms")
	s.waitForLines(6)
	for i, line := range s.lines() {
		if want := []string{"ID ", b.ID}[i%2]; !strings.HasPrefix(line, want) || strings.Contains(line, "\x1b") {
			t.Errorf("line %d is %q", i, line)
		}
	}
}

func TestStatsOnATerminalAreDrawnInPlace(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "sleep", "1000")
	b.Run(t, "--detach").WantExit(t, 0)
	const clear, home = "\x1b[2J", "\x1b[H"
	for term, inPlace := range map[string]bool{"xterm": true, "dumb": false} {
		master, slave := openTerminal(t, 10, 20)
		cmd := b.Command(t, "stats", "--interval", "20ms")
		cmd.Env = append(cmd.Env, "TERM="+term)
		cmd.Stdout, cmd.Stderr = slave, slave
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		slave.Close()
		var text string
		buffer := make([]byte, 4096)
		for strings.Count(text, "ID ") < 4 {
			n, err := master.Read(buffer)
			if err != nil {
				t.Fatalf("%v after %q", err, text)
			}
			text += string(buffer[:n])
		}
		if err := cmd.Process.Signal(unix.SIGINT); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		if !inPlace {
			if strings.Contains(text, "\x1b") {
				t.Errorf("%s: %q", term, text)
			}
			continue
		}
		frames := strings.Split(text, home)
		if frames[0] != clear || strings.Count(text, clear) != 1 {
			t.Errorf("%s: begins with %q", term, frames[0])
		}
		want := "ID                  "[:20] + "\x1b[K\r\n" + b.ID[:20] + "\x1b[K\r\n\x1b[J"
		for _, frame := range frames[1:4] {
			if frame != want {
				t.Errorf("%s: frame %q, want %q", term, frame, want)
			}
		}
	}
}

// openTerminal returns both ends of a pseudoterminal with a size.
func openTerminal(t *testing.T, rows, columns uint16) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns})
	}
	if err == nil {
		slave, err = os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	return master, slave
}
