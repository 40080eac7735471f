// SPDX-License-Identifier: Apache-2.0

// Package network moves network devices between the host's network namespace and a container's (config-linux.md,
// "Network Devices"), through rtnetlink(7).
package network

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Moved are devices that are in the container's network namespace, and what takes them back. It keeps that namespace.
type Moved struct {
	host, container *side
	devices         []device
}

// device is one that was moved: what it was on the host.
type device struct {
	name        string
	index       int32
	up          bool
	addresses   []address
	insideIndex int32
}

// Move moves devices of the network namespace of this process, by name, into that of another one: renamed if the config
// says so, with their permanent global addresses, and up. On error all are where they were.
func Move(devices map[string]specs.LinuxNetDevice, pid int) (*Moved, error) {
	m := &Moved{}
	var err error
	if m.host, err = openSide("/proc/self/ns/net"); err != nil {
		return nil, err
	}
	if m.container, err = openSide(fmt.Sprintf("/proc/%d/ns/net", pid)); err != nil {
		m.Close()
		return nil, err
	}
	names := make([]string, 0, len(devices))
	for name := range devices {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		inside := devices[name].Name
		if inside == "" {
			inside = name
		}
		if err := m.move(name, inside); err != nil {
			err = errors.Join(fmt.Errorf("linux.netDevices %q: %w", name, err), m.Back())
			m.Close()
			return nil, oneLine(err)
		}
	}
	return m, nil
}

// Close lets the namespaces go: from here on the devices are the container's.
func (m *Moved) Close() {
	m.host.close()
	m.container.close()
}

// move takes one device. What was done stays noted, also on error, for Back.
func (m *Moved) move(name, inside string) error {
	link, err := m.host.linkByName(name)
	if errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("%w (it is looked up in the network namespace of rt)", err)
	}
	if err != nil {
		return err
	}
	d := device{name: name, index: link.index, up: link.up}
	if d.addresses, err = m.host.addresses(link.index); err != nil {
		return err
	}
	if err := m.container.free(inside); err != nil {
		return err
	}
	if d.insideIndex, err = m.container.freeIndex(link.index); err != nil {
		return err
	}
	if err := m.host.give(link.index, m.container, inside, d.insideIndex); err != nil {
		if !m.container.has(d.insideIndex) {
			return explainMove(err) // it is still on the host
		}
		m.devices = append(m.devices, d)
		return err
	}
	m.devices = append(m.devices, d)
	if err := m.container.raise(d.insideIndex); err != nil {
		return err
	}
	link, err = m.container.linkByIndex(d.insideIndex) // the kernel may have filled in a template
	if err != nil {
		return err
	}
	for _, a := range d.addresses {
		if !a.global() {
			continue
		}
		if err := m.container.add(a.renamed(name, link.name), d.insideIndex); err != nil {
			return err
		}
	}
	return nil
}

func explainMove(err error) error {
	switch {
	case errors.Is(err, unix.EINVAL):
		return fmt.Errorf("%w (devices such as lo and bridges' own can't leave their network namespace)", err)
	case errors.Is(err, unix.EEXIST):
		return fmt.Errorf("%w (a device in the container's network namespace has this name, perhaps as an alternative one)", err)
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("%w (it needs CAP_NET_ADMIN in both network namespaces)", err)
	}
	return err
}

// Back gives all devices back to the host, with name, state and addresses that they had, the last one first.
func (m *Moved) Back() error {
	var failed error
	for _, d := range slices.Backward(m.devices) {
		if err := m.back(&d); err != nil {
			failed = errors.Join(failed, fmt.Errorf("give network device %q back: %w", d.name, err))
		}
	}
	m.devices = nil
	return oneLine(failed)
}

func (m *Moved) back(d *device) error {
	index, err := m.host.freeIndex(d.index)
	if err != nil {
		return err
	}
	if err := m.container.give(d.insideIndex, m.host, d.name, index); err != nil {
		return err
	}
	if d.up {
		if err := m.host.raise(index); err != nil {
			return err
		}
	}
	for _, a := range d.addresses {
		if err := m.host.add(a, index); err != nil && !errors.Is(err, unix.EEXIST) { // the kernel makes some by itself
			return err
		}
	}
	return nil
}

// oneLine tells several errors on one line.
func oneLine(err error) error {
	if err == nil || !strings.Contains(err.Error(), "\n") {
		return err
	}
	return errors.New(strings.ReplaceAll(err.Error(), "\n", "; "))
}
