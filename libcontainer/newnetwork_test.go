// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/sys"
	"github.com/rt-oci/rt/nsenter"
)

func TestANewNetworkIsAnotherOne(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root: a network namespace is made")
	}
	ours, theirs, err := sys.SocketPair()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(theirs)
	w := startNetwork()
	w.order(true)
	if err := w.sendTo(ours); err != nil {
		t.Fatal(err)
	}
	unix.Close(ours) // the thread has its own
	if err := w.await(); err != nil {
		t.Fatal(err)
	}
	var m nsenter.Message
	n, fd, err := sys.ReceiveMessage(theirs, sys.Bytes(&m))
	if err != nil || n != len(sys.Bytes(&m)) || m.Type != nsenter.MessageGo {
		t.Fatalf("%d bytes, type %d, %v", n, m.Type, err)
	}
	defer unix.Close(fd)
	if n, _, err := sys.ReceiveMessage(theirs, sys.Bytes(&m)); n != 0 || err != nil {
		t.Errorf("%d bytes more, %v: the thread still has the socket", n, err)
	}
	if kind, err := sys.NamespaceType(fd); err != nil || kind != unix.CLONE_NEWNET {
		t.Errorf("type %#x, %v", kind, err)
	}
	w.drop() // nothing is left to send
	var made, here unix.Stat_t
	if err := unix.Fstat(fd, &made); err != nil {
		t.Fatal(err)
	}
	for _, threads := range []string{"self", "thread-self"} {
		if err := unix.Stat("/proc/"+threads+"/ns/net", &here); err != nil {
			t.Fatal(err)
		}
		if made.Ino == here.Ino {
			t.Errorf("/proc/%s/ns/net is the new one", threads)
		}
	}
}

func TestTheFirstThreadStaysInItsNetwork(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: network namespaces are made")
	}
	before, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		w := startNetwork()
		w.order(true)
		time.Sleep(100 * time.Microsecond) // the first thread runs goroutines like any other meanwhile
		w.drop()
		if after, err := os.Readlink("/proc/self/ns/net"); err != nil || after != before {
			t.Fatalf("%s, %v; before %s", after, err, before)
		}
	}
}

func TestANewNetworkThatNobodyWantsIsDropped(t *testing.T) {
	t.Parallel()
	for _, ordered := range []string{"never", "no", "yes"} {
		if ordered == "yes" && os.Geteuid() != 0 {
			t.Skip("needs root: a network namespace is made")
		}
		w := startNetwork()
		if ordered != "never" {
			w.order(ordered == "yes")
		}
		w.drop()
		if _, open := <-w.sent; open {
			t.Errorf("ordered %s: something is left", ordered)
		}
	}
}
