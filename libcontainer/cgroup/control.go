// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/sys"
)

// open opens a control file, or the directory of a group.
func open(path string, flags int) (*os.File, error) {
	return openAt(unix.AT_FDCWD, path, flags, path)
}

// openAt is open for a path below an open directory; messages show it as shown. It goes past os.OpenFile, which would
// register the descriptor with epoll: the files of a control group can be polled, so that succeeds, costs three system
// calls each, and makes the descriptor non-blocking.
func openAt(dirFD int, path string, flags int, shown string) (*os.File, error) {
	for {
		fd, err := unix.Openat(dirFD, path, flags|unix.O_CLOEXEC, 0)
		switch {
		case err == nil:
			return os.NewFile(uintptr(fd), shown), nil
		case !errors.Is(err, unix.EINTR):
			return nil, fmt.Errorf("open %q: %w", shown, err)
		}
	}
}

// readControl returns the content of a control file without the white space around it.
func readControl(dir, name string) (string, error) {
	content, err := sys.ReadFile(dir + "/" + name)
	return strings.TrimSpace(string(content)), err
}

func readValue(f *os.File) (string, error) {
	content, err := sys.ReadAll(int(f.Fd()), f.Name())
	return strings.TrimSpace(string(content)), err
}

// writeControl writes value to a control file with one write(2), as the kernel's parsers want it.
func writeControl(dir, name, value string) error {
	path := dir + "/" + name
	fd, err := sys.Open(path, unix.O_WRONLY)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return writeOnce(fd, path, value)
}

func writeValue(f *os.File, value string) error { return writeOnce(int(f.Fd()), f.Name(), value) }

// writeOnce writes value by one write(2). Messages show the file as shown.
func writeOnce(fd int, shown, value string) error {
	for {
		_, err := unix.Write(fd, []byte(value))
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, unix.EINTR):
			return fmt.Errorf("write %q to %q: %w", value, shown, err)
		}
	}
}

// readKeyed returns the number behind key in a flat keyed file ("populated 0\nfrozen 1\n"; cgroup-v2.rst,
// "Interface Files"), 0 if there is no such key.
func readKeyed(dir, name, key string) (uint64, error) {
	content, err := readControl(dir, name)
	if err != nil {
		return 0, err
	}
	return keyed(content, key)
}

func keyed(content, key string) (uint64, error) {
	for line := range strings.Lines(content) {
		if value, ok := strings.CutPrefix(line, key+" "); ok {
			return strconv.ParseUint(strings.TrimSpace(value), 10, 64)
		}
	}
	return 0, nil
}

// gone tells whether err means that the group, or a file that an option of the kernel brings, is not there:
// ENOENT when the directory is away, ENODEV when it went between open and read.
func gone(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV)
}
