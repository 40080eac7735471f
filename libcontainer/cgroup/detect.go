// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Detect finds the hierarchies below /sys/fs/cgroup. It asks each entry for its file system type instead of reading
// mountinfo, which takes long on a host with many containers. Elsewhere mounted hierarchies are not looked for:
// systemd, OpenRC and every distribution agree on this place.
func Detect() (Layout, error) {
	return detect("/sys/fs/cgroup", "/proc/self/cgroup", magic)
}

// magic returns the file system type of what is mounted at path (statfs(2), f_type).
func magic(path string) (int64, error) {
	var st unix.Statfs_t
	for {
		err := unix.Statfs(path, &st)
		if !errors.Is(err, unix.EINTR) {
			return int64(st.Type), err // another integer type on some architectures
		}
	}
}

func detect(root, ownFile string, magic func(string) (int64, error)) (Layout, error) {
	l := Layout{ownFile: ownFile}
	fsType, err := magic(root)
	if err != nil {
		return l, fmt.Errorf("find control groups: statfs %q: %w", root, err)
	}
	if fsType == unix.CGROUP2_SUPER_MAGIC {
		l.Version = V2
		l.hierarchies = []hierarchy{{mount: root, controllers: []string{unifiedKey}}}
		return l, nil
	}

	entries, err := os.ReadDir(root)
	if err != nil {
		return l, fmt.Errorf("find control groups: %w", err)
	}
	hasUnified := false
	for _, entry := range entries {
		// "cpu" is often a link to "cpu,cpuacct": the directory counts once, under its own name.
		if !entry.IsDir() {
			continue
		}
		mount := filepath.Join(root, entry.Name())
		fsType, err := magic(mount)
		switch {
		case err != nil: // unmounted meanwhile, or not ours to see
		case fsType == unix.CGROUP_SUPER_MAGIC:
			l.hierarchies = append(l.hierarchies, hierarchy{mount, controllersOf(entry.Name())})
		case fsType == unix.CGROUP2_SUPER_MAGIC && entry.Name() == "unified":
			l.hierarchies = append(l.hierarchies, hierarchy{mount, []string{unifiedKey}})
			hasUnified = true
		}
	}
	switch {
	case len(l.hierarchies) == 0:
		return l, fmt.Errorf("find control groups: nothing of type cgroup2 or cgroup is mounted at or below %q", root)
	case !hasUnified:
		l.Version = V1
	case len(l.hierarchies) == 1:
		l.Version = V2
	default:
		l.Version = Hybrid
	}
	return l, nil
}

// controllersOf derives the controllers of a v1 hierarchy from the name of its mount point, which by convention is
// the list of them; anything else is a named hierarchy without controllers, such as systemd's (cgroups(7)).
func controllersOf(entry string) []string {
	names := strings.Split(entry, ",")
	for _, name := range names {
		switch name {
		case "blkio", "cpu", "cpuacct", "cpuset", "devices", "freezer", "hugetlb", "memory", "misc",
			"net_cls", "net_prio", "perf_event", "pids", "rdma":
		default:
			return []string{"name=" + entry}
		}
	}
	return names
}
