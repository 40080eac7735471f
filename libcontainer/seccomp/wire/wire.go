// SPDX-License-Identifier: Apache-2.0

// Package wire is what rt and its filter compiler say to each other: a request on the compiler's standard input, an
// answer on its standard output. Both programs are built of the same sources, so that there is one version of it.
//
// Numbers are unsigned varints (encoding/binary), texts and lists have their length before them, and what may be
// absent has 0 or 1 before it. Equal profiles have equal requests, and different ones different requests.
package wire

import (
	"encoding/binary"
	"errors"
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

const (
	// InstructionBytes is the size of struct sock_filter.
	InstructionBytes = 8
	// MaxInstructions is BPF_MAXINSNS, the longest program that the kernel takes.
	MaxInstructions = 4096
	// MaxRequestBytes is far above the largest profile that gives a program of MaxInstructions.
	MaxRequestBytes = 4 << 20
)

// EncodeRequest lays out what of the profile the program depends on. Flags and listener are not among it.
func EncodeRequest(s *specs.LinuxSeccomp) []byte {
	out := make([]byte, 0, 8<<10)
	out = appendText(out, string(s.DefaultAction))
	out = appendOptional(out, s.DefaultErrnoRet)
	out = binary.AppendUvarint(out, uint64(len(s.Architectures)))
	for _, name := range s.Architectures {
		out = appendText(out, string(name))
	}
	out = binary.AppendUvarint(out, uint64(len(s.Syscalls)))
	for i := range s.Syscalls {
		out = appendRule(out, &s.Syscalls[i])
	}
	return out
}

func appendRule(out []byte, rule *specs.LinuxSyscall) []byte {
	out = appendTexts(out, rule.Names)
	out = appendText(out, string(rule.Action))
	out = appendOptional(out, rule.ErrnoRet)
	out = binary.AppendUvarint(out, uint64(len(rule.Args)))
	for _, arg := range rule.Args {
		out = binary.AppendUvarint(out, uint64(arg.Index))
		out = binary.AppendUvarint(out, arg.Value)
		out = binary.AppendUvarint(out, arg.ValueTwo)
		out = appendText(out, string(arg.Op))
	}
	return out
}

func appendText(out []byte, text string) []byte {
	return append(binary.AppendUvarint(out, uint64(len(text))), text...)
}

func appendTexts(out []byte, list []string) []byte {
	out = binary.AppendUvarint(out, uint64(len(list)))
	for _, text := range list {
		out = appendText(out, text)
	}
	return out
}

func appendOptional(out []byte, n *uint) []byte {
	if n == nil {
		return append(out, 0)
	}
	return binary.AppendUvarint(append(out, 1), uint64(*n))
}

// DecodeRequest is the inverse of EncodeRequest.
func DecodeRequest(data []byte) (*specs.LinuxSeccomp, error) {
	r := &reader{rest: data}
	s := &specs.LinuxSeccomp{DefaultAction: specs.LinuxSeccompAction(r.text()), DefaultErrnoRet: r.optional()}
	for range r.count() {
		s.Architectures = append(s.Architectures, specs.Arch(r.text()))
	}
	for range r.count() {
		rule := specs.LinuxSyscall{Names: r.texts(), Action: specs.LinuxSeccompAction(r.text()), ErrnoRet: r.optional()}
		for range r.count() {
			rule.Args = append(rule.Args, specs.LinuxSeccompArg{
				Index: uint(r.number()), Value: r.number(), ValueTwo: r.number(), Op: specs.LinuxSeccompOperator(r.text()),
			})
		}
		s.Syscalls = append(s.Syscalls, rule)
	}
	if err := r.end(); err != nil {
		return nil, fmt.Errorf("decode request: %w", err)
	}
	return s, nil
}

// Answer is what the compiler makes of a request.
type Answer struct {
	// Program is an array of struct sock_filter in native byte order.
	Program []byte
	// Skipped are the names in the profile that libseccomp doesn't know, each once.
	Skipped []string
}

// Encode lays the answer out.
func (a *Answer) Encode() []byte {
	return appendTexts(appendText(nil, string(a.Program)), a.Skipped)
}

// MaxAnswerBytes bounds the answer to a request of this size: the skipped names are names of the request.
func MaxAnswerBytes(requestBytes int) int {
	return MaxInstructions*InstructionBytes + requestBytes + 2*binary.MaxVarintLen64
}

// DecodeAnswer is the inverse of Encode. A program that the kernel could not take is no answer.
func DecodeAnswer(data []byte) (*Answer, error) {
	r := &reader{rest: data}
	a := &Answer{Program: []byte(r.text()), Skipped: r.texts()}
	if err := r.end(); err != nil {
		return nil, fmt.Errorf("decode answer: %w", err)
	}
	if n := len(a.Program); n == 0 || n%InstructionBytes != 0 || n > MaxInstructions*InstructionBytes {
		return nil, fmt.Errorf("decode answer: a program of %d bytes (want 1 to %d instructions of %d)", n, MaxInstructions, InstructionBytes)
	}
	return a, nil
}

// reader takes values off the front. After the first that is not there it gives zeros.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) number() uint64 {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 {
		r.rest, r.bad = nil, true
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

// count reads the length of a list or a text, of which each element has at least one byte.
func (r *reader) count() int {
	n := r.number()
	if n > uint64(len(r.rest)) {
		r.rest, r.bad = nil, true
		return 0
	}
	return int(n)
}

func (r *reader) text() string {
	n := r.count()
	text := string(r.rest[:n])
	r.rest = r.rest[n:]
	return text
}

func (r *reader) texts() []string {
	var list []string
	for range r.count() {
		list = append(list, r.text())
	}
	return list
}

func (r *reader) optional() *uint {
	switch r.number() {
	case 0:
		return nil
	case 1:
		n := uint(r.number())
		return &n
	}
	r.rest, r.bad = nil, true
	return nil
}

// end wants everything to have been read.
func (r *reader) end() error {
	if r.bad {
		return errors.New("it is cut off or damaged")
	}
	if len(r.rest) > 0 {
		return fmt.Errorf("%d bytes too many", len(r.rest))
	}
	return nil
}
