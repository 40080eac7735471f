// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/sys"
)

// What the state says is believed: which processes are signalled, which control groups go, which hooks run. Whoever could
// write it would do all that as the user who calls rt, the host's root for instance. So a container's state directory must
// be the caller's own, as create has made it, below a root where nobody else can put another one in its place.

// errUntrusted says that somebody else may have written the state. No option goes on from there.
var errUntrusted = errors.New("the state can't be trusted")

// checkRoot refuses a state root of another user. One that is not there yet is no error.
func (r *Runtime) checkRoot() error {
	if r.trusted {
		return nil
	}
	var st unix.Stat_t
	if unix.Stat(r.Root, &st) != nil {
		return nil // what is wrong with it says who reads it
	}
	if !isRoots(st.Uid) && int(st.Uid) != os.Geteuid() {
		return foreign("state root", r.Root, st.Uid)
	}
	const group, others = 0o020, 0o002
	if writable := st.Mode & (group | others); writable != 0 && st.Mode&unix.S_ISVTX == 0 &&
		(writable&others != 0 || int(st.Gid) != os.Getegid()) { // a group of one's own is usual where the umask is 002
		return fmt.Errorf("%w: state root %q can be written by others (chmod go-w, or give another --root)", errUntrusted, r.Root)
	}
	r.trusted = true
	return nil
}

// checkOwner refuses a container's state directory that the caller has not made.
func (c *Container) checkOwner() error {
	if err := c.runtime.checkRoot(); err != nil {
		return err
	}
	var st unix.Stat_t
	if unix.Lstat(c.dir(), &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR && st.Mode&unix.S_IFMT != unix.S_IFLNK {
		return nil // no container
	}
	switch {
	case int(st.Uid) != os.Geteuid():
		return foreign("state directory", c.dir(), st.Uid)
	case st.Mode&unix.S_IFMT == unix.S_IFLNK:
		return fmt.Errorf("%w: %q is a symbolic link", errUntrusted, c.dir())
	case st.Mode&0o022 != 0:
		return fmt.Errorf("%w: state directory %q can be written by others (mode %o)", errUntrusted, c.dir(), st.Mode&0o7777)
	}
	return nil
}

func foreign(what, path string, owner uint32) error {
	return fmt.Errorf("%w: %s %q belongs to user %d (call rt as that user)", errUntrusted, what, path, owner)
}

// isRoots says that a user id is that of the host's root. In a user namespace that has no number, and shows as the
// overflow id (user_namespaces(7), "Unmapped user and group IDs").
func isRoots(uid uint32) bool {
	const overflow = 65534
	return uid == 0 || uid == overflow && sys.InUserNamespace()
}
