// SPDX-License-Identifier: Apache-2.0

// Package seccomp compiles linux.seccomp (runtime-spec: config-linux.md "Seccomp") into a BPF program on the host
// side. It loads nothing: the stage hands the program to seccomp(2) as its last act before execve.
//
// The work is that of libseccomp, in a program of its own (directory compiler), which is embedded here and executed
// when a filter is needed that the cache does not have.
package seccomp

import (
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/libcontainer/seccomp/wire"
)

// CacheName is the name of the cache in a state root. No container can have it.
const CacheName = "@seccomp"

// Filter is what the stage loads.
type Filter struct {
	// Program is an array of struct sock_filter in native byte order; empty if there is no filter.
	Program []byte
	// Flags are the SECCOMP_FILTER_FLAG_* for seccomp(2).
	Flags uint32
	// Skipped are the names in the configuration that libseccomp doesn't know, each once. System calls newer than
	// the library can't be allowed by name.
	Skipped []string
	// Origin says where the program comes from, and what was wrong with the cache.
	Origin string
}

// Compile turns the configuration into a filter; nil gives none. It takes the program from the cache in the directory
// cacheDir, or starts the compiler, which takes milliseconds, and keeps what that made. No cache is used if cacheDir
// is empty, and none is needed: what is wrong with it is told in Origin only.
func Compile(s *specs.LinuxSeccomp, cacheDir string) (Filter, error) {
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
	answer, origin, err := answer(wire.EncodeRequest(s), cacheDir)
	if err != nil {
		return Filter{}, err
	}
	return Filter{Program: answer.Program, Flags: flags, Skipped: answer.Skipped, Origin: origin}, nil
}

// answer asks the cache and then the compiler. origin is for people.
func answer(request []byte, cacheDir string) (a *wire.Answer, origin string, err error) {
	if cacheDir == "" {
		a, err = embedded().run(request)
		return a, "compiled", err
	}
	k, err := newKey(request)
	if err != nil {
		return nil, "", err
	}
	c := &cache{cacheDir}
	a, loadErr := c.load(k)
	if loadErr == nil {
		return a, "from the cache, " + k.name(), nil
	}
	if a, err = embedded().run(request); err != nil {
		return nil, "", err
	}
	origin = "compiled, " + k.name()
	if !absent(loadErr) {
		origin += fmt.Sprintf("; not from the cache: %v", loadErr)
	}
	if err := c.store(k, a); err != nil {
		origin += fmt.Sprintf("; not kept: %v", err)
	}
	return a, origin, nil
}
