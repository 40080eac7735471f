// SPDX-License-Identifier: Apache-2.0

package lazyjson

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

type place struct {
	Major int64 `json:"major"`
}

// sample has every kind of field that the documents have.
type sample struct {
	Text    string             `json:"text"`
	Omitted string             `json:"omitted,omitempty"`
	Yes     bool               `json:"yes"`
	Small   int8               `json:"small"`
	Number  int                `json:"number,omitempty"`
	Large   uint64             `json:"large"`
	Narrow  *uint16            `json:"narrow,omitempty"`
	List    []string           `json:"list"`
	Numbers []uint32           `json:"numbers,omitempty"`
	Inner   *sample            `json:"inner,omitempty"`
	Inside  struct{ A, B int } `json:"inside"`
	Many    []*sample          `json:"many,omitempty"`
	Texts   map[string]string  `json:"texts"`
	Tables  map[string]sample  `json:"tables,omitempty"`
	When    time.Time          `json:"when"`
	Hidden  int                `json:"-"`
	Any     any                `json:"any,omitempty"`
	private int
	place
}

var documents = []string{
	`{}`, ` { } `, `null`, `{"text":"a","yes":true,"small":-128,"large":18446744073709551615,"narrow":65535}`,
	`{"text":"\"\\\/\b\f\n\r\t\u00e9\u2028 é 😀","list":["","a",null],"numbers":[0,4294967295],"inner":{"inner":{"text":"x"}}}`,
	`{"many":[{"text":"a"},null,{"list":[]}],"texts":{"a":"b","":"c"},"tables":{"x":{"small":1},"y":{}},"major":7}`,
	`{"unknown":{"a":[1,-2,"x",true,false,null,{"b":[]}]},"inside":{"A":1,"B":-0},"when":"2026-11-21T01:02:03.000000004Z"}`,
	`{"list":null,"texts":null,"inner":null,"yes":null,"text":null,"small":null,"yes2":1}`,
}

func TestDecodeIsEncodingJSON(t *testing.T) {
	for _, text := range documents {
		var got, want sample
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if !Decode([]byte(text), &got) {
			t.Errorf("%s: given up", text)
		} else if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", text, got, want)
		}
	}
}

// What is wrong or out of the ordinary is for encoding/json.
func TestDecodeGivesUp(t *testing.T) {
	for _, text := range []string{
		"", " ", "[]", `""`, "1", "true", "{", "}", "{}x", "{}{}", `{"text"}`, `{"text":}`, `{"text":"a",}`, `{,}`, `{"text" "a"}`,
		`{text:"a"}`, `{'text':"a"}`, `{"text":'a'}`, `{"text":"a"`, `{"text":"a`, `{"text":"a\`, `{"text":"\x"}`, `{"text":"\u12"}`,
		`{"text":"\ud800"}`, `{"text":"\ud83d\ude00"}`, `{"text":"\u+123"}`, "{\"text\":\"\n\"}", "{\"text\":\"\xff\"}", "{\"x\":\"\x00\"}",
		`{"text":1}`, `{"yes":"true"}`, `{"yes":tru}`, `{"yes":1}`, `{"small":128}`, `{"small":-129}`, `{"small":1.0}`, `{"small":1e2}`,
		`{"small":01}`, `{"small":-}`, `{"small":+1}`, `{"small":"1"}`, `{"large":-1}`, `{"large":18446744073709551616}`, `{"x":1.5}`,
		`{"list":"a"}`, `{"list":["a",]}`, `{"list":[,]}`, `{"list":["a" "b"]}`, `{"list":{}}`, `{"inner":[]}`, `{"texts":{"a":1}}`,
		`{"TEXT":"a"}`, `{"text":"a","text":"b"}`, `{"inner":{},"inner":{}}`, `{"when":"yesterday"}`, `{"any":1}`, `{"text":nul}`, `{"x":nullx}`,
		strings.Repeat(`{"inner":`, 100) + `{}` + strings.Repeat(`}`, 100), `{"x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`,
	} {
		var v sample
		if Decode([]byte(text), &v) {
			t.Errorf("%s: decoded, %+v", text, v)
		}
	}
}

func TestAppendIsEncodingJSON(t *testing.T) {
	narrow := uint16(3)
	when := time.Date(2026, 11, 21, 1, 2, 3, 4, time.UTC)
	for _, v := range []sample{
		{},
		{Text: "\"\\\b\f\n\r\t\x00\x1f\u2028é😀\xff/<>&", Omitted: "x", Yes: true, Small: -1, Number: 5, Large: 1 << 63, Narrow: &narrow, When: when, Hidden: 1, private: 1},
		{List: []string{}, Numbers: []uint32{1, 2}, Inner: &sample{}, Many: []*sample{nil, {Text: "a"}}, place: place{9}},
		{List: []string{"a", ""}, Texts: map[string]string{"b": "1", "a": "2", "": "3"}, Tables: map[string]sample{"x": {}}},
	} {
		text, err := Append([]byte("before "), &v)
		if err != nil {
			t.Fatal(err)
		}
		var got, want any
		if err := json.Unmarshal(text[len("before "):], &got); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		expected, err := json.Marshal(&v)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(expected, &want); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %s, want %s", text, expected)
		}
	}
}

func TestAppendRefuses(t *testing.T) {
	for _, v := range []any{1.5, []byte("x"), map[int]string{1: "x"}, sample{Any: func() {}}, []any{1.5}} {
		if text, err := Append(nil, v); err == nil {
			t.Errorf("%v: encoded as %s", v, text)
		}
	}
}

// FuzzDecode checks that what is decoded is what encoding/json decodes, and that it survives being encoded.
func FuzzDecode(f *testing.F) {
	for _, text := range documents {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var got, want sample
		if !Decode(data, &got) {
			return
		}
		if err := json.Unmarshal(data, &want); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, want %+v, %v", got, want, err)
		}
		text, err := Append(nil, &got)
		if err != nil {
			return // a year with five digits
		}
		var again sample
		if err := json.Unmarshal(text, &again); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	})
}
