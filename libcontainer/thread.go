// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/startup"
)

// background does what waits in system calls beside its caller. A thread in one keeps the Go runtime's only processor
// (build/go-runtime) until the monitor takes it away, which is no longer to take its time.
func background(do func()) {
	startup.CalmMonitor(false)
	go do()
}

// onOwnThread calls do on a locked thread, which ends with it, so that do may change what belongs to the thread, its
// namespaces say. It is never the first thread: what /proc/self shows is that one's.
func onOwnThread(do func()) {
	runtime.LockOSThread()
	if unix.Gettid() == unix.Getpid() {
		// As long as this goroutine holds the first thread, another one has another.
		defer runtime.UnlockOSThread()
		done := make(chan struct{})
		go func() {
			defer close(done)
			onOwnThread(do)
		}()
		<-done
		return
	}
	do()
}
