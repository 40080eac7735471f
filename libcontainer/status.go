// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/cgroup"
	"github.com/rt-oci/rt/libcontainer/sys"
)

// StatusPaused is a state of ours, as of other runtimes; the spec allows more than its four (runtime.md, "State").
const StatusPaused specs.ContainerState = "paused"

// State is what `state` and `list` print.
type State struct {
	Version     string               `json:"ociVersion"`
	ID          string               `json:"id"`
	Pid         int                  `json:"pid"` // 0 when stopped
	Status      specs.ContainerState `json:"status"`
	Bundle      string               `json:"bundle"`
	Rootfs      string               `json:"rootfs"`
	Created     time.Time            `json:"created"`
	Annotations map[string]string    `json:"annotations,omitempty"`
	Owner       string               `json:"owner"`
}

// State returns the present state.
func (c *Container) State() State {
	status := c.Status() // it may read the rest again
	s := State{
		Version: c.saved.OCIVersion, ID: c.saved.ID, Pid: c.saved.InitPID, Status: status,
		Bundle: c.saved.Bundle, Rootfs: c.saved.Rootfs, Created: c.saved.Created, Annotations: c.saved.Annotations,
		Owner: ownerName(c.saved.Owner),
	}
	if s.Status == specs.StateStopped {
		s.Pid = 0
	}
	return s
}

func ownerName(uid int) string {
	if uid == 0 {
		return "root" // without reading /etc/passwd
	}
	if name := userName(uid); name != "" {
		return name
	}
	return "#" + strconv.Itoa(uid)
}

// userName looks a user up in /etc/passwd (passwd(5)); "" without an entry. os/user would say $USER then.
func userName(uid int) string {
	data, err := sys.ReadFile("/etc/passwd")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		if f := strings.SplitN(line, ":", 4); len(f) == 4 && f[2] == strconv.Itoa(uid) {
			return f[0]
		}
	}
	return ""
}

// Status derives the status from what is there; it is stored nowhere, so it can't be wrong.
func (c *Container) Status() specs.ContainerState {
	if c.saved.InitPID == 0 {
		if c.lock != nil || c.busy() {
			return specs.StateCreating
		}
		if !c.madeMeanwhile() {
			return specs.StateStopped
		}
	}
	if !c.initAlive() {
		return specs.StateStopped
	}
	// First: a start of what is frozen would hang.
	if frozen, err := c.frozen(); err == nil && frozen {
		return StatusPaused
	}
	if c.waitsForStart() {
		return specs.StateCreated
	}
	return specs.StateRunning
}

// madeMeanwhile reads the state again, which nobody is writing any more: who was making the container may have finished
// between our reading and our look at the lock.
func (c *Container) madeMeanwhile() bool {
	before := c.saved
	if c.load() != nil {
		c.saved = before
		return false
	}
	return c.saved.InitPID != 0
}

// waitsForStart says that the stage holds exec.fifo open. The file alone says less: a `start` that was killed may have
// left it.
func (c *Container) waitsForStart() bool {
	fd, err := unix.Open(c.file(fifoName), unix.O_WRONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	unix.Close(fd)
	return true
}

func (c *Container) frozen() (bool, error) {
	g, err := c.cgroup()
	if err != nil || g == nil {
		return false, err
	}
	return g.Frozen()
}

// cgroup returns the container's control group, nil if it never got one.
func (c *Container) cgroup() (*cgroup.Group, error) {
	if len(c.saved.CgroupPaths) == 0 {
		return nil, nil
	}
	g, err := cgroup.FromPaths(c.saved.CgroupPaths)
	if err != nil {
		return nil, err
	}
	g.Keep(c.saved.CgroupKept)
	g.UseUnit(c.saved.Unit, c.saved.UserUnit)
	return g, nil
}

// ownCgroup is cgroup for those who signal its members: nil while create has not made sure that nobody else is in it.
func (c *Container) ownCgroup() (*cgroup.Group, error) {
	if !c.saved.CgroupOurs {
		return nil, nil
	}
	return c.cgroup()
}

// endedMeanwhile is for err of a command whose container ran when the command began. If it has ended since, that is what
// has gone wrong: its control group may be gone, as systemd removes one at once that is empty.
func (c *Container) endedMeanwhile(err error) error {
	if err == nil || c.initAlive() {
		return err
	}
	return fmt.Errorf("%w (it has ended meanwhile: %w)", ErrNotRunning, err)
}

// initAlive says that the init process that the state names still lives: the number alone may belong to another
// process by now. A zombie has ended.
func (c *Container) initAlive() bool {
	if c.ended || c.saved.BootID != bootID() {
		return false
	}
	state, start, err := processStat(c.saved.InitPID)
	return err == nil && start == c.saved.InitStart && state != 'Z' && state != 'X'
}

// processStat returns the state and the start time (in clock ticks since boot) of a process (proc_pid_stat(5)).
// The second field, the name, may contain anything; what counts comes after its last parenthesis.
func processStat(pid int) (state byte, start uint64, err error) {
	const stateField, startField = 0, 19 // the 3rd and the 22nd of all
	fields, err := statFields(pid, startField)
	if err != nil {
		return 0, 0, err
	}
	start, err = strconv.ParseUint(string(fields[startField]), 10, 64)
	return fields[stateField][0], start, err
}

// statFields returns the fields behind the name, up to last at least.
func statFields(pid, last int) ([][]byte, error) {
	data, err := sys.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return nil, err
	}
	fields := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
	if len(fields) <= last {
		return nil, fmt.Errorf("read /proc/%d/stat: %d fields", pid, len(fields))
	}
	return fields, nil
}

// isExiting says that a process has begun to end: its descriptors are closed before it can be waited for.
func isExiting(pid int) bool {
	const flagsField, exiting = 6, 0x4 // the 9th of all; PF_EXITING
	fields, err := statFields(pid, flagsField)
	if err != nil {
		return false
	}
	flags, err := strconv.ParseUint(string(fields[flagsField]), 10, 32)
	return err == nil && flags&exiting != 0
}

// processName is what a process is called (proc_pid_comm(5)), "" if nobody knows.
func processName(pid int) string {
	name, _ := sys.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm")
	return string(bytes.TrimSuffix(name, []byte("\n")))
}

// openInit returns a pidfd of init; ESRCH if it has ended.
func (c *Container) openInit() (int, error) {
	if c.saved.InitPID == 0 || c.ended {
		return -1, unix.ESRCH
	}
	fd, err := unix.PidfdOpen(c.saved.InitPID, 0)
	if err != nil {
		if !c.initAlive() { // the number may by now be that of a thread, which has no pidfd
			err = unix.ESRCH
		}
		return -1, err
	}
	if !c.initAlive() { // looked at after the pidfd was opened: now the number can't change its owner unseen
		unix.Close(fd)
		return -1, unix.ESRCH
	}
	return fd, nil
}
