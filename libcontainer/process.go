// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/spec"
	"github.com/rt-oci/rt/libcontainer/sys"
	"github.com/rt-oci/rt/libcontainer/terminal"
	"github.com/rt-oci/rt/nsenter"
)

// applyProcess sets from outside what the container's process need not do itself. The stage waits meanwhile, so that
// even limits that would hinder it are in force before the user's program.
func applyProcess(pid int, p *specs.Process) error {
	if p == nil {
		return nil
	}
	if err := applyLimits(pid, p); err != nil {
		return err
	}
	return applyScheduling(pid, p)
}

// applyLimits sets process.rlimits.
func applyLimits(pid int, p *specs.Process) error {
	for i, l := range p.Rlimits {
		resource, ok := spec.RlimitResource(l.Type)
		if !ok {
			return fmt.Errorf("process.rlimits[%d].type: unknown resource %q", i, l.Type)
		}
		if err := sys.SetLimit(pid, resource, l.Soft, l.Hard); err != nil {
			return fmt.Errorf("process.rlimits[%d] %s: %w%s", i, l.Type, err, explainLimit(err))
		}
	}
	return nil
}

// applyScheduling sets what decides over the process when resources are scarce. It is about the process itself, not its
// children: one that is scheduled by deadlines can't even fork (sched(7)).
func applyScheduling(pid int, p *specs.Process) error {
	if !unprivileged() { // otherwise it is set already
		if err := applyOOMScore(pid, p); err != nil {
			return err
		}
	}
	if err := setScheduler(pid, p.Scheduler); err != nil {
		return fmt.Errorf("process.scheduler: %w", err)
	}
	if err := setIOPriority(pid, p.IOPriority); err != nil {
		return fmt.Errorf("process.ioPriority: %w", err)
	}
	return nil
}

func applyOOMScore(pid int, p *specs.Process) error {
	if p == nil || p.OOMScoreAdj == nil {
		return nil
	}
	err := sys.WriteFile("/proc/"+strconv.Itoa(pid)+"/oom_score_adj", strconv.Itoa(*p.OOMScoreAdj))
	if errors.Is(err, unix.EACCES) {
		err = fmt.Errorf("%w (only root can protect a process more than it is: raise it, or leave it out)", err)
	}
	if err != nil {
		return fmt.Errorf("process.oomScoreAdj %d: %w", *p.OOMScoreAdj, err)
	}
	return nil
}

// passwdBytesMax bounds what is read of a container's /etc/passwd: it is not ours, and may be anything.
const passwdBytesMax = 1 << 20

// homeBytesMax is what an answer to the stage has room for, less "HOME=" and a NUL.
const homeBytesMax = nsenter.MessageDetail - len("HOME=") - 1

// homeDirectory looks the home of a user up in the container's /etc/passwd (passwd(5)); "/" without an entry.
// Only the numeric id counts: a line whose name is a number says nothing about that number.
func homeDirectory(passwd int, uid uint32) string {
	if passwd < 0 {
		return "/"
	}
	data, err := sys.ReadBounded(passwd, passwdBytesMax)
	if err != nil {
		return "/"
	}
	want := strconv.FormatUint(uint64(uid), 10)
	for line := range bytes.Lines(data) {
		fields := bytes.Split(bytes.TrimSuffix(line, []byte("\n")), []byte(":"))
		const uidField, homeField = 2, 5
		if len(fields) <= homeField || string(fields[uidField]) != want {
			continue
		}
		if home := fields[homeField]; len(home) > 0 && home[0] == '/' && len(home) < homeBytesMax && bytes.IndexByte(home, 0) < 0 {
			return string(home)
		}
		return "/"
	}
	return "/"
}

// sendConsole sends the master of the terminal to the receiver at --console-socket.
func sendConsole(path string, master *os.File) error {
	if err := terminal.SendFD(path, "/dev/ptmx", master); err != nil {
		return fmt.Errorf("--console-socket: %w", err)
	}
	return nil
}

// sendPidfd sends a pidfd of the container's process to the receiver at --pidfd-socket.
func sendPidfd(path string, pidFD int) error {
	fd, err := unix.FcntlInt(uintptr(pidFD), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return fmt.Errorf("--pidfd-socket: dup: %w", err)
	}
	file := os.NewFile(uintptr(fd), "pidfd")
	defer file.Close()
	if err := terminal.SendFD(path, "pidfd", file); err != nil {
		return fmt.Errorf("--pidfd-socket: %w", err)
	}
	return nil
}
