// SPDX-License-Identifier: Apache-2.0

// Package nsenter holds the stage: the small C program that executes a plan inside a container before the user's
// process runs. The package embeds its binary and has the numbers and structures of the plan (wire.h) as Go types.
//
// The C files are built by the Makefile, not by cgo: they are a program of their own, without a C library.
package nsenter

//go:generate sh -c "go tool cgo -godefs wire_defs.go | gofmt > wire_gen.go && rm -rf _obj _cgo_*"
