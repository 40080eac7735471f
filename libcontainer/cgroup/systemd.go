// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/rt-oci/rt/libcontainer/dbus"
)

// unit is the scope that systemd keeps for a container. It is delegated: below it and in its files systemd leaves alone
// what it does not know of (systemd.resource-control(5), "Delegate="; systemd.io/CGROUP_DELEGATION).
type unit struct {
	name      string
	slice     string
	user      bool // kept by the instance of the user, not by that of the system
	annotated []property
	devices   []specs.LinuxDeviceCgroup
	late      []setting // values that wait until the placeholder has gone
	held      bool      // by a placeholder
	patience  time.Duration
}

// property is one property of a unit (org.freedesktop.systemd1(5)).
type property struct {
	name  string
	value dbus.Value
}

// managerDeadline bounds how long systemd may take for what one command asks of it. A reload of many units takes seconds,
// and it answers nobody meanwhile.
const managerDeadline = 30 * time.Second

// Unit returns the name of the group's scope, and whether the user's instance of systemd keeps it; "" if none does.
func (g *Group) Unit() (name string, user bool) {
	if u, ok := g.keeper.(*unit); ok {
		return u.name, u.user
	}
	return "", false
}

// UseUnit tells a group that was made again by FromPaths what Unit returned when it was created.
func (g *Group) UseUnit(name string, user bool) {
	if name != "" {
		g.keeper = &unit{name: name, user: user, patience: managerDeadline}
	}
}

// StartUnit has systemd make the group, around the placeholder, with those limits that it knows. It comes before Create.
// When the container's first process is in the group, ReleasePlaceholder must follow.
func (g *Group) StartUnit(pid int, r *specs.LinuxResources) error {
	if g.keeper == nil {
		return nil
	}
	// Sharing a group with running processes is refused before systemd puts one more there.
	for _, m := range g.members {
		if _, err := os.Lstat(m.dir); err == nil {
			g.kept = append(g.kept, m.dir)
		}
	}
	err := g.checkEmpty()
	g.kept = nil
	if err == nil {
		err = g.checkThawed()
	}
	if err != nil {
		return err
	}
	return g.keeper.start(g, pid, r)
}

// ReleasePlaceholder writes the values that would not have let the placeholder and the first process live together.
// The placeholder must have ended.
func (g *Group) ReleasePlaceholder() error {
	u, ok := g.keeper.(*unit)
	if !ok || !u.held {
		return nil
	}
	u.held = false
	if len(u.late) == 0 {
		return nil
	}
	if err := u.tell(g, u.late); err != nil {
		return err
	}
	return settle(u.late)
}

// start starts the scope and finds out where systemd has made it.
func (u *unit) start(g *Group, pid int, r *specs.LinuxResources) error {
	properties, err := u.properties(g, r, pid)
	if err != nil {
		return err
	}
	m, err := u.connectAbout(pid)
	if err != nil {
		return err
	}
	defer m.Close()
	err = m.startScope(u.name, properties)
	if isError(err, "org.freedesktop.systemd1.UnitExists") {
		// One that failed stays until somebody resets it: then the name is free.
		_ = m.resetFailed(u.name)
		err = m.startScope(u.name, properties)
	}
	if err == nil {
		u.held = true
		err = u.locate(g, pid)
	}
	if err != nil {
		return fmt.Errorf("start unit %q: %w", u.name, err)
	}
	return nil
}

// locate reads from the placeholder's control groups where the scope is. systemd may itself be in a group, escapes some
// names, and makes the directories only in those hierarchies of v1 that it manages; the others get the same path.
func (u *unit) locate(g *Group, pid int) error {
	own, err := readOwn(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return fmt.Errorf("find its control group: %w", err)
	}
	path := own["name=systemd"]
	if path == "" || g.Version() == V2 { // the kernel may have v1 hierarchies that are not mounted here
		path = own[unifiedKey]
	}
	if base := filepath.Base(path); base != u.name && base != "_"+u.name {
		return fmt.Errorf("find its control group: process %d is in %q", pid, path)
	}
	for i := range g.members {
		m := &g.members[i]
		m.dir = filepath.Join(m.mount, path)
	}
	return nil
}

// set tells systemd new values, so that it does not bring the old ones back with the next change of its own.
func (u *unit) set(g *Group, r *specs.LinuxResources, list []setting) ([]setting, error) {
	if err := checkIdle(r); err != nil {
		return nil, err
	}
	if u.held { // it has been told at the start
		return u.later(list), nil
	}
	kept := u.exact(g, list)
	if err := u.tell(g, list); err != nil {
		return nil, err
	}
	kept = slices.DeleteFunc(kept, func(s setting) bool {
		now, err := readControl(s.dir, s.file)
		return err != nil || now == s.value
	})
	return append(kept, list...), nil
}

// exact returns the writes that put back what systemd rounds and, with each change of the unit, writes again: quota and
// period of processor time, unless list has new ones.
func (u *unit) exact(g *Group, list []setting) []setting {
	m, ok := g.controller("cpu")
	if !ok {
		if m, ok = g.unified(); !ok {
			return nil
		}
	}
	row := slices.IndexFunc(cpuLimits[:], func(l limit) bool { return l.member == "cpu.quota" })
	var kept []setting
	for _, file := range []string{"cpu.cfs_period_us", "cpu.cfs_quota_us", "cpu.max"} {
		content, err := readControl(m.dir, file)
		if err != nil || slices.ContainsFunc(list, func(s setting) bool { return s.file == file }) {
			continue
		}
		kept = append(kept, setting{write: write{file: file, value: content}, limit: &cpuLimits[row], dir: m.dir})
	}
	return kept
}

func (u *unit) tell(g *Group, list []setting) error {
	properties, err := propertiesOf(list, g.Version())
	if err != nil || len(properties) == 0 {
		return err
	}
	m, err := u.connect()
	if err != nil {
		return err
	}
	defer m.Close()
	if err := m.setProperties(u.name, properties); err != nil {
		return fmt.Errorf("set properties of unit %q: %w", u.name, err)
	}
	return nil
}

// later takes those values out of list that have to wait for the end of the placeholder: it counts as a process, and
// the stage may fork once.
func (u *unit) later(list []setting) []setting {
	u.late = nil
	return slices.DeleteFunc(list, func(s setting) bool {
		if s.file != "pids.max" || s.value != "1" && s.value != "2" {
			return false
		}
		u.late = append(u.late, s)
		return true
	})
}

// stop has systemd forget the scope. Once its group is empty systemd does so by itself; but not at once, while the name
// may be wanted again at once, and never if it takes the scope for failed.
func (u *unit) stop() error {
	m, err := u.connect()
	if errors.Is(err, errNoManager) {
		return nil // there is no systemd that could know of the scope
	}
	if err != nil {
		return err
	}
	defer m.Close()
	err = m.stopUnit(u.name)
	if err == nil {
		err = m.resetFailed(u.name)
	}
	if err != nil && !isError(err, "org.freedesktop.systemd1.NoSuchUnit") {
		return fmt.Errorf("stop unit %q: %w", u.name, err)
	}
	return nil
}

func isError(err error, name string) bool {
	var answer *dbus.Error
	return errors.As(err, &answer) && answer.Name == name
}

// errNoManager says that no systemd listens.
var errNoManager = errors.New("systemd can't be reached")

// connect connects to the manager: straight, on a socket that root (and the user, for his own) may use, else by the bus.
func (u *unit) connect() (manager, error) {
	var reasons []string
	for _, a := range u.addresses() {
		c, err := dbus.Dial(a.path, a.direct, u.patience)
		if err == nil {
			c.Wanted = "JobRemoved"
			return manager{c}, nil
		}
		if errors.Is(err, dbus.ErrTimeout) { // it listens, and is busy
			return manager{}, fmt.Errorf("reach systemd: %w", err)
		}
		reasons = append(reasons, err.Error())
	}
	needs := "systemd and its D-Bus socket"
	if u.user {
		needs = "the user's systemd: loginctl enable-linger starts it, XDG_RUNTIME_DIR says where it is"
	}
	return manager{}, fmt.Errorf("%w: %s (--systemd-cgroup needs %s; omit the option to use cgroupfs)",
		errNoManager, strings.Join(reasons, "; "), needs)
}

type address struct {
	path   string
	direct bool
}

// addresses are the sockets where the manager may be reached, best first.
func (u *unit) addresses() []address {
	if !u.user {
		list := []address{{"/run/systemd/private", true}}
		return append(list, busAddresses(os.Getenv("DBUS_SYSTEM_BUS_ADDRESS"), "/run/dbus/system_bus_socket")...)
	}
	runtime := os.Getenv("XDG_RUNTIME_DIR")
	if runtime == "" {
		runtime = "/run/user/" + managedUser()
	}
	list := []address{{runtime + "/systemd/private", true}}
	return append(list, busAddresses(os.Getenv("DBUS_SESSION_BUS_ADDRESS"), runtime+"/bus")...)
}

// busAddresses reads a list of D-Bus addresses, "unix:path=/run/bus,guid=...;unix:abstract=name", in which everything
// unusual is written as %XX (D-Bus specification, "Server Addresses"). Without any the standard counts.
func busAddresses(list, standard string) []address {
	var found []address
	for entry := range strings.SplitSeq(list, ";") {
		pairs, isUnix := strings.CutPrefix(entry, "unix:")
		if !isUnix {
			continue
		}
		for pair := range strings.SplitSeq(pairs, ",") {
			if path, ok := strings.CutPrefix(pair, "path="); ok {
				found = append(found, address{unescape(path), false})
			} else if name, ok := strings.CutPrefix(pair, "abstract="); ok {
				found = append(found, address{"@" + unescape(name), false})
			}
		}
	}
	if len(found) == 0 {
		found = append(found, address{standard, false})
	}
	return found
}

func unescape(text string) string {
	var out []byte
	for i := 0; i < len(text); i++ {
		if text[i] == '%' && i+2 < len(text) {
			if c, err := strconv.ParseUint(text[i+1:i+3], 16, 8); err == nil {
				out = append(out, byte(c))
				i += 2
				continue
			}
		}
		out = append(out, text[i])
	}
	return string(out)
}
