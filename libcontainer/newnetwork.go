// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/sys"
)

// newNetwork is a thread in a new network namespace. Of all namespaces it takes the kernel longest, more than half a
// millisecond, so the thread makes it while others prepare the rest. The stage is forked by the thread, and so is in the
// namespace from the first moment. Its memory is charged to rt, not to the container, whose memory limit a network
// namespace alone would fill with 100 KiB.
//
// While the thread waits for the fork, the first one goes on, and keeps its processor busy: were it that one that waits,
// the kernel would move the stage to its processor at execve, and the two would take turns where another idles.
type newNetwork struct {
	wanted chan bool
	work   chan func(made error) // what is to be done in the namespace
	ended  chan struct{}
}

// startNetwork starts the thread, before it is known whether the container needs it.
func startNetwork() *newNetwork {
	w := &newNetwork{wanted: make(chan bool, 1), work: make(chan func(error), 1), ended: make(chan struct{})}
	go onOwnThread(w.run)
	return w
}

// run is the thread's work. The thread lives on when it is done, in the namespace of all others: what it has forked may
// have asked for a signal for its end (PR_SET_PDEATHSIG), and the namespace shall end with the container.
func (w *newNetwork) run() {
	defer close(w.ended)
	if !<-w.wanted {
		runtime.UnlockOSThread()
		return
	}
	made := makeNetwork()
	for do := range w.work {
		do(made)
		leaveNetwork()
	}
}

// order tells the thread whether there is something to make.
func (w *newNetwork) order(wanted bool) { w.wanted <- wanted }

// inside has the thread do something in the namespace, once. The result is its error, or why there is no namespace.
func (w *newNetwork) inside(do func() error) (result <-chan error) {
	done := make(chan error, 1)
	w.work <- func(made error) {
		if made == nil {
			made = do()
		}
		done <- made
	}
	return done
}

// drop ends the thread, whatever it was told, and waits for that.
func (w *newNetwork) drop() {
	close(w.wanted)
	close(w.work)
	<-w.ended
}

// makeNetwork puts the calling thread into a new network namespace with lo up.
func makeNetwork() error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("linux.namespaces: unshare CLONE_NEWNET: %w (%s)", err, namespaceHint)
	}
	return sys.RaiseLoopback()
}

// leaveNetwork takes the calling thread to the network namespace of the first one. If it can't, the namespace lives as long
// as rt does.
func leaveNetwork() {
	fd, err := sys.Open("/proc/self/ns/net", unix.O_RDONLY)
	if err != nil {
		return
	}
	_ = unix.Setns(fd, unix.CLONE_NEWNET)
	unix.Close(fd)
}
