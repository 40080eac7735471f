// SPDX-License-Identifier: Apache-2.0

package sys

import "testing"

func TestOnlyWhatTheKernelCanReadAgainIsReleased(t *testing.T) {
	for line, want := range map[string]bool{
		"00400000-00452000 r-xp 00000000 08:02 173521      /usr/bin/rt\n":      true,
		"00651000-00652000 r--p 00051000 08:02 173521      /usr/bin/a b\n":     true,
		"00652000-00655000 rw-p 00052000 08:02 173521      /usr/bin/rt\n":      false,
		"7f0000000000-7f0000001000 r--p 00000000 00:00 0 \n":                   false,
		"7f0000000000-7f0000001000 r-xp 00000000 00:00 0          [vdso]\n":    false,
		"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]\n": false,
		"": false, "x": false, "1-0 r--p 00000000 08:02 1 /a\n": false, "-5 r--p 00000000 08:02 1 /a\n": false, "5 r--p 00000000 08:02 1 /a\n": false,
	} {
		if _, _, got := programRange([]byte(line)); got != want {
			t.Errorf("%q: got %v", line, got)
		}
	}
	if start, end, _ := programRange([]byte("00400000-00452000 r-xp 00000000 08:02 173521      /usr/bin/rt\n")); start != 0x400000 || end != 0x452000 {
		t.Errorf("got %#x to %#x", start, end)
	}
	ReleaseMemory() // and this program goes on
}
