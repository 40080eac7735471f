// SPDX-License-Identifier: Apache-2.0

// Package libcontainer is the host side of rt: it makes, starts, signals and removes containers (runtime-spec,
// runtime.md). What is done inside a container it plans (package plan) and lets the stage execute (package nsenter);
// no Go code ever runs there.
package libcontainer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/plan"
	"github.com/rt-oci/rt/libcontainer/sys"
	"github.com/rt-oci/rt/libcontainer/terminal"
)

// Logger takes what is worth telling besides the one error of a failed command.
type Logger interface {
	Debugf(format string, args ...any)
	Warnf(format string, args ...any)
}

// Runtime is one state root: containers of different roots don't know of each other.
type Runtime struct {
	Root     string // absolute
	Log      Logger
	Rootless Rootless

	trusted bool // the root has passed checkRoot
}

// CreateOptions are the options of create and run besides the id.
type CreateOptions struct {
	Bundle        string // absolute; "" is the current directory
	PidFile       string
	ConsoleSocket string
	PidfdSocket   string
	PreserveFDs   int
	NoPivot       bool
	NoNewKeyring  bool
	Systemd       bool // let systemd make the control group

	signals *terminal.Signals // that wait for the process; nil if they end rt
}

// Errors whose texts callers look for.
var (
	ErrNotExist   = errors.New("container does not exist")
	ErrExist      = errors.New("container with given ID already exists")
	ErrInvalidID  = errors.New("invalid container ID format")
	ErrNotRunning = errors.New("container not running")
	ErrNotPaused  = errors.New("container not paused")
	ErrNoProgram  = errors.New("executable file not found in $PATH")

	errRelativeProgram = errors.New("cannot run executable found relative to current directory")
)

const maxIDBytes = 1024

// checkID accepts what can be a directory's name and nothing that could be a path.
func checkID(id string) error {
	if id == "" || id == "." || id == ".." || len(id) > maxIDBytes {
		return fmt.Errorf("%w: %q (use 1 to %d letters, digits and _ + - .)", ErrInvalidID, shorten(id), maxIDBytes)
	}
	for _, r := range []byte(id) {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', strings.IndexByte("_+-.", r) >= 0:
		default:
			return fmt.Errorf("%w: %q (use letters, digits and _ + - .)", ErrInvalidID, shorten(id))
		}
	}
	return nil
}

// shorten keeps an absurd id from filling the error line.
func shorten(id string) string {
	if len(id) > 64 {
		return id[:61] + "..."
	}
	return id
}

// Container is a container with the state that was saved for it.
type Container struct {
	runtime *Runtime
	saved   savedState
	lock    *stateLock // while a command changes the container
	ended   bool       // we were init's parent and have seen its end

	poststopped bool         // the poststop hooks have run
	filter      *plan.Filter // of linux.seccomp, once it was needed
}

// ID returns the container's id.
func (c *Container) ID() string { return c.saved.ID }

func (c *Container) dir() string             { return filepath.Join(c.runtime.Root, c.saved.ID) }
func (c *Container) file(name string) string { return filepath.Join(c.dir(), name) }

// Load returns the container id, or ErrNotExist.
func (r *Runtime) Load(id string) (*Container, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	c := &Container{runtime: r, saved: savedState{ID: id}}
	if err := c.checkOwner(); err != nil {
		return nil, err
	}
	if err := c.load(); err != nil {
		return nil, err
	}
	return c, nil
}

// List returns the containers of the root, sorted by id. What can't be read is left out: one broken entry must not
// hide the others.
func (r *Runtime) List() ([]*Container, error) {
	if err := r.checkRoot(); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(r.Root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, explainRoot(fmt.Errorf("read state root: %w", err))
	}
	var containers []*Container
	for _, entry := range entries {
		if !entry.IsDir() || checkID(entry.Name()) != nil {
			continue
		}
		c, err := r.Load(entry.Name())
		if err != nil {
			if !errors.Is(err, ErrNotExist) {
				r.Log.Warnf("leave out %q: %v", entry.Name(), err)
			}
			continue
		}
		containers = append(containers, c)
	}
	return containers, nil
}

// stateLock is the state directory, open. While it has a flock no other command changes the container, and while it
// is open no other directory gets its inode number.
type stateLock struct{ fd int }

// acquire waits for the lock of the container, so that only one command at a time changes it. The kernel gives it
// back when the process ends, however it ends.
func (c *Container) acquire() error {
	fd, err := sys.Open(c.dir(), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW)
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNotExist
	}
	if err != nil {
		return fmt.Errorf("open state directory: %w", err)
	}
	c.lock = &stateLock{fd}
	return c.acquireAgain()
}

// acquireAgain takes the lock after yield. It returns ErrNotExist if the path does not lead to the directory any more:
// while we waited the container may have been deleted, and another one with its id be made.
func (c *Container) acquireAgain() error {
	err := sys.Lock(c.lock.fd)
	if err == nil && !c.lock.isAt(c.dir()) {
		err = ErrNotExist
	}
	if err != nil {
		c.release()
		return fmt.Errorf("lock state directory: %w", err)
	}
	return nil
}

// isAt says that the path leads to the directory.
func (l *stateLock) isAt(path string) bool {
	var have, there unix.Stat_t
	if unix.Fstat(l.fd, &have) != nil || unix.Lstat(path, &there) != nil {
		return false
	}
	return have.Dev == there.Dev && have.Ino == there.Ino
}

// acquireLoaded takes the lock and then reads the state again: it may have changed, or be gone, since it was loaded.
func (c *Container) acquireLoaded() error {
	if err := c.acquire(); err != nil {
		return err
	}
	if err := c.load(); err != nil {
		c.release()
		return err
	}
	return nil
}

func (c *Container) release() {
	if c.lock != nil {
		unix.Close(c.lock.fd)
		c.lock = nil
	}
}

// yield lets others change the container; acquireAgain finds out whether it is still the same one.
func (c *Container) yield() {
	_ = unix.Flock(c.lock.fd, unix.LOCK_UN) // closing it would do, but the inode shall stay ours
}

// busy says that another process holds the lock.
func (c *Container) busy() bool {
	fd, err := unix.Open(c.dir(), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return unix.Flock(fd, unix.LOCK_SH|unix.LOCK_NB) == unix.EWOULDBLOCK
}

// now is when something happened, as the state shows it.
func now() time.Time { return time.Now().UTC() }
