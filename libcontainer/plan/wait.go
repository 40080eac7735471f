// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// waiting is how a process that was created waits for its start.
type waiting int

const (
	waitsUnfiltered waiting = iota // at exec.fifo, and the filter, if there is one, comes after the start
	waitsFiltered                  // at exec.fifo, under the user's filter
	waitsAtGate                    // under the user's filter, and makes no system call
)

// waiting is the way that has the least rights: under the filter, wherever it can be loaded before. An agent gets the
// listener at create, so that one that is not there is an error of create.
func (b *builder) waiting() waiting {
	p, f := b.spec.Process, b.host.Filter
	switch {
	case p == nil || f == nil || !b.host.WaitForStart:
		return waitsUnfiltered
	case f.hasListener():
		return waitsAtGate
	case f.letsWait(b.labels()):
		return waitsFiltered
	case p.NoNewPrivileges:
		return waitsUnfiltered
	}
	return waitsAtGate // it needs CAP_SYS_ADMIN, which nobody shall find in a process that waits
}

// waitForStart leaves a created container waiting. The process has the user's rights by now, and nothing is open but its
// FIFOs: whoever may look into it finds no more than in the user's program.
func waitForStart(b *builder) error {
	if !b.host.WaitForStart {
		return nil
	}
	b.plan.AtGate = b.waiting() == waitsAtGate
	if b.plan.AtGate && b.labels() && !b.host.Filter.allows(&filteredCall{number: unix.SYS_WRITE}) {
		return fmt.Errorf("linux.seccomp: it refuses write(2), by which the label of process is asked for once more at the start " +
			"(allow write; or, without SCMP_ACT_NOTIFY, set process.noNewPrivileges)")
	}
	b.member = ""
	b.add(WaitStart{Fifo: b.file(File{Kind: FileFifo}), Result: b.file(File{Kind: FileResult}), AtGate: b.plan.AtGate})
	return nil
}

// privilegedSeccomp loads a filter while there is CAP_SYS_ADMIN, which it takes without no_new_privs.
func privilegedSeccomp(b *builder) error {
	if p := b.spec.Process; p != nil && !p.NoNewPrivileges && !(b.enters() && b.appearance() == appearsPrivileged) {
		b.addSeccomp()
	}
	return nil
}

// earlySeccomp loads a filter with no_new_privs before the wait for the start.
func earlySeccomp(b *builder) error {
	if p := b.spec.Process; p != nil && p.NoNewPrivileges && b.waiting() != waitsUnfiltered {
		b.addSeccomp()
	}
	return nil
}

// seccomp loads a filter with no_new_privs as late as it can be.
func seccomp(b *builder) error {
	if p := b.spec.Process; p != nil && p.NoNewPrivileges && b.waiting() == waitsUnfiltered {
		b.addSeccomp()
		b.plan.LateFilter = b.host.Filter != nil
	}
	return nil
}

func (b *builder) addSeccomp() {
	if f := b.host.Filter; f != nil {
		b.member = "linux.seccomp"
		b.add(Seccomp{
			Program: f.Program, Flags: f.Flags, Gated: f.hasListener() || b.waiting() == waitsAtGate,
			AppearsLater: f.hasListener() && b.enters() && b.appearance() == appearsLast,
		})
	}
}
