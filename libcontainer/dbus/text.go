// SPDX-License-Identifier: Apache-2.0

package dbus

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ParseText reads a value in GVariant text format: true, 5, -5, 0x10, 1.5, 'text', "text", ['a', 'b'], ('a', 1),
// b'bytes', and any of them with its type before it, as uint64 5 or @as []. A number without a type is an int32, or a
// double if it has a point. Of an array, the first element decides. Dictionaries, variants and maybe types are refused.
func ParseText(text string) (Value, error) {
	p := textParser{rest: text}
	v, err := p.value("", 0)
	if err == nil {
		if p.space(); p.rest != "" {
			err = errors.New("something follows the value")
		}
	}
	if err != nil {
		return Value{}, fmt.Errorf("read %q as a value at byte %d: %w", text, len(text)-len(p.rest), err)
	}
	return v, nil
}

type textParser struct{ rest string }

func (p *textParser) space() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

func (p *textParser) take(c byte) bool {
	if p.rest == "" || p.rest[0] != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

// value reads one value, of the type kind unless that is empty.
func (p *textParser) value(kind string, depth int) (Value, error) {
	p.space()
	switch {
	case p.rest == "":
		return Value{}, errors.New("a value is missing")
	case depth > maxDepth:
		return Value{}, errors.New("nested too deep")
	case p.take('@'):
		return p.annotated(kind, depth)
	case p.take('['):
		return p.array(kind, depth)
	case p.take('('):
		return p.tuple(kind, depth)
	case p.rest[0] == '\'' || p.rest[0] == '"':
		s, err := p.quoted(false)
		if err == nil && kind != "" && kind != "s" && kind != "o" && kind != "g" {
			err = wrongType(kind)
		}
		return Value{orElse(kind, "s"), s}, err
	case len(p.rest) > 1 && p.rest[0] == 'b' && (p.rest[1] == '\'' || p.rest[1] == '"'):
		p.rest = p.rest[1:]
		s, err := p.quoted(true)
		if err == nil && kind != "" && kind != "ay" {
			err = wrongType(kind)
		}
		return Value{"ay", append([]byte(s), 0)}, err // a byte string has its NUL
	}
	return p.word(kind, depth)
}

func orElse(kind, standard string) string {
	if kind == "" {
		return standard
	}
	return kind
}

func wrongType(kind string) error { return fmt.Errorf("the type should be %q", kind) }

// annotated reads what follows "@": a signature and the value.
func (p *textParser) annotated(kind string, depth int) (Value, error) {
	signature, rest, found := strings.Cut(p.rest, " ")
	first, more, err := firstType(signature)
	if !found || err != nil || more != "" || strings.ContainsAny(signature, "{vh") {
		return Value{}, errors.New("no type follows the @")
	}
	if kind != "" && kind != first {
		return Value{}, wrongType(kind)
	}
	p.rest = rest
	return p.value(first, depth+1)
}

func (p *textParser) array(kind string, depth int) (Value, error) {
	element := ""
	if kind != "" {
		if kind[0] != 'a' {
			return Value{}, wrongType(kind)
		}
		element = kind[1:]
	}
	list := []any{}
	for p.space(); !p.take(']'); p.space() {
		if len(list) > 0 && !p.take(',') {
			return Value{}, errors.New("a comma or ] is missing")
		}
		v, err := p.value(element, depth+1)
		if err != nil {
			return Value{}, err
		}
		element, list = v.Signature, append(list, v.Content)
	}
	if element == "" {
		return Value{}, errors.New("an empty array needs a type: @as []")
	}
	if element == "y" {
		bytes := make([]byte, len(list))
		for i, item := range list {
			bytes[i] = item.(byte)
		}
		return Value{"ay", bytes}, nil
	}
	return Value{"a" + element, list}, nil
}

func (p *textParser) tuple(kind string, depth int) (Value, error) {
	members := ""
	if kind != "" {
		if kind[0] != '(' {
			return Value{}, wrongType(kind)
		}
		members = kind[1 : len(kind)-1]
	}
	list, signature := []any{}, ""
	for p.space(); !p.take(')'); p.space() {
		if len(list) > 0 && !p.take(',') {
			return Value{}, errors.New("a comma or ) is missing")
		}
		if p.space(); len(list) == 1 && p.take(')') { // ('a',) has one member
			break
		}
		member := ""
		if kind != "" {
			var err error
			if member, members, err = firstType(members); err != nil {
				return Value{}, wrongType(kind)
			}
		}
		v, err := p.value(member, depth+1)
		if err != nil {
			return Value{}, err
		}
		list, signature = append(list, v.Content), signature+v.Signature
	}
	if len(list) == 0 || members != "" {
		return Value{}, errors.New("a member is missing")
	}
	return Value{"(" + signature + ")", list}, nil
}

// word reads a boolean, a number, or the name of a type and the value behind it.
func (p *textParser) word(kind string, depth int) (Value, error) {
	n := strings.IndexAny(p.rest, " \t\r\n,])")
	if n < 0 {
		n = len(p.rest)
	}
	word := p.rest[:n]
	if named := typeOfName(word); named != "" {
		if kind != "" && kind != named {
			return Value{}, wrongType(kind)
		}
		p.rest = p.rest[n:]
		return p.value(named, depth+1)
	}
	v, err := literal(word, kind)
	if err == nil {
		p.rest = p.rest[n:]
	}
	return v, err
}

func typeOfName(word string) string {
	switch word {
	case "boolean":
		return "b"
	case "byte":
		return "y"
	case "int16":
		return "n"
	case "uint16":
		return "q"
	case "int32":
		return "i"
	case "uint32":
		return "u"
	case "int64":
		return "x"
	case "uint64":
		return "t"
	case "double":
		return "d"
	case "string":
		return "s"
	case "objectpath":
		return "o"
	case "signature":
		return "g"
	}
	return ""
}

// literal reads a boolean or a number.
func literal(word, kind string) (Value, error) {
	if word == "true" || word == "false" {
		if kind != "" && kind != "b" {
			return Value{}, wrongType(kind)
		}
		return Value{"b", word == "true"}, nil
	}
	if kind == "" {
		kind = "i"
		if strings.ContainsAny(word, ".eE") && !strings.HasPrefix(word, "0x") {
			kind = "d"
		}
	}
	var content any
	var err error
	number := func(bits int) int64 {
		var n int64
		n, err = strconv.ParseInt(word, 0, bits)
		return n
	}
	positive := func(bits int) uint64 {
		var n uint64
		n, err = strconv.ParseUint(word, 0, bits)
		return n
	}
	switch kind {
	case "y":
		content = byte(positive(8))
	case "n":
		content = int16(number(16))
	case "q":
		content = uint16(positive(16))
	case "i":
		content = int32(number(32))
	case "u":
		content = uint32(positive(32))
	case "x":
		content = number(64)
	case "t":
		content = positive(64)
	case "d":
		content, err = strconv.ParseFloat(word, 64)
	default:
		return Value{}, wrongType(kind)
	}
	if errors.Is(err, strconv.ErrRange) {
		return Value{}, fmt.Errorf("%q does not fit the type %q (put one before it, such as uint64)", word, kind)
	}
	if err != nil {
		return Value{}, fmt.Errorf("%q is neither a number, true, false nor in quotes", word)
	}
	return Value{kind, content}, nil
}

// quoted reads a text in single or double quotes. Escapes: \\ \' \" \a \b \f \n \r \t \v, and \uXXXX \UXXXXXXXX in a
// text, \ooo in a byte string.
func (p *textParser) quoted(isBytes bool) (string, error) {
	quote := p.rest[0]
	var out []byte
	for at := 1; at < len(p.rest); {
		c := p.rest[at]
		at++
		switch {
		case c == quote:
			p.rest = p.rest[at:]
			if !isBytes && !utf8.Valid(out) {
				return "", errors.New("the text is not UTF-8")
			}
			return string(out), nil
		case c == 0:
			return "", errors.New("a NUL byte")
		case c != '\\':
			out = append(out, c)
			continue
		case at == len(p.rest):
			return "", errors.New("the closing quote is missing")
		}
		n, err := escape(p.rest[at:], isBytes, &out)
		if err != nil {
			return "", err
		}
		at += n
	}
	return "", errors.New("the closing quote is missing")
}

// escape reads what follows a backslash, and returns how many bytes it has.
func escape(text string, isBytes bool, out *[]byte) (int, error) {
	if at := strings.IndexByte(`abfnrtv\'"`, text[0]); at >= 0 {
		*out = append(*out, "\a\b\f\n\r\t\v\\'\""[at])
		return 1, nil
	}
	digits, base := 0, 16
	switch c := text[0]; {
	case isBytes && c >= '0' && c <= '7':
		digits, base = 3, 8
	case !isBytes && c == 'u':
		digits = 5
	case !isBytes && c == 'U':
		digits = 9
	}
	if digits == 0 || len(text) < digits {
		return 0, fmt.Errorf(`the escape \%c is not known or not complete`, text[0])
	}
	first := 1
	if isBytes {
		first = 0
	}
	n, err := strconv.ParseUint(text[first:digits], base, 32)
	switch {
	case err != nil || n == 0 || isBytes && n > 0xff || !isBytes && !utf8.ValidRune(rune(n)):
		return 0, fmt.Errorf(`the escape \%s is no character`, text[:digits])
	case isBytes:
		*out = append(*out, byte(n))
	default:
		*out = utf8.AppendRune(*out, rune(n))
	}
	return digits, nil
}
