// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// census is a count of each thing.
type census map[string]int

// What is counted. The first group is of this work alone, and must not grow.
const (
	processCount      = "processes"
	threadCount       = "threads of others than containerd and its shims"
	mounts            = "mounts"
	groups            = "control groups"
	states            = "files in the state directory"
	temporary         = "temporary files"
	keyrings          = "session keyrings"
	daemonDescriptors = "descriptors of containerd"

	filters         = "cached filters"
	daemonThreads   = "threads of containerd"
	shims           = "shims"
	shimDescriptors = "descriptors of the shims"
	shimThreads     = "threads of the shims"
	shimMemory      = "PSS of the shims, KiB"
	slab            = "slab of the machine, KiB"
	unreclaimable   = "unreclaimable slab, KiB"
	perCPU          = "per-cpu memory of the machine, KiB"
	memoryGroups    = "memory groups of the machine, dying ones too"
	netNamespaces   = "net namespaces of the machine"
	openFiles       = "open files of the machine"
)

// own are the things that must be as before.
var own = []string{processCount, threadCount, mounts, groups, states, temporary, keyrings, daemonDescriptors}

// shared are of the whole machine, which may do other things: they are told, not judged.
var shared = []string{slab, unreclaimable, perCPU, memoryGroups, netNamespaces, openFiles}

// maxFilters is what libcontainer/seccomp keeps at most: the cache must not grow with the number of profiles.
const maxFilters = 64

// count counts everything.
func (s *stand) count(c caller) (census, error) {
	found := census{}
	for _, pid := range processes() {
		found[processCount]++
		found[threadCount] += threads(pid)
	}
	if err := c.census(found); err != nil {
		return nil, err
	}
	found[threadCount] -= found[daemonThreads] + found[shimThreads] // whose Go runtimes start threads as they like
	mountinfo, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	found[mounts] = strings.Count(string(mountinfo), "\n")
	for _, h := range hierarchies() {
		found[groups] += entries(h+s.group, func(path string, d fs.DirEntry) bool { return d.IsDir() && path != h+s.group })
	}
	found[states] = entries(s.root, func(path string, _ fs.DirEntry) bool {
		return path != s.root && filepath.Base(path) != namespace && !strings.Contains(path, "/@seccomp")
	})
	found[filters] = entries(s.root, func(path string, d fs.DirEntry) bool { return !d.IsDir() && strings.Contains(path, "/@seccomp/") })
	found[temporary] = entries(s.temp, func(path string, _ fs.DirEntry) bool { return path != s.temp })
	keys, err := os.ReadFile("/proc/keys")
	if err != nil {
		return nil, err
	}
	found[keyrings] = strings.Count(string(keys), "_ses."+idPrefix)
	return found, machine(found)
}

// entries counts what is below a directory and wanted.
func entries(dir string, wanted func(path string, d fs.DirEntry) bool) int {
	n := 0
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && wanted(path, d) {
			n++
		}
		return nil // what went away meanwhile is not there
	})
	return n
}

// processes are all in this pid namespace, also those that nobody has waited for.
func processes() []int {
	var found []int
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			found = append(found, pid)
		}
	}
	return found
}

func threads(pid int) int {
	if pid == 1 || pid == os.Getpid() {
		return 0 // ourselves: the Go runtime starts threads as it likes
	}
	entries, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	return len(entries)
}

func descriptors(pid int) (int, error) {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	return len(entries), err
}

// proportional is the memory of a process in KiB; what it shares counts in part (PSS, proc_pid_smaps_rollup(5)).
func proportional(pid int) (int, error) {
	return keyed(fmt.Sprintf("/proc/%d/smaps_rollup", pid), "Pss:")
}

// keyed reads a number of a file with lines of names and numbers.
func keyed(file, key string) (int, error) {
	f, err := os.Open(file)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) > 1 && fields[0] == key {
			return strconv.Atoi(fields[1])
		}
	}
	return 0, fmt.Errorf("read %s: no %s", file, key)
}

// machine counts what is of the machine as a whole.
func machine(found census) error {
	for name, key := range map[string]string{slab: "Slab:", unreclaimable: "SUnreclaim:", perCPU: "Percpu:"} {
		n, err := keyed("/proc/meminfo", key)
		if err != nil {
			return err
		}
		found[name] = n
	}
	if n, err := keyed("/proc/slabinfo", "net_namespace"); err == nil {
		found[netNamespaces] = n
	}
	content, err := os.ReadFile("/proc/sys/fs/file-nr")
	if err != nil {
		return err
	}
	found[openFiles], err = strconv.Atoi(strings.Fields(string(content))[0])
	if err != nil {
		return err
	}
	if content, err = os.ReadFile("/proc/cgroups"); err == nil {
		for line := range strings.Lines(string(content)) {
			if fields := strings.Fields(line); len(fields) > 2 && fields[0] == "memory" {
				found[memoryGroups], _ = strconv.Atoi(fields[2])
			}
		}
	}
	return nil
}
