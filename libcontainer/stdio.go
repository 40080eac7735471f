// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// usableNull gives the standard streams as they are, but for those that are the null device and open in the wrong
// direction: these become the descriptor opened, which the caller closes (-1 if there is none). Shims of containerd give a
// process without output /dev/null open for reading only (go-runc, NewNullIO), and count on the runtime to open it
// again; else each write of the program would fail with EBADF. It is opened here on the host, and not by the stage: the
// image's /dev/null may be anything (CVE-2026-88265).
func usableNull(stdio [3]uintptr) (usable [3]uintptr, opened int, err error) {
	opened = -1
	for i, fd := range stdio {
		wrong := unix.O_RDONLY
		if i == 0 {
			wrong = unix.O_WRONLY
		}
		flags, err := unix.FcntlInt(fd, unix.F_GETFL, 0)
		if err != nil || flags&unix.O_ACCMODE != wrong || flags&unix.O_PATH != 0 || !isNull(int(fd)) {
			continue // one that is not open is not ours to judge
		}
		if opened < 0 {
			if opened, err = unix.Open("/dev/null", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0); err != nil {
				return stdio, -1, fmt.Errorf("open /dev/null for standard stream %d: %w", i, err)
			}
			if !isNull(opened) {
				unix.Close(opened)
				return stdio, -1, fmt.Errorf("open /dev/null for standard stream %d: it is not the null device (1:3)", i)
			}
		}
		stdio[i] = uintptr(opened)
	}
	return stdio, opened, nil
}

func isNull(fd int) bool {
	var st unix.Stat_t
	return unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == unix.Mkdev(1, 3)
}
