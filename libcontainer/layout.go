// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/cgroup"
	"github.com/rt-oci/rt/libcontainer/plan"
)

// namespaceKinds are the namespaces of a process: the file in /proc/PID/ns, and runc's name in the state file.
var namespaceKinds = [...]struct {
	flag        uint32
	file, state string
}{
	{unix.CLONE_NEWCGROUP, "cgroup", "NEWCGROUP"},
	{unix.CLONE_NEWIPC, "ipc", "NEWIPC"},
	{unix.CLONE_NEWNS, "mnt", "NEWNS"},
	{unix.CLONE_NEWNET, "net", "NEWNET"},
	{unix.CLONE_NEWPID, "pid", "NEWPID"},
	{unix.CLONE_NEWTIME, "time", "NEWTIME"},
	{unix.CLONE_NEWUSER, "user", "NEWUSER"},
	{unix.CLONE_NEWUTS, "uts", "NEWUTS"},
}

// namespacePaths are the namespace files of init, by runc's names.
func namespacePaths(pid int) map[string]string {
	paths := make(map[string]string, len(namespaceKinds))
	for _, n := range namespaceKinds {
		paths[n.state] = "/proc/" + strconv.Itoa(pid) + "/ns/" + n.file
	}
	return paths
}

const cgroupRoot = "/sys/fs/cgroup/"

// cgroupMounts turns the group's directories into what a container sees below /sys/fs/cgroup: one directory per
// hierarchy, and a link for each further controller of it.
func cgroupMounts(g *cgroup.Group) []plan.CgroupMount {
	var mounts []plan.CgroupMount
	for controller, path := range g.Paths() {
		name, _, _ := strings.Cut(strings.TrimPrefix(path, cgroupRoot), "/")
		if g.Version() == cgroup.V2 {
			name = ""
		}
		i := slices.IndexFunc(mounts, func(m plan.CgroupMount) bool { return m.Path == path })
		if i < 0 {
			mounts = append(mounts, plan.CgroupMount{Name: name, Path: path})
			i = len(mounts) - 1
		}
		if strings.Contains(name, ",") && controller != name {
			mounts[i].Links = append(mounts[i].Links, controller)
		}
	}
	for i := range mounts {
		slices.Sort(mounts[i].Links)
	}
	slices.SortFunc(mounts, func(a, b plan.CgroupMount) int { return strings.Compare(a.Name, b.Name) })
	return mounts
}

// mountEntry is a line of mountinfo, as far as it is needed.
type mountEntry struct{ point, kind string }

// readMounts reads mountinfo (proc_pid_mountinfo(5)), for --no-pivot and containers without a mount namespace only:
// it is long where many containers are.
func readMounts() ([]mountEntry, error) {
	file, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("read mounts: %w", err)
	}
	return readMountsOf(file)
}

// readMountsOf reads a mountinfo, and closes it.
func readMountsOf(file *os.File) ([]mountEntry, error) {
	defer file.Close()
	var mounts []mountEntry
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		before, after, ok := strings.Cut(lines.Text(), " - ")
		fields := strings.Fields(before)
		if !ok || len(fields) < 5 {
			continue
		}
		kind, _, _ := strings.Cut(after, " ")
		mounts = append(mounts, mountEntry{unescapeMount(fields[4]), kind})
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read mounts: %w", err)
	}
	return mounts, nil
}

// procMounts returns the mount points of procfs and sysfs, the last mount of a place first.
func procMounts() ([]string, error) {
	mounts, err := readMounts()
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, m := range slices.Backward(mounts) {
		if m.kind == "proc" || m.kind == "sysfs" {
			paths = append(paths, m.point)
		}
	}
	return paths, nil
}

// unescapeMount undoes the kernel's octal escapes of blanks.
func unescapeMount(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}
