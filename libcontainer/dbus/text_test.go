// SPDX-License-Identifier: Apache-2.0

package dbus

import (
	"reflect"
	"testing"
)

func TestValuesAreReadFromText(t *testing.T) {
	for _, c := range []struct {
		text string
		want Value
	}{
		{"true", Value{"b", true}},
		{"false ", Value{"b", false}},
		{"2", Value{"i", int32(2)}},
		{"-0x10", Value{"i", int32(-16)}},
		{"1.5", Value{"d", 1.5}},
		{"1e3", Value{"d", 1000.0}},
		{"uint64 18446744073709551615", Value{"t", uint64(18446744073709551615)}},
		{"@t 5", Value{"t", uint64(5)}},
		{"uint32 0x1F", Value{"u", uint32(31)}},
		{"byte 255", Value{"y", byte(255)}},
		{"int16 -3", Value{"n", int16(-3)}},
		{"uint16 3", Value{"q", uint16(3)}},
		{"int64 -9", Value{"x", int64(-9)}},
		{"double 1", Value{"d", 1.0}},
		{"boolean true", Value{"b", true}},
		{"'inactive-or-failed'", Value{"s", "inactive-or-failed"}},
		{`"it's"`, Value{"s", "it's"}},
		{`'a\'b\\c\n\u00e9\U0001F600'`, Value{"s", "a'b\\c\né😀"}},
		{"objectpath '/a'", Value{"o", "/a"}},
		{"signature 'as'", Value{"g", "as"}},
		{"['crio.service', 'b']", Value{"as", []any{"crio.service", "b"}}},
		{"@as []", Value{"as", []any{}}},
		{"[uint64 1, 2]", Value{"at", []any{uint64(1), uint64(2)}}},
		{"[byte 1, 2]", Value{"ay", []byte{1, 2}}},
		{"@ay [1, 0xff]", Value{"ay", []byte{1, 255}}},
		{`b'a\101\n'`, Value{"ay", []byte("aA\n\x00")}},
		{"('a', uint64 1)", Value{"(st)", []any{"a", uint64(1)}}},
		{"('a',)", Value{"(s)", []any{"a"}}},
		{"[('/dev/sda', uint64 100)]", Value{"a(st)", []any{[]any{"/dev/sda", uint64(100)}}}},
		{"@a(st) [('a', 1), ('b', 2)]", Value{"a(st)", []any{[]any{"a", uint64(1)}, []any{"b", uint64(2)}}}},
	} {
		got, err := ParseText(c.text)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %#v, %v; want %#v", c.text, got, err, c.want)
		}
		call := Call{Path: "/p", Member: "M", Signature: "v", Body: []any{got}}
		if _, err := call.encode(1); err != nil {
			t.Errorf("%s: %v", c.text, err)
		}
	}
}

func TestTextThatIsNoValueIsRefused(t *testing.T) {
	for _, text := range []string{
		"", " ", "infinity", "True", "'open", `"open`, "2 3", "2,", "[1 2]", "[1,", "[", "[]", "[1, 'a']", "('a'", "()", "(1 2)",
		"{'a': 1}", "<1>", "just 1", "nothing", "@", "@z 1", "@as", "@a{sv} []", "@t 'a'", "uint64", "uint64 -1", "byte 256",
		"99999999999", "1x", "string 1", "int32 'a'", "uint64 int32 1", `'\q'`, `'\u12'`, `'\u0000'`, `'\ud800'`, "b'a", `b'\400'`,
		"@s b'a'", "@(st) ('a')", "@(s) ('a', 1)", "\xff", "'\xff'", "'\x00'", "@ay 'a'", "@i [1]", "@i (1,)",
	} {
		if got, err := ParseText(text); err == nil {
			t.Errorf("%q is %#v", text, got)
		}
	}
	deep := ""
	for range 100 {
		deep += "["
	}
	if _, err := ParseText(deep); err == nil {
		t.Error("100 arrays in one another are accepted")
	}
}

func FuzzParseText(f *testing.F) {
	for _, text := range []string{"@a(st) [('a', 1)]", `b'\101'`, "uint64 5", `'\u00e9'`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := ParseText(text)
		if err != nil {
			return
		}
		c := Call{Path: "/p", Member: "M", Signature: "v", Body: []any{v}}
		data, err := c.encode(1)
		if err != nil {
			t.Fatalf("%q is %#v, which is no value: %v", text, v, err)
		}
		if m, _, err := decodeMessage(data); err != nil || m == nil {
			t.Fatalf("%q is %#v, which can't be read: %v", text, v, err)
		}
	})
}
