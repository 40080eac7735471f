// SPDX-License-Identifier: Apache-2.0

// Package sys is the only place on the host side that makes raw kernel calls: thin wrappers that name the call and
// the object in their errors.
package sys

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ignoringEINTR repeats a call that a signal interrupted.
func ignoringEINTR(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

// SealedMemfd returns a memfd with data that nobody can change any more, close-on-exec. Linux 6.3 distinguishes
// programs from data; older kernels don't know the flags and get none.
func SealedMemfd(name string, data []byte, executable bool) (int, error) {
	kind := unix.MFD_NOEXEC_SEAL
	if executable {
		kind = unix.MFD_EXEC
	}
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|kind)
	if err == unix.EINVAL {
		fd, err = unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	}
	if err != nil {
		return -1, fmt.Errorf("memfd_create %s: %w", name, err)
	}
	if err := fillAndSeal(fd, data); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("fill memfd %s: %w", name, err)
	}
	return fd, nil
}

func fillAndSeal(fd int, data []byte) error {
	for len(data) > 0 {
		n, err := unix.Write(fd, data)
		if err != nil {
			return err
		}
		data = data[n:]
	}
	seals := unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	_, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals)
	return err
}

// CloneTree returns a detached clone of the mount tree at path (open_tree(2)).
func CloneTree(path string, recursive bool) (int, error) {
	flags := uint(unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC)
	if recursive {
		flags |= unix.AT_RECURSIVE
	}
	fd, err := unix.OpenTree(unix.AT_FDCWD, path, flags)
	if err != nil {
		return -1, fmt.Errorf("open_tree %q: %w", path, err)
	}
	return fd, nil
}

// MapTree gives a detached tree, or its top mount alone, the id mapping of a user namespace (mount_setattr(2)).
func MapTree(tree, namespace int, recursive bool) error {
	flags := uint(unix.AT_EMPTY_PATH)
	if recursive {
		flags |= unix.AT_RECURSIVE
	}
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(namespace)}
	if err := unix.MountSetattr(tree, "", flags, &attr); err != nil {
		return fmt.Errorf("mount_setattr MOUNT_ATTR_IDMAP: %w", err)
	}
	return nil
}

// Open opens path without the Go runtime's poller, close-on-exec.
func Open(path string, flags int) (int, error) {
	var fd int
	err := ignoringEINTR(func() (err error) {
		fd, err = unix.Open(path, flags|unix.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return -1, fmt.Errorf("open %q: %w", path, err)
	}
	return fd, nil
}

// Lock waits for an exclusive flock(2) of fd.
func Lock(fd int) error {
	if err := ignoringEINTR(func() error { return unix.Flock(fd, unix.LOCK_EX) }); err != nil {
		return fmt.Errorf("flock: %w", err)
	}
	return nil
}

// OpenInRoot opens path as a process with this root would, without following magic links (openat2(2)).
func OpenInRoot(root int, unsafePath string, flags int) (int, error) {
	how := unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC), Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS}
	fd, err := unix.Openat2(root, unsafePath, &how)
	if err != nil {
		return -1, fmt.Errorf("openat2 %q: %w", unsafePath, err)
	}
	return fd, nil
}

// OpenRegularInRoot opens a regular file for reading. What is something else is never opened: a device node may act
// on that. EAGAIN for a file on which somebody has a lease (fcntl(2), "Leases"): it could make us wait.
func OpenRegularInRoot(root int, unsafePath string) (int, error) {
	handle, err := OpenInRoot(root, unsafePath, unix.O_PATH)
	if err != nil {
		return -1, err
	}
	defer unix.Close(handle)
	var st unix.Stat_t
	if err := unix.Fstat(handle, &st); err != nil {
		return -1, fmt.Errorf("fstat %q: %w", unsafePath, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return -1, fmt.Errorf("open %q: not a regular file", unsafePath)
	}
	return Open("/proc/self/fd/"+strconv.Itoa(handle), unix.O_RDONLY|unix.O_NONBLOCK)
}

// NamespaceType returns the CLONE_NEW* constant of a namespace file (ioctl_ns(2)); ENOTTY if it is none.
func NamespaceType(fd int) (uint32, error) {
	t, err := unix.IoctlRetInt(fd, unix.NS_GET_NSTYPE)
	if err != nil {
		return 0, fmt.Errorf("ioctl NS_GET_NSTYPE: %w", err)
	}
	return uint32(t), nil
}

// InUserNamespace says that this process is not in the host's user namespace, which has a fixed inode number
// (USER_NS_INIT_INO in linux/nsfs.h).
func InUserNamespace() bool {
	const initial = 0xEFFFFFFD
	var st unix.Stat_t
	return unix.Stat("/proc/self/ns/user", &st) == nil && st.Ino != initial
}

// Capabilities returns those that a child of this process can have at most, its bounding set, and all of this kernel,
// which a child in a user namespace below has (capabilities(7), user_namespaces(7)).
func Capabilities() (bounding, all uint64) {
	for bit := range 64 {
		set, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(bit), 0, 0, 0)
		if err != nil {
			break // the first that the kernel does not know
		}
		bounding |= uint64(set) << bit
		all |= 1 << bit
	}
	return bounding, all
}

// CloseOnExecFrom marks every descriptor from first on: none that our caller left open reaches a child.
func CloseOnExecFrom(first uint) error {
	if err := unix.CloseRange(first, ^uint(0)>>32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return fmt.Errorf("close_range: %w", err)
	}
	return nil
}

// Inherited says that the caller left fd open for us. Descriptors of our own are close-on-exec from the start.
func Inherited(fd int) bool {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return err == nil && flags&unix.FD_CLOEXEC == 0
}

// SetIOPriority is ioprio_set(2) for a process; class is 1 (real-time), 2 (best effort) or 3 (idle).
func SetIOPriority(pid, class, priority int) error {
	const whoProcess, classShift = 1, 13
	_, _, errno := unix.RawSyscall(unix.SYS_IOPRIO_SET, whoProcess, uintptr(pid), uintptr(class<<classShift|priority))
	if errno != 0 {
		return fmt.Errorf("ioprio_set class %d priority %d: %w", class, priority, errno)
	}
	return nil
}

// SetScheduler is sched_setattr(2) for a process.
func SetScheduler(pid int, attr *unix.SchedAttr) error {
	attr.Size = unix.SizeofSchedAttr
	_, _, errno := unix.RawSyscall(unix.SYS_SCHED_SETATTR, uintptr(pid), uintptr(unsafe.Pointer(attr)), 0)
	if errno != 0 {
		return fmt.Errorf("sched_setattr policy %d: %w", attr.Policy, errno)
	}
	return nil
}

// SetLimit is prlimit(2) for a process.
func SetLimit(pid, resource int, soft, hard uint64) error {
	if err := unix.Prlimit(pid, resource, &unix.Rlimit{Cur: soft, Max: hard}, nil); err != nil {
		return fmt.Errorf("prlimit soft %d hard %d: %w", soft, hard, err)
	}
	return nil
}

// OpenProcess returns a pidfd of a process (pidfd_open(2)).
func OpenProcess(pid int) (int, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return -1, fmt.Errorf("pidfd_open %d: %w", pid, err)
	}
	return fd, nil
}

// CheckChild makes sure that the process behind a pidfd is our child; ECHILD if it is not.
func CheckChild(pidFD int) error {
	err := ignoringEINTR(func() error {
		return unix.Waitid(unix.P_PIDFD, pidFD, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	})
	if err != nil {
		return fmt.Errorf("waitid: %w", err)
	}
	return nil
}

// WaitProcess waits until the process behind a pidfd, whoever's child it is, has ended; false after timeoutMS
// milliseconds, -1 for no limit.
func WaitProcess(pidFD, timeoutMS int) (bool, error) {
	fds := []unix.PollFd{{Fd: int32(pidFD), Events: unix.POLLIN}}
	var n int
	err := ignoringEINTR(func() (err error) {
		n, err = unix.Poll(fds, timeoutMS)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("poll pidfd: %w", err)
	}
	return n > 0, nil
}

// PeekStatus returns the wait status of our child behind a pidfd, which has ended, and leaves it to be reaped.
func PeekStatus(pidFD int) (unix.WaitStatus, error) {
	var info struct { // siginfo_t of waitid(2), as both 64-bit architectures lay it out
		signo, errno, code, _ int32
		pid, uid, status      int32
		_                     [100]byte
	}
	err := ignoringEINTR(func() error {
		return unix.Waitid(unix.P_PIDFD, pidFD, (*unix.Siginfo)(unsafe.Pointer(&info)), unix.WEXITED|unix.WNOWAIT, nil)
	})
	if err != nil {
		return 0, fmt.Errorf("waitid: %w", err)
	}
	const exited, dumped, coreFlag = 1, 3, 0x80 // CLD_EXITED, CLD_DUMPED
	switch info.code {
	case exited:
		return unix.WaitStatus(info.status << 8), nil
	case dumped:
		return unix.WaitStatus(info.status | coreFlag), nil
	}
	return unix.WaitStatus(info.status), nil
}

// Reap waits for our child and returns its wait status.
func Reap(pid int) (unix.WaitStatus, error) {
	var status unix.WaitStatus
	err := ignoringEINTR(func() error {
		_, err := unix.Wait4(pid, &status, 0, nil)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("wait4 %d: %w", pid, err)
	}
	return status, nil
}

// WriteFile writes data with one write(2) to a file that exists, as control files of the kernel want it.
func WriteFile(path string, data string) error {
	fd, err := Open(path, unix.O_WRONLY)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if _, err := unix.Write(fd, []byte(data)); err != nil {
		return fmt.Errorf("write %q: %w", path, err)
	}
	return nil
}

// ReadFile reads a whole file as os.ReadFile does, but without the Go runtime's poller: whatever can be polled, such as
// the files of procfs and of control groups, would cost five system calls more.
func ReadFile(path string) ([]byte, error) {
	fd, err := Open(path, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	return ReadAll(fd, path)
}

// ReadAll reads from fd to the end. Messages show the file as shown. A regular file whose size is known takes one
// read(2) and another that finds the end; a list of the kernel may grow while it is read, so that its end counts.
func ReadAll(fd int, shown string) ([]byte, error) {
	var first [512]byte // most files are control files, of some bytes
	data := first[:0]
	for {
		n, err := unix.Read(fd, data[len(data):cap(data)])
		switch {
		case err == unix.EINTR:
		case err != nil:
			return nil, fmt.Errorf("read %q: %w", shown, err)
		case n == 0:
			return bytes.Clone(data), nil
		default:
			data = data[:len(data)+n]
			if len(data) == cap(data) {
				data = slices.Grow(data, max(len(data), 4096))
			}
		}
	}
}

// ReadBounded reads a small file that somebody untrusted made: it must be a regular file, and at most limit bytes
// of it are read.
func ReadBounded(fd int, limit int) ([]byte, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, os.NewSyscallError("fstat", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, fmt.Errorf("not a regular file")
	}
	data := make([]byte, min(limit, int(st.Size)))
	n, err := unix.Pread(fd, data, 0)
	if err != nil {
		return nil, os.NewSyscallError("pread", err)
	}
	return data[:n], nil
}
