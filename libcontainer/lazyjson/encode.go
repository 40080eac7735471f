// SPDX-License-Identifier: Apache-2.0

package lazyjson

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Append appends the encoding of v, a structure of plain types, to data: what encoding/json gives, but that it
// escapes no HTML.
func Append(data []byte, v any) ([]byte, error) {
	e := encoder{data: data}
	err := e.value(reflect.ValueOf(v))
	return e.data, err
}

type encoder struct {
	data  []byte
	types types
}

func (e *encoder) text(s string) { e.data = append(e.data, s...) }

func (e *encoder) value(v reflect.Value) error {
	if t, ok := reflect.TypeAssert[time.Time](v); ok {
		e.str(t.Format(time.RFC3339Nano))
		return nil
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice:
		if v.IsNil() {
			e.text("null")
			return nil
		}
	}
	switch {
	case v.CanInt():
		e.data = strconv.AppendInt(e.data, v.Int(), 10)
		return nil
	case v.CanUint():
		e.data = strconv.AppendUint(e.data, v.Uint(), 10)
		return nil
	}
	switch v.Kind() {
	case reflect.Pointer:
		return e.value(v.Elem())
	case reflect.Struct:
		return e.structure(v)
	case reflect.Map:
		return e.table(v)
	case reflect.Slice:
		return e.list(v)
	case reflect.String:
		e.str(v.String())
	case reflect.Bool:
		e.data = strconv.AppendBool(e.data, v.Bool())
	default:
		return fmt.Errorf("encode JSON: a %s has no encoding here", v.Type())
	}
	return nil
}

func (e *encoder) structure(v reflect.Value) error {
	separator := "{"
	for _, f := range e.types.fields(v.Type()) {
		member := f.of(v)
		if f.omitEmpty && isEmpty(member) {
			continue
		}
		e.text(separator)
		separator = ","
		e.str(f.name)
		e.text(":")
		if err := e.value(member); err != nil {
			return err
		}
	}
	if separator == "{" {
		e.text("{")
	}
	e.text("}")
	return nil
}

// isEmpty says what omitempty leaves out (encoding/json).
func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Map, reflect.Slice, reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}

func (e *encoder) table(v reflect.Value) error {
	if v.Type().Key().Kind() != reflect.String {
		return fmt.Errorf("encode JSON: a %s has no encoding here", v.Type())
	}
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	e.text("{")
	for i, key := range keys {
		if i > 0 {
			e.text(",")
		}
		e.str(key.String())
		e.text(":")
		if err := e.value(v.MapIndex(key)); err != nil {
			return err
		}
	}
	e.text("}")
	return nil
}

func (e *encoder) list(v reflect.Value) error {
	if v.Type().Elem().Kind() == reflect.Uint8 { // bytes would be base64
		return fmt.Errorf("encode JSON: a %s has no encoding here", v.Type())
	}
	e.text("[")
	for i := range v.Len() {
		if i > 0 {
			e.text(",")
		}
		if err := e.value(v.Index(i)); err != nil {
			return err
		}
	}
	e.text("]")
	return nil
}

// str appends a string. Bytes that are no character become U+FFFD, as in encoding/json.
func (e *encoder) str(s string) {
	e.text(`"`)
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			e.data = append(e.data, '\\', byte(r))
		case r < ' ' || r == '\u2028' || r == '\u2029' || r == 0x7f:
			e.text(fmt.Sprintf(`\u%04x`, r))
		default:
			e.data = utf8.AppendRune(e.data, r)
		}
	}
	e.text(`"`)
}
