// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"os"
	"testing"

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
	var made, ours unix.Stat_t
	if err := unix.Fstat(fd, &made); err != nil {
		t.Fatal(err)
	}
	// Any goroutine may run on any thread, so this looks at whether the changed one is really gone.
	if err := unix.Stat("/proc/thread-self/ns/net", &ours); err != nil {
		t.Fatal(err)
	}
	if made.Ino == ours.Ino {
		t.Error("the thread that made it goes on in it")
	}
	w.drop() // nothing is left to take
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
