// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"os"
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
	if got := slackOf(t, thread); got != strconv.Itoa(monitorLazy) {
		if os.Geteuid() != 0 {
			t.Skipf("slack %s: an ordinary user may not change it", got)
		}
		t.Errorf("slack is %s", got)
	}
	CalmMonitor(false)
	if got := slackOf(t, thread); got != strconv.Itoa(monitorExact) {
		t.Errorf("slack is %s after it was taken back", got)
	}
	if got := slackOf(t, os.Getpid()); got != before {
		t.Errorf("the first thread, from which children inherit it, has slack %s, before %s", got, before)
	}
}
