// SPDX-License-Identifier: Apache-2.0

// Command attached is what a container runs that wants to end with its parent, as many an init process does: it asks for
// SIGKILL when the thread that started it ends (PR_SET_PDEATHSIG), waits for the milliseconds of its argument, and says so.
package main

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
)

func main() {
	milliseconds, err := strconv.Atoi(os.Args[1])
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0); errno != 0 {
		fmt.Println(errno)
		os.Exit(1)
	}
	time.Sleep(time.Duration(milliseconds) * time.Millisecond)
	fmt.Println("still here")
}
