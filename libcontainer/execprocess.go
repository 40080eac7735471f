// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/libcontainer/spec"
)

// ProcessOptions say what exec starts: the process section of the bundle's config.json as it is now, or a file of that
// form, and what is put over it.
type ProcessOptions struct {
	File            string   // --process; it may be a pipe
	Args            []string // in place of process.args; none with File
	Terminal        bool
	Cwd             string
	Env             []string
	UID, GID        *uint32
	AdditionalGIDs  []uint32
	Capabilities    []string
	NoNewPrivileges *bool
	ApparmorProfile string
	SelinuxLabel    string
}

// check refuses what is wrong by itself, in terms of the options.
func (o *ProcessOptions) check() error {
	switch {
	case o.File == "" && len(o.Args) == 0:
		return errors.New("exec args cannot be empty (name a program, or give --process)")
	case o.File != "" && len(o.Args) > 0:
		return fmt.Errorf("--process %q and a program %q: give one of them", o.File, o.Args[0])
	case o.Cwd != "" && !filepath.IsAbs(o.Cwd):
		return fmt.Errorf("--cwd %q: want an absolute path", o.Cwd)
	}
	for _, entry := range o.Env {
		if name, _, ok := strings.Cut(entry, "="); !ok || name == "" {
			return fmt.Errorf("--env %q: want NAME=VALUE", entry)
		}
	}
	return nil
}

// readFile reads --process. A pipe gives its content once.
func (o *ProcessOptions) readFile() (*specs.Process, error) {
	if o.File == "" {
		return nil, nil
	}
	data, err := os.ReadFile(o.File)
	if err != nil {
		return nil, fmt.Errorf("--process: %w", err)
	}
	p, err := spec.LoadProcess(data)
	if err != nil {
		return nil, fmt.Errorf("--process %q: %w", o.File, err)
	}
	return p, nil
}

// inherit fills in what a process.json leaves out with what the container was made with.
func inherit(p, saved *specs.Process) {
	if saved == nil {
		return
	}
	if p.Capabilities == nil {
		p.Capabilities = saved.Capabilities
	}
	if p.Rlimits == nil {
		p.Rlimits = saved.Rlimits
	}
	if p.ApparmorProfile == "" {
		p.ApparmorProfile = saved.ApparmorProfile
	}
	if p.SelinuxLabel == "" {
		p.SelinuxLabel = saved.SelinuxLabel
	}
	if p.IOPriority == nil {
		p.IOPriority = saved.IOPriority
	}
	if p.Scheduler == nil {
		p.Scheduler = saved.Scheduler
	}
	if p.ExecCPUAffinity == nil {
		p.ExecCPUAffinity = saved.ExecCPUAffinity
	}
	if p.OOMScoreAdj == nil {
		p.OOMScoreAdj = saved.OOMScoreAdj
	}
	if p.User.Umask == nil {
		p.User.Umask = saved.User.Umask
	}
}

// apply puts the options over the process.
func (o *ProcessOptions) apply(p *specs.Process) {
	if o.File == "" {
		p.Args = o.Args
		p.Terminal = false // the config's is about the container's own process
	}
	p.Terminal = p.Terminal || o.Terminal
	if o.Cwd != "" {
		p.Cwd = o.Cwd
	}
	p.Env = append(p.Env, o.Env...)
	if o.UID != nil {
		p.User.UID = *o.UID
	}
	if o.GID != nil {
		p.User.GID = *o.GID
	}
	p.User.AdditionalGids = append(p.User.AdditionalGids, o.AdditionalGIDs...)
	if o.ApparmorProfile != "" {
		p.ApparmorProfile = o.ApparmorProfile
	}
	if o.SelinuxLabel != "" {
		p.SelinuxLabel = o.SelinuxLabel
	}
	if o.NoNewPrivileges != nil {
		p.NoNewPrivileges = *o.NoNewPrivileges
	}
	o.applyCapabilities(p)
}

// applyCapabilities adds --cap. The inheritable set stays as it is, so that programs with inheritable file capabilities
// gain nothing (CVE-2022-29162); the ambient set, which is bounded by it, grows only where the config has inheritable
// capabilities.
func (o *ProcessOptions) applyCapabilities(p *specs.Process) {
	if len(o.Capabilities) == 0 {
		return
	}
	c := specs.LinuxCapabilities{}
	if p.Capabilities != nil {
		c = *p.Capabilities
	}
	for _, set := range [...]*[]string{&c.Bounding, &c.Effective, &c.Permitted} {
		*set = append((*set)[:len(*set):len(*set)], o.Capabilities...)
	}
	if c.Inheritable != nil {
		c.Ambient = append(c.Ambient[:len(c.Ambient):len(c.Ambient)], o.Capabilities...)
	}
	p.Capabilities = &c
}
