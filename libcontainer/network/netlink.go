// SPDX-License-Identifier: Apache-2.0

package network

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/sys"
)

// Requests of rtnetlink(7) are made with the package nl alone: the addresses of a device travel as they are, and the
// tables of the package above it are not paid for by containers without network devices.

// side is a network namespace and a socket in it.
type side struct {
	namespace int
	sockets   map[int]*nl.SocketHandle
}

func openSide(path string) (*side, error) {
	fd, err := sys.Open(path, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	socket, err := nl.GetNetlinkSocketAt(netns.NsHandle(fd), netns.None(), unix.NETLINK_ROUTE)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("open a netlink socket in %q: %w", path, err)
	}
	_ = socket.SetExtAck(true) // the kernel's own words, where it has some
	return &side{namespace: fd, sockets: map[int]*nl.SocketHandle{unix.NETLINK_ROUTE: {Socket: socket}}}, nil
}

func (s *side) close() {
	if s != nil {
		s.sockets[unix.NETLINK_ROUTE].Close()
		unix.Close(s.namespace)
	}
}

// request asks the kernel; the answers are of the type that is given, 0 for none.
func (s *side) request(kind, flags int, answers uint16, data ...nl.NetlinkRequestData) ([][]byte, error) {
	r := nl.NewNetlinkRequest(kind, flags)
	r.Sockets = s.sockets
	for _, d := range data {
		r.AddData(d)
	}
	return r.Execute(unix.NETLINK_ROUTE, answers)
}

// change is a request that is only acknowledged.
func (s *side) change(kind, flags int, data ...nl.NetlinkRequestData) error {
	_, err := s.request(kind, flags|unix.NLM_F_ACK, 0, data...)
	return err
}

// link is a device as one side sees it.
type link struct {
	index int32
	name  string
	up    bool
}

func (s *side) linkByName(name string) (link, error) {
	return s.link(fmt.Sprintf("find %q", name), nl.NewIfInfomsg(unix.AF_UNSPEC), nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name)))
}

func (s *side) linkByIndex(index int32) (link, error) {
	return s.link(fmt.Sprintf("find device %d", index), message(index))
}

func (s *side) link(what string, data ...nl.NetlinkRequestData) (link, error) {
	answers, err := s.request(unix.RTM_GETLINK, 0, unix.RTM_NEWLINK, data...)
	if err == nil && len(answers) != 1 {
		err = unix.EPROTO
	}
	if err != nil {
		return link{}, fmt.Errorf("%s: %w", what, err)
	}
	return parseLink(answers[0])
}

func parseLink(answer []byte) (link, error) {
	if len(answer) < unix.SizeofIfInfomsg {
		return link{}, fmt.Errorf("read a device: %w", unix.EPROTO)
	}
	info := nl.DeserializeIfInfomsg(answer)
	attributes, err := nl.ParseRouteAttr(answer[unix.SizeofIfInfomsg:])
	if err != nil {
		return link{}, fmt.Errorf("read a device: %w", err)
	}
	l := link{index: info.Index, up: info.Flags&unix.IFF_UP != 0}
	for _, a := range attributes {
		if a.Attr.Type == unix.IFLA_IFNAME {
			l.name = text(a.Value)
		}
	}
	return l, nil
}

func text(value []byte) string { return string(bytes.TrimRight(value, "\x00")) }

func message(index int32) *nl.IfInfomsg {
	m := nl.NewIfInfomsg(unix.AF_UNSPEC)
	m.Index = index
	return m
}

func (s *side) has(index int32) bool {
	_, err := s.linkByIndex(index)
	return err == nil
}

// free refuses a name that is taken. A template never is.
func (s *side) free(name string) error {
	if strings.HasSuffix(name, "%d") {
		return nil
	}
	_, err := s.linkByName(name)
	if err == nil {
		return fmt.Errorf("a device with the name %q is in the container's network namespace: %w (give it another name)", name, unix.EEXIST)
	}
	if !errors.Is(err, unix.ENODEV) {
		return err
	}
	return nil
}

// freeIndex returns the index wanted, or one behind all others if it is taken.
func (s *side) freeIndex(want int32) (int32, error) {
	_, err := s.linkByIndex(want)
	if errors.Is(err, unix.ENODEV) {
		return want, nil
	}
	if err != nil {
		return 0, err
	}
	answers, err := s.request(unix.RTM_GETLINK, unix.NLM_F_DUMP, unix.RTM_NEWLINK, message(0))
	if err != nil {
		return 0, fmt.Errorf("list devices: %w", err)
	}
	last := want
	for _, answer := range answers {
		l, err := parseLink(answer)
		if err != nil {
			return 0, err
		}
		last = max(last, l.index)
	}
	return last + 1, nil
}

// give moves a device to the other side, under a name and an index there (the latter since Linux 5.13). The kernel takes
// it down and removes its addresses.
func (s *side) give(index int32, to *side, name string, newIndex int32) error {
	err := s.change(
		unix.RTM_SETLINK, 0, message(index),
		nl.NewRtAttr(unix.IFLA_NET_NS_FD, nl.Uint32Attr(uint32(to.namespace))),
		nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name)),
		nl.NewRtAttr(unix.IFLA_NEW_IFINDEX, nl.Uint32Attr(uint32(newIndex))),
	)
	if err != nil {
		return fmt.Errorf("move the device as %q: %w", name, err)
	}
	return nil
}

func (s *side) raise(index int32) error {
	m := message(index)
	m.Flags, m.Change = unix.IFF_UP, unix.IFF_UP
	if err := s.change(unix.RTM_SETLINK, 0, m); err != nil {
		return fmt.Errorf("raise the device: %w", err)
	}
	return nil
}

// address is one address of a device, as the kernel told it.
type address struct {
	message    nl.IfAddrmsg
	flags      uint32
	attributes []syscall.NetlinkRouteAttr
}

// addresses returns the permanent addresses of a device.
func (s *side) addresses(index int32) ([]address, error) {
	answers, err := s.request(unix.RTM_GETADDR, unix.NLM_F_DUMP, unix.RTM_NEWADDR, nl.NewIfAddrmsg(unix.AF_UNSPEC))
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	var found []address
	for _, answer := range answers {
		a, err := parseAddress(answer)
		if err != nil {
			return nil, err
		}
		if int32(a.message.Index) == index && a.flags&unix.IFA_F_PERMANENT != 0 {
			found = append(found, a)
		}
	}
	return found, nil
}

func parseAddress(answer []byte) (address, error) {
	if len(answer) < unix.SizeofIfAddrmsg {
		return address{}, fmt.Errorf("read an address: %w", unix.EPROTO)
	}
	a := address{message: *nl.DeserializeIfAddrmsg(answer)}
	a.flags = uint32(a.message.Flags)
	attributes, err := nl.ParseRouteAttr(answer[unix.SizeofIfAddrmsg:])
	if err != nil {
		return address{}, fmt.Errorf("read an address: %w", err)
	}
	for _, attribute := range attributes {
		attribute.Value = bytes.Clone(attribute.Value)
		switch attribute.Attr.Type {
		case unix.IFA_FLAGS: // all 32 of them; the message has room for 8
			if len(attribute.Value) == 4 {
				a.flags = nl.NativeEndian().Uint32(attribute.Value)
			}
			continue
		case unix.IFA_CACHEINFO:
			continue // when it was made; permanent ones end never
		}
		a.attributes = append(a.attributes, attribute)
	}
	return a, nil
}

// String is the address as people write it.
func (a *address) String() string {
	var value []byte
	for _, attribute := range a.attributes {
		// Of a connection between two, IFA_ADDRESS is the other end.
		if attribute.Attr.Type == unix.IFA_LOCAL || attribute.Attr.Type == unix.IFA_ADDRESS && value == nil {
			value = attribute.Value
		}
	}
	ip, _ := netip.AddrFromSlice(value)
	return fmt.Sprintf("%s/%d", ip, a.message.Prefixlen)
}

// global says that the address is for the container too: no loopback's, no link-local one.
func (a *address) global() bool { return a.message.Scope == unix.RT_SCOPE_UNIVERSE }

// renamed is the address of a device that has another name now: its label begins with that name.
func (a *address) renamed(from, to string) address {
	changed := *a
	changed.attributes = nil
	for _, attribute := range a.attributes {
		if attribute.Attr.Type == unix.IFA_LABEL {
			rest, ok := strings.CutPrefix(text(attribute.Value), from)
			if !ok || len(to+rest) >= unix.IFNAMSIZ {
				continue // the kernel then takes the device's name
			}
			attribute.Value = nl.ZeroTerminated(to + rest)
		}
		changed.attributes = append(changed.attributes, attribute)
	}
	return changed
}

// ownFlags are those of an address that the kernel sets by itself.
const ownFlags = unix.IFA_F_PERMANENT | unix.IFA_F_TENTATIVE | unix.IFA_F_DADFAILED | unix.IFA_F_DEPRECATED |
	unix.IFA_F_SECONDARY | unix.IFA_F_STABLE_PRIVACY

func (s *side) add(a address, index int32) error {
	m := a.message
	m.Index, m.Flags = uint32(index), 0
	data := []nl.NetlinkRequestData{&m, nl.NewRtAttr(unix.IFA_FLAGS, nl.Uint32Attr(a.flags&^ownFlags))}
	for _, attribute := range a.attributes {
		data = append(data, nl.NewRtAttr(int(attribute.Attr.Type), attribute.Value))
	}
	if err := s.change(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL, data...); err != nil {
		return fmt.Errorf("add the address %s: %w", a.String(), err)
	}
	return nil
}
