// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"fmt"

	"github.com/rt-oci/rt/libcontainer/dbus"
)

// manager is systemd behind a connection: the few methods of org.freedesktop.systemd1.Manager that a scope needs
// (org.freedesktop.systemd1(5)).
type manager struct{ *dbus.Conn }

const (
	managerName      = "org.freedesktop.systemd1"
	managerPath      = "/org/freedesktop/systemd1"
	managerInterface = "org.freedesktop.systemd1.Manager"
)

func (m manager) call(member, signature string, body ...any) *dbus.Call {
	c := &dbus.Call{Path: managerPath, Interface: managerInterface, Member: member, Signature: signature, Body: body}
	if !m.Direct() {
		c.Destination = managerName
	}
	return c
}

// startScope is StartTransientUnit, and the end of its job.
func (m manager) startScope(name string, properties []property) error {
	result, err := m.job(name, m.call("StartTransientUnit", "ssa(sv)a(sa(sv))", name, "fail", pairs(properties), []any{}))
	if err == nil && result != "done" {
		err = fmt.Errorf("the job ended with %q (journalctl tells more about unit %s)", result, name)
		_ = m.resetFailed(name) // it holds the name
	}
	return err
}

// stopUnit is StopUnit, and the end of its job.
func (m manager) stopUnit(name string) error {
	_, err := m.job(name, m.call("StopUnit", "ss", name, "replace"))
	return err
}

// resetFailed makes systemd forget that the unit failed.
func (m manager) resetFailed(name string) error {
	_, err := m.Call(m.call("ResetFailedUnit", "s", name))
	return err
}

// setProperties is SetUnitProperties, for as long as the unit lives. systemd writes to the group after its answer, in
// the round of its loop before that in which it reads the next message: so the answer to a second one says that the
// values are there, and nothing of ours will be overwritten.
func (m manager) setProperties(name string, properties []property) error {
	serial, err := m.Send(m.call("SetUnitProperties", "sba(sv)", name, true, pairs(properties)))
	if err != nil {
		return err
	}
	ping := m.call("Ping", "")
	ping.Interface = "org.freedesktop.DBus.Peer"
	barrier, err := m.Send(ping)
	if err != nil {
		return err
	}
	if _, err := m.Answer(serial); err != nil {
		return err
	}
	_, err = m.Answer(barrier)
	return err
}

// attach is AttachProcessesToUnit (since systemd 238), with one process and the path of a group below that of the unit.
func (m manager) attach(name, below string, pid int) error {
	_, err := m.Call(m.call("AttachProcessesToUnit", "ssau", name, below, []any{uint32(pid)}))
	return err
}

func pairs(properties []property) []any {
	list := make([]any, len(properties))
	for i, p := range properties {
		list[i] = []any{p.name, p.value}
	}
	return list
}

// job makes a call that starts a job for a unit, and waits for the job's end. It returns how that
// was: "done", "failed", "canceled". On a bus only the signals about this
// unit are asked for, with the call itself: no signal can be missed, and no round trip is added.
func (m manager) job(name string, call *dbus.Call) (result string, err error) {
	if !m.Direct() {
		_, err := m.Send(&dbus.Call{
			Destination: "org.freedesktop.DBus", Path: "/org/freedesktop/DBus",
			Interface: "org.freedesktop.DBus", Member: "AddMatch", NoReply: true, Signature: "s",
			Body: []any{"type='signal',sender='" + managerName + "',interface='" + managerInterface +
				"',member='JobRemoved',arg2='" + name + "'"},
		})
		if err != nil {
			return "", err
		}
	}
	answer, err := m.Call(call)
	if err != nil {
		return "", err
	}
	job := answer.Text(0)
	removed, err := m.Signal(func(s *dbus.Message) bool { // JobRemoved(u id, o job, s unit, s result)
		return s.Member == "JobRemoved" && s.Interface == managerInterface && s.Text(1) == job
	})
	if err != nil {
		return "", fmt.Errorf("wait for the job's end: %w", err)
	}
	return removed.Text(3), nil
}
