// SPDX-License-Identifier: Apache-2.0

// Package lazyjson decodes and encodes JSON as encoding/json does, for the few documents that rt handles on every
// command. encoding/json prepares itself for every type that it could meet before it looks at the first byte, which
// takes longer than the rest of the command line: most of it for sections that no file has. This package looks at
// the types that do occur, when they occur.
//
// It knows well-formed documents of plain types only, and gives up on all that is out of the ordinary: errors,
// members in odd case, members that stand twice. The caller then asks encoding/json, which also has the words for
// what is wrong.
package lazyjson

import (
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// maxDepth is more than any document of ours has; encoding/json accepts more.
const maxDepth = 64

// Decode decodes data into what v, a pointer, points to, which must be empty. False: it gave up, and v holds anything.
func Decode(data []byte, v any) bool {
	if !utf8.Valid(data) {
		return false
	}
	d := decoder{text: string(data)}
	return d.value(reflect.ValueOf(v).Elem(), 0) && d.end()
}

// decoder is at a position in a document. Its methods return false to give up.
type decoder struct {
	text  string
	at    int
	types types
}

// next skips blanks and returns the next byte without taking it, 0 at the end.
func (d *decoder) next() byte {
	for ; d.at < len(d.text); d.at++ {
		switch c := d.text[d.at]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

func (d *decoder) end() bool { return d.next() == 0 && d.at == len(d.text) }

// take takes the next byte if it is c.
func (d *decoder) take(c byte) bool {
	if d.next() != c {
		return false
	}
	d.at++
	return true
}

// word takes a literal, which nothing of a word may follow.
func (d *decoder) word(s string) bool {
	if !strings.HasPrefix(d.text[d.at:], s) {
		return false
	}
	d.at += len(s)
	return true
}

// value decodes the next value into v.
func (d *decoder) value(v reflect.Value, depth int) bool {
	if depth > maxDepth {
		return false
	}
	c := d.next()
	if c == 'n' {
		return d.word("null") // absent; v is empty
	}
	if v.Type() == reflect.TypeFor[time.Time]() {
		return d.time(v)
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return d.value(v.Elem(), depth)
	case reflect.Struct:
		return d.structure(v, depth)
	case reflect.Map:
		return d.table(v, depth)
	case reflect.Slice:
		return d.list(v, depth)
	case reflect.String:
		s, ok := d.str()
		v.SetString(s)
		return ok
	case reflect.Bool:
		v.SetBool(c == 't')
		return d.word("true") || d.word("false")
	}
	return d.number(v)
}

// digits takes a whole number.
func (d *decoder) digits() (string, bool) {
	start := d.at
	if strings.HasPrefix(d.text[start:], "-") {
		d.at++
	}
	first := d.at
	for d.at < len(d.text) && '0' <= d.text[d.at] && d.text[d.at] <= '9' {
		d.at++
	}
	if d.at == first || d.text[first] == '0' && d.at > first+1 {
		return "", false
	}
	more := d.at < len(d.text) && strings.IndexByte(".eE", d.text[d.at]) >= 0
	return d.text[start:d.at], !more
}

func (d *decoder) number(v reflect.Value) bool {
	text, ok := d.digits()
	switch {
	case !ok:
		return false
	case v.CanInt():
		n, err := strconv.ParseInt(text, 10, v.Type().Bits())
		v.SetInt(n)
		return err == nil
	case v.CanUint():
		n, err := strconv.ParseUint(text, 10, v.Type().Bits())
		v.SetUint(n)
		return err == nil
	}
	return false
}

func (d *decoder) time(v reflect.Value) bool {
	s, ok := d.str()
	if !ok {
		return false
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	v.Set(reflect.ValueOf(t))
	return err == nil
}

// members calls member for each member of an object; member takes the value.
func (d *decoder) members(member func(name string) bool) bool {
	if !d.take('{') {
		return false
	}
	if d.take('}') {
		return true
	}
	for {
		if d.next() != '"' {
			return false
		}
		name, ok := d.str()
		if !ok || !d.take(':') || !member(name) {
			return false
		}
		if d.take('}') {
			return true
		}
		if !d.take(',') {
			return false
		}
	}
}

func (d *decoder) structure(v reflect.Value, depth int) bool {
	fields := d.types.fields(v.Type())
	var seen uint64
	if len(fields) > 64 {
		return false
	}
	return d.members(func(name string) bool {
		i := index(fields, name)
		switch {
		case i < 0:
			return i == unknown && d.skip(depth+1)
		case seen&(1<<i) != 0:
			return false
		}
		seen |= 1 << i
		return d.value(fields[i].of(v), depth+1)
	})
}

func (d *decoder) table(v reflect.Value, depth int) bool {
	t := v.Type()
	if t.Key().Kind() != reflect.String {
		return false
	}
	v.Set(reflect.MakeMap(t))
	return d.members(func(name string) bool {
		element := reflect.New(t.Elem()).Elem()
		if !d.value(element, depth+1) {
			return false
		}
		v.SetMapIndex(reflect.ValueOf(name).Convert(t.Key()), element)
		return true
	})
}

// elements calls element for each element of an array; element takes it.
func (d *decoder) elements(element func() bool) bool {
	if !d.take('[') {
		return false
	}
	if d.take(']') {
		return true
	}
	for {
		if !element() {
			return false
		}
		if d.take(']') {
			return true
		}
		if !d.take(',') {
			return false
		}
	}
}

func (d *decoder) list(v reflect.Value, depth int) bool {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		return false // bytes are base64
	}
	v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	return d.elements(func() bool {
		n := v.Len()
		v.Grow(1)
		v.SetLen(n + 1)
		v.Index(n).SetZero()
		return d.value(v.Index(n), depth+1)
	})
}

// skip takes a value that nobody asked for.
func (d *decoder) skip(depth int) bool {
	if depth > maxDepth {
		return false
	}
	switch d.next() {
	case '{':
		return d.members(func(string) bool { return d.skip(depth + 1) })
	case '[':
		return d.elements(func() bool { return d.skip(depth + 1) })
	case '"':
		_, ok := d.str()
		return ok
	case 't':
		return d.word("true")
	case 'f':
		return d.word("false")
	case 'n':
		return d.word("null")
	}
	_, ok := d.digits() // fractions are for encoding/json
	return ok
}

// str takes a string. What has no escapes stays where it is, in the text.
func (d *decoder) str() (string, bool) {
	if d.next() != '"' {
		return "", false
	}
	d.at++
	start := d.at
	for ; d.at < len(d.text); d.at++ {
		switch c := d.text[d.at]; {
		case c == '"':
			d.at++
			return d.text[start : d.at-1], true
		case c == '\\':
			return d.escaped(start)
		case c < ' ':
			return "", false
		}
	}
	return "", false
}

// escaped goes on with a string that begins at start, from its first escape on.
func (d *decoder) escaped(start int) (string, bool) {
	s := []byte(d.text[start:d.at])
	for d.at < len(d.text) {
		c := d.text[d.at]
		d.at++
		switch {
		case c == '"':
			return string(s), true
		case c < ' ':
			return "", false
		case c != '\\':
			s = append(s, c)
			continue
		}
		if d.at == len(d.text) {
			break
		}
		c = d.text[d.at]
		d.at++
		if c == 'u' {
			r, ok := d.unicode()
			if !ok {
				return "", false
			}
			s = utf8.AppendRune(s, r)
			continue
		}
		i := strings.IndexByte(`"\/bfnrt`, c)
		if i < 0 {
			return "", false
		}
		s = append(s, "\"\\/\b\f\n\r\t"[i])
	}
	return "", false
}

// unicode takes the four digits of an escape. Halves of characters beyond them are for encoding/json.
func (d *decoder) unicode() (rune, bool) {
	if len(d.text)-d.at < 4 {
		return 0, false
	}
	n, err := strconv.ParseUint(d.text[d.at:d.at+4], 16, 32)
	d.at += 4
	return rune(n), err == nil && utf8.ValidRune(rune(n))
}
