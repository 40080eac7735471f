// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestChangePutsFormerValuesBack(t *testing.T) {
	g, dir := fakeGroup(t, "", "memory.max", "memory.low", "pids.max")
	put := func(name, value string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("memory.max", "max\n")
	put("memory.low", "5\n")
	want := func(max, low string) {
		t.Helper()
		for name, value := range map[string]string{"memory.max": max, "memory.low": low} {
			if got, _ := readControl(dir, name); !strings.HasPrefix(got, value) { // a plain file keeps what is longer
				t.Errorf("%s is %q, want %q", name, got, value)
			}
		}
	}
	undo, err := g.Change(&specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: new(int64(777)), Reservation: new(int64(6))}})
	if err != nil {
		t.Fatal(err)
	}
	want("777", "6")
	if err := undo(); err != nil {
		t.Fatal(err)
	}
	want("max", "5")

	// The last write fails: there is no such file.
	put("memory.max", "123\n")
	if err := os.Remove(dir + "/pids.max"); err != nil {
		t.Fatal(err)
	}
	_, err = g.Change(&specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: new(int64(777))}, Pids: &specs.LinuxPids{Limit: new(int64(5))}})
	if err == nil || !strings.HasPrefix(err.Error(), "linux.resources.pids.limit: ") || strings.Contains(err.Error(), "put former values back") {
		t.Errorf("got %v", err)
	}
	want("123", "5")
}

func TestWhatTurnsAFileBack(t *testing.T) {
	for _, c := range []struct {
		file, before, now string
		want              []string
	}{
		{"memory.max", "max", "5", []string{"max"}},
		{"cpu.max", "20000 50000", "max 50000", []string{"20000 50000"}},
		{"memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3", "oom_kill_disable 1\nunder_oom 0\noom_kill 3", []string{"0"}},
		{
			"io.max", "8:0 rbps=1 wbps=max riops=max wiops=max", "8:0 rbps=2 wbps=max riops=max wiops=max\n8:16 rbps=2 wbps=max riops=max wiops=max",
			[]string{"8:0 rbps=1 wbps=max riops=max wiops=max", "8:16 rbps=max wbps=max riops=max wiops=max"},
		},
		{"blkio.throttle.read_bps_device", "", "8:0 1048576", []string{"8:0 0"}},
		{"io.weight", "default 100", "default 50\n8:0 7", []string{"default 100", "8:0 default"}},
		{"rdma.max", "mlx4_0 hca_handle=max hca_object=max", "mlx4_0 hca_handle=2 hca_object=max", []string{"mlx4_0 hca_handle=max hca_object=max"}},
	} {
		f := formerValue{setting{write: write{file: c.file}}, c.before}
		if got := f.writes(c.now); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %q, want %q", c.file, got, c.want)
		}
	}
}

// systemd hears of values before the kernel refuses them, so it has to hear of all former ones, also of those whose files
// have not changed.
func TestTheKeeperHearsOfFormerValues(t *testing.T) {
	g, dir := fakeGroup(t, "", "memory.max", "pids.max")
	for name, value := range map[string]string{"memory.max": "max", "pids.max": "12345"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	k := &hearing{}
	g.keeper = k
	undo, err := g.Change(&specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: new(int64(5))}, Pids: &specs.LinuxPids{Limit: new(int64(7))}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "pids.max"), []byte("12345"), 0o600); err != nil { // as if refused
		t.Fatal(err)
	}
	if err := undo(); err != nil {
		t.Fatal(err)
	}
	if want := []string{"memory.max=5", "pids.max=7", "memory.max=max", "pids.max=12345"}; !reflect.DeepEqual(k.heard, want) {
		t.Errorf("heard %q, want %q", k.heard, want)
	}
}

// hearing is a keeper that remembers what it was told.
type hearing struct{ heard []string }

func (h *hearing) start(*Group, int, *specs.LinuxResources) error { return nil }
func (h *hearing) stop() error                                    { return nil }
func (h *hearing) set(_ *Group, _ *specs.LinuxResources, list []setting) ([]setting, error) {
	for _, s := range list {
		h.heard = append(h.heard, s.file+"="+s.value)
	}
	return list, nil
}

// Whatever the order, what both lists allow is never denied on the way.
func TestV1DifferenceAllowsBeforeItDenies(t *testing.T) {
	have, ok := parseV1List("c 1:3 rwm\nc *:* m\nb 8:* r\nc 1:11 r\n")
	if !ok || len(have) != 4 {
		t.Fatalf("parsed %v, %v", have, ok)
	}
	wanted, _ := parseV1List("c 1:3 rwm\nc 1:11 rw\nb 8:0 r\nc *:* m\nc *:* m")
	got := v1Difference(have, wanted)
	want := []v1Write{{true, "c 1:11 w"}, {true, "b 8:0 r"}, {false, "b 8:* r"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := v1Difference(wanted, wanted); len(got) > 0 {
		t.Errorf("between equal lists: %v", got)
	}
	if got := v1Difference(nil, wanted[:1]); !reflect.DeepEqual(got, []v1Write{{true, "c 1:3 rwm"}}) {
		t.Errorf("from an empty list: %v", got)
	}
	for _, content := range []string{"a *:* rwm", "x 1:3 r", "c"} {
		if list, ok := parseV1List(content); ok {
			t.Errorf("%q: parsed %v", content, list)
		}
	}
}
