// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// SetAffinity binds the calling thread, and so the children that it starts, to CPUs: words of a mask, CPU 0 is the
// lowest bit of the first (sched_setaffinity(2); unix.CPUSet ends at 1024 CPUs). The goroutine must be locked to the
// thread.
func SetAffinity(mask []uint64) error {
	_, _, errno := unix.RawSyscall(unix.SYS_SCHED_SETAFFINITY, 0, uintptr(8*len(mask)), uintptr(unsafe.Pointer(unsafe.SliceData(mask))))
	if errno != 0 {
		return fmt.Errorf("sched_setaffinity: %w", errno)
	}
	return nil
}
