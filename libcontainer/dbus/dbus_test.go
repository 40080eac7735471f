// SPDX-License-Identifier: Apache-2.0

package dbus

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"net"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The bytes were taken from a call that systemd 252 has answered.
func TestACallIsLaidOutAsTheSpecificationHasIt(t *testing.T) {
	c := Call{
		Path: "/org/freedesktop/systemd1", Interface: "org.freedesktop.systemd1.Manager", Member: "StopUnit",
		Signature: "ss", Body: []any{"rt-a.scope", "replace"},
	}
	got, err := c.encode(1)
	if err != nil {
		t.Fatal(err)
	}
	want := "l\x01\x00\x01\x1c\x00\x00\x00\x01\x00\x00\x00x\x00\x00\x00" +
		"\x01\x01o\x00\x19\x00\x00\x00/org/freedesktop/systemd1\x00\x00\x00\x00\x00\x00\x00" +
		"\x02\x01s\x00 \x00\x00\x00org.freedesktop.systemd1.Manager\x00\x00\x00\x00\x00\x00\x00\x00" +
		"\x03\x01s\x00\x08\x00\x00\x00StopUnit\x00\x00\x00\x00\x00\x00\x00\x00" +
		"\x08\x01g\x00\x02ss\x00\n\x00\x00\x00rt-a.scope\x00\x00\x07\x00\x00\x00replace\x00"
	if string(got) != want {
		t.Errorf("got\n%q, want\n%q", got, want)
	}
}

// allTypes is a body with every type, where the alignment of each matters.
var allTypes = Call{
	Path: "/p", Interface: "i.i", Member: "M", Destination: "d.d",
	Signature: "ybnqiuxtdsogvayasa(st)a{sv}(ya(yv))",
	Body: []any{
		byte(7), true, int16(-2), uint16(3), int32(-4), uint32(5), int64(-6), uint64(math.MaxUint64), 1.5,
		"text", "/object", "a{sv}",
		Value{"at", []any{uint64(1), uint64(2)}},
		[]byte("bytes"),
		[]any{"one", ""},
		[]any{[]any{"/dev/block/8:0", uint64(9)}},
		[]any{[]any{"key", Value{"b", false}}},
		[]any{byte(1), []any{[]any{byte(2), Value{"s", "deep"}}}},
	},
}

func TestAMessageSurvivesTheWayThroughBoth(t *testing.T) {
	data, err := allTypes.encode(3)
	if err != nil {
		t.Fatal(err)
	}
	m, size, err := decodeMessage(append(bytes.Clone(data), "next"...))
	if err != nil || m == nil || size != len(data) {
		t.Fatalf("decode: %v, %d bytes of %d, %v", m, size, len(data), err)
	}
	if !reflect.DeepEqual(m.Body, allTypes.Body) {
		t.Errorf("body\n%#v, want\n%#v", m.Body, allTypes.Body)
	}
	if m.Path != "/p" || m.Interface != "i.i" || m.Member != "M" || m.kind != kindCall {
		t.Errorf("header: %+v", m)
	}
	for n := range data {
		if m, _, err := decodeMessage(data[:n]); m != nil || err != nil {
			t.Fatalf("the first %d bytes: %v, %v; want to wait for more", n, m, err)
		}
	}
}

func TestADamagedMessageIsAnError(t *testing.T) {
	data, err := allTypes.encode(3)
	if err != nil {
		t.Fatal(err)
	}
	for at := range data {
		for _, b := range []byte{0, 1, 0x7f, 0xff, data[at] + 1} {
			damaged := bytes.Clone(data)
			damaged[at] = b
			_, _, _ = decodeMessage(damaged) // must come back
		}
	}
	huge := bytes.Clone(data)
	binary.LittleEndian.PutUint32(huge[4:], 1<<31)
	if _, _, err := decodeMessage(huge); err == nil {
		t.Error("a message of 2 GiB is accepted")
	}
	if _, _, err := decodeMessage(append([]byte{'x'}, data[1:]...)); err == nil {
		t.Error("an unknown byte order is accepted")
	}
}

func FuzzDecodeMessage(f *testing.F) {
	data, err := allTypes.encode(3)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		if m, size, err := decodeMessage(data); err == nil && m != nil && (size < fixedBytes || size > len(data)) {
			t.Errorf("size %d of %d", size, len(data))
		}
	})
}

func TestAValueOfAnotherTypeIsRefused(t *testing.T) {
	for _, v := range []Value{
		{"s", 1},
		{"t", int32(1)},
		{"as", []any{uint32(1)}},
		{"ay", []string{"a"}},
		{"(st)", []any{"a"}},
		{"s", "a\x00b"},
		{"v", "a"},
		{"b", nil},
		{"a(st)", []any{"a"}},
	} {
		c := Call{Path: "/p", Member: "M", Signature: "v", Body: []any{v}}
		if _, err := c.encode(1); err == nil {
			t.Errorf("%#v is accepted", v)
		}
	}
}

// serve answers one connection as answer says, which gets the calls one after the other.
func serve(t *testing.T, answer func(c net.Conn, m *Message)) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "bus")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		greeting := make([]byte, len(hello))
		if _, err := c.Read(greeting); err != nil || string(greeting) != hello {
			return
		}
		_, _ = c.Write([]byte("DATA\r\nOK 0123\r\n"))
		var in []byte
		buffer := make([]byte, 4096)
		for {
			n, err := c.Read(buffer)
			if err != nil {
				return
			}
			in = append(in, buffer[:n]...)
			for {
				m, size, err := decodeMessage(in)
				if err != nil || m == nil {
					break
				}
				m.replySerial = binary.LittleEndian.Uint32(in[8:])
				in = in[size:]
				answer(c, m)
			}
		}
	}()
	return path
}

// reply builds an answer or a signal.
func reply(kind byte, to uint32, member, signature string, body ...any) []byte {
	c := Call{Path: "/p", Interface: "i.i", Member: member, Signature: signature, Body: body}
	data, err := c.encode(99)
	if err != nil {
		panic(err)
	}
	data[1] = kind
	if kind == kindSignal {
		return data
	}
	// The fields again, with the number of the call in front.
	var b encoder
	_ = b.all(signature, body)
	head := encoder{out: []byte{'l', kind, 0, 1}}
	head.uint32(uint32(len(b.out)))
	head.uint32(99)
	fields := []any{[]any{byte(fieldReplySerial), Value{"u", to}}}
	if kind == kindError {
		fields = append(fields, []any{byte(fieldErrorName), Value{"s", member}})
	}
	if signature != "" {
		fields = append(fields, []any{byte(fieldSignature), Value{"g", signature}})
	}
	_ = head.put("a(yv)", fields)
	head.align(8)
	return append(head.out, b.out...)
}

func TestAnswersAndSignalsFindWhoWaitsForThem(t *testing.T) {
	path := serve(t, func(c net.Conn, m *Message) {
		switch m.Member {
		case "Start": // the signals overtake the answer, and one is about something else
			_, _ = c.Write(reply(kindSignal, 0, "Noise", "s", "x"))
			_, _ = c.Write(reply(kindSignal, 0, "Removed", "so", "other", "/job/1"))
			_, _ = c.Write(reply(kindSignal, 0, "Removed", "so", "ours", "/job/2"))
			_, _ = c.Write(reply(kindReturn, m.replySerial, "", "o", "/job/2"))
		case "Fail":
			_, _ = c.Write(reply(kindError, m.replySerial, "org.example.No", "s", "because"))
		}
	})
	c, err := Dial(path, true, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.Wanted = "Removed"
	m, err := c.Call(&Call{Path: "/p", Member: "Start"})
	if err != nil || m.Text(0) != "/job/2" {
		t.Fatalf("answer %+v, %v", m, err)
	}
	m, err = c.Signal(func(m *Message) bool { return m.Text(1) == "/job/2" })
	if err != nil || m.Text(0) != "ours" {
		t.Fatalf("signal %+v, %v", m, err)
	}
	if len(c.waiting) != 1 {
		t.Errorf("%d messages are kept, want the one wanted signal about another job", len(c.waiting))
	}
	_, err = c.Call(&Call{Path: "/p", Member: "Fail"})
	var answer *Error
	if !errors.As(err, &answer) || answer.Name != "org.example.No" || err.Error() != "because" {
		t.Errorf("error %#v", err)
	}
}

func TestABusIsGreetedFirst(t *testing.T) {
	var members []string
	path := serve(t, func(c net.Conn, m *Message) {
		members = append(members, m.Member)
		_, _ = c.Write(reply(kindReturn, m.replySerial, "", "s", ":1.7"))
	})
	c, err := Dial(path, false, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Call(&Call{Destination: "d.d", Path: "/p", Member: "Do"}); err != nil {
		t.Fatal(err)
	}
	if strings.Join(members, " ") != "Hello Do" {
		t.Errorf("calls: %v", members)
	}
}

func TestARefusalOfTheBusIsAnError(t *testing.T) {
	path := serve(t, func(c net.Conn, m *Message) {
		_, _ = c.Write(reply(kindError, m.replySerial, "org.freedesktop.DBus.Error.LimitsExceeded", "s", "too many"))
	})
	c, err := Dial(path, false, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Call(&Call{Destination: "d.d", Path: "/p", Member: "Do"}); err == nil || !strings.Contains(err.Error(), "too many") {
		t.Errorf("error: %v", err)
	}
}

func TestSilenceEndsAtTheDeadline(t *testing.T) {
	path := serve(t, func(net.Conn, *Message) {})
	c, err := Dial(path, true, 50*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = c.Call(&Call{Path: "/p", Member: "Do"})
	if !errors.Is(err, ErrTimeout) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "50ms") {
		t.Errorf("error: %v", err)
	}
}

func TestAConnectionThatEndsIsAnError(t *testing.T) {
	path := serve(t, func(c net.Conn, _ *Message) { c.Close() })
	c, err := Dial(path, true, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Call(&Call{Path: "/p", Member: "Do"}); !errors.Is(err, errClosed) {
		t.Errorf("error: %v", err)
	}
	if _, err := Dial(filepath.Join(t.TempDir(), "nobody"), true, time.Second); err == nil {
		t.Error("a socket that is not there is connected")
	}
}

func TestAFullQueueOfTheListenerEndsAtTheDeadline(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bus")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrUnix{Name: path}), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	for range 3 { // the kernel lets one more in than the queue is long
		var c *Conn
		if c, err = Dial(path, true, 50*time.Millisecond); err != nil {
			break
		}
		defer c.Close()
	}
	if !errors.Is(err, ErrTimeout) {
		t.Errorf("error: %v", err)
	}
}
