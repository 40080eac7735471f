// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"github.com/rt-oci/rt/nsenter"
)

// Encode returns the plan as the bytes that the stage reads (nsenter/wire.h gives the layout). firstFile is the
// descriptor number that slot 0 has in the stage, socketFD that of the socket to the host side.
func (p *Plan) Encode(firstFile, socketFD int) ([]byte, error) {
	measure := encoder{firstFile: firstFile}
	measure.reserve(usualPlanBytes, usualPlanBytes)
	measure.steps(p)
	e := encoder{firstFile: firstFile, dataAt: len(measure.out)}
	e.reserve(len(measure.out), len(measure.data))
	e.steps(p)
	if err := e.check(p); err != nil {
		return nil, err
	}
	out := append(e.out, e.data...)
	out = append(out, 0) // the last text ends inside the plan, whatever it is
	header := (*nsenter.PlanHeader)(unsafe.Pointer(unsafe.SliceData(out)))
	*header = nsenter.PlanHeader{
		Magic: nsenter.PlanMagic, Version: nsenter.PlanVersion, Size: uint32(len(out)),
		Step_count: uint32(len(p.Steps)), Socket_fd: int32(socketFD), Payload_fds: uint32(3 + p.PreserveFDs),
	}
	return out, nil
}

// usualPlanBytes is enough for the steps of most plans, and for their data: to grow there costs more than to reserve it.
const usualPlanBytes = 4000

// maxPlanBytes bounds a plan. Arguments and environment together may have a quarter of the stack limit (execve(2)),
// 2 MiB of 8 usually; the rest is small.
const maxPlanBytes = 256 << 20

// encoder lays a plan out. Steps refer to data by its place in the plan, which is known once the steps have been
// laid out, hence two passes.
type encoder struct {
	out       []byte
	data      []byte
	dataAt    int
	firstFile int
	badText   string
}

func (e *encoder) reserve(out, data int) {
	e.out = make([]byte, 0, out+data+1)
	e.data = make([]byte, 0, data)
}

func (e *encoder) steps(p *Plan) {
	e.out = append(e.out, make([]byte, unsafe.Sizeof(nsenter.PlanHeader{}))...)
	for i := range p.Steps {
		p.Steps[i].Step.encode(e)
	}
}

func (e *encoder) check(p *Plan) error {
	if e.badText != "" {
		return fmt.Errorf("encode plan: %q has a NUL byte", e.badText)
	}
	if size := len(e.out) + len(e.data); size > maxPlanBytes {
		return fmt.Errorf("encode plan: %d bytes of arguments, environment and mounts are more than %d", size, maxPlanBytes)
	}
	if len(p.Steps) == 0 {
		return fmt.Errorf("encode plan: no steps")
	}
	return nil
}

// put appends a step of the wire with its head.
func put[T any](e *encoder, op uint32, step *T) {
	size := unsafe.Sizeof(*step)
	raw := unsafe.Slice((*byte)(unsafe.Pointer(step)), size)
	at := len(e.out)
	e.out = append(e.out, raw...)
	binary.NativeEndian.PutUint32(e.out[at:], op)
	binary.NativeEndian.PutUint32(e.out[at+4:], uint32(size))
}

func (e *encoder) fd(s Slot) int32 {
	if s == NoSlot {
		return -1
	}
	return int32(e.firstFile + int(s))
}

// text stores a NUL-terminated string and returns its offset in the plan.
func (e *encoder) text(s string) uint32 {
	for i := range len(s) {
		if s[i] == 0 {
			e.badText = s
		}
	}
	offset := e.dataAt + len(e.data)
	e.data = append(append(e.data, s...), 0)
	return uint32(offset)
}

// optionalText is text for a value that may be missing: the empty string gives offset 0.
func (e *encoder) optionalText(s string) uint32 {
	if s == "" {
		return 0
	}
	return e.text(s)
}

func (e *encoder) texts(values []string) []uint64 {
	offsets := make([]uint64, len(values), len(values)+2)
	for i, s := range values {
		offsets[i] = uint64(e.text(s))
	}
	return offsets
}

// list stores entries of 8 bytes.
func (e *encoder) list(entries []uint64) nsenter.List {
	e.align()
	offset := e.dataAt + len(e.data)
	for _, entry := range entries {
		e.data = binary.NativeEndian.AppendUint64(e.data, entry)
	}
	return nsenter.List{Offset: uint32(offset), Count: uint32(len(entries))}
}

// block stores bytes, a multiple of 8.
func (e *encoder) block(data []byte) nsenter.List {
	e.align()
	offset := e.dataAt + len(e.data)
	e.data = append(e.data, data...)
	return nsenter.List{Offset: uint32(offset), Count: uint32(len(data) / 8)}
}

func (e *encoder) align() {
	for (e.dataAt+len(e.data))%8 != 0 {
		e.data = append(e.data, 0)
	}
}

func number(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}
