// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/sys"
)

// OwnsManager says that the systemd of this machine, or container, takes orders from this process: it runs as the same
// root. Behind a user namespace the host's root is not root any more, but somebody without a number.
func OwnsManager() bool {
	var st unix.Stat_t
	return os.Geteuid() == 0 && unix.Stat("/run/systemd/private", &st) == nil && st.Uid == 0
}

// managedUser is the user whose instance of systemd we speak to, as systemd knows the number: from the root of a user
// namespace to whoever has made it (/proc/PID/uid_map, user_namespaces(7)).
func managedUser() string {
	uid := os.Geteuid()
	data, err := sys.ReadFile("/proc/self/uid_map")
	if err != nil {
		return strconv.Itoa(uid)
	}
	for line := range strings.Lines(string(data)) {
		var inside, outside, count int
		if n, _ := fmt.Sscan(line, &inside, &outside, &count); n == 3 && inside <= uid && uid-inside < count {
			return strconv.Itoa(outside + uid - inside)
		}
	}
	return strconv.Itoa(uid)
}

// MovedBySystemd says that a process of ours can't be started in the group, nor move there: who may write to the group,
// and not to the one above both (cgroup-v2.rst, "Delegation Containment"), has systemd do it. So it is for a user's
// scope and a caller in a login session, which lies beside user@UID.service.
func (g *Group) MovedBySystemd() bool {
	u, ok := g.keeper.(*unit)
	if !ok || !u.user {
		return false
	}
	m, ok := g.unified()
	m.mount = unifiedMount // a group that FromPaths has made does not know it
	return ok && mayMove(m) != nil
}

// unifiedMount is where the unified hierarchy is mounted if there is no other, as for all scopes of users.
const unifiedMount = "/sys/fs/cgroup"

// Attach has systemd move a process to the group, which must be the scope or below it.
func (g *Group) Attach(pid int) error {
	u, ok := g.keeper.(*unit)
	m, unified := g.unified()
	if !ok || !unified {
		return errors.New("move a process: the control group is no scope of systemd")
	}
	below, err := u.below(m.dir)
	if err != nil {
		return err
	}
	c, err := u.connectAbout(pid)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.attach(u.name, below, pid); err != nil {
		return fmt.Errorf("move process %d to unit %q: %w", pid, u.name, err)
	}
	return nil
}

// below returns the path of a directory from the scope's on; "" is the scope itself.
func (u *unit) below(dir string) (string, error) {
	for at := dir; at != "/" && at != "."; at = filepath.Dir(at) {
		if base := filepath.Base(at); base == u.name || base == "_"+u.name {
			return strings.TrimPrefix(dir, at), nil
		}
	}
	return "", fmt.Errorf("control group %q is not below unit %q", dir, u.name)
}

// At returns the group that a process of the container is in now, which may be below g.
func (g *Group) At(pid int) (*Group, error) {
	m, ok := g.unified()
	if !ok {
		return g, nil
	}
	own, err := readOwn("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if err != nil {
		return nil, err
	}
	m.dir = filepath.Join(unifiedMount, own[unifiedKey])
	return &Group{keeper: g.keeper, members: []member{m}}, nil
}

// connectAbout is connect for a call that names a process. Its number must be the same for systemd as for us: from a pid
// namespace below its own we would name somebody else's.
func (u *unit) connectAbout(pid int) (manager, error) {
	m, err := u.connect()
	if err != nil {
		return manager{}, err
	}
	peer, err := m.PeerPID()
	if err == nil && peer == 0 {
		err = fmt.Errorf("systemd is in another pid namespace, where process %d has another number (omit --systemd-cgroup)", pid)
	}
	if err != nil {
		m.Close()
		return manager{}, err
	}
	return m, nil
}
