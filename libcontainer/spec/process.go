// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// noID is the number that set*id(2) and chown(2) take for "leave as it is": a process with it would
// stay root (CVE-2024-40635).
const noID = math.MaxUint32

// cpuMax is the highest CPU number of any kernel configuration (NR_CPUS_RANGE_END).
const cpuMax = 8191

func (v *validator) process() error {
	p := v.spec.Process
	if p == nil {
		return nil
	}
	for _, check := range [...]func(*specs.Process) error{
		checkProgram, checkUser, checkConsole, checkProfile, checkLabel, checkRlimits, checkOOMScore, checkIOPriority, checkScheduler, checkAffinity,
	} {
		if err := check(p); err != nil {
			return err
		}
	}
	return v.schedulerAndCPUs()
}

func checkProgram(p *specs.Process) error {
	if err := absolute("process.cwd", p.Cwd); err != nil {
		return err
	}
	if len(p.Args) == 0 {
		return errors.New("process.args: missing (want a program and its arguments)")
	}
	if p.Args[0] == "" {
		return errors.New("process.args[0]: empty (want a program)")
	}
	if err := noNULs("process.args", p.Args); err != nil {
		return err
	}
	for i, entry := range p.Env {
		if name, _, ok := strings.Cut(entry, "="); !ok || name == "" {
			return fmt.Errorf("process.env[%d] %q: want NAME=VALUE", i, entry)
		}
	}
	return noNULs("process.env", p.Env)
}

func checkUser(p *specs.Process) error {
	if p.User.UID == noID {
		return fmt.Errorf("process.user.uid %d: not an id", p.User.UID)
	}
	if p.User.GID == noID {
		return fmt.Errorf("process.user.gid %d: not an id", p.User.GID)
	}
	for i, gid := range p.User.AdditionalGids {
		if gid == noID {
			return fmt.Errorf("process.user.additionalGids[%d] %d: not an id", i, gid)
		}
	}
	if u := p.User.Umask; u != nil && *u > 0o777 {
		return fmt.Errorf("process.user.umask %d: want 0 to 511 (octal 0777)", *u)
	}
	return nil
}

// checkConsole leaves a size without a terminal alone: it is ignored.
func checkConsole(p *specs.Process) error {
	if size := p.ConsoleSize; p.Terminal && size != nil && max(size.Height, size.Width) > math.MaxUint16 {
		return fmt.Errorf("process.consoleSize %dx%d: want at most %d lines and columns", size.Height, size.Width, math.MaxUint16)
	}
	return nil
}

// RlimitResource returns the number of a resource limit by its name, such as "RLIMIT_NOFILE" (getrlimit(2)).
func RlimitResource(name string) (resource int, ok bool) {
	for _, r := range [...]struct {
		name     string
		resource int
	}{
		{"RLIMIT_AS", unix.RLIMIT_AS},
		{"RLIMIT_CORE", unix.RLIMIT_CORE},
		{"RLIMIT_CPU", unix.RLIMIT_CPU},
		{"RLIMIT_DATA", unix.RLIMIT_DATA},
		{"RLIMIT_FSIZE", unix.RLIMIT_FSIZE},
		{"RLIMIT_LOCKS", unix.RLIMIT_LOCKS},
		{"RLIMIT_MEMLOCK", unix.RLIMIT_MEMLOCK},
		{"RLIMIT_MSGQUEUE", unix.RLIMIT_MSGQUEUE},
		{"RLIMIT_NICE", unix.RLIMIT_NICE},
		{"RLIMIT_NOFILE", unix.RLIMIT_NOFILE},
		{"RLIMIT_NPROC", unix.RLIMIT_NPROC},
		{"RLIMIT_RSS", unix.RLIMIT_RSS},
		{"RLIMIT_RTPRIO", unix.RLIMIT_RTPRIO},
		{"RLIMIT_RTTIME", unix.RLIMIT_RTTIME},
		{"RLIMIT_SIGPENDING", unix.RLIMIT_SIGPENDING},
		{"RLIMIT_STACK", unix.RLIMIT_STACK},
	} {
		if r.name == name {
			return r.resource, true
		}
	}
	return 0, false
}

func checkRlimits(p *specs.Process) error {
	var seen uint32 // one bit for each resource
	for i, r := range p.Rlimits {
		member := fmt.Sprintf("process.rlimits[%d]", i)
		resource, ok := RlimitResource(r.Type)
		switch {
		case r.Type == "":
			return fmt.Errorf("%s.type: missing (want a name such as RLIMIT_NOFILE)", member)
		case !ok:
			return fmt.Errorf("%s.type %q: unknown (want a name such as RLIMIT_NOFILE)", member, r.Type)
		case seen&(1<<resource) != 0:
			return fmt.Errorf("%s.type %q: listed twice", member, r.Type)
		case r.Soft > r.Hard:
			return fmt.Errorf("%s %s: soft %d is more than hard %d", member, r.Type, r.Soft, r.Hard)
		}
		seen |= 1 << resource
	}
	return nil
}

func checkOOMScore(p *specs.Process) error {
	if score := p.OOMScoreAdj; score != nil && (*score < -1000 || *score > 1000) {
		return fmt.Errorf("process.oomScoreAdj %d: want -1000 to 1000", *score)
	}
	return nil
}

func checkIOPriority(p *specs.Process) error {
	if p.IOPriority == nil {
		return nil
	}
	switch p.IOPriority.Class {
	case specs.IOPRIO_CLASS_RT, specs.IOPRIO_CLASS_BE, specs.IOPRIO_CLASS_IDLE:
	case "":
		return errors.New("process.ioPriority.class: missing (want IOPRIO_CLASS_RT, _BE or _IDLE)")
	default:
		return fmt.Errorf("process.ioPriority.class %q: want IOPRIO_CLASS_RT, _BE or _IDLE", p.IOPriority.Class)
	}
	if n := p.IOPriority.Priority; n < 0 || n > 7 {
		return fmt.Errorf("process.ioPriority.priority %d: want 0 to 7", n)
	}
	return nil
}

// checkAffinity checks the lists that `exec` applies.
func checkAffinity(p *specs.Process) error {
	if p.ExecCPUAffinity == nil {
		return nil
	}
	if err := checkCPUList("process.execCPUAffinity.initial", p.ExecCPUAffinity.Initial); err != nil {
		return err
	}
	return checkCPUList("process.execCPUAffinity.final", p.ExecCPUAffinity.Final)
}

// checkCPUList checks the list format of cpuset(7), as in "0-3,8". An empty list is none.
func checkCPUList(member, list string) error {
	if list == "" {
		return nil
	}
	for entry := range strings.SplitSeq(list, ",") {
		first, last, isRange := strings.Cut(entry, "-")
		if !isRange {
			last = first
		}
		low, err1 := strconv.ParseUint(first, 10, 16)
		high, err2 := strconv.ParseUint(last, 10, 16)
		if err1 != nil || err2 != nil || low > high || high > cpuMax {
			return fmt.Errorf("%s %q: want a list of CPUs such as \"0-3,8\"", member, list)
		}
	}
	return nil
}
