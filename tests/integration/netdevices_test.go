// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"net"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/tests/harness"
)

// network is a network namespace, which is the host's for a bundle's rt.
type network struct {
	*netlink.Handle
	path string
}

// newNetwork makes a network namespace, which lives in a process.
func newNetwork(t *testing.T) *network {
	t.Helper()
	holder := exec.Command("sleep", "300")
	holder.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = holder.Process.Kill()
		_ = holder.Wait()
	})
	n := &network{path: fmt.Sprintf("/proc/%d/ns/net", holder.Process.Pid)}
	ns, err := netns.GetFromPath(n.path)
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	if n.Handle, err = netlink.NewHandleAt(ns); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	return n
}

// onNetwork makes a network the one that rt finds itself in.
func onNetwork(t *testing.T, b *harness.Bundle) *network {
	t.Helper()
	n := newNetwork(t)
	b.Wrapper = []string{"nsenter", "--net=" + n.path, "--"}
	t.Cleanup(func() { b.Wrapper = nil }) // the namespace goes before the bundle
	return n
}

// veth makes a pair of devices. The first one is up and has addresses, hardware address and MTU that can be told.
func (n *network) veth(t *testing.T, name string) {
	t.Helper()
	attributes := netlink.NewLinkAttrs()
	attributes.Name, attributes.MTU = name, 1789
	attributes.HardwareAddr = net.HardwareAddr{0, 0x11, 0x22, 0x33, 0x44, 0x55}
	link := &netlink.Veth{LinkAttrs: attributes, PeerName: name + "-peer"}
	if err := n.LinkAdd(link); err != nil {
		t.Fatal(err)
	}
	if err := n.LinkSetUp(link); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"169.254.169.77/32", "10.7.0.1/24", "10.7.0.2/24", "127.0.0.33/8", "2001:db8::7/64"} {
		address, err := netlink.ParseAddr(text)
		if err != nil {
			t.Fatal(err)
		}
		if text == "127.0.0.33/8" {
			address.Scope = unix.RT_SCOPE_HOST
		}
		if text == "10.7.0.1/24" {
			address.Label = name + ":x"
		}
		address.Flags = unix.IFA_F_NODAD
		if err := n.AddrAdd(link, address); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
}

// shows is what there is of a device; the addresses that the kernel makes by itself are left out.
func (n *network) shows(t *testing.T, name string) string {
	t.Helper()
	link, err := n.LinkByName(name)
	if err != nil {
		return err.Error()
	}
	a := link.Attrs()
	addresses, err := n.AddrList(link, netlink.FAMILY_ALL)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, address := range addresses {
		if address.Scope != unix.RT_SCOPE_LINK {
			all = append(all, address.IPNet.String()+" "+address.Label)
		}
	}
	slices.Sort(all)
	return fmt.Sprintf("%s %d %v %s", a.HardwareAddr, a.MTU, a.Flags&net.FlagUp != 0, strings.Join(all, ", "))
}

const (
	vethOnHost   = "00:11:22:33:44:55 1789 true 10.7.0.1/24 NAME:x, 10.7.0.2/24 NAME, 127.0.0.33/8 NAME, 169.254.169.77/32 NAME, 2001:db8::7/64 "
	vethInside   = "00:11:22:33:44:55 1789 true 10.7.0.1/24 NAME:x, 10.7.0.2/24 NAME, 169.254.169.77/32 NAME, 2001:db8::7/64 "
	linkNotFound = "Link not found"
)

func named(text, name string) string { return strings.ReplaceAll(text, "NAME", name) }

func TestNetworkDevicesAreMoved(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, inside, want string
		user               bool
	}{
		{"dev0", "", "dev0", false},
		{"dev0", "eth0", "eth0", false},
		{"dev0", "eth%d", "eth0", false},
		{"dev0", "ctr_dev0", "ctr_dev0", true},
	} {
		b := harness.NewBundle(t, "ip", "address", "show", "dev", c.want)
		host := onNetwork(t, b)
		host.veth(t, c.name)
		if c.user {
			mapIDs(t, b)
		}
		b.Spec.Linux.NetDevices = map[string]specs.LinuxNetDevice{c.name: {Name: c.inside}}
		got := b.Run(t).WantExit(t, 0)
		got.WantStdout(t, c.want+"@", "mtu 1789 ", "ether 00:11:22:33:44:55 ", "inet 169.254.169.77/32", "inet 10.7.0.1/24", "inet6 2001:db8::7/64", ",UP")
		got.WantNoStdout(t, "127.0.0.33", "tentative")
		// With its namespace the kernel has removed a virtual device, and its peer.
		harness.Eventually(t, "end of the device", func() bool { return host.shows(t, c.name+"-peer") == linkNotFound })
	}
}

func TestTemplatesForNamesOfNetworkDevices(t *testing.T) {
	t.Parallel()
	b := shell(t, "ls /sys/class/net")
	host := onNetwork(t, b)
	host.veth(t, "dev0")
	host.veth(t, "dev1")
	b.Spec.Linux.NetDevices = map[string]specs.LinuxNetDevice{"dev0": {Name: "net%d"}, "dev1": {Name: "net%d"}}
	b.Run(t).WantExit(t, 0).WantStdoutIs(t, "lo\nnet0\nnet1")
}

// In a namespace that others own the device stays, also when the index that it had is taken there.
func TestNetworkDevicesInANamespaceThatIsJoined(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "ip", "link", "show", "moved")
	host, joined := onNetwork(t, b), newNetwork(t)
	joined.veth(t, "other")
	host.veth(t, "dev0")
	setNamespace(b, specs.NetworkNamespace, joined.path)
	b.Spec.Linux.NetDevices = map[string]specs.LinuxNetDevice{"dev0": {Name: "moved"}}
	b.Run(t).WantExit(t, 0).WantStdout(t, "moved@")
	if got, want := joined.shows(t, "moved"), named(vethInside, "moved"); got != want {
		t.Errorf("after the container's end there is\n%s, want\n%s", got, want)
	}
	if got := host.shows(t, "dev0"); got != linkNotFound {
		t.Errorf("the device is on the host: %s", got)
	}
}

// Hooks and sysctls find the device; what fails afterwards gives it back.
func TestNetworkDevicesComeBackIfTheContainerCantBeMade(t *testing.T) {
	t.Parallel()
	for name, breaks := range map[string]func(*harness.Bundle){
		"hook": func(b *harness.Bundle) {
			addHook(b, "createRuntime", "exit 3")
		},
		"sysctl":  func(b *harness.Bundle) { b.Spec.Linux.Sysctl["net.ipv4.conf.none.forwarding"] = "1" },
		"program": func(b *harness.Bundle) { b.Spec.Process.Args = []string{"/none"} },
		"next device": func(b *harness.Bundle) {
			b.Spec.Linux.NetDevices["none"] = specs.LinuxNetDevice{}
		},
		"execve": func(b *harness.Bundle) { b.Spec.Process.Args = []string{"/etc/passwd"} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := harness.NewBundle(t, "true")
			host := onNetwork(t, b)
			host.veth(t, "dev0")
			b.Spec.Linux.NetDevices = map[string]specs.LinuxNetDevice{"dev0": {Name: "eth0"}}
			b.Spec.Linux.Sysctl = map[string]string{"net.ipv4.conf.eth0.forwarding": "1"}
			breaks(b)
			before := b.Snapshot(t)
			b.Run(t).WantOneError(t)
			if got, want := host.shows(t, "dev0"), named(vethOnHost, "dev0"); got != want {
				t.Errorf("there is\n%s, want\n%s", got, want)
			}
			before.WantSame(t)
		})
	}
}

// An address that can't be kept is an error, and the device comes back with all of them.
func TestANetworkDeviceWhoseAddressIsRefusedComesBack(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "true")
	host, joined := onNetwork(t, b), newNetwork(t)
	set := exec.Command("nsenter", "--net="+joined.path, "sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6")
	if out, err := set.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	host.veth(t, "dev0")
	setNamespace(b, specs.NetworkNamespace, joined.path)
	b.Spec.Linux.NetDevices = map[string]specs.LinuxNetDevice{"dev0": {Name: "eth0"}}
	before := b.Snapshot(t)
	b.Run(t).WantOneError(t, `linux.netDevices "dev0": add the address 2001:db8::7/64: permission denied`)
	if got, want := host.shows(t, "dev0"), named(vethOnHost, "dev0"); got != want {
		t.Errorf("there is\n%s, want\n%s", got, want)
	}
	before.WantSame(t)
}

func TestANetworkDeviceThatCantBeMovedIsRefused(t *testing.T) {
	t.Parallel()
	type devices = map[string]specs.LinuxNetDevice
	for _, c := range []struct {
		name string
		edit func(*harness.Bundle)
		want []string
	}{
		{"missing", func(b *harness.Bundle) { b.Spec.Linux.NetDevices = devices{"none": {}} }, []string{`linux.netDevices "none"`, "no such device"}},
		{"loopback", func(b *harness.Bundle) { b.Spec.Linux.NetDevices = devices{"lo": {Name: "other"}} }, []string{`linux.netDevices "lo"`, `move the device as "other"`}},
		{"name taken", func(b *harness.Bundle) { b.Spec.Linux.NetDevices = devices{"dev0": {Name: "lo"}} }, []string{`linux.netDevices "dev0"`, `"lo"`, "file exists"}},
		{"same name twice", func(b *harness.Bundle) {
			b.Spec.Linux.NetDevices = devices{"dev0": {Name: "dev1"}, "dev1": {}}
		}, []string{`linux.netDevices "dev1"`, `is that of "dev0" too`}},
		{"name too long", func(b *harness.Bundle) { b.Spec.Linux.NetDevices = devices{"dev0": {Name: "abcdefghijklmnop"}} }, []string{`linux.netDevices "dev0".name "abcdefghijklmnop"`, "15 bytes"}},
		{"host's name invalid", func(b *harness.Bundle) { b.Spec.Linux.NetDevices = devices{"dev%d": {}} }, []string{`linux.netDevices "dev%d"`}},
		{"no namespace", func(b *harness.Bundle) {
			dropNamespace(b, specs.NetworkNamespace)
			dropMount(b, "/sys")
			b.Spec.Linux.NetDevices = devices{"dev0": {}}
		}, []string{"linux.netDevices", "no network namespace"}},
		{"the host's namespace by path", func(b *harness.Bundle) {
			setNamespace(b, specs.NetworkNamespace, "/proc/self/ns/net")
			b.Spec.Linux.NetDevices = devices{"dev0": {}}
		}, []string{"linux.namespaces[", "is the host's network namespace: linux.netDevices would change the host"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := harness.NewBundle(t, "true")
			host := onNetwork(t, b)
			host.veth(t, "dev0")
			c.edit(b)
			before := b.Snapshot(t)
			b.Run(t).WantOneError(t, c.want...)
			if got, want := host.shows(t, "dev0"), named(vethOnHost, "dev0"); got != want {
				t.Errorf("there is\n%s, want\n%s", got, want)
			}
			before.WantSame(t)
		})
	}
}
