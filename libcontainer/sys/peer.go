// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// OpenMemory opens the memory of the process behind pidFD, which has the number pid. The descriptor stays that of this
// memory when the process executes another program or ends (proc_pid_mem(5)).
func OpenMemory(pid, pidFD int) (int, error) {
	fd, err := Open("/proc/"+strconv.Itoa(pid)+"/mem", unix.O_RDWR)
	if err != nil {
		return -1, err
	}
	if err := unix.PidfdSendSignal(pidFD, 0, nil, 0); err != nil { // the number may be another's by now
		unix.Close(fd)
		return -1, fmt.Errorf("process %d: %w", pid, err)
	}
	return fd, nil
}

// DescriptorName is what procfs calls a descriptor of ours; for one without a path, its kind.
func DescriptorName(fd int) (string, error) {
	return os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
}

// WaitBriefly is WaitReadable with a limit: it returns true also if the process has ended.
func WaitBriefly(socket, pidFD int, limit time.Duration) (bool, error) {
	fds := []unix.PollFd{{Fd: int32(socket), Events: unix.POLLIN}, {Fd: int32(pidFD), Events: unix.POLLIN}}
	timeout := unix.NsecToTimespec(limit.Nanoseconds())
	n, err := unix.Ppoll(fds, &timeout, nil)
	if err != nil && err != unix.EINTR {
		return false, fmt.Errorf("ppoll: %w", err)
	}
	return n > 0, nil
}
