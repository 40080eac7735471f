// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/lazyjson"
	"github.com/rt-oci/rt/libcontainer/sys"
)

// Names in a container's state directory.
const (
	stateName  = "state.json"  // savedState
	configName = "config.json" // the bytes that the bundle's config.json had at create
	fifoName   = "exec.fifo"   // the stage waits at it; gone after start
	resultName = "exec.result" // what came of execve: end of file, or a message

	resourcesName = "resources.json" // linux.resources as the last update has left it
)

// savedState is state.json. Members that monitoring tools read in runc's file have runc's names.
type savedState struct {
	ID              string            `json:"id"`
	OCIVersion      string            `json:"oci_version"`
	InitPID         int               `json:"init_process_pid"`   // 0 until the container is created
	InitStart       uint64            `json:"init_process_start"` // field 22 of /proc/PID/stat, in clock ticks
	BootID          string            `json:"boot_id"`
	Created         time.Time         `json:"created"`
	Bundle          string            `json:"bundle"`
	Rootfs          string            `json:"rootfs"`
	Owner           int               `json:"owner"`
	Annotations     map[string]string `json:"annotations,omitempty"`
	CgroupPaths     map[string]string `json:"cgroup_paths"`
	CgroupOurs      bool              `json:"cgroup_ours"`           // create has found the group free and taken it; see makeCgroup
	CgroupKept      []string          `json:"cgroup_kept,omitempty"` // that were there before us
	Unit            string            `json:"unit,omitempty"`        // the scope of the control group, if systemd keeps it
	UserUnit        bool              `json:"user_unit,omitempty"`   // it is one of the user's systemd
	NamespacePaths  map[string]string `json:"namespace_paths,omitempty"`
	Started         int               `json:"started"`                  // index of the stage's first step after the start
	HostMounts      *mountPlace       `json:"host_mounts,omitempty"`    // no mount namespace of its own: where its mounts are
	ForeignMounts   []string          `json:"foreign_mounts,omitempty"` // below its root that are not its own
	SharedPIDs      bool              `json:"shared_pids,omitempty"`    // no pid namespace of its own
	Hooks           bool              `json:"hooks,omitempty"`          // start and delete have hooks to run
	NoProcess       bool              `json:"no_process,omitempty"`     // created without a process to start
	RdtPath         string            `json:"intel_rdt_path,omitempty"`
	RdtMonitor      string            `json:"intel_rdt_monitor,omitempty"` // its monitoring group
	RdtOwned        bool              `json:"intel_rdt_owned,omitempty"`   // the path goes with the container
	MemoryLimited   bool              `json:"memory_limited,omitempty"`    // a program that ends at once may have run out of it
	OOMKills        uint64            `json:"oom_kills,omitempty"`         // in the control group before the container
	NoNewKeyring    bool              `json:"no_new_keyring,omitempty"`    // its processes are in their callers' session keyrings
	FilterGate      int32             `json:"filter_gate,omitempty"`       // where the stage waits, if no call can be made under its filter; 0: at exec.fifo
	LateFilter      bool              `json:"late_filter,omitempty"`       // the filter is loaded after the start
	DeniesSetgroups bool              `json:"denies_setgroups,omitempty"`  // the user namespace does: it has one group of an ordinary user
}

// stateNames are all files that a state directory can have. Nothing else in it is ever removed: with a wrong --root
// the directory may be somebody's data.
var stateNames = [...]string{stateName, stateName + newSuffix, configName, fifoName, resultName}

// updateNames are those that update adds.
var updateNames = [...]string{resourcesName, resourcesName + newSuffix}

const newSuffix = ".new" // of a file that is being written

// load reads state.json. A directory with nothing but files of ours and without that one is what a create that was
// killed left in its first moments: it counts as a container, so that delete can remove it.
func (c *Container) load() error {
	id := c.saved.ID
	err := c.decode(stateName)
	if errors.Is(err, fs.ErrNotExist) {
		if !c.halfMade() {
			return ErrNotExist
		}
		c.saved.OCIVersion, err = specs.Version, nil
	}
	if err == nil && c.saved.InitPID == 0 {
		c.addPrepared()
	}
	c.saved.ID = id
	return err
}

// addPrepared reads what a create that was killed, or is under way, has written down and not made valid: where things
// may be that it has made. Nothing of it says that they are ours.
func (c *Container) addPrepared() {
	valid := c.saved
	if c.decode(stateName+newSuffix) != nil {
		c.saved = valid
		return
	}
	c.saved.InitPID, c.saved.CgroupOurs = 0, valid.CgroupOurs
}

// decode reads one of the state files.
func (c *Container) decode(name string) error {
	path, id := c.file(name), c.saved.ID // what is read may claim another one
	data, err := readState(path)
	if err != nil {
		return fmt.Errorf("read state: %w", err)
	}
	c.saved = savedState{ID: id}
	if lazyjson.Decode(data, &c.saved) {
		return nil
	}
	c.saved = savedState{ID: id}
	if err := json.Unmarshal(data, &c.saved); err != nil {
		return fmt.Errorf("decode %q: %w (delete --force removes the container)", path, err)
	}
	return nil
}

// readState reads a state file. What is no regular file is not waited for: one odd entry must not stop list.
func readState(path string) ([]byte, error) {
	const limit = 64 << 20 // far above any config's annotations
	fd, err := sys.Open(path, unix.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	data, err := sys.ReadBounded(fd, limit)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", path, err)
	}
	return data, nil
}

func (c *Container) halfMade() bool {
	entries, err := os.ReadDir(c.dir())
	if err != nil {
		return false
	}
	for _, entry := range entries {
		name := entry.Name()
		if !slices.Contains(stateNames[:], name) && !slices.Contains(updateNames[:], name) && name != notifyName {
			return false
		}
	}
	return true
}

// removeStateDir removes our files and then the directory, which must be empty by then.
func (c *Container) removeStateDir() error {
	if err := c.removeFiles(stateNames[:]); err != nil {
		return err
	}
	err := unix.Rmdir(c.dir())
	if err == unix.ENOTEMPTY { // what few containers have
		if err := c.removeFiles(updateNames[:]); err != nil {
			return err
		}
		if err := c.removeNotify(); err != nil {
			return fmt.Errorf("remove %q: %w", c.file(notifyName), err)
		}
		err = unix.Rmdir(c.dir())
	}
	if err != nil && err != unix.ENOENT {
		return fmt.Errorf("remove state directory %q: %w", c.dir(), err)
	}
	return nil
}

func (c *Container) removeFiles(names []string) error {
	for _, name := range names {
		if err := unix.Unlink(c.file(name)); err != nil && err != unix.ENOENT {
			return fmt.Errorf("remove %q: %w", c.file(name), err)
		}
	}
	return nil
}

// save writes state.json.
func (c *Container) save() error {
	if err := c.prepare(); err != nil {
		return err
	}
	return c.commit()
}

// prepare writes the state beside state.json, and commit puts it in its place: a reader sees the old or the new one.
func (c *Container) prepare() error {
	data, err := lazyjson.Append(make([]byte, 0, 2048), &c.saved)
	if err != nil {
		return fmt.Errorf("save state: %w", err)
	}
	return writeNew(c.file(stateName)+newSuffix, data, 0o600)
}

func (c *Container) commit() error { return rename(c.file(stateName)) }

// writeAtomically writes a file beside path and renames it.
func writeAtomically(path string, data []byte, mode uint32) error {
	if err := writeNew(path+newSuffix, data, mode); err != nil {
		return err
	}
	return rename(path)
}

// rename gives the new file beside path its name.
func rename(path string) error {
	if err := unix.Rename(path+newSuffix, path); err != nil {
		_ = unix.Unlink(path + newSuffix)
		return fmt.Errorf("rename %q: %w", path+newSuffix, err)
	}
	return nil
}

// writeNew writes a file of which nobody else may have made a link or a device.
func writeNew(path string, data []byte, mode uint32) error {
	flags := unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := unix.Open(path, flags, mode)
	if err == unix.EEXIST { // left by one that was killed
		if err = unix.Unlink(path); err == nil {
			fd, err = unix.Open(path, flags, mode)
		}
	}
	if err != nil {
		return fmt.Errorf("create %q: %w", path, err)
	}
	n, err := unix.Write(fd, data)
	if closeErr := unix.Close(fd); err == nil {
		err = closeErr
	}
	if err == nil && n < len(data) {
		err = unix.ENOSPC
	}
	if err != nil {
		_ = unix.Unlink(path)
		return fmt.Errorf("write %q: %w", path, err)
	}
	return nil
}

// bootID tells this boot from others: after a reboot the same pid with the same start time is another process.
func bootID() string {
	data, err := sys.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}
