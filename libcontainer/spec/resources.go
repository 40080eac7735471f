// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// LoadResources decodes what update is given: the form of linux.resources (config-linux.md, "Control groups"), with what
// Load says about members.
func LoadResources(data []byte) (*specs.LinuxResources, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, errors.New("it is empty (want an object like linux.resources in config.json)")
	}
	r := &specs.LinuxResources{}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, explain(data, err)
	}
	if !utf8.Valid(data) {
		i := invalidUTF8(data)
		return nil, fmt.Errorf("%s: byte %#02x is not UTF-8", position(data, i), data[i])
	}
	return r, nil
}

// WarnOfResources says what of resources is ignored.
func WarnOfResources(r *specs.LinuxResources) []string {
	v := &validator{linux: &specs.Linux{Resources: r}}
	v.warnOfKernelMemory()
	return v.warnings
}
