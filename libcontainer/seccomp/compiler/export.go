// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"

	libseccomp "github.com/seccomp/libseccomp-golang"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/seccomp/wire"
)

// export returns the program of a filter. It goes through a memory file: a pipe would block on a large filter, and
// libseccomp writes to memory only since 2.6.
func export(filter *libseccomp.ScmpFilter) ([]byte, error) {
	fd, err := memoryFile()
	if err != nil {
		return nil, fmt.Errorf("linux.seccomp: memfd_create: %w", err)
	}
	file := os.NewFile(uintptr(fd), "seccomp filter")
	defer file.Close()
	if err := filter.ExportBPF(file); err != nil {
		return nil, fmt.Errorf("linux.seccomp: export filter: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("linux.seccomp: read filter: %w", err)
	}
	program := make([]byte, info.Size())
	if _, err := file.ReadAt(program, 0); err != nil {
		return nil, fmt.Errorf("linux.seccomp: read filter: %w", err)
	}
	if len(program) == 0 || len(program)%wire.InstructionBytes != 0 {
		return nil, fmt.Errorf("linux.seccomp: libseccomp exported %d bytes", len(program))
	}
	return program, nil
}

// memoryFile creates a memory file that can't be executed, which sysctl vm.memfd_noexec may require; kernels
// before 6.3 have neither the sysctl nor the flag.
func memoryFile() (int, error) {
	fd, err := unix.MemfdCreate("seccomp", unix.MFD_CLOEXEC|unix.MFD_NOEXEC_SEAL)
	if err == unix.EINVAL {
		return unix.MemfdCreate("seccomp", unix.MFD_CLOEXEC)
	}
	return fd, err
}
