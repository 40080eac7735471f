// SPDX-License-Identifier: Apache-2.0

package dbus

import (
	"encoding/binary"
	"fmt"
)

// Kinds of messages, and the fields of a message's header (D-Bus specification, "Message Format").
const (
	kindCall   = 1
	kindReturn = 2
	kindError  = 3
	kindSignal = 4

	fieldPath        = 1
	fieldInterface   = 2
	fieldMember      = 3
	fieldErrorName   = 4
	fieldReplySerial = 5
	fieldDestination = 6
	fieldSignature   = 8

	flagNoReply = 1

	fixedBytes      = 16       // of a header: up to the length of the list of fields
	maxMessageBytes = 16 << 20 // the specification allows 128 MiB; what we ask for has some kilobytes at most
)

// Call is a method call.
type Call struct {
	Destination     string // empty on a direct connection
	Path, Interface string
	Member          string
	Signature       string // of Body
	Body            []any
	NoReply         bool
}

// Message is a received one.
type Message struct {
	kind        byte
	replySerial uint32
	errorName   string
	signature   string

	Path, Interface, Member string
	Body                    []any
}

// Text returns the i-th value of the body if it is a text.
func (m *Message) Text(i int) string {
	if i < len(m.Body) {
		if s, ok := m.Body[i].(string); ok {
			return s
		}
	}
	return ""
}

// encode returns the call as it goes over the wire.
func (c *Call) encode(serial uint32) ([]byte, error) {
	var body encoder
	if err := body.all(c.Signature, c.Body); err != nil {
		return nil, fmt.Errorf("%s: %w", c.Member, err)
	}
	flags := byte(0)
	if c.NoReply {
		flags = flagNoReply
	}
	head := encoder{out: []byte{'l', kindCall, flags, 1}}
	head.uint32(uint32(len(body.out)))
	head.uint32(serial)
	var fields []any
	for _, f := range []struct {
		number     byte
		kind, text string
	}{
		{fieldPath, "o", c.Path},
		{fieldInterface, "s", c.Interface},
		{fieldMember, "s", c.Member},
		{fieldDestination, "s", c.Destination},
		{fieldSignature, "g", c.Signature},
	} {
		if f.text != "" {
			fields = append(fields, []any{f.number, Value{f.kind, f.text}})
		}
	}
	if err := head.put("a(yv)", fields); err != nil {
		return nil, err
	}
	head.align(8)
	return append(head.out, body.out...), nil
}

// decodeMessage returns the first message in data and its length; nil if it is not complete yet.
func decodeMessage(data []byte) (*Message, int, error) {
	if len(data) < fixedBytes {
		return nil, 0, nil
	}
	d := decoder{in: data, order: binary.LittleEndian}
	if data[0] == 'B' {
		d.order = binary.BigEndian
	} else if data[0] != 'l' {
		return nil, 0, fmt.Errorf("decode D-Bus message: byte order %q", data[0])
	}
	bodyBytes, fieldBytes := d.order.Uint32(data[4:]), d.order.Uint32(data[12:])
	if bodyBytes > maxMessageBytes || fieldBytes > maxMessageBytes {
		return nil, 0, fmt.Errorf("decode D-Bus message: %d bytes are more than %d", uint64(bodyBytes)+uint64(fieldBytes), maxMessageBytes)
	}
	bodyAt := (fixedBytes + int(fieldBytes) + 7) / 8 * 8
	size := bodyAt + int(bodyBytes)
	if len(data) < size {
		return nil, 0, nil
	}
	d.in, d.at = data[:bodyAt], 12
	m := &Message{kind: data[1]}
	if err := m.fields(&d); err != nil {
		return nil, 0, fmt.Errorf("decode D-Bus message: %w", err)
	}
	body := decoder{in: data[bodyAt:size], order: d.order}
	var err error
	if m.Body, err = body.all(m.signature, 0); err != nil {
		return nil, 0, fmt.Errorf("decode D-Bus message %s: %w", m.Member, err)
	}
	return m, size, nil
}

func (m *Message) fields(d *decoder) error {
	list, err := d.array("(yv)", 0)
	if err != nil {
		return err
	}
	for _, field := range list.([]any) {
		pair := field.([]any)
		content := pair[1].(Value).Content
		text, _ := content.(string)
		switch pair[0].(byte) {
		case fieldPath:
			m.Path = text
		case fieldInterface:
			m.Interface = text
		case fieldMember:
			m.Member = text
		case fieldErrorName:
			m.errorName = text
		case fieldSignature:
			m.signature = text
		case fieldReplySerial:
			m.replySerial, _ = content.(uint32)
		}
	}
	return nil
}

// Error is an answer that says no.
type Error struct{ Name, Text string }

func (e *Error) Error() string {
	if e.Text == "" {
		return e.Name
	}
	return e.Text
}

// err returns the error that an answer is.
func (m *Message) err() error {
	if m.kind != kindError {
		return nil
	}
	return &Error{Name: m.errorName, Text: m.Text(0)}
}
