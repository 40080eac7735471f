// SPDX-License-Identifier: Apache-2.0

package dbus

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
)

// Value is a value with its type, which D-Bus calls a variant. Content is, by the first letter of Signature:
// y byte, b bool, n int16, q uint16, i int32, u uint32, x int64, t uint64, d float64, s o g string, v Value,
// ay []byte, as []string, a []any, ( and { []any.
type Value struct {
	Signature string
	Content   any
}

// maxDepth bounds how deep types nest (D-Bus specification, "Valid Signatures": 32 arrays and 32 structures).
const maxDepth = 32

var (
	errSignature = errors.New("invalid signature")
	errShort     = errors.New("message ends too early")
)

// firstType splits one complete type off a signature.
func firstType(signature string) (first, rest string, err error) {
	n, err := typeLength(signature, 0)
	if err != nil {
		return "", "", fmt.Errorf("%w %q", err, signature)
	}
	return signature[:n], signature[n:], nil
}

func typeLength(signature string, depth int) (int, error) {
	if signature == "" || depth > maxDepth {
		return 0, errSignature
	}
	end := byte(')')
	switch signature[0] {
	case 'y', 'b', 'n', 'q', 'i', 'u', 'x', 't', 'd', 's', 'o', 'g', 'v', 'h':
		return 1, nil
	case 'a':
		n, err := typeLength(signature[1:], depth+1)
		return n + 1, err
	case '{':
		end = '}'
	case '(':
	default:
		return 0, errSignature
	}
	at := 1
	for at < len(signature) && signature[at] != end {
		n, err := typeLength(signature[at:], depth+1)
		if err != nil {
			return 0, err
		}
		at += n
	}
	if at == len(signature) || at == 1 {
		return 0, errSignature
	}
	return at + 1, nil
}

// alignment is the boundary, counted from the beginning of the message, that a value of a type begins at.
func alignment(kind byte) int {
	switch kind {
	case 'y', 'g', 'v':
		return 1
	case 'n', 'q':
		return 2
	case 'x', 't', 'd', '(', '{':
		return 8
	}
	return 4
}

// encoder lays values out in little-endian order.
type encoder struct{ out []byte }

func (e *encoder) align(n int) {
	for len(e.out)%n != 0 {
		e.out = append(e.out, 0)
	}
}

func (e *encoder) uint32(v uint32) {
	e.align(4)
	e.out = binary.LittleEndian.AppendUint32(e.out, v)
}

func (e *encoder) text(s string) {
	e.uint32(uint32(len(s)))
	e.out = append(append(e.out, s...), 0)
}

func (e *encoder) signature(s string) {
	e.out = append(append(append(e.out, byte(len(s))), s...), 0)
}

// put appends the value of one complete type.
func (e *encoder) put(kind string, content any) error {
	switch kind[0] {
	case 'a':
		return e.array(kind[1:], content)
	case '(', '{':
		return e.structure(kind[1:len(kind)-1], content)
	case 'v':
		v, ok := content.(Value)
		if !ok {
			return mismatch(kind, content)
		}
		e.signature(v.Signature)
		return e.put(v.Signature, v.Content)
	case 's', 'o', 'g':
		s, ok := content.(string)
		if !ok || strings.IndexByte(s, 0) >= 0 {
			return mismatch(kind, content)
		}
		if kind == "g" {
			e.signature(s)
		} else {
			e.text(s)
		}
		return nil
	}
	return e.number(kind, content)
}

func (e *encoder) number(kind string, content any) error {
	var letter byte
	e.align(alignment(kind[0]))
	switch v := content.(type) {
	case byte:
		letter, e.out = 'y', append(e.out, v)
	case bool:
		letter = 'b'
		if v {
			e.uint32(1)
		} else {
			e.uint32(0)
		}
	case int16:
		letter, e.out = 'n', binary.LittleEndian.AppendUint16(e.out, uint16(v))
	case uint16:
		letter, e.out = 'q', binary.LittleEndian.AppendUint16(e.out, v)
	case int32:
		letter, e.out = 'i', binary.LittleEndian.AppendUint32(e.out, uint32(v))
	case uint32:
		letter, e.out = 'u', binary.LittleEndian.AppendUint32(e.out, v)
	case int64:
		letter, e.out = 'x', binary.LittleEndian.AppendUint64(e.out, uint64(v))
	case uint64:
		letter, e.out = 't', binary.LittleEndian.AppendUint64(e.out, v)
	case float64:
		letter, e.out = 'd', binary.LittleEndian.AppendUint64(e.out, math.Float64bits(v))
	}
	if letter != kind[0] {
		return mismatch(kind, content)
	}
	return nil
}

func (e *encoder) array(element string, content any) error {
	e.uint32(0)
	length := len(e.out) - 4
	e.align(alignment(element[0]))
	start := len(e.out)
	switch list := content.(type) {
	case []byte:
		if element != "y" {
			return mismatch("a"+element, content)
		}
		e.out = append(e.out, list...)
	case []string:
		for _, s := range list {
			if err := e.put(element, s); err != nil {
				return err
			}
		}
	case []any:
		for _, item := range list {
			if err := e.put(element, item); err != nil {
				return err
			}
		}
	default:
		return mismatch("a"+element, content)
	}
	binary.LittleEndian.PutUint32(e.out[length:], uint32(len(e.out)-start))
	return nil
}

func (e *encoder) structure(members string, content any) error {
	list, ok := content.([]any)
	if !ok {
		return mismatch("("+members+")", content)
	}
	e.align(8)
	return e.all(members, list)
}

// all appends values one after the other: the members of a structure, or the body of a message.
func (e *encoder) all(signature string, list []any) error {
	for _, item := range list {
		kind, rest, err := firstType(signature)
		if err != nil {
			return err
		}
		if err := e.put(kind, item); err != nil {
			return err
		}
		signature = rest
	}
	if signature != "" {
		return fmt.Errorf("encode D-Bus message: no value for %q", signature)
	}
	return nil
}

func mismatch(kind string, content any) error {
	return fmt.Errorf("encode D-Bus message: %T is no value of type %q", content, kind)
}
