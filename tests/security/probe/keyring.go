// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// plantKeyring makes a keyring that everybody can find by its name, and holds it until standard input ends.
func plantKeyring(name string) int {
	const everything = 0x3f3f3f3f
	runtime.LockOSThread() // which has the keyring
	id, err := unix.KeyctlJoinSessionKeyring(name)
	if err == nil {
		err = unix.KeyctlSetperm(id, everything)
	}
	if err != nil {
		fmt.Println("plant:", err)
		return 1
	}
	fmt.Println("keyring", id)
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 0
}

func showKeyring() int {
	id, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_SESSION_KEYRING, false)
	if err != nil {
		fmt.Println("show:", err)
		return 1
	}
	fmt.Println("keyring", id)
	return 0
}
