// SPDX-License-Identifier: Apache-2.0

package startup

import (
	"testing"
	"unsafe"
)

// A stack that is enlarged moves.
func TestGrowEnlargesASmallStackOnce(t *testing.T) {
	moved := make(chan [2]bool)
	go func() {
		small := address()
		growStack()
		large := address()
		growStack()
		moved <- [2]bool{small != large, large != address()}
	}()
	got := <-moved
	if !got[0] {
		t.Error("a new goroutine's stack has not been moved to a larger place")
	}
	if got[1] {
		t.Error("the stack has been moved a second time")
	}
}

//go:noinline
func address() uintptr {
	var here byte
	return uintptr(unsafe.Pointer(&here))
}
