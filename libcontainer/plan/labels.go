// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"errors"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/nsenter"
)

// Files of /proc/PID/attr (Documentation/admin-guide/LSM of the kernel). AppArmor has a directory of its own there since
// Linux 5.8; the others are those of the one module that labels processes, which AppArmor is not where SELinux is.
const (
	AttributeAppArmor = "apparmor/exec"
	attributeSELinux  = "exec"
	attributeKeys     = "keycreate"
)

// labelFiles opens the procfs that labels are written through. That needs privileges over the pid namespace, and a /proc
// that nothing is masked in; both may be gone when the container's namespaces have been joined.
func labelFiles(b *builder) error {
	if b.labels() {
		b.member = "labels"
		b.add(OpenProc{Flags: nsenter.OpenProcProcesses})
	}
	return nil
}

// labelKeys makes the session keyring one that the container's process may use. execve(2) ends it.
func (b *builder) labelKeys() {
	if p := b.spec.Process; p != nil && p.SelinuxLabel != "" {
		b.member = "process.selinuxLabel " + strconv.Quote(p.SelinuxLabel)
		b.add(Label{File: attributeKeys, Value: p.SelinuxLabel})
	}
}

// label says what the process becomes by its execve(2). The stage itself stays what rt is; a profile that is not loaded is
// an error of create.
func label(b *builder) error {
	var flags uint32
	if b.host.WaitForStart {
		flags = nsenter.LabelKeep
	}
	b.addLabel(flags)
	return nil
}

// labelAgain says it again after the wait for the start, which may have been long: AppArmor turns a profile that was
// removed meanwhile into none at all, and so it is an error.
func labelAgain(b *builder) error {
	if b.host.WaitForStart {
		b.addLabel(nsenter.LabelAgain)
	}
	return nil
}

// labels says that the process gets a label at its execve.
func (b *builder) labels() bool {
	p := b.spec.Process
	return p != nil && (p.ApparmorProfile != "" || p.SelinuxLabel != "")
}

// addLabel asks for a profile or a label. There is never more than one of them: the host side refuses both.
func (b *builder) addLabel(flags uint32) {
	p := b.spec.Process
	switch {
	case p == nil:
	case p.ApparmorProfile != "":
		b.member = "process.apparmorProfile " + strconv.Quote(p.ApparmorProfile)
		b.add(Label{File: AttributeAppArmor, Value: "exec " + p.ApparmorProfile, Flags: flags})
	case p.SelinuxLabel != "":
		b.member = "process.selinuxLabel " + strconv.Quote(p.SelinuxLabel)
		b.add(Label{File: attributeSELinux, Value: p.SelinuxLabel, Flags: flags})
	}
}

// treeLabel is how a new file system gets linux.mountLabel: by a mount option, or by steps that follow.
type treeLabel struct {
	parameters []Parameter
	steps      []Step
}

// mountLabel labels a new file system of a type. Those that show what the kernel has are labelled by its policy
// (genfscon), file by file, for all mounts of them together; a label of a container's own would replace that.
func (b *builder) mountLabel(fsType string) (treeLabel, error) {
	context := b.spec.Linux.MountLabel
	if context == "" {
		return treeLabel{}, nil
	}
	switch fsType {
	case "proc", "sysfs":
		return treeLabel{}, nil
	case "mqueue":
		// It is made together with its IPC namespace, without a label, and takes no mount options afterwards.
		if b.namespace(specs.IPCNamespace) == nil {
			return treeLabel{}, errors.New(`linux.mountLabel would label the host's message queues (add {"type": "ipc"} to linux.namespaces)`)
		}
		return treeLabel{steps: []Step{LabelTree{Context: context}}}, nil
	}
	return treeLabel{parameters: []Parameter{{Key: "context", Value: context}}}, nil
}

// labelled says that a mount has a label by its own options.
func labelled(parameters []Parameter) bool {
	return hasParameter(parameters, "context") || hasParameter(parameters, "rootcontext") || hasParameter(parameters, "defcontext")
}

// isLabel says that a mount option is one of SELinux (mount(8), "context=").
func isLabel(key string) bool {
	switch key {
	case "context", "fscontext", "rootcontext", "defcontext":
		return true
	}
	return false
}

// unquoted takes the quotes off a label with commas: mount(2) wants them, fsconfig(2) does not.
func unquoted(value string) string {
	if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
		return value[1 : len(value)-1]
	}
	return value
}
