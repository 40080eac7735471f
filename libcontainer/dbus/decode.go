// SPDX-License-Identifier: Apache-2.0

package dbus

import (
	"encoding/binary"
	"fmt"
	"math"
)

// decoder takes values out of a received message.
type decoder struct {
	in    []byte
	at    int
	order binary.ByteOrder
}

// take returns the next n bytes, which begin at a multiple of align.
func (d *decoder) take(n, align int) ([]byte, error) {
	start := (d.at + align - 1) / align * align
	if n < 0 || start > len(d.in) || n > len(d.in)-start {
		return nil, errShort
	}
	d.at = start + n
	return d.in[start:d.at], nil
}

func (d *decoder) uint32() (uint32, error) {
	b, err := d.take(4, 4)
	if err != nil {
		return 0, err
	}
	return d.order.Uint32(b), nil
}

// text reads a string whose length has lengthBytes bytes: 4, or 1 for a signature.
func (d *decoder) text(lengthBytes int) (string, error) {
	b, err := d.take(lengthBytes, lengthBytes)
	if err != nil {
		return "", err
	}
	n := int(b[0])
	if lengthBytes == 4 {
		n = int(d.order.Uint32(b))
	}
	if b, err = d.take(n+1, 1); err != nil {
		return "", err
	}
	return string(b[:n]), nil
}

// get reads the value of one complete type.
func (d *decoder) get(kind string, depth int) (any, error) {
	if depth > maxDepth {
		return nil, errSignature
	}
	switch kind[0] {
	case 'a':
		return d.array(kind[1:], depth)
	case '(', '{':
		if _, err := d.take(0, 8); err != nil {
			return nil, err
		}
		return d.all(kind[1:len(kind)-1], depth+1)
	case 's', 'o':
		return d.text(4)
	case 'g':
		return d.text(1)
	case 'v':
		signature, err := d.text(1)
		if err != nil {
			return nil, err
		}
		inner, rest, err := firstType(signature)
		if err != nil || rest != "" {
			return nil, errSignature
		}
		content, err := d.get(inner, depth+1)
		return Value{signature, content}, err
	}
	return d.number(kind[0])
}

func (d *decoder) number(kind byte) (any, error) {
	size := alignment(kind)
	b, err := d.take(size, size)
	if err != nil {
		return nil, err
	}
	switch kind {
	case 'y':
		return b[0], nil
	case 'n':
		return int16(d.order.Uint16(b)), nil
	case 'q':
		return d.order.Uint16(b), nil
	case 'b':
		return d.order.Uint32(b) != 0, nil
	case 'i':
		return int32(d.order.Uint32(b)), nil
	case 'u', 'h':
		return d.order.Uint32(b), nil
	case 'x':
		return int64(d.order.Uint64(b)), nil
	case 't':
		return d.order.Uint64(b), nil
	case 'd':
		return math.Float64frombits(d.order.Uint64(b)), nil
	}
	return nil, errSignature
}

func (d *decoder) array(element string, depth int) (any, error) {
	length, err := d.uint32()
	if err != nil {
		return nil, err
	}
	if _, err := d.take(0, alignment(element[0])); err != nil {
		return nil, err
	}
	if int64(length) > int64(len(d.in)-d.at) {
		return nil, errShort
	}
	end := d.at + int(length)
	if element == "y" {
		return d.take(int(length), 1)
	}
	list := []any{}
	for d.at < end {
		item, err := d.get(element, depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, item)
	}
	if d.at != end {
		return nil, fmt.Errorf("decode array of %q: %w", element, errShort)
	}
	return list, nil
}

// all reads values one after the other: the members of a structure, or the body of a message.
func (d *decoder) all(signature string, depth int) ([]any, error) {
	list := []any{}
	for signature != "" {
		kind, rest, err := firstType(signature)
		if err != nil {
			return nil, err
		}
		item, err := d.get(kind, depth)
		if err != nil {
			return nil, err
		}
		list, signature = append(list, item), rest
	}
	return list, nil
}
