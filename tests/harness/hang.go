// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"encoding/binary"
	"fmt"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// Operations of a FUSE file system, and the minor version of the protocol (linux/fuse.h).
const (
	fuseGetattr    = 3
	fuseInit       = 26
	fuseHeaderSize = 16
	fuseMinor      = 31
)

// HangingDirectory mounts a file system that can be bound, and whose root can be looked at, until hang is called. From then
// on nothing there ends: who asks for something can be killed, but neither be interrupted nor be frozen.
func HangingDirectory(t *testing.T, dir string) (hang func()) {
	t.Helper()
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Skipf("open /dev/fuse: %v (the kernel has no FUSE)", err)
	}
	Mkdir(t, dir, 0o755)
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fd)
	if err := unix.Mount("rt-test-hang", dir, "fuse", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		unix.Close(fd)
		t.Fatalf("mount a file system of type fuse: %v", err)
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		serveDirectory(fd, stop)
	}()
	hang = sync.OnceFunc(func() {
		close(stop)
		<-stopped
	})
	t.Cleanup(func() {
		hang()
		if err := unix.Unmount(dir, unix.MNT_FORCE|unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
		unix.Close(fd)
	})
	return hang
}

// serveDirectory answers requests, as those of an empty directory, until it shall stop. It leaves the next one unread:
// what was read can't be given up by who waits for it, not even when killed.
func serveDirectory(fd int, stop <-chan struct{}) {
	request := make([]byte, 1<<17)
	for {
		select {
		case <-stop:
			return
		default:
		}
		const briefly = 5 // milliseconds
		if n, _ := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, briefly); n <= 0 {
			continue
		}
		n, err := unix.Read(fd, request)
		if err == unix.EINTR || err == unix.EAGAIN || err == unix.ENOENT {
			continue
		}
		if err != nil || n < 40 {
			return
		}
		answer := make([]byte, fuseHeaderSize)
		switch binary.NativeEndian.Uint32(request[4:]) {
		case fuseInit: // struct fuse_init_out
			answer = append(answer, make([]byte, 64)...)
			binary.NativeEndian.PutUint32(answer[16:], 7)
			binary.NativeEndian.PutUint32(answer[20:], fuseMinor)
			binary.NativeEndian.PutUint32(answer[36:], 1<<16) // the most that can be written
		case fuseGetattr: // struct fuse_attr_out: 16 bytes, and then struct fuse_attr
			answer = append(answer, make([]byte, 104)...)
			binary.NativeEndian.PutUint64(answer[32:], 1) // inode
			binary.NativeEndian.PutUint32(answer[92:], unix.S_IFDIR|0o755)
			binary.NativeEndian.PutUint32(answer[96:], 2)
		default:
			enosys := int32(unix.ENOSYS)
			binary.NativeEndian.PutUint32(answer[4:], uint32(-enosys))
		}
		binary.NativeEndian.PutUint32(answer, uint32(len(answer)))
		copy(answer[8:16], request[8:16])
		if _, err := unix.Write(fd, answer); err != nil && err != unix.ENOENT {
			return
		}
	}
}
