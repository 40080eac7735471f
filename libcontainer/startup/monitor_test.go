// SPDX-License-Identifier: Apache-2.0

package startup

import (
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func slackOf(t *testing.T, thread int) string {
	t.Helper()
	data, err := os.ReadFile("/proc/" + strconv.Itoa(thread) + "/timerslack_ns")
	if err != nil {
		t.Skipf("the slack of another thread can't be read here: %v", err)
	}
	return strings.TrimSpace(string(data))
}

func TestCalmMonitorIsOneThreadAndCanBeTakenBack(t *testing.T) {
	thread := monitorThread()
	if thread == 0 || thread == os.Getpid() {
		t.Fatalf("got thread %d of process %d", thread, os.Getpid())
	}
	before := slackOf(t, os.Getpid())
	CalmMonitor(true)
	if got := slackOf(t, thread); got != monitorLazy {
		if os.Geteuid() != 0 {
			t.Skipf("slack %s: an ordinary user may not change it", got)
		}
		t.Errorf("slack is %s", got)
	}
	CalmMonitor(false)
	if got := slackOf(t, thread); got != monitorExact {
		t.Errorf("slack is %s after it was taken back", got)
	}
	if got := slackOf(t, os.Getpid()); got != before {
		t.Errorf("the first thread, from which children inherit it, has slack %s, before %s", got, before)
	}
}

func TestTheListOfThreadsNamesTheMonitor(t *testing.T) {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	lowest := []int{}
	for _, entry := range threads {
		thread, err := strconv.Atoi(entry.Name())
		if err != nil {
			t.Fatal(err)
		}
		lowest = append(lowest, thread)
	}
	if got := secondThread(); len(lowest) < 2 || !slices.Contains(lowest, got) || got == os.Getpid() {
		t.Errorf("second thread is %d of %v, process %d", got, lowest, os.Getpid())
	}
	if next := monitorThread(); next != secondThread() {
		t.Errorf("the monitor is thread %d, and the second one %d", next, secondThread())
	}
}

func TestPathsAndNumbers(t *testing.T) {
	for _, c := range []struct {
		before string
		thread int
		after  string
		want   string
	}{
		{"/proc/", 4194304, "/timerslack_ns", "/proc/4194304/timerslack_ns"},
		{"/proc/self/task/", 1, "", "/proc/self/task/1"},
		{"/proc/self/task", -1, "", "/proc/self/task"},
		{"/proc/", math.MaxInt, "/timerslack_ns", "/proc/9223372036854775807/timerslack_ns"},
	} {
		path := pathOf(c.before, c.thread, c.after)
		if got, _, ok := strings.Cut(string(path[:]), "\x00"); !ok || got != c.want {
			t.Errorf("got %q, want %q and a zero byte", got, c.want)
		}
	}
	for text, want := range map[string]int{"": 0, "7": 7, "4194304": 4194304, "12\x0034": 12, ".": 0, "..": 0, "1x": 0, "-1": 0} {
		if got := number([]byte(text)); got != want {
			t.Errorf("number %q: got %d, want %d", text, got, want)
		}
	}
}
