// SPDX-License-Identifier: Apache-2.0

package harness

import "encoding/binary"

const (
	tinyAddress = 0x400000
	tinyPath    = "/tmp/tiny"
)

// TinyProgram returns an ELF program for x86-64, or with bits 32 for i386, which makes two system calls: one with the
// given number and the arguments "/tmp/tiny" and 0755, and exit with the error number of the first.
func TinyProgram(bits int, call uint32) []byte {
	number := func(opcode byte, n uint32) []byte { return binary.LittleEndian.AppendUint32([]byte{opcode}, n) } // mov REGISTER, n
	header := tinyHeader(bits)
	var code []byte
	for range 2 { // the path lies behind the code, whose length does not change
		path := uint32(tinyAddress + len(header) + len(code))
		code = nil
		if bits == 32 {
			code = append(code, number(0xb8, call)...)                  // eax
			code = append(code, number(0xbb, path)...)                  // ebx
			code = append(code, number(0xb9, 0o755)...)                 // ecx
			code = append(code, 0xcd, 0x80, 0x89, 0xc3, 0xf7, 0xdb)     // int 0x80; mov ebx, eax; neg ebx
			code = append(append(code, number(0xb8, 1)...), 0xcd, 0x80) // exit
			continue
		}
		code = append(code, number(0xb8, call)...)                   // eax
		code = append(code, number(0xbf, path)...)                   // edi
		code = append(code, number(0xbe, 0o755)...)                  // esi
		code = append(code, 0x0f, 0x05, 0x89, 0xc7, 0xf7, 0xdf)      // syscall; mov edi, eax; neg edi
		code = append(append(code, number(0xb8, 60)...), 0x0f, 0x05) // exit
	}
	return append(append(header, code...), tinyPath+"\x00"...)
}

// tinyHeader is an ELF header and one program header (elf(5)): the whole file is mapped, and the code lies behind this.
func tinyHeader(bits int) []byte {
	const fileBytes = 0x1000 // more than there is; the rest of the page is zero
	out := []byte{0x7f, 'E', 'L', 'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	half := func(values ...uint16) {
		for _, v := range values {
			out = binary.LittleEndian.AppendUint16(out, v)
		}
	}
	word := func(values ...uint32) {
		for _, v := range values {
			out = binary.LittleEndian.AppendUint32(out, v)
		}
	}
	long := func(values ...uint64) {
		for _, v := range values {
			out = binary.LittleEndian.AppendUint64(out, v)
		}
	}
	if bits == 32 {
		out[4] = 1
		half(2, 3) // ET_EXEC, EM_386
		word(1, tinyAddress+52+32, 52, 0, 0)
		half(52, 32, 1, 0, 0, 0)
		word(1, 0, tinyAddress, tinyAddress, fileBytes, fileBytes, 5, 0x1000) // PT_LOAD, r-x
		return out
	}
	half(2, 62) // ET_EXEC, EM_X86_64
	word(1)
	long(tinyAddress+64+56, 64, 0)
	word(0)
	half(64, 56, 1, 0, 0, 0)
	word(1, 5)
	long(0, tinyAddress, tinyAddress, fileBytes, fileBytes, 0x1000)
	return out
}
