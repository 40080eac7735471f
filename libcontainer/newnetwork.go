// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/sys"
	"github.com/rt-oci/rt/nsenter"
)

// newNetwork is a network namespace in the making. Of all namespaces it takes the kernel longest, more than half a
// millisecond, so a thread of its own makes it while others prepare the rest, and sends it to the stage, which joins it.
// Its memory is charged to rt, not to the container, whose memory limit a network namespace alone would fill with 100 KiB.
//
// The thread sends it itself, at best before the stage is there: a stage that sleeps when the message comes is woken on
// the processor of who sends, and were that the first thread, the two would take turns while another processor idles.
type newNetwork struct {
	wanted chan bool
	socket chan int // whose other end the stage has
	sent   chan error
}

// startNetwork starts the thread, before it is known whether the container needs it.
func startNetwork() *newNetwork {
	w := &newNetwork{wanted: make(chan bool, 1), socket: make(chan int, 1), sent: make(chan error, 1)}
	go onOwnThread(w.run)
	return w
}

// run is the thread's work. It leaves the thread in the new namespace.
func (w *newNetwork) run() {
	defer close(w.sent)
	if !<-w.wanted {
		runtime.UnlockOSThread()
		return
	}
	fd, err := makeNetwork()
	if err != nil {
		w.sent <- err
		return
	}
	defer unix.Close(fd)
	if socket, ok := <-w.socket; ok {
		w.sent <- sendNetwork(socket, fd)
	}
}

// order tells the thread whether there is something to make.
func (w *newNetwork) order(wanted bool) { w.wanted <- wanted }

// sendTo tells the thread where the namespace is to be sent to, from a descriptor of its own.
func (w *newNetwork) sendTo(socket int) error {
	own, err := unix.FcntlInt(uintptr(socket), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("fcntl F_DUPFD_CLOEXEC: %w", err)
	}
	w.socket <- own
	return nil
}

// await waits until the namespace has been made and sent.
func (w *newNetwork) await() error { return <-w.sent }

// drop ends the thread; a namespace that has not been sent goes with it.
func (w *newNetwork) drop() {
	close(w.wanted)
	close(w.socket)
	for range w.sent {
	}
	for socket := range w.socket { // that it did not come to
		unix.Close(socket)
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

// sendNetwork sends the namespace, and closes the socket. A stage that is gone has said why.
func sendNetwork(socket, namespace int) error {
	defer unix.Close(socket)
	m := nsenter.Message{Type: nsenter.MessageGo}
	err := sys.SendDescriptor(socket, sys.Bytes(&m), namespace)
	if errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET) {
		return nil
	}
	return err
}
