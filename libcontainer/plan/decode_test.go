// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unsafe"

	"github.com/rt-oci/rt/nsenter"
)

// decoder reads an encoded plan as the stage does, with the stage's checks; what it refuses panics with a text.
type decoder struct {
	raw       []byte
	firstFile int
}

// decode returns the header and the steps of an encoded plan.
func decode(raw []byte, firstFile int) (header nsenter.PlanHeader, steps []Step, err error) {
	defer func() {
		if refused := recover(); refused != nil {
			err = fmt.Errorf("decode: %v", refused)
		}
	}()
	d := decoder{raw: raw, firstFile: firstFile}
	header = *at[nsenter.PlanHeader](raw)
	switch {
	case header.Magic != nsenter.PlanMagic || header.Version != nsenter.PlanVersion:
		panic("magic or version")
	case int(header.Size) != len(raw) || raw[len(raw)-1] != 0:
		panic("size or last byte")
	}
	rest := raw[unsafe.Sizeof(header):]
	for range header.Step_count {
		head := *at[nsenter.StepHead](rest)
		if (len(raw)-len(rest))%8 != 0 || head.Size%8 != 0 || int(head.Size) > len(rest) {
			panic("alignment or size of a step")
		}
		step := d.join(head.Op, rest[:head.Size])
		if step == nil {
			step = d.process(head.Op, rest[:head.Size])
		}
		steps = append(steps, step)
		rest = rest[head.Size:]
	}
	return header, steps, nil
}

// at is the structure at the beginning of raw.
func at[T any](raw []byte) *T {
	var v T
	if len(raw) < int(unsafe.Sizeof(v)) {
		panic("structure outside of the plan")
	}
	return (*T)(unsafe.Pointer(unsafe.SliceData(raw)))
}

// exactly is at for a step, whose size must be the one of its type.
func exactly[T any](raw []byte) *T {
	v := at[T](raw)
	if len(raw) != int(unsafe.Sizeof(*v)) {
		panic("size of a step")
	}
	return v
}

func (d *decoder) text(offset uint32) string {
	if int(offset) < int(unsafe.Sizeof(nsenter.PlanHeader{})) || int(offset) >= len(d.raw) {
		panic("text outside of the plan")
	}
	text := d.raw[offset:]
	return string(text[:bytes.IndexByte(text, 0)])
}

func (d *decoder) optional(offset uint32) string {
	if offset == 0 {
		return ""
	}
	return d.text(offset)
}

func (d *decoder) block(l nsenter.List) []byte {
	if int(l.Offset) < int(unsafe.Sizeof(nsenter.PlanHeader{})) || l.Offset%8 != 0 || int(l.Offset)+8*int(l.Count) > len(d.raw) {
		panic("list outside of the plan")
	}
	return d.raw[l.Offset : int(l.Offset)+8*int(l.Count)]
}

func (d *decoder) list(l nsenter.List) []uint64 {
	raw := d.block(l)
	entries := make([]uint64, l.Count)
	for i := range entries {
		entries[i] = binary.NativeEndian.Uint64(raw[8*i:])
	}
	return entries
}

func (d *decoder) texts(entries []uint64) []string {
	texts := make([]string, len(entries))
	for i, offset := range entries {
		if offset>>32 != 0 {
			panic("offset of more than 32 bits")
		}
		texts[i] = d.text(uint32(offset))
	}
	return texts
}

// ended takes the 0 off that ends a list for execve(2).
func ended(entries []uint64) []uint64 {
	if len(entries) == 0 || entries[len(entries)-1] != 0 {
		panic("list without an end")
	}
	return entries[:len(entries)-1]
}

func (d *decoder) slot(fd int32) Slot {
	if fd == -1 {
		return NoSlot
	}
	return Slot(int(fd) - d.firstFile)
}

func (d *decoder) parameters(l nsenter.List) []Parameter {
	entries := d.list(l)
	parameters := make([]Parameter, len(entries)/2)
	for i := range parameters {
		parameters[i] = Parameter{d.text(uint32(entries[2*i])), d.optional(uint32(entries[2*i+1])), entries[2*i+1] == 0}
	}
	return parameters
}

func (d *decoder) execute(s *nsenter.StepExecute) Step {
	environment := ended(d.list(s.Environment))
	home := len(environment) > 0 && environment[len(environment)-1] == 0
	if home {
		environment = environment[:len(environment)-1]
	}
	return Execute{
		Candidates: d.texts(d.list(s.Candidates)), Arguments: d.texts(ended(d.list(s.Arguments))),
		Environment: d.texts(environment), HomeFromPasswd: home,
	}
}
