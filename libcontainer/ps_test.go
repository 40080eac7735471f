// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"strings"
	"testing"
)

func TestFilterPS(t *testing.T) {
	for _, c := range []struct{ name, output, want string }{
		{"by the column PID", "UID  PID PPID CMD\nroot 7 1 a\nroot 8 7 b\nroot 77 7 c\n", "UID  PID PPID CMD\nroot 7 1 a\nroot 77 7 c\n"},
		{"at any place", "COMMAND PPID PID\na 7 9\nb 9 7\n", "COMMAND PPID PID\nb 9 7\n"},
		{"warnings stand before the header", "warning: x\n  PID TTY\n    7 ?\n", "  PID TTY\n    7 ?\n"},
		{"no process", "PID\n", "PID\n"},
		{"short and empty lines", "TTY PID\n\n?\n? 7\n", "TTY PID\n? 7\n"},
		{"without a newline at the end", "PID\n7", "PID\n7"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := filterPS(c.output, []int{7, 77})
			if err != nil || got != c.want {
				t.Errorf("got %q, %v, want %q", got, err, c.want)
			}
		})
	}
	for output, want := range map[string]string{
		"":                            "no column PID",
		"7\n":                         "no column PID",
		"COMMAND PID\nmy program 7\n": `"program" stands in the column PID`,
	} {
		if _, err := filterPS(output, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", output, err, want)
		}
	}
}

func TestFindPSLooksInAbsoluteDirectoriesOnly(t *testing.T) {
	t.Setenv("PATH", ".::bin:/nonexistent")
	if program, err := findPS(); err == nil || !strings.Contains(err.Error(), "install procps") {
		t.Errorf("got %q, %v", program, err)
	}
}
