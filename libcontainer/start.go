// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/cgroup"
	"github.com/rt-oci/rt/libcontainer/plan"
	"github.com/rt-oci/rt/libcontainer/sys"
	"github.com/rt-oci/rt/nsenter"
)

// Start lets a created container execute its program (runtime.md, "Start").
func (c *Container) Start() error {
	if err := c.acquireLoaded(); err != nil {
		return err
	}
	defer c.release()
	switch status := c.Status(); {
	case status == specs.StateStopped:
		return c.stoppedError()
	case status == StatusPaused:
		return errors.New("cannot start a container in the paused state (resume it first)")
	case status != specs.StateCreated:
		return fmt.Errorf("cannot start an already running container (it is %s)", status)
	case c.saved.NoProcess:
		return errors.New("process: missing in config.json, so there is nothing to start")
	}
	notify, err := c.notifier()
	if err != nil {
		return err
	}
	defer notify.close()
	if err := c.startProgram(); err != nil {
		return err
	}
	c.release() // the wait may be long, and others may end it
	return notify.await(true)
}

func (c *Container) startProgram() error {
	if !c.saved.Hooks {
		return c.wake()
	}
	s, err := c.loadSpec()
	if err != nil {
		return err
	}
	return c.startWithHooks(s, c.wake)
}

// stoppedError refuses the start of a container whose stage has ended.
func (c *Container) stoppedError() error {
	err := errors.New("cannot start a container that has stopped")
	group, _ := c.cgroup()
	if group == nil || !c.saved.MemoryLimited {
		return err
	}
	verdict := c.oomVerdict(group)
	if verdict == "" && c.saved.Unit != "" && group.Removed() {
		if s, specErr := c.loadSpec(); specErr == nil { // for a remark only
			verdict = goneVerdict(s)
		}
	}
	if verdict != "" {
		return fmt.Errorf("%w (%s)", err, verdict)
	}
	return err
}

// startWithHooks runs the hooks of start around the start itself. A hook that fails ends and removes the container
// (runtime.md, "Lifecycle", steps 7 to 9).
func (c *Container) startWithHooks(s *specs.Spec, start func() error) error {
	hooks := s.Hooks
	if hooks == nil {
		return start()
	}
	group, err := c.groupOrNone()
	if err != nil {
		return err
	}
	r := &hookRunner{c: c, spec: s, group: group, pid: c.saved.InitPID}
	if err := r.inContainer("startContainer", hooks.StartContainer, plan.HookInContainer); err != nil {
		return c.destroyAfter(err, s)
	}
	if err := start(); err != nil {
		return err
	}
	if err := r.onHost("poststart", hooks.Poststart, specs.StateRunning); err != nil {
		return c.destroyAfter(err, s)
	}
	return nil
}

// destroyAfter removes the container whose start failed with err.
func (c *Container) destroyAfter(err error, s *specs.Spec) error {
	if removeErr := c.destroy(); removeErr != nil {
		return fmt.Errorf("%w; then %w", err, removeErr)
	}
	c.runPoststop(s)
	return err
}

// wake lets the stage go on and waits for what comes of its execve: the end of exec.result, which the stage holds
// open until then, or a message.
func (c *Container) wake() error {
	result, err := sys.Open(c.file(resultName), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW)
	if err != nil {
		return err
	}
	defer unix.Close(result)
	fifo, err := sys.Open(c.file(fifoName), unix.O_WRONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW)
	if err != nil {
		return fmt.Errorf("wake the container's init: %w", err)
	}
	defer unix.Close(fifo)
	oom := c.watchScope()
	if c.saved.FilterGate != 0 {
		err = c.openFilterGate()
	} else {
		_, err = unix.Write(fifo, []byte{1})
	}
	if err != nil {
		return fmt.Errorf("wake the container's init: %w", err)
	}
	if err := unix.Unlink(c.file(fifoName)); err != nil {
		return fmt.Errorf("remove exec.fifo: %w", err)
	}
	err = c.awaitResult(result)
	if err == nil {
		err = c.checkStarted(oom)
	} else {
		_, _ = unix.Write(fifo, []byte{1}) // the stage waits for it, but not for long
		c.awaitEnd()
	}
	_ = unix.Unlink(c.file(resultName))
	return err
}

// stageEndMilliseconds is more than the stage waits after an error.
const stageEndMilliseconds = 2000

// awaitEnd waits for the end of a stage that could not start the program, so that the container reads as stopped.
func (c *Container) awaitEnd() {
	init, err := c.openInit()
	if err != nil {
		return
	}
	defer unix.Close(init)
	_, _ = sys.WaitProcess(init, stageEndMilliseconds)
}

// openRoot opens the root of a process, to look there at what could not be executed. -1 if it has gone.
func openRoot(pid int) int {
	fd, err := unix.Open("/proc/"+strconv.Itoa(pid)+"/root", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1
	}
	return fd
}

// awaitResult reads exec.result to its end.
func (c *Container) awaitResult(result int) error {
	var m nsenter.Message
	fds := []unix.PollFd{{Fd: int32(result), Events: unix.POLLIN}}
	for {
		if _, err := unix.Poll(fds, -1); err != nil && err != unix.EINTR {
			return fmt.Errorf("poll exec.result: %w", err)
		}
		n, err := unix.Read(result, sys.Bytes(&m))
		switch {
		case err == unix.EAGAIN || err == unix.EINTR:
			continue
		case err != nil:
			return fmt.Errorf("read exec.result: %w", err)
		case n == 0:
			return nil
		case n != len(sys.Bytes(&m)):
			return fmt.Errorf("read exec.result: %d bytes: %w", n, unix.EBADMSG)
		}
		err = c.startError(&m)
		group, _ := c.cgroup() // for a remark only
		return explainMemory(err, group)
	}
}

// startError gives the words to an error of the stage after the start.
func (c *Container) startError(m *nsenter.Message) error {
	s, err := c.loadSpec()
	if err != nil {
		return err
	}
	host := planHost(c, &cgroup.Group{}, 0)
	host.WaitForStart = true
	if err := checkLabels(s); err != nil {
		return err
	}
	if c.saved.LateFilter {
		host.Filter = &plan.Filter{} // under which one can't wait
	}
	p, err := plan.Started(s, host)
	if err != nil {
		return err
	}
	m.Step -= uint32(c.saved.Started)
	root := openRoot(c.saved.InitPID)
	defer unix.Close(root)
	return startedError(s, p, m, root)
}

// startedError gives the words to an error of a step that p has.
func startedError(s *specs.Spec, p *plan.Plan, m *nsenter.Message, root int) error {
	if int(m.Step) < len(p.Steps) {
		if _, ok := p.Steps[m.Step].Step.(plan.Execute); ok {
			return executeError(s.Process, unix.Errno(m.Error), root)
		}
	}
	return stepError(p, m)
}
