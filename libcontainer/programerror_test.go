// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/plan"
)

// elfHead is an ELF64 header for a machine; with an interpreter it has a program header that names it.
func elfHead(machine uint16, interpreter string) []byte {
	head := make([]byte, 64+56)
	copy(head, elfMagic)
	head[elfClassAt], head[elfDataAt] = elfClass64, 1
	binary.LittleEndian.PutUint16(head[elfMachineAt:], machine)
	if interpreter == "" {
		return head
	}
	binary.LittleEndian.PutUint64(head[32:], 64) // e_phoff
	binary.LittleEndian.PutUint16(head[56:], 1)  // e_phnum
	entry := head[64:]
	binary.LittleEndian.PutUint32(entry, elfInterpreter)
	binary.LittleEndian.PutUint64(entry[8:], uint64(len(head)))
	binary.LittleEndian.PutUint64(entry[32:], uint64(len(interpreter)+1))
	return append(append(head, interpreter...), 0)
}

func TestExecuteErrorSaysWhatTheProgramNeeds(t *testing.T) {
	const native, foreign = 62, 22 // x86-64 and s390x; both are foreign elsewhere
	for _, c := range []struct {
		name    string
		content []byte
		errno   unix.Errno
		want    string
	}{
		{"interpreter", []byte("#!/no/bash -e\n"), unix.ENOENT, `the interpreter "/no/bash" in its first line is not in the container`},
		{"interpreter after blanks", []byte("#! \t/no/sh\targ\n"), unix.ENOENT, `the interpreter "/no/sh"`},
		{"carriage return", []byte("#!/bin/sh\r\necho"), unix.ENOENT, "CR LF"},
		{"present interpreter", []byte("#!/bin/program\n"), unix.EACCES, "exec /bin/program: permission denied"},
		{"machine", elfHead(foreign, ""), unix.ENOEXEC, "it is built for s390x"},
		{"unknown machine", elfHead(9999, ""), unix.ENOEXEC, "it is built for machine 9999"},
		{"loader", elfHead(native, "/lib/no-ld.so"), unix.ENOENT, `dynamic loader "/lib/no-ld.so" is not in the container`},
		{"cut off", []byte(elfMagic), unix.ENOEXEC, "its ELF header is cut off"},
		{"text", []byte("hello"), unix.ENOEXEC, "neither an ELF program nor a script"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "loader" && !runsHere(elfMachineName(native)) {
				t.Skip("the case is for x86-64")
			}
			root := t.TempDir()
			if err := os.Mkdir(filepath.Join(root, "bin"), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(root, "bin/program"), c.content, 0o755); err != nil {
				t.Fatal(err)
			}
			fd, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(fd)
			process := &specs.Process{Args: []string{"program"}, Env: []string{"PATH=/none:/bin"}, Cwd: "/"}
			got := executeError(process, c.errno, fd)
			if got == nil || !strings.Contains(got.Error(), c.want) || !strings.HasPrefix(got.Error(), "exec /bin/program: ") {
				t.Errorf("got %v, want %q", got, c.want)
			}
		})
	}
}

// A hostile file must not lead the parser out of what was read.
func TestELFLoaderStaysInsideTheHead(t *testing.T) {
	head := elfHead(62, "/lib/ld.so")
	for _, field := range []int{32, 64 + 8, 64 + 32} {
		for _, value := range []uint64{1 << 62, ^uint64(0), uint64(len(head)), uint64(len(head)) - 1} {
			bad := append([]byte(nil), head...)
			binary.LittleEndian.PutUint64(bad[field:], value)
			if got := elfLoader(bad, binary.LittleEndian); len(got) > len(head) {
				t.Errorf("field %d = %d: got %q", field, value, got)
			}
		}
	}
	for n := range len(head) {
		elfLoader(head[:n], binary.LittleEndian)
	}
	if got := elfLoader(head, binary.LittleEndian); got != "/lib/ld.so" {
		t.Errorf("got %q", got)
	}
}

func TestFindErrorNamesWhereItLooked(t *testing.T) {
	both, one := []string{"/a/foo", "/b/foo"}, []string{"/a/foo"}
	for _, c := range []struct {
		find  plan.FindProgram
		errno unix.Errno
		want  string
	}{
		{plan.FindProgram{Candidates: both, Searched: "foo"}, unix.ENOENT, `exec: "foo": executable file not found in $PATH (searched /a:/b)`},
		{plan.FindProgram{Candidates: one, Searched: "foo"}, unix.ENOENT, `exec: "foo": executable file not found in $PATH (searched /a)`},
		{plan.FindProgram{Candidates: both, Searched: "foo"}, unix.ELOOP, `exec: "foo": executable file not found in $PATH (too many levels of symbolic links; searched /a:/b)`},
		{plan.FindProgram{Candidates: both, Searched: "foo"}, unix.EACCES, `exec: "foo": permission denied (searched /a:/b)`},
		{
			plan.FindProgram{Candidates: both, Refused: 1, Searched: "foo"},
			unix.EXDEV,
			`exec: "foo": cannot run executable found relative to current directory (a directory in PATH is relative; name the program by its path, or give PATH absolute directories)`,
		},
		{plan.FindProgram{Candidates: []string{"/bin/x"}}, unix.ENOENT, "exec /bin/x: no such file or directory (looked up in the container's root)"},
		{plan.FindProgram{Candidates: []string{"/bin/x"}}, unix.EACCES, "exec /bin/x: permission denied (it has no execute permission)"},
		{plan.FindProgram{Candidates: []string{"/bin"}}, unix.EISDIR, "exec /bin: is a directory (permission denied: only files can be executed)"},
	} {
		if got := findError(c.find, c.errno); got.Error() != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
