// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"fmt"
	"runtime"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/cgroup"
	"github.com/rt-oci/rt/libcontainer/plan"
	"github.com/rt-oci/rt/libcontainer/sys"
)

// group is the control group of the new process: the container's, or what --cgroup says.
func (e *execution) group() (*cgroup.Group, error) {
	group, err := e.c.groupOrNone()
	if err != nil {
		return nil, err
	}
	if len(group.Paths()) == 0 {
		if len(e.options.Cgroups) > 0 {
			return nil, fmt.Errorf("--cgroup %q: the container has no control group", e.options.Cgroups)
		}
		return group, nil
	}
	if group, err = group.Below(e.options.Cgroups); err != nil {
		return nil, fmt.Errorf("--cgroup %w", err)
	}
	return group, nil
}

// joinError is about a group that can't be joined; the words are those that callers of runc look for.
func (e *execution) joinError(err error) error {
	if ended, waitErr := sys.WaitProcess(e.init, 0); waitErr == nil && ended {
		return errExecStopped // init, and perhaps the group with it
	}
	if len(e.options.Cgroups) == 0 {
		return fmt.Errorf("join control group: %w", err)
	}
	return fmt.Errorf("--cgroup %q: adding pid of the process to cgroups: %w", e.options.Cgroups, err)
}

// spawn starts the stage in the group. If that can't have processes and was not asked for, it is the one that init is
// in: init may have moved, and have given controllers to the groups below.
func (e *execution) spawn(opened openedFiles, group *cgroup.Group) error {
	start := stageStart{plan: e.planned, opened: opened, stdio: [3]uintptr{0, 1, 2}}
	instead := func(err error) int {
		if len(e.options.Cgroups) > 0 || !cgroup.TakesNoProcesses(err) {
			return -1
		}
		directory, _ := cgroup.DirectoryOf(e.c.saved.InitPID)
		return directory
	}
	if err := e.bindInitially(); err != nil {
		return err
	}
	if e.planned.Moved() {
		return e.spawnMoved(&start, group)
	}
	directory, err := group.CloneDirectory()
	if err != nil {
		if directory = instead(err); directory < 0 {
			return e.joinError(err)
		}
	}
	if directory >= 0 {
		defer unix.Close(directory)
		start.enter(directory)
		start.instead = instead
	}
	e.stage, err = start.run()
	if err != nil && cgroup.TakesNoProcesses(err) {
		err = e.joinError(err)
	}
	if err == nil {
		e.stage.agent = e.c.seccompAgent(e.spec, specs.StateRunning)
	}
	return err
}

// spawnMoved is spawn where systemd moves the stage. By itself it would choose the scope, which can't have processes
// where init has given controllers to groups below.
func (e *execution) spawnMoved(start *stageStart, group *cgroup.Group) (err error) {
	if len(e.options.Cgroups) == 0 {
		if group, err = group.At(e.c.saved.InitPID); err != nil {
			return err
		}
	}
	if e.stage, err = start.runIn(group); err != nil {
		return e.joinError(err)
	}
	e.stage.agent = e.c.seccompAgent(e.spec, specs.StateRunning)
	return nil
}

// bindInitially is process.execCPUAffinity.initial: where we, and so the stage, run until it is in the control group.
func (e *execution) bindInitially() error {
	a := e.spec.Process.ExecCPUAffinity
	if a == nil || a.Initial == "" {
		return nil
	}
	mask := plan.CPUMask(a.Initial)
	runtime.LockOSThread() // the one that starts the stage
	if err := sys.SetAffinity(mask); err != nil {
		return fmt.Errorf("process.execCPUAffinity.initial %q: %w (none of these CPUs can be used)", a.Initial, err)
	}
	e.c.runtime.Log.Debugf("start the stage (nsexec): affinity: %s", hexMask(mask))
	return nil
}

// hexMask returns the words of a mask as one number.
func hexMask(mask []uint64) string {
	text := strconv.FormatUint(mask[len(mask)-1], 16)
	for i := len(mask) - 2; i >= 0; i-- {
		text += fmt.Sprintf("%016x", mask[i])
	}
	return "0x" + text
}
