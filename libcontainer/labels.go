// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/lsm"
	"github.com/rt-oci/rt/libcontainer/plan"
)

// checkLabels refuses profiles and labels that this machine can't apply (runtime.md, "Errors"). A process that shall be
// unconfined is that already where there is no AppArmor.
func checkLabels(s *specs.Spec) error {
	if err := checkProcessLabels(s.Process); err != nil {
		return err
	}
	if label := s.Linux.MountLabel; label != "" {
		if err := lsm.SELinux(); err != nil {
			return fmt.Errorf("linux.mountLabel %q: %w", label, err)
		}
	}
	return nil
}

func checkProcessLabels(p *specs.Process) error {
	if p == nil {
		return nil
	}
	if name := p.ApparmorProfile; name != "" {
		err := lsm.AppArmor()
		if err != nil && name != lsm.Unconfined {
			return fmt.Errorf("process.apparmorProfile %q: %w", name, err)
		}
		if err != nil {
			p.ApparmorProfile = ""
		}
	}
	if label := p.SelinuxLabel; label != "" {
		if err := lsm.SELinux(); err != nil {
			return fmt.Errorf("process.selinuxLabel %q: %w", label, err)
		}
		if p.ApparmorProfile != "" {
			return fmt.Errorf("process.selinuxLabel %q and process.apparmorProfile %q: a process has only one of them", label, p.ApparmorProfile)
		}
	}
	return nil
}

// labelHint says why the kernel does not take a profile or a label.
func labelHint(s *plan.Label, errno unix.Errno) string {
	appArmor := s.File == plan.AttributeAppArmor
	switch {
	case appArmor && errno == unix.ENOENT:
		return "the profile is not loaded: `apparmor_parser -r FILE` loads it"
	case appArmor && (errno == unix.EACCES || errno == unix.EPERM):
		return "rt is confined by a profile itself, which has no rule change_profile for this one, or no_new_privs is set for rt"
	case appArmor:
	case errno == unix.EINVAL:
		return "the loaded policy knows no such label"
	case errno == unix.EACCES || errno == unix.EPERM:
		return "the policy does not let rt label a process or a key so (setexec, setkeycreate, create)"
	}
	return ""
}

// executeLabelHint is about an execve that the kernel has refused to a process with a profile or a label.
func executeLabelHint(p *specs.Process, errno unix.Errno) string {
	switch {
	case errno != unix.EACCES && errno != unix.EPERM:
	case p.ApparmorProfile != "" && p.ApparmorProfile != lsm.Unconfined:
		return fmt.Sprintf("perhaps rt is confined by an AppArmor profile, which must let it execute the program and change to %q; with noNewPrivileges only to one that allows less: see the kernel's log",
			p.ApparmorProfile)
	case p.SelinuxLabel != "":
		return fmt.Sprintf("perhaps the SELinux policy does not let rt execute it as %q (transition, entrypoint; with noNewPrivileges nnp_transition): see the audit log",
			p.SelinuxLabel)
	}
	return ""
}
