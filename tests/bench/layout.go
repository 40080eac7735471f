// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// A layout is a way in which a machine shows its control groups.
const (
	layoutV1     = "cgroup v1"
	layoutHybrid = "cgroup hybrid" // v1 controllers, and a unified tree beside them
	layoutV2     = "cgroup v2"
	// layoutV2View is a hybrid machine whose unified tree is bound over /sys/fs/cgroup: what runs there sees a
	// machine with cgroup v2 only, though most controllers are missing.
	layoutV2View = "cgroup v2 view"
)

const (
	groupRoot    = "/sys/fs/cgroup"
	unifiedRoot  = groupRoot + "/unified"
	hugetlbRoot  = groupRoot + "/hugetlb"
	tmpfsMagic   = 0x01021994
	cgroup1Magic = 0x27e0eb
	cgroup2Magic = 0x63677270
)

// layouts are those that this machine can show.
func layouts() []string {
	switch {
	case fileSystem(groupRoot) == cgroup2Magic:
		return []string{layoutV2}
	case fileSystem(unifiedRoot) == cgroup2Magic:
		return []string{layoutHybrid, layoutV2View}
	}
	return []string{layoutV1}
}

// fileSystem gives the magic number of the file system at a path, 0 if nothing is there.
func fileSystem(path string) int64 {
	var st syscall.Statfs_t
	if syscall.Statfs(path, &st) != nil {
		return 0
	}
	return st.Type
}

// measureInLayout runs this program again in a private mount namespace and returns its rows.
func measureInLayout(layout string) ([]row, error) {
	_, before := os.Stat(hugetlbRoot)
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	cmd := exec.Command("/proc/self/exe", append([]string{"-in-layout", layout}, os.Args[1:]...)...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{writer}
	// Go makes the mounts of a new mount namespace private.
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	err = cmd.Start()
	writer.Close()
	if err != nil {
		return nil, err
	}
	encoded, readErr := io.ReadAll(reader)
	if err := errors.Join(cmd.Wait(), readErr); err != nil {
		return nil, err
	}
	if errors.Is(before, fs.ErrNotExist) {
		// The mount point that enterLayout made is in a file system that the machine shares.
		if err := os.Remove(hugetlbRoot); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	var rows []row
	if err := json.Unmarshal(encoded, &rows); err != nil {
		return nil, fmt.Errorf("read results: %w", err)
	}
	return rows, nil
}

// enterLayout changes the mounts of this process to those of the layout; leave takes back what others would see of that.
func enterLayout(layout string) (leave func(), err error) {
	switch layout {
	case layoutV2View:
		if err := syscall.Mount(unifiedRoot, groupRoot, "", syscall.MS_BIND, ""); err != nil {
			return nil, fmt.Errorf("bind %s over %s: %w", unifiedRoot, groupRoot, err)
		}
	case layoutHybrid:
		return takeHugetlb()
	}
	return func() {}, nil
}

// takeHugetlb mounts the v1 hierarchy of hugetlb if no other controller is in the unified tree: crun 1.8 refuses a
// hybrid machine whose unified tree has a controller, and one with a v1 controller that is not mounted.
func takeHugetlb() (leave func(), err error) {
	leave = func() {}
	controllers, err := os.ReadFile(unifiedRoot + "/cgroup.controllers")
	if err != nil {
		return nil, err
	}
	for _, name := range strings.Fields(string(controllers)) {
		if name != "hugetlb" {
			return leave, nil
		}
	}
	if fileSystem(hugetlbRoot) == cgroup1Magic {
		return leave, nil
	}
	if err := os.Mkdir(hugetlbRoot, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	if err := mountHugetlb(); err != nil {
		fmt.Fprintf(os.Stderr, "bench: mount the v1 hierarchy of hugetlb: %v (crun 1.8 may refuse this machine)\n", err)
		return leave, nil
	}
	return leaveHugetlb, nil
}

func mountHugetlb() error { return syscall.Mount("cgroup", hugetlbRoot, "cgroup", 0, "hugetlb") }

// leaveHugetlb ends the hierarchy. The kernel keeps one that is unmounted while groups of it, removed as they are, have
// not been freed, and then everybody on the machine has a controller that no mount shows: some programs take that badly.
func leaveHugetlb() {
	const attempts, pause = 100, 100 * time.Millisecond
	var err error
	for range attempts {
		time.Sleep(pause)
		err = syscall.Unmount(hugetlbRoot, 0)
		if err == nil && !hierarchyExists("hugetlb") {
			return
		}
		if err == nil {
			err = mountHugetlb()
		}
		if err != nil {
			break
		}
	}
	fmt.Fprintf(os.Stderr, "bench: the v1 hierarchy of hugetlb stays without a mount (see /proc/cgroups): %v\n", err)
}

// hierarchyExists says that a v1 hierarchy has the controller (cgroups(7), /proc/cgroups: the second field is not 0).
func hierarchyExists(controller string) bool {
	content, _ := os.ReadFile("/proc/cgroups")
	for line := range strings.Lines(string(content)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == controller {
			return f[1] != "0"
		}
	}
	return false
}
