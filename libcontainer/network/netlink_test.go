// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// answer is what the kernel tells of an address.
func answer(flags uint32, attributes ...*nl.RtAttr) []byte {
	m := nl.NewIfAddrmsg(unix.AF_INET)
	m.Index, m.Prefixlen, m.Flags = 7, 24, uint8(flags)
	raw := m.Serialize()
	for _, a := range attributes {
		raw = append(raw, a.Serialize()...)
	}
	return raw
}

func labels(a *address) (all []string) {
	for _, attribute := range a.attributes {
		if attribute.Attr.Type == unix.IFA_LABEL {
			all = append(all, text(attribute.Value))
		}
	}
	return all
}

func TestAddressesTravelAsTheyAre(t *testing.T) {
	t.Parallel()
	const flags = unix.IFA_F_PERMANENT | unix.IFA_F_NOPREFIXROUTE // the second one needs more than 8 bits
	a, err := parseAddress(answer(
		unix.IFA_F_PERMANENT, nl.NewRtAttr(unix.IFA_LOCAL, []byte{10, 0, 0, 1}), nl.NewRtAttr(unix.IFA_LABEL, nl.ZeroTerminated("eth0:1")),
		nl.NewRtAttr(unix.IFA_FLAGS, nl.Uint32Attr(flags)), nl.NewRtAttr(unix.IFA_CACHEINFO, make([]byte, 16)),
	))
	if err != nil {
		t.Fatal(err)
	}
	if a.flags != flags || a.message.Index != 7 || !a.global() || len(a.attributes) != 2 {
		t.Errorf("%+v", a)
	}
	if a.String() != "10.0.0.1/24" {
		t.Errorf("it is told as %s", a.String())
	}
}

func TestLabelsFollowTheName(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ label, to, want string }{
		{"eth0", "net1", "net1"},
		{"eth0:web", "net1", "net1:web"},
		{"eth0:web", "a2345678901", "a2345678901:web"},
		{"eth0:web", "a23456789012", ""}, // 16 bytes with its end are too many
		{"other", "net1", ""},
	} {
		a, err := parseAddress(answer(0, nl.NewRtAttr(unix.IFA_LABEL, nl.ZeroTerminated(c.label))))
		if err != nil {
			t.Fatal(err)
		}
		renamed := a.renamed("eth0", c.to)
		got := ""
		if all := labels(&renamed); len(all) == 1 {
			got = all[0]
		}
		if got != c.want || labels(&a)[0] != c.label {
			t.Errorf("%s on %s: %q, want %q", c.label, c.to, got, c.want)
		}
	}
}

func TestShortAnswersAreErrors(t *testing.T) {
	t.Parallel()
	if _, err := parseAddress(make([]byte, 7)); !errors.Is(err, syscall.EPROTO) {
		t.Errorf("address: %v", err)
	}
	if _, err := parseLink(make([]byte, 15)); !errors.Is(err, syscall.EPROTO) {
		t.Errorf("device: %v", err)
	}
	broken := answer(0, nl.NewRtAttr(unix.IFA_LOCAL, []byte{10, 0, 0, 1}))
	broken[unix.SizeofIfAddrmsg] = 200 // longer than what follows
	if _, err := parseAddress(broken); err == nil {
		t.Error("an attribute behind the end is accepted")
	}
}
