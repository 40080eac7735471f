// SPDX-License-Identifier: Apache-2.0

// Command notify is what a container runs that tells the service manager something: each argument is sent to the socket
// of NOTIFY_SOCKET (sd_notify(3)), with a descriptor, as a hostile program would do.
package main

import (
	"fmt"
	"os"
	"syscall"
)

func main() {
	if err := send(os.Getenv("NOTIFY_SOCKET"), os.Args[1:]); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func send(path string, messages []string) error {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	for _, message := range messages {
		if err := syscall.Sendmsg(fd, []byte(message), syscall.UnixRights(0), &syscall.SockaddrUnix{Name: path}, 0); err != nil {
			return fmt.Errorf("send to %q: %w", path, err)
		}
	}
	return nil
}
