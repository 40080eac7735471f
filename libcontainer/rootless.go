// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"math/bits"
	"os"
	"strings"
	"sync"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/cgroup"
	"github.com/rt-oci/rt/libcontainer/sys"
)

// Containers of an ordinary user: all rights come with a user namespace that the user owns (user_namespaces(7)), and
// control groups are there only as far as somebody has given the user some. docs/rootless.md explains it.

// Rootless is the global option --rootless: whether a container may go without a control group where rt may make none.
type Rootless int

// The values of --rootless.
const (
	RootlessAuto Rootless = iota // if rt is not the host's root
	RootlessYes
	RootlessNo
)

// unprivileged says that rt has no rights on the host.
func unprivileged() bool { return os.Geteuid() != 0 }

// rootless says that a container may go without a control group.
func (r *Runtime) rootless() bool {
	return r.Rootless == RootlessYes || r.Rootless == RootlessAuto && limitedRoot()
}

// limitedRoot says that rt is not the host's root: an ordinary user, or the root of a user namespace.
var limitedRoot = sync.OnceValue(func() bool { return unprivileged() || sys.InUserNamespace() })

// checkRootless refuses what an ordinary user can't do, in terms of the config.
func (n *creation) checkRootless() error {
	if limitedRoot() {
		if err := checkUserDevices(n.spec.Linux.Resources); err != nil {
			return err
		}
	}
	if n.options.Systemd && n.layout.Version != cgroup.V2 && userUnits() {
		return fmt.Errorf("--systemd-cgroup: the systemd of a user has no controllers with %v control groups: that takes cgroup v2 (omit the option)", n.layout.Version)
	}
	if !unprivileged() {
		return nil
	}
	switch {
	case !hasPrivate(n.spec, specs.UserNamespace) && !hasNamespace(n.spec, specs.UserNamespace):
		return errors.New("linux.namespaces: a user namespace is missing: an ordinary user has no rights without one (`rt spec --rootless` writes a config for users)")
	case !hasPrivate(n.spec, specs.MountNamespace):
		return errors.New("linux.namespaces: a mount namespace without a path is missing: an ordinary user can mount nowhere else")
	}
	n.c.saved.DeniesSetgroups = hasPrivate(n.spec, specs.UserNamespace) && isOwnID(n.spec.Linux.GIDMappings, os.Getegid())
	return nil
}

// deniesSetgroups says that the kernel denies setgroups(2) in the container: by its own user namespace, or by that of rt,
// from which all below inherit it (user_namespaces(7)).
func (c *Container) deniesSetgroups() bool {
	if c.saved.DeniesSetgroups || !limitedRoot() {
		return c.saved.DeniesSetgroups
	}
	setting, err := sys.ReadFile("/proc/self/setgroups")
	return err == nil && strings.TrimSpace(string(setting)) == "deny"
}

func hasNamespace(s *specs.Spec, t specs.LinuxNamespaceType) bool {
	for _, n := range s.Linux.Namespaces {
		if n.Type == t {
			return true
		}
	}
	return false
}

// checkUserDevices refuses rules that would have to be enforced. Filters of devices are for the host's root; what is
// denied as a whole is so without them, as a user namespace can't make device nodes (user_namespaces(7)).
func checkUserDevices(r *specs.LinuxResources) error {
	if r == nil {
		return nil
	}
	for i, rule := range r.Devices {
		if strings.Contains(rule.Access, "r") != strings.Contains(rule.Access, "w") {
			return fmt.Errorf("linux.resources.devices[%d]: access %q: only the host's root can filter devices (allow reading and writing: "+
				"the permissions of the device decide)", i, rule.Access)
		}
		if !rule.Allow && (rule.Major != nil || rule.Minor != nil || rule.Type != "" && rule.Type != "a") {
			return fmt.Errorf("linux.resources.devices[%d]: only the host's root can filter devices (leave the rule out: "+
				"a device that is not in linux.devices, /dev or a mount can't be reached)", i)
		}
	}
	return nil
}

// goWithoutGroup says that the container gets no control group: rt may make none, and nothing asks for one.
func (n *creation) goWithoutGroup() (bool, error) {
	if unit, _ := n.group.Unit(); unit != "" || !n.c.runtime.rootless() {
		return false, nil // systemd says whether there is one
	}
	denied := n.group.Denied()
	if denied == nil {
		return false, nil
	}
	if path := n.spec.Linux.CgroupsPath; path != "" {
		return false, fmt.Errorf("unable to apply cgroup configuration: linux.cgroupsPath %q: %w (leave it out, or have the group delegated to you: docs/rootless.md)", path, denied)
	}
	if limit := cgroup.FirstLimit(n.spec.Linux.Resources); limit != "" {
		return false, fmt.Errorf("rootless needs no limits + no cgrouppath when no permission is granted for cgroups: %s: %w (leave it out, or have a group delegated to you: docs/rootless.md)", limit, denied)
	}
	if !limitedRoot() && !cgroup.AllowsAllDevices(n.spec.Linux.Resources) { // it can make nodes
		return false, fmt.Errorf("linux.resources.devices: without a control group nobody keeps the container from devices of the host: %w (make the control groups writable, or allow all devices)", denied)
	}
	n.c.runtime.Log.Debugf("no control group: %v", denied)
	if n.c.saved.SharedPIDs {
		n.c.runtime.Log.Warnf("without a pid namespace and a control group, processes that the container leaves behind can't be found and killed. Such configuration is strongly discouraged")
	}
	n.group = &cgroup.Group{}
	return true, nil
}

// userLayout is the layout that relative paths of control groups are resolved in.
func (r *Runtime) userLayout(layout cgroup.Layout) cgroup.Layout {
	if layout.Version == cgroup.V2 && r.rootless() {
		return layout.ForUser()
	}
	return layout
}

// visibleGroup is what a container sees as its control group: its own, or, without one, that of rt, which it is in.
func (n *creation) visibleGroup() (*cgroup.Group, error) {
	if len(n.group.Paths()) > 0 {
		return n.group, nil
	}
	return n.layout.Own()
}

// groupOrNone returns the container's control group; one without members if it has none.
func (c *Container) groupOrNone() (*cgroup.Group, error) {
	group, err := c.cgroup()
	if err == nil && group == nil {
		group = &cgroup.Group{}
	}
	return group, err
}

// rootlessHint says what to do about a user namespace that is refused.
func rootlessHint(err error) string {
	if errors.Is(err, unix.ENOSPC) {
		return "see /proc/sys/user/max_user_namespaces"
	}
	return "the host may not let ordinary users make user namespaces: see kernel.apparmor_restrict_unprivileged_userns, kernel.unprivileged_userns_clone and user.max_user_namespaces"
}

// prepareUserNamespace writes what can be written only now, while the stage is dumpable: the maps, and what is said
// about memory by a file of /proc/PID that is root's afterwards.
func (n *creation) prepareUserNamespace() error {
	if err := n.writeUserMaps(); err != nil {
		return err
	}
	return applyOOMScore(n.stage.pid, n.spec.Process)
}

// allCapabilities are those of a process that a new user namespace begins with, whatever rt's bounding set is.
func allCapabilities() []uintptr {
	_, all := sys.Capabilities()
	list := make([]uintptr, bits.OnesCount64(all))
	for bit := range list {
		list[bit] = uintptr(bit)
	}
	return list
}

// makeRoot makes the state root. The sticky bit keeps those who clean $XDG_RUNTIME_DIR up from removing it (XDG Base
// Directory Specification).
func (r *Runtime) makeRoot() error {
	mode := os.FileMode(0o700)
	if unprivileged() {
		mode |= os.ModeSticky
	}
	if err := os.MkdirAll(r.Root, mode); err != nil {
		return explainRoot(fmt.Errorf("make state root: %w", err))
	}
	return r.checkRoot() // somebody may have been faster
}

// explainRoot says what an ordinary user can do about a state root that is not the user's.
func explainRoot(err error) error {
	if unprivileged() && errors.Is(err, unix.EACCES) {
		return fmt.Errorf("%w (set XDG_RUNTIME_DIR to a directory of yours, or give --root)", err)
	}
	return err
}
