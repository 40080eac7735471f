// SPDX-License-Identifier: Apache-2.0

package startup

// Arguments of system calls; the numbers of these are those of the machine (call_ARCH.go).
const (
	atFDCWD       = -100
	writeOnly     = 0o1 | closeOnExec
	directoryOnly = openDirectory | closeOnExec
	closeOnExec   = 0o2000000
)

// call makes a system call whose second argument is memory. It returns what the kernel returns: an error is a negative
// number (syscall(2)). Package syscall isn't there yet.
//
//go:noescape
func call(number, first int, memory *byte, third int) int
