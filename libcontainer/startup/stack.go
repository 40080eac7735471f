// SPDX-License-Identifier: Apache-2.0

package startup

// room is what a command needs of the stack, in bytes. Go gives the main goroutine 2 KiB and doubles that when it is
// full: five times until a command has run, each time with pages touched for nothing and a walk through all frames.
const room = 24 << 10

// wanted is never true: the room has to be there, not to be touched. The compiler doesn't know.
var wanted bool

// growStack has a frame of the size of room. A function makes sure of the space for its frame when it is entered, and the
// runtime enlarges the stack to what is needed, at once.
//
//go:noinline
func growStack() {
	if wanted {
		var space [room]byte
		touch(&space)
	}
}

//go:noinline
func touch(space *[room]byte) { wanted = space[0] != 0 }
