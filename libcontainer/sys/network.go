// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// NewNetwork is a network namespace that is being made, with lo up. Of all namespaces it takes the kernel longest, more
// than half a millisecond: the caller goes on meanwhile.
type NewNetwork struct {
	sequence Sequence
	opened   bool
}

// The calls of the sequence.
const (
	unshareCall = iota
	socketCall
	raiseCall
	openCall
)

// interfaceFlags is struct ifreq with flags (netdevice(7)).
type interfaceFlags struct {
	name  [unix.IFNAMSIZ]byte
	flags uint16
	_     [22]byte
}

// BeginNetwork starts to make a namespace. It becomes that of no thread of the Go runtime.
func BeginNetwork() (*NewNetwork, error) {
	flag, family, noDirectory := unix.CLONE_NEWNET, unix.AF_UNIX, unix.AT_FDCWD // any socket serves
	lo := &interfaceFlags{name: [unix.IFNAMSIZ]byte{'l', 'o'}, flags: unix.IFF_UP}
	own := []byte("/proc/thread-self/ns/net\x00")
	n := &NewNetwork{sequence: Sequence{Memory: []any{lo, own}, Calls: make([]Call, openCall+1)}}
	c := n.sequence.Calls
	c[unshareCall] = Call{Number: unix.SYS_UNSHARE, First: &flag}
	c[socketCall] = Call{Number: unix.SYS_SOCKET, First: &family, Second: unix.SOCK_DGRAM | unix.SOCK_CLOEXEC}
	c[raiseCall] = Call{Number: unix.SYS_IOCTL, First: &c[socketCall].Result, Second: unix.SIOCSIFFLAGS, Third: uintptr(unsafe.Pointer(lo))}
	c[openCall] = Call{Number: unix.SYS_OPENAT, First: &noDirectory, Second: uintptr(unsafe.Pointer(&own[0])), Third: unix.O_RDONLY | unix.O_CLOEXEC}
	return n, n.sequence.Begin()
}

// Open waits for the namespace and returns a descriptor of it, once. The error names the system call.
func (n *NewNetwork) Open() (int, error) {
	n.opened = true
	n.sequence.Wait()
	c := n.sequence.Calls
	failed, err := n.sequence.Failed()
	if failed > socketCall || failed < 0 {
		unix.Close(c[socketCall].Result)
	}
	if err != nil {
		return -1, fmt.Errorf("%s: %w", [...]string{"unshare CLONE_NEWNET", "socket", "raise lo: ioctl SIOCSIFFLAGS", "open its file in /proc"}[failed], err)
	}
	return c[openCall].Result, nil
}

// Drop lets go of a namespace that nobody has opened.
func (n *NewNetwork) Drop() {
	if n.opened {
		return
	}
	if fd, err := n.Open(); err == nil {
		unix.Close(fd)
	}
}
