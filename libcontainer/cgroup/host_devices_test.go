// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/rt-oci/rt/libcontainer/sys"
	"golang.org/x/sys/unix"
)

func TestHostDevices(t *testing.T) {
	g := createdGroup(t)
	number := func(n int64) *int64 { return &n }
	kmsg := specs.LinuxDeviceCgroup{Allow: true, Type: "c", Major: number(1), Minor: number(11), Access: "r"}
	denyAll := specs.LinuxDeviceCgroup{Access: "rwm"}
	nodes := t.TempDir()
	for _, step := range []struct {
		rules  []specs.LinuxDeviceCgroup
		script string
		works  bool
	}{
		{nil, ": <>/dev/null <>/dev/zero <>/dev/ptmx", true},
		{nil, ": </dev/kmsg", false},
		{nil, "mknod " + nodes + "/mem c 1 1", true},
		{nil, ": <" + nodes + "/mem", false},
		{nil, "mknod " + nodes + "/sda b 8 0 && ! : <" + nodes + "/sda", true},
		{[]specs.LinuxDeviceCgroup{denyAll, kmsg}, ": </dev/kmsg", true},
		{[]specs.LinuxDeviceCgroup{denyAll, kmsg}, ": >/dev/kmsg", false},
		{[]specs.LinuxDeviceCgroup{kmsg, denyAll}, ": </dev/kmsg", false},
		{[]specs.LinuxDeviceCgroup{kmsg, denyAll}, ": >/dev/null", true},
		{[]specs.LinuxDeviceCgroup{{Allow: true, Type: "a", Access: "rwm"}}, ": <>/dev/kmsg", true},
	} {
		if err := g.SetDevices(step.rules); err != nil {
			t.Fatal(err)
		}
		cmd := inGroup(t, g, step.script)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		err := cmd.Run()
		refused := strings.Contains(stderr.String(), "Operation not permitted")
		if (err == nil) != step.works || err != nil && !refused {
			t.Errorf("%s with %+v: %v: %s", step.script, step.rules, err, stderr.String())
		}
	}
	if m, ok := g.unified(); ok && g.Version() == V2 {
		if n := programCount(t, m.dir); n != 1 {
			t.Errorf("%d programs are attached after all this, want 1", n)
		}
	}
}

// In a hybrid without a v1 devices controller the unified tree filters.
func TestHostDevicesOfAHybridWithoutController(t *testing.T) {
	g := createdGroup(t)
	if g.Version() != Hybrid {
		t.Skip("not a hybrid")
	}
	without := &Group{members: slices.DeleteFunc(slices.Clone(g.members), func(m member) bool {
		return slices.Contains(m.controllers, "devices")
	})}
	if err := without.SetDevices(nil); err != nil {
		t.Fatal(err)
	}
	if err := inGroup(t, g, ": </dev/null && ! : </dev/kmsg").Run(); err != nil {
		t.Error(err)
	}
	pureV1 := &Group{members: slices.DeleteFunc(without.members, member.unified)}
	if err := pureV1.SetDevices(nil); err == nil {
		t.Error("no filter and no error")
	}
}

func TestHostDevicesListHasTheListedOrder(t *testing.T) {
	g := createdGroup(t)
	m, ok := g.controller("devices")
	if !ok {
		t.Skip("no v1 devices controller")
	}
	number := func(n int64) *int64 { return &n }
	err := g.SetDevices([]specs.LinuxDeviceCgroup{
		{Access: "rwm"},
		{Allow: true, Type: "c", Major: number(10), Minor: number(229), Access: "rwm"},
		{Allow: true, Type: "b", Major: number(8), Minor: number(20), Access: "rw"},
		{Allow: true, Type: "b", Major: number(10), Minor: number(200), Access: "r"},
	})
	if err != nil {
		t.Fatal(err)
	}
	list, err := readControl(m.dir, "devices.list")
	if err != nil {
		t.Fatal(err)
	}
	want := "c 10:229 rwm\nb 8:20 rw\nb 10:200 r\nc *:* m\nb *:* m\nc 1:3 rwm\n"
	if !strings.HasPrefix(list, want) {
		t.Errorf("got %q, want it to begin with %q", list, want)
	}
}

// programCount counts the device filters of a group.
func programCount(t *testing.T, dir string) int {
	t.Helper()
	f, err := open(dir, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ids, err := sys.AttachedPrograms(f, unix.BPF_CGROUP_DEVICE)
	if err != nil {
		t.Fatal(err)
	}
	return len(ids)
}

// On v2 an exchange of the filter must not be seen by those who open a device meanwhile, neither way.
func TestHostDevicesExchangeWithoutAGap(t *testing.T) {
	g := createdGroup(t)
	if g.Version() != V2 {
		t.Skip("v1 has no way to exchange a device list at once")
	}
	if err := g.SetDevices(nil); err != nil {
		t.Fatal(err)
	}
	const loop = "echo; while ! read -r -t 0; do : </dev/null || exit 1; ! : </dev/kmsg || exit 2; done 2>&-"
	cmd := inGroup(t, g, loop)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := stdout.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	for range 200 {
		if err := g.SetDevices(nil); err != nil {
			t.Error(err)
		}
	}
	stdin.Write([]byte("\n"))
	if err := cmd.Wait(); err != nil {
		t.Errorf("status 1 is a refused /dev/null, 2 an allowed /dev/kmsg: %v", err)
	}
}
