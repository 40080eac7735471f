// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/sys"
)

func TestANewNetworkIsAnotherOne(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root: a network namespace is made")
	}
	w := startNetwork()
	w.order(true)
	fd, err := w.take()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if kind, err := sys.NamespaceType(fd); err != nil || kind != unix.CLONE_NEWNET {
		t.Errorf("type %#x, %v", kind, err)
	}
	w.drop() // nothing is left to take
	var made, ours unix.Stat_t
	if err := unix.Fstat(fd, &made); err != nil {
		t.Fatal(err)
	}
	for _, threads := range []string{"self", "thread-self"} {
		if err := unix.Stat("/proc/"+threads+"/ns/net", &ours); err != nil {
			t.Fatal(err)
		}
		if made.Ino == ours.Ino {
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

func TestANewNetworkThatNobodyTakesIsDropped(t *testing.T) {
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
		if _, open := <-w.made; open {
			t.Errorf("ordered %s: something is left", ordered)
		}
	}
}
