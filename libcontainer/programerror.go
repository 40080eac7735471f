// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"bytes"
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
func findError(find plan.FindProgram, errno unix.Errno) error {
	if name := find.Searched; name != "" {
		switch errno {
		case unix.EXDEV:
			return fmt.Errorf("exec: %q: %w (a directory in PATH is relative; name the program by its path, or give PATH absolute directories)", name, errRelativeProgram)
		case unix.ENOENT, unix.ENOTDIR:
			return fmt.Errorf("exec: %q: %w (searched %s)", name, ErrNoProgram, searched(find.Candidates))
		case unix.ELOOP:
			return fmt.Errorf("exec: %q: %w (%w; searched %s)", name, ErrNoProgram, errno, searched(find.Candidates))
		}
		return fmt.Errorf("exec: %q: %w (searched %s)", name, errno, searched(find.Candidates))
	}
	program := find.Candidates[0]
	switch errno {
	case unix.EACCES:
		return fmt.Errorf("exec %s: %w (it has no execute permission)", program, errno)
	case unix.EISDIR:
		// Both texts: older Dockers know only execve's EACCES as a program that can't be executed (status 126).
		return fmt.Errorf("exec %s: %w (permission denied: only files can be executed)", program, errno)
	}
	return fmt.Errorf("exec %s: %w (looked up in the container's root)", program, errno)
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
	hint := programHint(file, root, errno)
	if hint == "" {
		hint = executeLabelHint(p, errno)
	}
	if hint != "" {
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
	case bytes.HasPrefix(head, []byte(elfMagic)):
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

// Numbers of elf(5). debug/elf has them too, and costs every start of rt the set-up of its decompressors.
const (
	elfMagic       = "\x7fELF"
	elfClassAt     = 4 // e_ident[EI_CLASS]
	elfClass64     = 2
	elfDataAt      = 5 // e_ident[EI_DATA]
	elfBigEndian   = 2
	elfMachineAt   = 18
	elfInterpreter = 3 // PT_INTERP
)

// elfMachineName returns the name of a machine (e_machine) as GOARCH has it, or its number.
func elfMachineName(machine uint16) string {
	switch machine {
	case 3:
		return "386"
	case 8:
		return "mips"
	case 21:
		return "ppc64"
	case 22:
		return "s390x"
	case 40:
		return "arm"
	case 62:
		return "amd64"
	case 183:
		return "arm64"
	case 243:
		return "riscv64"
	case 258:
		return "loong64"
	}
	return fmt.Sprintf("machine %d", machine)
}

// elfHint compares the machine and looks for the dynamic loader.
func elfHint(head []byte, root int) string {
	if len(head) < elfMachineAt+2 {
		return "its ELF header is cut off"
	}
	order := binary.ByteOrder(binary.LittleEndian)
	if head[elfDataAt] == elfBigEndian {
		order = binary.BigEndian
	}
	if machine := elfMachineName(order.Uint16(head[elfMachineAt:])); !runsHere(machine) {
		return fmt.Sprintf("it is built for %s, this machine is %s", machine, runtime.GOARCH)
	}
	if loader := elfLoader(head, order); loader != "" {
		return missing(root, loader, "its dynamic loader %q")
	}
	return ""
}

// runsHere says that the kernel may well execute programs of this machine.
func runsHere(machine string) bool {
	return machine == runtime.GOARCH || runtime.GOARCH == "amd64" && machine == "386" ||
		runtime.GOARCH == "arm64" && machine == "arm"
}

// elfLoader returns what PT_INTERP names, if it lies in the head of a 64-bit file, as it usually does. debug/elf would
// find more, but is not made for files of an enemy.
func elfLoader(head []byte, order binary.ByteOrder) string {
	const headerSize, entrySize = 64, 56 // Elf64_Ehdr, Elf64_Phdr
	if len(head) < headerSize || head[elfClassAt] != elfClass64 {
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
		if order.Uint32(entry) != elfInterpreter {
			continue
		}
		if offset > uint64(len(head)) || size > uint64(len(head))-offset {
			return ""
		}
		return strings.TrimRight(string(head[offset:offset+size]), "\x00")
	}
	return ""
}
