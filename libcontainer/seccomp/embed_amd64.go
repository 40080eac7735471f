// SPDX-License-Identifier: Apache-2.0

package seccomp

import _ "embed"

// program is the compiler, an ELF program. Nobody may change it.
//
//go:embed rt-seccomp-amd64
var program []byte

// identity is what `make` has found out of it: the version of libseccomp that it was linked with, and the SHA-256
// of the file.
//
//go:embed rt-seccomp-amd64.id
var identity string
