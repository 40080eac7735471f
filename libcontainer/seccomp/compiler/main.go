// SPDX-License-Identifier: Apache-2.0

// Command compiler turns a seccomp profile into a BPF program by libseccomp. It is a program of its own because
// libseccomp needs cgo, and a cgo program starts more slowly: rt, which starts for every command, has it embedded and
// executes it only when a filter is not known yet (package seccomp).
//
// It reads one request (package wire) from standard input and writes the answer to standard output. What is wrong with
// the profile it writes there as one line instead, and ends with status 1. It opens nothing and needs no environment.
//
// The Go runtime follows no CPU limit: it would keep files of our control group open for that.
//
//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0
package main

import (
	"fmt"
	"io"
	"os"

	libseccomp "github.com/seccomp/libseccomp-golang"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/seccomp/wire"
)

func main() {
	// rt may have been started with descriptors that are not for us, and must leave them open for the container.
	err := unix.CloseRange(3, ^uint(0)>>32, 0)
	if err == nil && len(os.Args) == 2 && os.Args[1] == "--version" {
		_, err = fmt.Println(version())
	} else if err == nil {
		err = serve(os.Stdin, os.Stdout)
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// version returns the version of libseccomp: "2.5.4".
func version() string {
	major, minor, micro := libseccomp.GetLibraryVersion()
	return fmt.Sprintf("%d.%d.%d", major, minor, micro)
}

func serve(in io.Reader, out io.Writer) error {
	data, err := io.ReadAll(io.LimitReader(in, wire.MaxRequestBytes+1))
	if err != nil {
		return fmt.Errorf("linux.seccomp: read request: %w", err)
	}
	if len(data) > wire.MaxRequestBytes {
		return fmt.Errorf("linux.seccomp: the request has more than %d bytes", wire.MaxRequestBytes)
	}
	profile, err := wire.DecodeRequest(data)
	if err != nil {
		return fmt.Errorf("linux.seccomp: %w", err)
	}
	compiled, err := compile(profile)
	if err != nil {
		return err
	}
	if _, err := out.Write(compiled.Encode()); err != nil {
		return fmt.Errorf("linux.seccomp: write answer: %w", err)
	}
	return nil
}
