// SPDX-License-Identifier: Apache-2.0

package lazyjson

import (
	"reflect"
	"strings"
)

// field is a member of an object, and where the structure has it.
type field struct {
	name      string
	omitEmpty bool
	embedded  int // index of the structure that the field is embedded with, -1 if it is not
	index     int
}

// of returns the field of a structure.
func (f *field) of(v reflect.Value) reflect.Value {
	if f.embedded >= 0 {
		v = v.Field(f.embedded)
	}
	return v.Field(f.index)
}

// types are the structures that were met, few.
type types []known

type known struct {
	t      reflect.Type
	fields []field
}

// fields returns the members of a structure.
func (k *types) fields(t reflect.Type) []field {
	for i := range *k {
		if (*k)[i].t == t {
			return (*k)[i].fields
		}
	}
	fields := appendFields(make([]field, 0, t.NumField()), t, -1)
	*k = append(*k, known{t, fields})
	return fields
}

func appendFields(fields []field, t reflect.Type, embedded int) []field {
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("json")
		switch {
		case f.Anonymous && tag == "":
			fields = appendFields(fields, f.Type, i)
			continue
		case !f.IsExported() || tag == "-":
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		if name == "" {
			name = f.Name
		}
		fields = append(fields, field{name, options == "omitempty", embedded, i})
	}
	return fields
}

// What index returns for names that are not members.
const (
	unknown = -1
	odd     = -2 // encoding/json would take it for a member
)

// index finds the member name.
func index(fields []field, name string) int {
	for i := range fields {
		if fields[i].name == name {
			return i
		}
	}
	for i := range fields {
		if strings.EqualFold(fields[i].name, name) {
			return odd
		}
	}
	return unknown
}
