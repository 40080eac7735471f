// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/plan"
	"github.com/rt-oci/rt/libcontainer/sys"
)

// openedFiles are the descriptors that a plan asked for, in its order.
type openedFiles []int

func (o openedFiles) close() { closeAll(o) }

// fileSources are what the files of a plan come from, besides their paths.
type fileSources struct {
	tasks []int  // of the control group; those that the plan asks for are taken, and -1 then
	dir   string // the state directory
	init  int    // pidfd of the container's first process, if the plan enters a container

	network *sys.NewNetwork // if the plan asks for it
}

// openFiles opens what the plan needs of the host; last what takes longest.
func openFiles(p *plan.Plan, from fileSources) (opened openedFiles, err error) {
	defer func() {
		if err != nil {
			opened.close()
		}
	}()
	opened = slices.Repeat([]int{-1}, len(p.Files))
	for _, last := range []bool{false, true} {
		for i := range p.Files {
			if last != (p.Files[i].Kind == plan.FileNewNetwork) {
				continue
			}
			if opened[i], err = openFile(&p.Files[i], from); err != nil {
				return opened, fmt.Errorf("%s: %w", p.Files[i].Member, err)
			}
		}
	}
	return opened, nil
}

func openFile(f *plan.File, from fileSources) (int, error) {
	switch f.Kind {
	case plan.FileDirectory:
		return sys.Open(f.Path, unix.O_PATH|unix.O_DIRECTORY)
	case plan.FileNamespace:
		return openNamespace(f)
	case plan.FileTree:
		fd, err := sys.CloneTree(f.Path, f.Recursive)
		if errors.Is(err, unix.ENOENT) {
			err = fmt.Errorf("%w (%s)", err, sourceHint(f.Path))
		}
		return fd, err
	case plan.FileNull, plan.FileDevice:
		return openDevice(f)
	case plan.FileTasks:
		fd := from.tasks[f.Index]
		from.tasks[f.Index] = -1
		return fd, nil
	case plan.FileInit:
		return unix.FcntlInt(uintptr(from.init), unix.F_DUPFD_CLOEXEC, 3)
	case plan.FileFifo:
		return makeFifo(filepath.Join(from.dir, fifoName))
	case plan.FileResult:
		return makeFifo(filepath.Join(from.dir, resultName))
	case plan.FileNewNetwork:
		fd, err := from.network.Open()
		if err != nil {
			err = fmt.Errorf("make a network namespace: %w (%s)", err, namespaceHint)
		}
		return fd, err
	}
	return -1, fmt.Errorf("open file: unknown kind %d", f.Kind)
}

// openNamespace opens a namespace file and makes sure of its type: what setns(2) answers to a wrong one says little.
func openNamespace(f *plan.File) (int, error) {
	fd, err := sys.Open(f.Path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY)
	if err != nil {
		if errors.Is(err, unix.ENOENT) {
			err = fmt.Errorf("%w (the process that owned the namespace may have ended)", err)
		}
		return -1, err
	}
	have, err := sys.NamespaceType(fd)
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("%q is not a namespace file: %w", f.Path, err)
	}
	if have != f.Namespace {
		unix.Close(fd)
		return -1, fmt.Errorf("%q is a %s namespace, not a %s namespace", f.Path, namespaceName(have), namespaceName(f.Namespace))
	}
	return fd, nil
}

func namespaceName(flag uint32) string {
	for _, n := range namespaceKinds {
		if n.flag == flag {
			return n.file
		}
	}
	return fmt.Sprintf("%#x", flag)
}

// openDevice clones the mount of a device node of the host and verifies what it is.
func openDevice(f *plan.File) (int, error) {
	fd, err := sys.CloneTree(f.Path, false)
	if err != nil {
		return -1, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("fstat %q: %w", f.Path, err)
	}
	mode, major, minor := uint32(unix.S_IFCHR), uint32(1), uint32(3)
	if f.Kind == plan.FileDevice {
		major, minor = uint32(f.Device.Major), uint32(f.Device.Minor)
		if f.Device.Type == "b" {
			mode = unix.S_IFBLK
		}
	}
	if st.Mode&unix.S_IFMT != mode || st.Rdev != unix.Mkdev(major, minor) {
		unix.Close(fd)
		return -1, fmt.Errorf("%q on the host is not the device %d:%d", f.Path, major, minor)
	}
	return fd, nil
}

// makeFifo makes a FIFO and opens both its ends: neither the stage nor we have to wait for the other.
func makeFifo(path string) (int, error) {
	if err := unix.Mkfifo(path, 0o600); err != nil {
		return -1, fmt.Errorf("mkfifo %q: %w", path, err)
	}
	return sys.Open(path, unix.O_RDWR|unix.O_NOFOLLOW)
}
