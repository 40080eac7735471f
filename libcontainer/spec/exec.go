// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"github.com/opencontainers/runtime-spec/specs-go"
)

// LoadProcess decodes a process.json: the process section of a config.json as a document of its own. What Load says of
// the text holds.
func LoadProcess(data []byte) (*specs.Process, error) {
	p := new(specs.Process)
	if err := decode(data, p); err != nil {
		return nil, err
	}
	return p, nil
}

// enteredDocument has the members of a config.json that concern a further process of the container.
type enteredDocument struct {
	Process *specs.Process `json:"process"`
	Linux   struct {
		Namespaces   []specs.LinuxNamespace   `json:"namespaces"`
		MemoryPolicy *specs.LinuxMemoryPolicy `json:"memoryPolicy"`
		Personality  *specs.LinuxPersonality  `json:"personality"`
		Seccomp      *specs.LinuxSeccomp      `json:"seccomp"`
	} `json:"linux"`
}

// LoadEntered decodes what a further process of a container needs of its config.json: the section process, and of linux
// what its processes share. All else is absent in the result.
func LoadEntered(data []byte) (*specs.Spec, error) {
	var d enteredDocument
	if err := decode(data, &d); err != nil {
		return nil, err
	}
	return &specs.Spec{Process: d.Process, Linux: &specs.Linux{
		Namespaces: d.Linux.Namespaces, MemoryPolicy: d.Linux.MemoryPolicy, Personality: d.Linux.Personality, Seccomp: d.Linux.Seccomp,
	}}, nil
}

// ValidateProcess checks the process of an exec as Validate does that of a container.
func ValidateProcess(p *specs.Process) error {
	v := &validator{spec: &specs.Spec{Process: p}, linux: new(specs.Linux)}
	return v.process()
}
