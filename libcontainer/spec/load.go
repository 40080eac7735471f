// SPDX-License-Identifier: Apache-2.0

// Package spec reads config.json, checks it and writes the default one (runtime-spec: config.md and
// config-linux.md). It belongs to the host side and does no I/O: what needs the host, such as whether
// a path exists, is checked where the path is used.
package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/libcontainer/lazyjson"
)

// Load decodes the bytes of a config.json. Unknown members are ignored, null stands for absent, the
// case of member names does not matter and of two members with one name the later one wins. A byte
// order mark is skipped. The result always has a Linux section, empty if the file has none. Errors
// give line and column, both from 1, the column in characters.
func Load(data []byte) (*specs.Spec, error) {
	var d document
	if err := decode(data, &d); err != nil {
		return nil, err
	}
	if d.Linux == nil {
		d.Linux = new(specs.Linux)
	}
	return d.spec(), nil
}

// decode decodes the text of a file into a structure, or says what is wrong with it, and where.
func decode[T any](data []byte, into *T) error {
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return errors.New("the file is UTF-16 (save it as UTF-8)")
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if len(bytes.TrimSpace(data)) == 0 {
		return errors.New("the file is empty (rt spec writes a default one)")
	}
	if lazyjson.Decode(data, into) {
		return nil
	}
	var empty T
	*into = empty
	if err := json.Unmarshal(data, into); err != nil {
		return explain(data, err)
	}
	if !utf8.Valid(data) {
		i := invalidUTF8(data)
		return fmt.Errorf("%s: byte %#02x is not UTF-8", position(data, i), data[i])
	}
	return nil
}

// document has the members of specs.Spec that concern Linux.
type document struct {
	Version     string            `json:"ociVersion"`
	Process     *specs.Process    `json:"process"`
	Root        *specs.Root       `json:"root"`
	Hostname    string            `json:"hostname"`
	Domainname  string            `json:"domainname"`
	Mounts      []specs.Mount     `json:"mounts"`
	Hooks       *specs.Hooks      `json:"hooks"`
	Annotations map[string]string `json:"annotations"`
	Linux       *specs.Linux      `json:"linux"`
}

func (d *document) spec() *specs.Spec {
	return &specs.Spec{
		Version: d.Version, Process: d.Process, Root: d.Root, Hostname: d.Hostname, Domainname: d.Domainname,
		Mounts: d.Mounts, Hooks: d.Hooks, Annotations: d.Annotations, Linux: d.Linux,
	}
}

// explain gives an error of encoding/json its place in the file.
func explain(data []byte, err error) error {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		at := int(syntax.Offset) // behind the offending byte
		if endsEarly(data, syntax) {
			return fmt.Errorf("%s: the file ends in the middle", position(data, at))
		}
		return fmt.Errorf("%s: %w", position(data, at-1), err)
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		member, start := memberEnding(data, wrong.Offset)
		got := strings.TrimPrefix(wrong.Value, "number ")
		if got == "bool" {
			got = "true or false"
		}
		return fmt.Errorf("%s: %s: want %s, got %s", position(data, start), member, describe(wrong.Type), got)
	}
	return err
}

// endsEarly tells whether more text could have made the document valid. In the middle of a word the
// decoder then complains about a blank that is not in the file.
func endsEarly(data []byte, err *json.SyntaxError) bool {
	return int(err.Offset) == len(data) && (strings.HasPrefix(err.Error(), "unexpected end") ||
		strings.HasPrefix(err.Error(), "invalid character ' '") && data[len(data)-1] != ' ')
}

// position formats the place of data[at].
func position(data []byte, at int) string {
	before := data[:max(0, min(at, len(data)))]
	line := 1 + bytes.Count(before, []byte("\n"))
	lineStart := 1 + bytes.LastIndexByte(before, '\n')
	return fmt.Sprintf("line %d, column %d", line, 1+utf8.RuneCount(before[lineStart:]))
}

// invalidUTF8 returns the index of the first byte that is not part of a valid character.
func invalidUTF8(data []byte) int {
	i := 0
	for i < len(data) {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		i += size
	}
	return i
}

// describe says in JSON's words what a Go type is decoded from.
func describe(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return describe(t.Elem())
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		highest := uint64(1)<<(t.Bits()-1) - 1
		return fmt.Sprintf("whole number from -%d to %d", highest+1, highest)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return fmt.Sprintf("whole number from 0 to %d", ^uint64(0)>>(64-t.Bits()))
	case reflect.Slice:
		switch t.Elem().Kind() {
		case reflect.String:
			return "array of strings"
		case reflect.Struct:
			return "array of objects"
		}
		return "array of numbers"
	case reflect.Struct, reflect.Map:
		return "object"
	}
	return t.Kind().String()
}

// container is an array or object that memberEnding is inside of.
type container struct {
	array   bool
	index   int    // of the next element
	key     string // of the next value
	wantKey bool
}

// next goes to the next element or member.
func (c *container) next() {
	c.index++
	c.wantKey = true
}

// memberEnding returns name and start of the value whose first token ends at offset; the name is as
// in "mounts[3].options".
func memberEnding(data []byte, offset int64) (name string, start int) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	inside := []container{{array: true}} // a level around the document, so that there always is one
	for {
		start = int(decoder.InputOffset())
		start += len(data[start:]) - len(bytes.TrimLeft(data[start:], " \t\r\n,:"))
		token, err := decoder.Token()
		if err != nil {
			return "the document", int(offset)
		}
		top := &inside[len(inside)-1]
		if !top.array && top.wantKey && token != json.Delim('}') {
			top.key, _ = token.(string)
			top.wantKey = false
			continue
		}
		switch token {
		case json.Delim('}'), json.Delim(']'):
			inside = inside[:len(inside)-1]
			inside[len(inside)-1].next()
			continue
		}
		if decoder.InputOffset() >= offset {
			return memberName(inside[1:]), start
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			inside = append(inside, container{array: token == json.Delim('['), wantKey: true})
		default:
			top.next()
		}
	}
}

func memberName(inside []container) string {
	if len(inside) == 0 {
		return "the document"
	}
	var name strings.Builder
	for _, c := range inside {
		if c.array {
			name.WriteString("[" + strconv.Itoa(c.index) + "]")
			continue
		}
		if name.Len() > 0 {
			name.WriteByte('.')
		}
		name.WriteString(quoteOdd(c.key))
	}
	return name.String()
}

// quoteOdd quotes a member name that could break or fake an error line.
func quoteOdd(key string) string {
	for _, r := range key {
		if r <= ' ' || r == '"' || !strconv.IsPrint(r) {
			return strconv.Quote(key)
		}
	}
	return key
}
