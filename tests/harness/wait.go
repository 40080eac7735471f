// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// Eventually waits until condition holds.
func Eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	pause := time.Millisecond
	for end := time.Now().Add(deadline); !condition(); {
		if time.Now().After(end) {
			t.Fatalf("waited %v for: %s", deadline, what)
		}
		time.Sleep(pause)
		pause = min(2*pause, 50*time.Millisecond)
	}
}

// WaitFor waits until `state` says status.
func (b *Bundle) WaitFor(t *testing.T, status string) State {
	t.Helper()
	var s State
	Eventually(t, b.ID+" is "+status, func() bool {
		got := b.RT(t, "state", b.ID)
		return got.Exit == 0 && json.Unmarshal([]byte(got.Stdout), &s) == nil && string(s.Status) == status
	})
	return s
}

// WaitForOutput waits until the container has written text to stdout.
func (b *Bundle) WaitForOutput(t *testing.T, text string) {
	t.Helper()
	Eventually(t, "output "+text, func() bool { return strings.Contains(b.Output(t), text) })
}
