// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"errors"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

func TestANewNetworkIsAnotherOneWithLoUp(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root: a network namespace is made")
	}
	var before, made, after unix.Stat_t
	if err := unix.Stat("/proc/self/ns/net", &before); err != nil {
		t.Fatal(err)
	}
	n, err := BeginNetwork()
	if err != nil {
		t.Fatal(err)
	}
	fd, err := n.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if kind, err := NamespaceType(fd); err != nil || kind != unix.CLONE_NEWNET {
		t.Errorf("a namespace of type %#x, %v", kind, err)
	}
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags != unix.FD_CLOEXEC {
		t.Errorf("descriptor flags %#x, %v", flags, err)
	}
	if err := errors.Join(unix.Fstat(fd, &made), unix.Stat("/proc/self/ns/net", &after)); err != nil {
		t.Fatal(err)
	}
	if made.Ino == before.Ino || after.Ino != before.Ino {
		t.Errorf("namespace %d; the process was in %d and is in %d", made.Ino, before.Ino, after.Ino)
	}
	if flags := loFlags(t, fd); flags&unix.IFF_UP == 0 || flags&unix.IFF_LOOPBACK == 0 {
		t.Errorf("lo has the flags %#x", flags)
	}
	n.Drop() // what is open is its opener's
	if err := unix.Fstat(fd, &made); err != nil {
		t.Error(err)
	}
}

// loFlags looks into a namespace, on a thread that ends.
func loFlags(t *testing.T, namespace int) uint16 {
	t.Helper()
	result := make(chan uint16)
	go func() {
		runtime.LockOSThread()
		lo, err := unix.NewIfreq("lo")
		if err == nil {
			err = unix.Setns(namespace, unix.CLONE_NEWNET)
		}
		var socket int
		if err == nil {
			socket, err = unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		}
		if err == nil {
			err = errors.Join(unix.IoctlIfreq(socket, unix.SIOCGIFFLAGS, lo), unix.Close(socket))
		}
		if err != nil {
			t.Error(err)
		}
		result <- lo.Uint16()
	}()
	return <-result
}

func TestANewNetworkThatNobodyOpensIsDropped(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: a network namespace is made")
	}
	before := descriptors(t)
	n, err := BeginNetwork()
	if err != nil {
		t.Fatal(err)
	}
	n.Drop()
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors, there were %d", after, before)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// The kernel refuses what CAP_SYS_ADMIN is missing for; nothing is left open then.
func TestANewNetworkThatIsRefusedSaysSo(t *testing.T) {
	runtime.LockOSThread() // and is never unlocked: the thread, which has fewer rights, ends with the test
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&header, &none[0]); err != nil {
		t.Fatal(err)
	}
	before := descriptors(t)
	n, err := BeginNetwork()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Open(); !errors.Is(err, unix.EPERM) || err.Error() != "unshare CLONE_NEWNET: operation not permitted" {
		t.Errorf("got %v", err)
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors, there were %d", after, before)
	}
}
