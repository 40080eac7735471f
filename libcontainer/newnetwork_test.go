// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestANewNetworkIsAnotherOne(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root: a network namespace is made")
	}
	w := startNetwork()
	w.order(true)
	var made, here unix.Stat_t
	err := <-w.inside(func() error { return unix.Stat("/proc/thread-self/ns/net", &made) })
	if err != nil {
		t.Fatal(err)
	}
	wrong, back := errors.New("wrong"), unix.Stat_t{}
	err = <-w.inside(func() error { return errors.Join(wrong, unix.Stat("/proc/thread-self/ns/net", &back)) })
	if !errors.Is(err, wrong) {
		t.Errorf("got %v, want the error of what was done", err)
	}
	if back.Ino == made.Ino {
		t.Error("the thread is still in the new one")
	}
	w.drop()
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
		if _, open := <-w.work; open {
			t.Errorf("ordered %s: something is left", ordered)
		}
	}
}
