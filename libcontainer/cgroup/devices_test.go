// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestCheckDeviceRules(t *testing.T) {
	number := func(n int64) *int64 { return &n }
	for want, r := range map[string]specs.LinuxDeviceCgroup{
		"":                        {Access: "rwm"},
		`type "p" is unknown`:     {Type: "p", Access: "r"},
		`access "rq": letter 'q'`: {Type: "c", Access: "rq"},
		`access "" names`:         {Type: "c"},
		`access "a" names`:        {Type: "c", Access: "a"},
		"major -2":                {Access: "r", Major: number(-2)},
		"minor 4294967295":        {Access: "r", Minor: number(0xffffffff)},
	} {
		err := CheckDeviceRules([]specs.LinuxDeviceCgroup{{Type: "b", Access: "rwa", Major: number(-1), Minor: number(0)}, r})
		switch {
		case want == "" && err != nil:
			t.Error(err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), "linux.resources.devices[1]: "+want)):
			t.Errorf("rule %+v: got %v, want %q", r, err, want)
		}
	}
}

// device is one question: may this be done with that?
type device struct {
	kind         byte
	major, minor int64
	access       access
}

// decide is the meaning of a list, by its definition: each access by itself, the last rule that covers it.
func decide(rules []rule, d device) bool {
	for bit := mayMknod; bit <= mayWrite; bit <<= 1 {
		allowed := false
		for _, r := range rules {
			if (r.kind == 'a' || r.kind == d.kind) && (r.major == anyNumber || r.major == d.major) &&
				(r.minor == anyNumber || r.minor == d.minor) && r.access&bit != 0 {
				allowed = r.allow
			}
		}
		if d.access&bit != 0 && !allowed {
			return false
		}
	}
	return true
}

// bit31 is a number that a 32-bit comparison with a sign-extended constant would get wrong.
const bit31 = 1 << 31

func randomRules(r *rand.Rand) []rule {
	rules := make([]rule, r.IntN(7))
	for i := range rules {
		number := func() int64 { return []int64{anyNumber, 1, 2, bit31}[r.IntN(4)] }
		rules[i] = rule{deviceSet{"abc"[r.IntN(3)], number(), number()}, access(1 + r.IntN(7)), r.IntN(2) == 0}
	}
	return rules
}

func everyDevice(visit func(device)) {
	for _, kind := range []byte("bc") {
		for _, major := range []int64{1, 2, 3, bit31} {
			for _, minor := range []int64{1, 2, 3, bit31} {
				for bits := mayMknod; bits <= mayAll; bits++ {
					visit(device{kind, major, minor, bits})
				}
			}
		}
	}
}

// interpret runs a filter as the kernel would, as far as our instructions go.
func interpret(t *testing.T, program []instruction, d device) bool {
	t.Helper()
	kind := map[byte]uint32{'b': unix.BPF_DEVCG_DEV_BLOCK, 'c': unix.BPF_DEVCG_DEV_CHAR}[d.kind]
	context := []uint32{kind | uint32(d.access)<<16, uint32(d.major), uint32(d.minor)}
	var registers [16]uint64
	for i, in := range program {
		destination, source := &registers[in.registers&15], registers[in.registers>>4]
		switch int(in.code) {
		case opLoadWord:
			*destination = uint64(context[in.offset/4])
		case opCopy:
			*destination = source
		case opSet:
			*destination = uint64(in.value)
		case opOr:
			*destination |= source
		case opAnd:
			*destination &= source
		case opXor:
			*destination ^= source
		case opAndConst:
			*destination = uint64(uint32(*destination) & uint32(in.value))
		case opXorConst:
			*destination = uint64(uint32(*destination) ^ uint32(in.value))
		case opMulConst:
			*destination = uint64(uint32(*destination) * uint32(in.value))
		case opAddConst:
			*destination += uint64(in.value)
		case opShiftRight:
			*destination >>= in.value
		case opExit:
			return registers[regAnswer] == 1
		default:
			t.Fatalf("instruction %d has the unknown code %#x", i, in.code)
		}
	}
	t.Fatal("the program has no end")
	return false
}

func TestDeviceFilterMeansTheRules(t *testing.T) {
	if pair(1, 2) != 0x21 {
		t.Skip("the interpreter knows the register order of little-endian machines only")
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		rules := randomRules(r)
		program := deviceFilter(rules)
		everyDevice(func(d device) {
			if got, want := interpret(t, program, d), decide(rules, d); got != want {
				t.Fatalf("rules %v, device %+v: got %v, want %v", rules, d, got, want)
			}
		})
	}
}

// v1Kernel is a model of security/device_cgroup.c: what devices.allow and devices.deny do to the list.
type v1Kernel struct {
	allowed    bool
	exceptions []rule
}

func (k *v1Kernel) write(t *testing.T, w v1Write) {
	t.Helper()
	if w.line == "a" {
		k.allowed, k.exceptions = w.allow, nil
		return
	}
	r := rule{allow: w.allow}
	var major, minor, letters string
	if _, err := fmt.Sscanf(strings.Replace(w.line, ":", " ", 1), "%c %s %s %s", &r.kind, &major, &minor, &letters); err != nil {
		t.Fatalf("parse %q: %v", w.line, err)
	}
	for number, text := range map[*int64]string{&r.major: major, &r.minor: minor} {
		*number = anyNumber
		if text != "*" {
			fmt.Sscan(text, number)
		}
	}
	for bit, letter := range map[access]string{mayRead: "r", mayWrite: "w", mayMknod: "m"} {
		if strings.Contains(letters, letter) {
			r.access |= bit
		}
	}
	same := func(e rule) bool { return e.deviceSet == r.deviceSet }
	i := slices.IndexFunc(k.exceptions, same)
	switch {
	case w.allow == k.allowed && i >= 0:
		k.exceptions[i].access &^= r.access
	case w.allow == k.allowed:
	case i >= 0:
		k.exceptions[i].access |= r.access
	default:
		k.exceptions = append(k.exceptions, r)
	}
}

// decide reads the list one access at a time. (The kernel wants one exception to allow all accesses of an open,
// which is stricter for lists that spread them over several.)
func (k *v1Kernel) decide(d device) bool {
	for bit := mayMknod; bit <= mayWrite; bit <<= 1 {
		allowed := k.allowed
		for _, e := range k.exceptions {
			if e.access&bit != 0 && e.covers(deviceSet{d.kind, d.major, d.minor}) {
				allowed = !k.allowed
			}
		}
		if d.access&bit != 0 && !allowed {
			return false
		}
	}
	return true
}

func TestV1WritesMeanTheRules(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	expressible := 0
	for range 4000 {
		rules := randomRules(r)
		writes, err := v1Writes(rules)
		if err != nil {
			continue
		}
		expressible++
		k := v1Kernel{allowed: true}
		for _, w := range writes {
			k.write(t, w)
		}
		everyDevice(func(d device) {
			if got, want := k.decide(d), decide(rules, d); got != want {
				t.Fatalf("rules %v, writes %v, device %+v: got %v, want %v", rules, writes, d, got, want)
			}
		})
	}
	if expressible < 1000 {
		t.Errorf("only %d of 4000 lists could be expressed", expressible)
	}
}

func TestV1WritesInListedOrder(t *testing.T) {
	denyAll := rule{deviceSet{'a', anyNumber, anyNumber}, mayAll, false}
	rules := []rule{
		denyAll,
		{deviceSet{'c', 10, 229}, mayAll, true},
		{deviceSet{'b', 8, 20}, mayRead | mayWrite, true},
		{deviceSet{'c', 10, anyNumber}, mayWrite, false},
	}
	want := []v1Write{{false, "a"}, {true, "c 10:229 rwm"}, {true, "b 8:20 rw"}, {false, "c 10:229 w"}}
	if got, err := v1Writes(rules); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}

	allowAll := denyAll
	allowAll.allow = true
	want = []v1Write{{false, "a"}, {true, "a"}, {false, "b *:* m"}, {false, "c *:* m"}}
	noNodes := rule{deviceSet{'a', anyNumber, anyNumber}, mayMknod, false}
	if got, err := v1Writes([]rule{allowAll, noNodes}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}

	hole := []rule{{deviceSet{'c', 1, anyNumber}, mayAll, true}, {deviceSet{'c', 1, 11}, mayRead, false}}
	if _, err := v1Writes(hole); err == nil || !strings.Contains(err.Error(), `"deny c 1:11 r" after the wider "allow c 1:* rwm"`) {
		t.Errorf("got %v", err)
	}
}

func TestAllowsAllDevices(t *testing.T) {
	number := int64(1)
	allow, deny := specs.LinuxDeviceCgroup{Allow: true, Access: "rwm"}, specs.LinuxDeviceCgroup{Access: "rwm"}
	one := specs.LinuxDeviceCgroup{Type: "c", Major: &number, Access: "rwm"}
	for _, c := range []struct {
		rules []specs.LinuxDeviceCgroup
		want  bool
	}{
		{nil, false},
		{[]specs.LinuxDeviceCgroup{allow}, true},
		{[]specs.LinuxDeviceCgroup{deny, one, allow}, true},
		{[]specs.LinuxDeviceCgroup{allow, deny}, false},
		{[]specs.LinuxDeviceCgroup{allow, one}, false},
		{[]specs.LinuxDeviceCgroup{{Allow: true, Type: "c", Access: "rwm"}, {Allow: true, Type: "b", Access: "rwm"}}, false}, // it may be said simpler
		{[]specs.LinuxDeviceCgroup{{Allow: true, Access: "rm"}}, false},
	} {
		if got := AllowsAllDevices(&specs.LinuxResources{Devices: c.rules}); got != c.want {
			t.Errorf("%+v: got %v", c.rules, got)
		}
	}
	if AllowsAllDevices(nil) {
		t.Error("without linux.resources")
	}
}
