// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"path"
	"runtime"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/plan"
	"github.com/rt-oci/rt/libcontainer/sys"
)

// findError is the error of a program that is not there, or is no program. Callers look for the texts.
func findError(candidates []string, errno unix.Errno) error {
	if len(candidates) > 1 || !strings.Contains(candidates[0], "/") {
		name := path.Base(candidates[0])
		if errno == unix.ENOENT || errno == unix.ENOTDIR {
			return fmt.Errorf("exec: %q: %w (searched %s)", name, ErrNoProgram, searched(candidates))
		}
		return fmt.Errorf("exec: %q: %w (searched %s)", name, errno, searched(candidates))
	}
	switch errno {
	case unix.EACCES:
		return fmt.Errorf("exec %s: %w (it has no execute permission)", candidates[0], errno)
	case unix.EISDIR:
		return fmt.Errorf("exec %s: %w", candidates[0], errno)
	}
	return fmt.Errorf("exec %s: %w (looked up in the container's root)", candidates[0], errno)
}

func searched(candidates []string) string {
	dirs := make([]string, len(candidates))
	for i, c := range candidates {
		dirs[i] = path.Dir(c)
	}
	return strings.Join(dirs, ":")
}

// executeError is the error of an execve that failed although the file is there: it looks at the file and says what
// it needs. root is the container's root, -1 if that has gone.
func executeError(p *specs.Process, errno unix.Errno, root int) error {
	program, file := findProgram(p, root)
	if file < 0 {
		return fmt.Errorf("exec %s: %w", program, errno)
	}
	defer unix.Close(file)
	if hint := programHint(file, root, errno); hint != "" {
		return fmt.Errorf("exec %s: %w (%s)", program, errno, hint)
	}
	return fmt.Errorf("exec %s: %w", program, errno)
}

// findProgram opens the program as the stage would find it.
func findProgram(p *specs.Process, root int) (string, int) {
	if root < 0 {
		return p.Args[0], -1
	}
	for _, candidate := range plan.Candidates(p) {
		at := candidate
		if !path.IsAbs(at) {
			at = path.Join(p.Cwd, at)
		}
		if fd, err := sys.OpenRegularInRoot(root, at); err == nil {
			return candidate, fd
		}
	}
	return p.Args[0], -1
}

// programHeadBytes is as much as is looked at of a program: its first line, or its ELF headers.
const programHeadBytes = 4096

func programHint(file, root int, errno unix.Errno) string {
	head, err := sys.ReadBounded(file, programHeadBytes)
	if err != nil {
		return ""
	}
	switch {
	case bytes.HasPrefix(head, []byte("#!")):
		return scriptHint(head, root)
	case bytes.HasPrefix(head, []byte(elf.ELFMAG)):
		return elfHint(head, root)
	case errno == unix.ENOEXEC:
		return "it is neither an ELF program nor a script with #! in its first line"
	}
	return ""
}

// scriptHint names the interpreter of a script, if that is what is missing.
func scriptHint(head []byte, root int) string {
	line, _, _ := bytes.Cut(head[len("#!"):], []byte("\n"))
	interpreter := strings.TrimLeft(string(line), " \t")
	if i := strings.IndexAny(interpreter, " \t"); i >= 0 {
		interpreter = interpreter[:i]
	}
	if strings.HasSuffix(interpreter, "\r") {
		return fmt.Sprintf("its first line ends in CR LF, so the kernel looks for an interpreter %q", interpreter)
	}
	return missing(root, interpreter, "the interpreter %q in its first line")
}

func missing(root int, name, what string) string {
	fd, err := sys.OpenInRoot(root, name, unix.O_PATH)
	if err == nil {
		unix.Close(fd)
		return ""
	}
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return fmt.Sprintf(what+" is not in the container", name)
	}
	return ""
}

// elfHint compares the machine and looks for the dynamic loader.
func elfHint(head []byte, root int) string {
	const machineAt = 18 // e_machine of elf(5)
	if len(head) < machineAt+2 {
		return "its ELF header is cut off"
	}
	order := binary.ByteOrder(binary.LittleEndian)
	if elf.Data(head[elf.EI_DATA]) == elf.ELFDATA2MSB {
		order = binary.BigEndian
	}
	machine := elf.Machine(order.Uint16(head[machineAt:]))
	if !runsHere(machine) {
		return fmt.Sprintf("it is built for %s, this machine is %s", strings.TrimPrefix(machine.String(), "EM_"), runtime.GOARCH)
	}
	if loader := elfLoader(head, order); loader != "" {
		return missing(root, loader, "its dynamic loader %q")
	}
	return ""
}

func runsHere(machine elf.Machine) bool {
	switch runtime.GOARCH {
	case "amd64":
		return machine == elf.EM_X86_64 || machine == elf.EM_386
	case "arm64":
		return machine == elf.EM_AARCH64 || machine == elf.EM_ARM
	}
	return true
}

// elfLoader returns what PT_INTERP names, if it lies in the head of a 64-bit file, as it usually does. debug/elf would
// find more, but is not made for files of an enemy.
func elfLoader(head []byte, order binary.ByteOrder) string {
	const headerSize, entrySize = 64, 56 // Elf64_Ehdr, Elf64_Phdr
	if len(head) < headerSize || elf.Class(head[elf.EI_CLASS]) != elf.ELFCLASS64 {
		return ""
	}
	table, count := order.Uint64(head[32:]), order.Uint16(head[56:])
	for i := range uint64(count) {
		at := table + i*entrySize
		if table > programHeadBytes || at+entrySize > uint64(len(head)) {
			return ""
		}
		entry := head[at:]
		offset, size := order.Uint64(entry[8:]), order.Uint64(entry[32:])
		if elf.ProgType(order.Uint32(entry)) != elf.PT_INTERP {
			continue
		}
		if offset > uint64(len(head)) || size > uint64(len(head))-offset {
			return ""
		}
		return strings.TrimRight(string(head[offset:offset+size]), "\x00")
	}
	return ""
}
