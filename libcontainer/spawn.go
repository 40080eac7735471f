// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"syscall"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/cgroup"
	"github.com/rt-oci/rt/libcontainer/plan"
	"github.com/rt-oci/rt/libcontainer/sys"
	"github.com/rt-oci/rt/nsenter"
)

// stage is the running stage, as the host side sees it: our child, and one socket to it.
type stage struct {
	pid     int
	pidFD   int
	socket  int
	agent   *seccompAgent  // of the filter that it will load; nil without SCMP_ACT_NOTIFY
	waiting *Container     // that is to wait for its start at the gate, else nil
	process *specs.Process // that a hook has the limits of, else nil
	program string         // that it is to execute
	killed  bool           // that is how it ended, as death has found
	look    func() error   // is called while the stage is waited for; its error ends that; may be nil
}

// stageStart is how a stage is started.
type stageStart struct {
	plan   *plan.Plan
	opened openedFiles
	stdio  [3]uintptr
	sys    syscall.SysProcAttr

	beside func() error // is called while the stage starts; its error ends that; may be nil

	shortLived bool // nothing is executed after it: it may have what our caller left open, which stays as it is for the next

	instead func(error) int // another control group for one that the kernel refuses, or -1; may be nil
}

// spawn starts the stage, directly in its pid namespace and, in a unified hierarchy, directly in its
// control group (clone3 with CLONE_INTO_CGROUP: moving a process there later waits for a global lock).
func (s *stageStart) spawn(group *cgroup.Group) (*stage, error) {
	s.sys.Cloneflags = s.plan.CloneFlags
	if s.plan.CloneFlags&unix.CLONE_NEWUSER != 0 {
		s.sys.AmbientCaps = allCapabilities() // its id is not mapped yet, so that execve would take them away
	}
	if s.plan.Moved() {
		return s.runIn(group)
	}
	directory, err := group.CloneDirectory()
	if err != nil {
		return nil, err
	}
	if directory >= 0 {
		defer unix.Close(directory)
		s.enter(directory)
	}
	return s.run()
}

// runIn starts the stage and has systemd move it into the group, for which it waits first of all.
func (s *stageStart) runIn(group *cgroup.Group) (*stage, error) {
	beside := s.beside
	s.beside = nil // it needs the group's directory, which may come with the move
	started, err := s.run()
	if err != nil {
		return nil, err
	}
	m, _, err := started.receive(s.plan)
	switch {
	case errors.Is(err, errStageEnded):
		err = started.death()
	case err == nil && m.Type != nsenter.MessageGroup:
		err = fmt.Errorf("hear from the stage: message %d where %d was due: %w", m.Type, nsenter.MessageGroup, unix.EPROTO)
	case err == nil:
		err = group.Attach(started.pid)
	}
	if err == nil {
		err = started.answer("")
	}
	if err == nil && beside != nil {
		err = beside()
	}
	if err != nil {
		started.kill()
		return nil, err
	}
	return started, nil
}

// run starts the stage, and does then what is to be done beside. Its descriptors are 0 to 2, those that the user's
// process keeps, the socket, the plan, the plan's files; all others of ours are close-on-exec.
func (s *stageStart) run() (*stage, error) {
	ours, theirs, err := sys.SocketPair()
	if err != nil {
		return nil, err
	}
	pid, pidFD, err := s.fork(theirs)
	unix.Close(theirs)
	if err != nil {
		unix.Close(ours)
		return nil, err
	}
	started := &stage{pid: pid, pidFD: pidFD, socket: ours}
	if s.beside == nil {
		return started, nil
	}
	if err := s.beside(); err != nil {
		started.kill()
		return nil, err
	}
	return started, nil
}

func (s *stageStart) fork(socket int) (pid, pidFD int, err error) {
	stdio, null, err := usableNull(s.stdio)
	if err != nil {
		return 0, -1, err
	}
	if null >= 0 {
		defer unix.Close(null)
	}
	files := stdio[:]
	for fd := 3; fd < 3+s.plan.PreserveFDs; fd++ {
		if !sys.Inherited(fd) {
			return 0, -1, fmt.Errorf("--preserve-fds, LISTEN_FDS: descriptor %d of the %d from 3 on is not open", fd, s.plan.PreserveFDs)
		}
		files = append(files, uintptr(fd))
	}
	if !s.shortLived {
		if err := sys.CloseOnExecFrom(3); err != nil {
			return 0, -1, err
		}
	}
	socketFD := len(files)
	planFD, firstFile := socketFD+1, socketFD+2
	encoded, err := s.plan.Encode(firstFile, socketFD)
	if err != nil {
		return 0, -1, err
	}
	planFile, err := sys.SealedMemfd("rt-plan", encoded, false)
	if err != nil {
		return 0, -1, err
	}
	defer unix.Close(planFile)
	files = append(files, uintptr(socket), uintptr(planFile))
	for _, fd := range s.opened {
		files = append(files, uintptr(fd))
	}
	program, err := stageProgram(files)
	if err != nil {
		return 0, -1, err
	}
	defer unix.Close(program)
	// PR_SET_PDEATHSIG, which the stage uses, fires when the thread that forked ends (prctl(2)). The first thread lives as
	// long as the process; of others the Go runtime may rid itself, but not of a locked one as long as its goroutine lives.
	// Locking takes the runtime a thread more.
	if unix.Gettid() != unix.Getpid() {
		runtime.LockOSThread()
	}
	s.sys.PidFD = &pidFD
	pid, err = s.forkExec(program, planFD, files)
	switch {
	case err == nil:
		return pid, pidFD, nil
	case s.sys.Cloneflags&unix.CLONE_NEWUSER != 0 && (err == unix.EPERM || err == unix.ENOSPC):
		return 0, -1, fmt.Errorf("linux.namespaces: make a user namespace: %w (%s)", err, rootlessHint(err))
	case s.sys.Cloneflags != 0 && (err == unix.EPERM || err == unix.ENOSPC):
		return 0, -1, fmt.Errorf("linux.namespaces: start the stage: %w (%s)", err, namespaceHint)
	}
	return 0, -1, fmt.Errorf("start the stage: %w", err)
}

func (s *stageStart) forkExec(program, planFD int, files []uintptr) (int, error) {
	path, attributes := "/proc/self/fd/"+strconv.Itoa(program), &syscall.ProcAttr{Env: []string{}, Files: files, Sys: &s.sys}
	arguments := []string{nsenter.StageName, strconv.Itoa(planFD)}
	pid, err := syscall.ForkExec(path, arguments, attributes)
	if err == nil || s.instead == nil {
		return pid, err
	}
	group := s.instead(err)
	if group < 0 {
		return 0, err
	}
	defer unix.Close(group)
	s.enter(group)
	return syscall.ForkExec(path, arguments, attributes)
}

// enter starts the stage in a control group of the unified hierarchy.
func (s *stageStart) enter(group int) {
	s.sys.UseCgroupFD, s.sys.CgroupFD = true, group
}

// stageProgram opens the stage's program at a number that the descriptors of the child don't take: to bring them into
// their order, syscall.ForkExec uses the numbers from 0 on, and some above the highest of them.
func stageProgram(files []uintptr) (int, error) {
	fd, err := sys.SealedMemfd(nsenter.StageName, nsenter.Binary, true)
	if err != nil {
		return -1, err
	}
	defer unix.Close(fd)
	free := int(slices.Max(files)) + len(files) + 2
	program, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, free)
	if err != nil {
		return -1, fmt.Errorf("fcntl F_DUPFD_CLOEXEC from %d: %w (raise the limit of open files)", free, err)
	}
	return program, nil
}

// kill ends the stage, whatever it does, and waits for it. One that a v1 freezer holds ends when it is thawed.
func (s *stage) kill() {
	const patience = 2000 // milliseconds

	_ = unix.PidfdSendSignal(s.pidFD, unix.SIGKILL, nil, 0) // it may have ended
	if ended, err := sys.WaitProcess(s.pidFD, patience); ended || err != nil {
		_, _ = sys.Reap(s.pid)
	}
	s.close()
}

func (s *stage) close() {
	s.closeSocket()
	if s.agent != nil {
		s.agent.hangUp()
	}
	if s.pidFD >= 0 {
		unix.Close(s.pidFD)
		s.pidFD = -1
	}
}

func (s *stage) closeSocket() {
	if s.socket >= 0 {
		unix.Close(s.socket)
		s.socket = -1
	}
}

// follow makes a child that the stage forked our stage: the first one has done its part and ends.
func (s *stage) follow(pid int) error {
	first, err := s.take(pid)
	if err != nil {
		return err
	}
	_, err = sys.Reap(first)
	return err
}

// take is follow without waiting for the end of the first one, whose number it returns. Who can trace the child may be
// faster with a message than its parent: no process but a child of ours is ever limited, or killed.
func (s *stage) take(pid int) (first int, err error) {
	pidFD, err := sys.OpenProcess(pid)
	if err != nil {
		return 0, err
	}
	if err := sys.CheckChild(pidFD); err != nil {
		unix.Close(pidFD)
		return 0, fmt.Errorf("hear from the stage: process %d: %w", pid, err)
	}
	first = s.pid
	unix.Close(s.pidFD)
	s.pid, s.pidFD = pid, pidFD
	return first, nil
}
