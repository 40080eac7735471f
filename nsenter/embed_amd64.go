// SPDX-License-Identifier: Apache-2.0

package nsenter

import _ "embed"

// Binary is the stage, an ELF program of at most 64 KiB. Nobody may change it.
//
//go:embed stage-amd64
var Binary []byte
