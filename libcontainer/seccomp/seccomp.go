// SPDX-License-Identifier: Apache-2.0

// Package seccomp compiles linux.seccomp (runtime-spec: config-linux.md "Seccomp") into a BPF program on the host
// side. It loads nothing: the stage hands the program to seccomp(2) as its last act before execve.
//
// The work is that of libseccomp, in a program of its own (directory compiler), which is embedded here and executed
// when a filter is needed that the cache does not have.
package seccomp

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/libcontainer/seccomp/wire"
)

// Filter is what the stage loads.
type Filter struct {
	// Program is an array of struct sock_filter in native byte order; empty if there is no filter.
	Program []byte
	// Flags are the SECCOMP_FILTER_FLAG_* for seccomp(2).
	Flags uint32
	// Skipped are the names in the configuration that libseccomp doesn't know, each once. System calls newer than
	// the library can't be allowed by name.
	Skipped []string
}

// Compile turns the configuration into a filter; nil gives none. It starts the compiler, which takes milliseconds.
func Compile(s *specs.LinuxSeccomp) (Filter, error) {
	if s == nil {
		return Filter{}, nil
	}
	if err := Check(s); err != nil {
		return Filter{}, err
	}
	flags, err := loadFlags(s)
	if err != nil {
		return Filter{}, err
	}
	answer, err := embedded().run(wire.EncodeRequest(s))
	if err != nil {
		return Filter{}, err
	}
	return Filter{Program: answer.Program, Flags: flags, Skipped: answer.Skipped}, nil
}
