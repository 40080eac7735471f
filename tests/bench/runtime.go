// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// runtime is one of the runtimes that are compared.
type runtime struct {
	name, path string
	state      string // its --root
	stderr     *os.File

	entered string // a container that runs, for exec; "" before the first one
	init    int    // its process
}

// sample is what one piece of work cost: the time that passed, and the processor time (user and system) of the
// runtime and of all descendants that it waited for.
type sample struct {
	wall, cpu time.Duration
}

func (s sample) plus(t sample) sample { return sample{s.wall + t.wall, s.cpu + t.cpu} }

// stateHome is where state directories lie: in a tmpfs, as that makes a difference, and /run, where the default ones are, is
// one on every distribution. A machine on which it is none has /dev/shm.
func stateHome() string {
	if fileSystem("/run") == tmpfsMagic {
		return "/run"
	}
	return "/dev/shm"
}

// prepare gives the runtime a place for its messages, and a state directory.
func (r *runtime) prepare(scratch string) error {
	var err error
	if r.state, err = os.MkdirTemp(stateHome(), "rt-bench-"+r.name+"-"); err != nil {
		return err
	}
	// A copy, as an installation makes it: what a linker has just written lies in the page cache in small pages, and the
	// faults on those take rt a tenth of its time.
	directory, err := os.MkdirTemp(scratch, r.name+"-")
	if err != nil {
		return err
	}
	installed := filepath.Join(directory, r.name)
	if err := copyFile(installed, r.path); err != nil {
		return err
	}
	r.path = installed
	r.stderr, err = os.Create(filepath.Join(scratch, "stderr-"+r.name))
	return err
}

// commandLimit ends a runtime that hangs.
const commandLimit = 60 * time.Second

func (r *runtime) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, r.path, append([]string{"--root", r.state}, args...)...)
	cmd.Stderr = r.stderr
	return cmd
}

// do runs one command of the runtime to its end.
func (r *runtime) do(args ...string) (sample, error) {
	ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
	defer cancel()
	cmd := r.command(ctx, args...)
	begin := time.Now()
	err := cmd.Run()
	s := sample{wall: time.Since(begin)}
	if err != nil {
		return s, fmt.Errorf("%s %s: %w: %s", r.name, args[0], err, r.lastMessage())
	}
	s.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return s, nil
}

// lastMessage is the last line that the runtime wrote to stderr.
func (r *runtime) lastMessage() string {
	content, err := os.ReadFile(r.stderr.Name())
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(content), []byte("\n"))
	return string(lines[len(lines)-1])
}

// run is `run` in the foreground.
func (r *runtime) run(bundle, id string) (sample, error) {
	return r.do("run", "--bundle", bundle, id)
}

// cycle is create, start and delete; waiting for the end of the program in between does not count.
func (r *runtime) cycle(bundle, id string) (sample, error) {
	pid, total, err := r.create(bundle, id)
	if err != nil {
		return total, err
	}
	started, err := r.do("start", id)
	if err != nil {
		return total, err
	}
	if err := await(pid); err != nil {
		return total, err
	}
	deleted, err := r.do("delete", id)
	return total.plus(started).plus(deleted), err
}

// create is `create`; it returns the pid of the container's init.
func (r *runtime) create(bundle, id string) (int, sample, error) {
	pidFile := filepath.Join(filepath.Dir(bundle), "pid-"+id)
	defer os.Remove(pidFile)
	s, err := r.do("create", "--bundle", bundle, "--pid-file", pidFile, id)
	if err != nil {
		return 0, s, err
	}
	content, err := os.ReadFile(pidFile)
	if err != nil {
		return 0, s, err
	}
	pid, err := strconv.Atoi(string(content))
	return pid, s, err
}

// remove kills the container, waits for its init (see subreaper) and deletes it.
func (r *runtime) remove(id string, pid int) error {
	if _, err := r.do("kill", id, "KILL"); err != nil {
		return err
	}
	if err := await(pid); err != nil {
		return err
	}
	_, err := r.do("delete", id)
	return err
}

// exec is `exec` in a container that runs, which is made before the first one and does not count.
func (r *runtime) exec(bundle, id string) (sample, error) {
	if r.entered == "" {
		pid, _, err := r.create(bundle, id)
		if err != nil {
			return sample{}, err
		}
		if _, err := r.do("start", id); err != nil {
			return sample{}, err
		}
		r.entered, r.init = id, pid
	}
	return r.do("exec", r.entered, "/bin/true")
}

// leave removes the container of exec.
func (r *runtime) leave() {
	if r.entered != "" {
		_ = r.remove(r.entered, r.init)
		r.discard(r.entered)
		r.entered = ""
	}
}

// discard removes what a failed piece of work may have left; that there is nothing is no fault.
func (r *runtime) discard(id string) { _, _ = r.do("delete", "--force", id) }

// createdBytes is what the container's memory group is charged with while the container is created.
func (r *runtime) createdBytes(bundle, id string) (float64, error) {
	pid, _, err := r.create(bundle, id)
	if err != nil {
		return 0, err
	}
	charged, readErr := chargedBytes(pid)
	if err := r.remove(id, pid); err != nil {
		return 0, err
	}
	return charged, readErr
}

// chargedBytes reads the memory group of a process, v1 or v2.
func chargedBytes(pid int) (float64, error) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(content)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 {
			continue
		}
		usage, limit := groupRoot+fields[2]+"/memory.current", groupRoot+fields[2]+"/memory.high"
		if fields[1] == "memory" {
			dir := groupRoot + "/memory" + fields[2]
			usage, limit = dir+"/memory.usage_in_bytes", dir+"/memory.limit_in_bytes"
		}
		if _, err := os.Stat(usage); err == nil {
			return settledBytes(usage, limit)
		}
	}
	return 0, errNoMemoryGroup
}

// settledBytes reads a memory counter without what the kernel has charged ahead, up to 64 pages per processor: a limit
// (on v2 memory.high, which kills nobody) just below the counter makes it give that back, because only the rest counts
// against a limit.
func settledBytes(usage, limit string) (float64, error) {
	before, err := readBytes(usage)
	if err != nil {
		return 0, err
	}
	below := strconv.FormatFloat(before-float64(os.Getpagesize()), 'f', 0, 64)
	if err := os.WriteFile(limit, []byte(below), 0); err != nil && !errors.Is(err, syscall.EBUSY) {
		return 0, err // EBUSY: nothing had been charged ahead
	}
	return readBytes(usage)
}

func readBytes(name string) (float64, error) {
	value, err := os.ReadFile(name)
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(strings.TrimSpace(string(value)), 64)
}

// residentBytes is the resident size of the runtime while it waits for a container in the foreground.
func (r *runtime) residentBytes(bundle, id string) (float64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
	defer cancel()
	cmd := r.command(ctx, "run", "--bundle", bundle, id)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		return 0, fmt.Errorf("%s run: the program does not come up: %w: %s", r.name, cmd.Wait(), r.lastMessage())
	}
	time.Sleep(300 * time.Millisecond) // let it come to rest
	resident, readErr := statusBytes(cmd.Process.Pid, "VmRSS:")
	_, killErr := r.do("kill", id, "KILL")
	if killErr != nil {
		return 0, killErr
	}
	_ = cmd.Wait() // 137: the program was killed
	return resident, readErr
}

// statusBytes reads a value in kB of /proc/PID/status.
func statusBytes(pid int, key string) (float64, error) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(content)) {
		if value, ok := strings.CutPrefix(line, key); ok {
			kilobytes, err := strconv.ParseFloat(strings.Fields(value)[0], 64)
			return kilobytes * 1024, err
		}
	}
	return 0, fmt.Errorf("read /proc/%d/status: no %s", pid, key)
}

// version is what `--version` says, on one line.
func (r *runtime) version() string {
	out, err := exec.Command(r.path, "--version").Output()
	if err != nil {
		return err.Error()
	}
	first, _, _ := strings.Cut(string(out), "\n")
	return first
}

// subreaper makes this process the parent of the containers whose `create` has ended, as a container manager is.
func subreaper() error {
	const prSetChildSubreaper = 36
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, prSetChildSubreaper, 1, 0); errno != 0 {
		return fmt.Errorf("prctl PR_SET_CHILD_SUBREAPER: %w", errno)
	}
	return nil
}

// await waits for the end of an adopted process.
func await(pid int) error {
	for {
		_, err := syscall.Wait4(pid, nil, 0, nil)
		if err != syscall.EINTR {
			return err
		}
	}
}
