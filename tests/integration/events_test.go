// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/tests/harness"
)

// counters is what the tests look at of an event's data.
type counters struct {
	Type, ID string
	Data     struct {
		CPU *struct {
			Usage struct{ Total, User, Kernel uint64 }
			PSI   *struct{ Some, Full map[string]float64 }
		}
		Memory *struct {
			Usage *struct{ Usage, Max, Limit uint64 }
		}
		Pids  *struct{ Current uint64 }
		Blkio *struct{ PSI any }
	}
}

func statsOf(t *testing.T, b *harness.Bundle) counters {
	t.Helper()
	got := b.RT(t, "events", "--stats", b.ID).WantExit(t, 0)
	return decodeStats(t, got.Stdout)
}

func decodeStats(t *testing.T, line string) (c counters) {
	t.Helper()
	if err := json.Unmarshal([]byte(line), &c); err != nil {
		t.Fatalf("decode %q: %v", line, err)
	}
	return c
}

// stream is a command of rt that goes on while the test looks at what it prints.
type stream struct {
	t    *testing.T
	cmd  *exec.Cmd
	out  string // file
	done chan error
}

func startStream(t *testing.T, b *harness.Bundle, args ...string) *stream {
	t.Helper()
	s := &stream{t: t, cmd: b.Command(t, args...), done: make(chan error, 1)}
	out, err := os.CreateTemp(t.TempDir(), "stream")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	s.out = out.Name()
	s.cmd.Stdout, s.cmd.Stderr = out, out
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { s.done <- s.cmd.Wait() }()
	t.Cleanup(func() { _ = s.cmd.Process.Kill() })
	return s
}

// lines returns what has been printed so far, whole lines only.
func (s *stream) lines() []string {
	s.t.Helper()
	text := harness.ReadFile(s.t, s.out)
	text = text[:strings.LastIndexByte(text, '\n')+1]
	return strings.FieldsFunc(text, func(r rune) bool { return r == '\n' })
}

func (s *stream) waitForLines(n int) {
	s.t.Helper()
	harness.Eventually(s.t, "lines of "+s.cmd.String(), func() bool { return len(s.lines()) >= n })
}

// wantEnd demands that the command ends by itself, with status 0.
func (s *stream) wantEnd() {
	s.t.Helper()
	select {
	case err := <-s.done:
		if err != nil {
			s.t.Errorf("%s: %v\n%s", s.cmd, err, harness.ReadFile(s.t, s.out))
		}
	case <-time.After(harness.Slow(20 * time.Second)):
		s.t.Fatalf("%s: goes on", s.cmd)
	}
}

// stillRuns demands that the command has not ended.
func (s *stream) stillRuns() {
	s.t.Helper()
	select {
	case err := <-s.done:
		s.t.Fatalf("%s: has ended: %v\n%s", s.cmd, err, harness.ReadFile(s.t, s.out))
	default:
	}
}

func TestEventsStatsPrintsTheCountersOnce(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "sleep", "1000")
	b.Create(t).WantExit(t, 0)
	got := b.RT(t, "events", "--stats", b.ID).WantExit(t, 0) // a created container has counters, too
	if !strings.HasPrefix(got.Stdout, `{"type":"stats","id":"`+b.ID+`","data":{"cpu":{"usage":{"total":`) || strings.Count(got.Stdout, "\n") != 1 {
		t.Errorf("printed %q", got.Stdout)
	}
	got.WantStdout(t, `"throttling":`, `"pids":{"current":1}`, `"intel_rdt":{},"network_interfaces":null}}`).WantStderrIs(t, "")
}

func TestEventsCountWhatTheContainerUses(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "sh", "-c",
		"x=$(head -c 3000000 /dev/zero | tr '\\0' x); sleep 1000 & echo ready; while :; do :; done")
	b.Run(t, "--detach").WantExit(t, 0)
	b.WaitForOutput(t, "ready")
	first := statsOf(t, b)
	harness.Eventually(t, "0.1 s of processor time", func() bool {
		now := statsOf(t, b)
		return now.Data.CPU.Usage.Total > first.Data.CPU.Usage.Total+1e8 && now.Data.CPU.Usage.User > 0
	})
	if first.Data.Pids.Current != 2 {
		t.Errorf("%d tasks, want 2", first.Data.Pids.Current)
	}
	switch memory, limits := first.Data.Memory, harness.HasController("memory"); {
	case limits && (memory.Usage.Usage < 3000000 || memory.Usage.Max < memory.Usage.Usage || memory.Usage.Limit < 1<<62):
		t.Errorf("memory: %+v", memory.Usage)
	case !limits && memory != nil && memory.Usage != nil:
		t.Errorf("memory without a controller: %+v", memory.Usage)
	}
	if psi := first.Data.CPU.PSI; psi != nil {
		for _, key := range []string{"avg10", "avg60", "avg300", "total"} {
			if _, ok := psi.Some[key]; !ok {
				t.Errorf("pressure has no %s: %v", key, psi.Some)
			}
		}
	} else if _, err := os.Stat(harness.CgroupsOf(b.ID)[0] + "/cpu.pressure"); err == nil {
		t.Error("no pressure")
	}
}

func TestEventsGoOnUntilTheContainerEnds(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(b *harness.Bundle){
		"deleted": func(b *harness.Bundle) { b.Delete(t, "--force").WantExit(t, 0) },
		"killed":  func(b *harness.Bundle) { b.Kill(t, "KILL").WantExit(t, 0) },
	} {
		b := harness.NewBundle(t, "sleep", "1000")
		b.Run(t, "--detach").WantExit(t, 0)
		s := startStream(t, b, "events", "--interval", "30ms", b.ID)
		s.waitForLines(4)
		s.stillRuns()
		end(b)
		s.wantEnd()
		for _, line := range s.lines() {
			if c := decodeStats(t, line); c.Type != "stats" || c.ID != b.ID || c.Data.CPU == nil {
				t.Errorf("%s: printed %q", name, line)
			}
		}
	}
}

// The counters come at once, and not only when a long interval is over; nor does the end have to wait for it.
func TestEventsDoNotWaitForTheInterval(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "sleep", "1000")
	b.Run(t, "--detach").WantExit(t, 0)
	s := startStream(t, b, "events", "--interval", "1h", b.ID)
	s.waitForLines(1)
	b.Delete(t, "--force").WantExit(t, 0)
	s.wantEnd()
	if n := len(s.lines()); n != 1 {
		t.Errorf("%d lines, want 1: %q", n, s.lines())
	}
}

// Between the lines rt sleeps: nothing wakes it, once the Go runtime has come to rest.
func TestEventsSleepWhileNothingHappens(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "sleep", "1000")
	b.Run(t, "--detach").WantExit(t, 0)
	s := startStream(t, b, "events", "--interval", "1h", b.ID)
	s.waitForLines(1)
	harness.Eventually(t, "half a second without waking up", func() bool {
		before := switches(t, s.cmd.Process.Pid)
		time.Sleep(500 * time.Millisecond)
		return switches(t, s.cmd.Process.Pid) == before
	})
}

// switches returns how often the threads of a process have gone to sleep.
func switches(t *testing.T, pid int) (n int) {
	t.Helper()
	tasks, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/status")
	for _, task := range tasks {
		for line := range strings.Lines(harness.ReadFile(t, task)) {
			if count, ok := strings.CutPrefix(line, "voluntary_ctxt_switches:"); ok {
				value, _ := strconv.Atoi(strings.TrimSpace(count))
				n += value
			}
		}
	}
	return n
}

func limitMemory(t *testing.T, b *harness.Bundle, bytes int64) {
	t.Helper()
	needControllers(t, "memory")
	b.Spec.Linux.Resources.Memory = &specs.LinuxMemory{Limit: &bytes, Swap: &bytes}
}

// gluttonAfterGo takes memory without end once the file /go is there.
const gluttonAfterGo = "while [ ! -e /go ]; do sleep 0.02; done; x=xxxxxxxxxxxxxxxx; while :; do x=$x$x; done"

func TestEventsTellOfOutOfMemory(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "sh", "-c", "("+gluttonAfterGo+"); sleep 1000")
	limitMemory(t, b, 32<<20)
	b.Run(t, "--detach").WantExit(t, 0)
	s := startStream(t, b, "events", "--interval", "1h", b.ID)
	s.waitForLines(1)
	harness.WriteFile(t, b.InRootfs("go"), "", 0o644)
	s.waitForLines(2)
	if got, want := s.lines()[1], `{"type":"oom","id":"`+b.ID+`"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if status := b.State(t).Status; status != "running" {
		t.Errorf("the container is %s", status)
	}
	b.Delete(t, "--force").WantExit(t, 0)
	s.wantEnd()
	if n := len(s.lines()); n != 2 { // the removal of the group is no event
		t.Errorf("%d lines, want 2: %q", n, s.lines())
	}
}

// The victim may be the last process of the container.
func TestEventsTellOfOutOfMemoryBeforeTheyEnd(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "sh", "-c", gluttonAfterGo)
	limitMemory(t, b, 32<<20)
	b.Run(t, "--detach").WantExit(t, 0)
	s := startStream(t, b, "events", "--interval", "1h", b.ID)
	s.waitForLines(1)
	harness.WriteFile(t, b.InRootfs("go"), "", 0o644)
	s.wantEnd()
	if got := s.lines(); len(got) != 2 || got[1] != `{"type":"oom","id":"`+b.ID+`"}` {
		t.Errorf("got %q", got)
	}
}

func TestEventsRefuseBadInput(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "sleep", "1000")
	b.RT(t, "events", "nosuch").WantOneError(t, "events nosuch: container does not exist")
	b.RT(t, "events", "--stats", "nosuch").WantOneError(t, "events nosuch: container does not exist")
	b.Run(t, "--detach").WantExit(t, 0)
	for _, interval := range []string{"0s", "-1s"} {
		b.RT(t, "events", "--interval", interval, b.ID).WantOneError(t, "events: duration interval must be greater than 0")
	}
	for _, interval := range []string{"x", "5", ""} {
		b.RT(t, "events", "--interval", interval, b.ID).WantExit(t, 1).WantStderr(t, `invalid value "`+interval+`" for flag -interval: parse error`)
	}
	b.RT(t, "events").WantExit(t, 1).WantStderr(t, `"events" requires exactly 1 argument(s)`)
	b.RT(t, "events", b.ID, "b").WantExit(t, 1).WantStderr(t, `"events" requires exactly 1 argument(s)`)
	b.Kill(t, "KILL").WantExit(t, 0)
	b.WaitFor(t, "stopped")
	b.RT(t, "events", b.ID).WantOneError(t, "events "+b.ID+": container not running")
	b.RT(t, "events", "--stats", b.ID).WantOneError(t, "events "+b.ID+": container not running")
}

// A reader that goes away ends the stream, as any program in a pipe.
func TestEventsEndWithTheirReader(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "sleep", "1000")
	b.Run(t, "--detach").WantExit(t, 0)
	cmd := b.Command(t, "events", "--interval", "20ms", b.ID)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	out.Close()
	err = cmd.Wait()
	if status, ok := cmd.ProcessState.Sys().(interface{ Signal() unix.Signal }); err == nil || !ok || status.Signal() != unix.SIGPIPE {
		t.Errorf("ended with %v", err)
	}
}
