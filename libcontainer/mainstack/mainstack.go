// SPDX-License-Identifier: Apache-2.0

// Package mainstack makes the main goroutine's stack large at once. Go starts it with 2 KiB and doubles it when it is
// full: five times until a command has run, each time with pages touched for nothing and a walk through all frames. The
// main program imports this package for its effect. It imports nothing, so that it is initialised before packages
// that need much stack for their own initialisation (https://go.dev/ref/spec#Program_initialization).
package mainstack

// room is what a command needs, in bytes.
const room = 24 << 10

// wanted is never true: the room has to be there, not to be touched. The compiler doesn't know.
var wanted bool

func init() { grow() }

// grow has a frame of the size of room. A function makes sure of the space for its frame when it is entered, and the
// runtime enlarges the stack to what is needed, at once.
//
//go:noinline
func grow() {
	if wanted {
		var space [room]byte
		touch(&space)
	}
}

//go:noinline
func touch(space *[room]byte) { wanted = space[0] != 0 }
