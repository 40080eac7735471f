package main

import (
	"bufio"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A cleaner removes what a program left behind and remembers it. It works in the thread's mount namespace.
type cleaner struct {
	found []string
	errs  []error
}

// containers deletes the containers that the runtime still knows.
func (c *cleaner) containers(runtime string) {
	ctx, cancel := context.WithTimeout(context.Background(), programTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, runtime, "list", "-q").Output()
	if err != nil {
		c.errs = append(c.errs, fmt.Errorf("list leftover containers: %w", err))
		return
	}
	ids := strings.Fields(string(out))
	if len(ids) > 0 {
		c.found = append(c.found, fmt.Sprintf("%d containers", len(ids)))
	}
	for _, id := range ids {
		if out, err := exec.CommandContext(ctx, runtime, "delete", "--force", id).CombinedOutput(); err != nil {
			c.errs = append(c.errs, fmt.Errorf("delete leftover container %s: %w: %s", id, err, out))
		}
	}
}

// mounts unmounts everything below dir: linux_ns_itype makes a container without a mount namespace, whose /proc,
// /sys and /dev stay mounted there.
func (c *cleaner) mounts(dir string) {
	points, err := mountPoints()
	if err != nil {
		c.errs = append(c.errs, err)
		return
	}
	n := 0
	for _, p := range slices.Backward(points) {
		if !below(p, dir) {
			continue
		}
		n++
		if err := syscall.Unmount(p, syscall.MNT_DETACH); err != nil {
			c.errs = append(c.errs, fmt.Errorf("unmount leftover %s: %w", p, err))
		}
	}
	if n > 0 {
		c.found = append(c.found, fmt.Sprintf("%d mounts", n))
	}
}

// mountPoints lists the mount points of the calling thread, in the order they were mounted.
func mountPoints() ([]string, error) {
	f, err := os.Open("/proc/thread-self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	escapes := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	var points []string
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) > 4 {
			points = append(points, escapes.Replace(fields[4]))
		}
	}
	return points, lines.Err()
}

// cgroups removes the control groups that the suite names itself. All others may be somebody else's, even in the
// extra hierarchies; the default group of a container goes away with the container.
func (c *cleaner) cgroups() {
	var groups []string
	err := filepath.WalkDir(cgroupRoot, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return nil // a group that went away while the tree was read
		}
		suites := slices.ContainsFunc(strings.Split(path, "/"), func(part string) bool {
			return part == "cgrouptest" || part == "testdir"
		})
		if entry.IsDir() && suites {
			groups = append(groups, path)
		}
		return nil
	})
	if err != nil {
		c.errs = append(c.errs, fmt.Errorf("look for leftover control groups: %w", err))
	}
	if len(groups) > 0 {
		c.found = append(c.found, fmt.Sprintf("%d control groups", len(groups)))
	}
	for _, g := range slices.Backward(groups) {
		if err := removeCgroup(g); err != nil {
			c.errs = append(c.errs, err)
		}
	}
}

// removeCgroup kills what is left in the group and removes it, which the kernel refuses until the processes are gone.
func removeCgroup(path string) error {
	var err error
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		procs, _ := os.ReadFile(filepath.Join(path, "cgroup.procs"))
		for _, field := range strings.Fields(string(procs)) {
			if pid, err := strconv.Atoi(field); err == nil && pid > 0 {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		if err = syscall.Rmdir(path); err == nil || err == syscall.ENOENT {
			return nil
		}
	}
	return fmt.Errorf("remove leftover control group %s: %w", path, err)
}

// directory removes the program's files, but nothing through a mount that could not be unmounted.
func (c *cleaner) directory(dir string) {
	if out, err := exec.Command("rm", "-rf", "--one-file-system", dir).CombinedOutput(); err != nil {
		c.errs = append(c.errs, fmt.Errorf("remove %s: %w: %s", dir, err, out))
	}
}
