// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/sys"
)

// newNetwork is a network namespace in the making. Of all namespaces it takes the kernel longest, more than half a
// millisecond, so a thread of its own makes it while others prepare the rest; the stage then joins it. Its memory is
// charged to rt, not to the container, whose memory limit a network namespace alone would fill with 100 KiB.
type newNetwork struct {
	wanted chan bool
	made   chan madeNamespace
}

type madeNamespace struct {
	fd  int
	err error
}

// startNetwork starts the thread, before it is known whether the container needs it.
func startNetwork() *newNetwork {
	w := &newNetwork{wanted: make(chan bool, 1), made: make(chan madeNamespace, 1)}
	go w.run()
	return w
}

func (w *newNetwork) run() {
	runtime.LockOSThread()
	if unix.Gettid() == unix.Getpid() {
		// What /proc/self shows is the first thread's. As long as this goroutine holds it, another one has another thread.
		defer runtime.UnlockOSThread()
		next := &newNetwork{wanted: w.wanted, made: make(chan madeNamespace, 1)}
		go next.run()
		if made, ok := <-next.made; ok {
			w.made <- made
		}
		close(w.made)
		return
	}
	defer close(w.made)
	if !<-w.wanted {
		runtime.UnlockOSThread()
		return
	}
	fd, err := makeNetwork()
	w.made <- madeNamespace{fd, err}
	// The thread is in another network namespace than all others: locked, it ends with its goroutine.
}

// order tells the thread whether there is something to make.
func (w *newNetwork) order(wanted bool) { w.wanted <- wanted }

// take waits for the namespace, which the caller closes.
func (w *newNetwork) take() (int, error) {
	made := <-w.made
	return made.fd, made.err
}

// drop ends the thread; a namespace that nobody has taken goes with it.
func (w *newNetwork) drop() {
	close(w.wanted)
	if made, ok := <-w.made; ok && made.err == nil {
		unix.Close(made.fd)
	}
}

// makeNetwork makes a network namespace, for the calling thread, with lo up, and opens it.
func makeNetwork() (int, error) {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return -1, fmt.Errorf("linux.namespaces: unshare CLONE_NEWNET: %w (%s)", err, namespaceHint)
	}
	if err := sys.RaiseLoopback(); err != nil {
		return -1, err
	}
	return sys.Open("/proc/thread-self/ns/net", unix.O_RDONLY)
}
