// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Processes returns the ids of the container's processes in ascending order: the members of its control group and of
// the groups below it, and its init, wherever that may have been moved.
func (c *Container) Processes() ([]int, error) {
	group, err := c.ownCgroup()
	if err != nil {
		return nil, err
	}
	pids := []int{} // not nil: JSON [] and not null
	if group != nil {
		members, err := group.Processes()
		if err != nil {
			return nil, err
		}
		pids = append(pids, members...)
	}
	if at, found := slices.BinarySearch(pids, c.saved.InitPID); !found && c.initAlive() {
		pids = slices.Insert(pids, at, c.saved.InitPID)
	}
	return pids, nil
}

// ProcessTable runs ps(1) on the host with args, or "-ef" if there are none, and returns the header of what it prints
// and the lines about processes of the container, each with its newline. They are found by the column PID.
func (c *Container) ProcessTable(args []string) (string, error) {
	if len(args) == 0 {
		args = []string{"-ef"}
	}
	pids, err := c.Processes()
	if err != nil {
		return "", err
	}
	output, err := runPS(args)
	if err != nil {
		return "", err
	}
	return filterPS(output, pids)
}

// filterPS keeps the header and the lines whose number in the column PID is one of pids, which are sorted. What stands
// before the header is left out.
func filterPS(output string, pids []int) (string, error) {
	var kept strings.Builder
	column := -1
	for line := range strings.Lines(output) {
		fields := strings.Fields(line)
		if column < 0 {
			if column = slices.Index(fields, "PID"); column >= 0 {
				kept.WriteString(line)
			}
			continue
		}
		if column >= len(fields) {
			continue
		}
		pid, err := strconv.Atoi(fields[column])
		if err != nil {
			return "", fmt.Errorf("read the output of ps(1): %q stands in the column PID (put that one first: others have blanks in them)", fields[column])
		}
		if _, ours := slices.BinarySearch(pids, pid); ours {
			kept.WriteString(line)
		}
	}
	if column < 0 {
		return "", errors.New("read the output of ps(1): it has no column PID, by which the processes of a container are found")
	}
	return kept.String(), nil
}

// runPS returns what ps(1) prints, on both streams.
func runPS(args []string) (string, error) {
	program, err := findPS()
	if err != nil {
		return "", err
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		return "", fmt.Errorf("pipe: %w", err)
	}
	defer reader.Close()
	nothing, err := os.Open(os.DevNull)
	if err != nil {
		writer.Close()
		return "", err
	}
	defer nothing.Close()
	process, err := os.StartProcess(program, append([]string{"ps"}, args...), &os.ProcAttr{Files: []*os.File{nothing, writer, writer}})
	writer.Close()
	if err != nil {
		return "", fmt.Errorf("start ps(1): %w", err)
	}
	output, readErr := io.ReadAll(reader)
	state, err := process.Wait()
	switch {
	case err != nil:
		return "", fmt.Errorf("wait for ps(1): %w", err)
	case readErr != nil:
		return "", fmt.Errorf("read the output of ps(1): %w", readErr)
	case !state.Success():
		said, _, _ := strings.Cut(strings.TrimSpace(string(output)), "\n")
		return "", fmt.Errorf("%s %s: %s: %s", program, strings.Join(args, " "), state, said)
	}
	return string(output), nil
}

// usualPath is where programs are looked for when PATH is not set.
const usualPath = "/usr/sbin:/usr/bin:/sbin:/bin"

// findPS looks ps(1) up in PATH. Relative entries don't count: the working directory may be a bundle of anybody.
func findPS() (string, error) {
	path := os.Getenv("PATH")
	if path == "" {
		path = usualPath
	}
	for dir := range strings.SplitSeq(path, ":") {
		program := filepath.Join(dir, "ps")
		if !filepath.IsAbs(dir) {
			continue
		}
		if info, err := os.Stat(program); err == nil && info.Mode().IsRegular() && unix.Access(program, unix.X_OK) == nil {
			return program, nil
		}
	}
	return "", fmt.Errorf("ps(1) is not in %q (install procps, or use --format json)", path)
}
