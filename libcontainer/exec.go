// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/plan"
	"github.com/rt-oci/rt/libcontainer/spec"
	"github.com/rt-oci/rt/libcontainer/sys"
	"github.com/rt-oci/rt/libcontainer/terminal"
	"github.com/rt-oci/rt/nsenter"
)

// ExecOptions are the options of exec besides the container.
type ExecOptions struct {
	Process       ProcessOptions
	PidFile       string
	ConsoleSocket string
	PidfdSocket   string
	PreserveFDs   int
	Cgroups       []string // --cgroup
	IgnorePaused  bool
	Detach        bool
}

// Refusals whose texts callers look for.
var (
	errExecStopped = errors.New("cannot exec in a stopped container")
	errExecPaused  = errors.New("cannot exec in a paused container (resume it first, or give --ignore-paused)")
)

// Exec starts a further process in a container. In the foreground it waits for the end of the process and returns its
// exit status, 128 plus the number of the signal that ended it; Detach returns 0 as soon as the program is executed.
// On error nothing of the process is left.
func (c *Container) Exec(o ExecOptions) (int, error) {
	if err := o.Process.check(); err != nil {
		return 0, err
	}
	given, err := o.Process.readFile()
	if err != nil {
		return 0, err
	}
	e := &execution{c: c, options: o, init: -1}
	defer func() { unix.Close(e.init) }()
	for _, step := range []func() error{e.enter, func() error { return e.configure(given) }, e.checkTerminal, e.start} {
		if err := step(); err != nil {
			return 0, e.fail(err)
		}
	}
	return e.finish()
}

// execution is a process that is being started in a container.
type execution struct {
	c       *Container
	options ExecOptions
	init    int         // pidfd of the container's first process
	spec    *specs.Spec // what the container was made with, but for its process, which is the new one
	planned *plan.Plan
	stage   *stage
	first   int  // the stage's first process, as long as it must be reaped
	limited bool // the resource limits are set
	attach  *terminal.Attach
	signals *terminal.Signals
	rollback
}

// fail undoes everything and returns err, or what is behind it.
func (e *execution) fail(err error) error {
	if errors.Is(err, errStageEnded) {
		err = e.stage.death()
	}
	return e.rollback.fail(err)
}

// enter makes sure that there is a container to enter. The pidfd can't come to mean another process; it is verified to
// be that of init by its start time.
func (e *execution) enter() (err error) {
	e.init, err = e.c.openInit()
	if err == unix.ESRCH {
		return errExecStopped
	}
	if err != nil {
		return fmt.Errorf("open init: %w", err)
	}
	frozen, err := e.c.frozen()
	if err != nil {
		return err
	}
	if frozen && !e.options.IgnorePaused {
		return errExecPaused
	}
	return nil
}

// catchSignals makes signals wait for the process. Before there is a stage they end rt: who starts a process in a frozen
// group waits in clone3 until it is thawed.
func (e *execution) catchSignals() {
	if !e.options.Detach {
		e.signals = terminal.CatchSignals()
		e.stage.look = untilInterrupted(e.signals.Ending)
	}
}

// configure reads the two configurations: that of the container, as it was made, and that of the new process.
func (e *execution) configure(given *specs.Process) error {
	saved, err := sys.ReadFile(e.c.file(configName))
	if err != nil {
		return fmt.Errorf("read saved config: %w", err)
	}
	if e.spec, err = spec.LoadEntered(saved); err != nil {
		return fmt.Errorf("load saved config: %w", err)
	}
	if given != nil {
		inherit(given, e.spec.Process)
		e.spec.Process = given
	} else if err := e.currentProcess(saved); err != nil {
		return err
	}
	e.options.Process.apply(e.spec.Process)
	if err := spec.ValidateProcess(e.spec.Process); err != nil {
		return err
	}
	if err := checkProcessLabels(e.spec.Process); err != nil {
		return err
	}
	e.spec.Process.Env = environmentIn(e.c.saved.InitPID, e.spec.Process)
	return nil
}

// currentProcess takes the process section of the bundle's config.json as it is now. Mostly the file is still what it
// was.
func (e *execution) currentProcess(saved []byte) error {
	path := filepath.Join(e.c.saved.Bundle, configName)
	current, err := sys.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the bundle: %w (give --process, which does not need it)", err)
	}
	if !bytes.Equal(current, saved) {
		s, err := spec.LoadEntered(current)
		if err != nil {
			return fmt.Errorf("load %q: %w", path, err)
		}
		e.spec.Process = s.Process
	}
	if e.spec.Process == nil {
		return fmt.Errorf("load %q: process: missing (give --process)", path)
	}
	return nil
}

func (e *execution) checkTerminal() error {
	has, socket := e.spec.Process.Terminal, e.options.ConsoleSocket != ""
	switch {
	case socket && (!has || !e.options.Detach):
		return errNoConsoleSocket
	case has && e.options.Detach && !socket:
		return errNeedsConsoleSocket
	}
	return nil
}

// start plans the process and starts the stage, which then waits for leave to become it.
func (e *execution) start() error {
	group, err := e.group()
	if err != nil {
		return err
	}
	tasks, err := group.TaskFiles()
	if err != nil {
		return e.joinError(err)
	}
	defer closeAll(tasks)
	join, err := foreignNamespaces(e.c.saved.InitPID)
	if err != nil {
		return err
	}
	host := planHost(e.c, group, len(tasks))
	host.PreserveFDs, host.NoNewKeyring = e.options.PreserveFDs, e.c.saved.NoNewKeyring
	if host.Filter, err = e.c.compileFilter(e.spec); err != nil {
		return err
	}
	p, err := plan.Exec(e.spec, host, plan.Entered{Init: e.c.saved.InitPID, Join: join})
	if err != nil {
		return err
	}
	injectFault(p)
	e.planned = p
	for _, w := range p.Warnings {
		e.c.runtime.Log.Warnf("%s", w)
	}
	opened, err := openFiles(p, fileSources{tasks: tasks, init: e.init})
	if err != nil {
		return err
	}
	defer opened.close()
	if ended, err := sys.WaitProcess(e.init, 0); ended || err != nil { // no signal: a security module may forbid those
		return errExecStopped // what was opened by its number may be of another process
	}
	if err := e.spawn(opened, group); err != nil {
		return err
	}
	e.onFailure(e.kill)
	e.catchSignals()
	return e.stage.serve(p, e.handle)
}

// handle does what one message asks for. The last one waits for its answer: finish gives it.
func (e *execution) handle(m *nsenter.Message, fd int) error {
	switch m.Type {
	case nsenter.MessageDescriptor: // a terminal: HOME is looked up before there is a stage
		return e.takeConsole(fd)
	case nsenter.MessageGate:
		return e.stage.serveEarlyGate(m)
	case nsenter.MessageLimits:
		if err := e.limit(); err != nil {
			return err
		}
		return e.stage.answer("")
	case nsenter.MessageOomScore:
		if err := applyOOMScore(e.stage.pid, e.spec.Process); err != nil {
			return err
		}
		return e.stage.answer("")
	case nsenter.MessageForked:
		first, err := e.stage.take(int(m.Value))
		if err != nil {
			return err
		}
		e.first = first
	}
	return e.ready() // that, or MessageReady
}

// takeConsole passes the terminal's master on, or connects it with ours.
func (e *execution) takeConsole(fd int) error {
	console, err := e.passConsole(fd, e.options.ConsoleSocket)
	if err != nil {
		return err
	}
	e.attach, err = attachConsole(console)
	if e.attach != nil {
		e.onFailure(e.attach.Close)
	}
	return err
}

// limit sets the resource limits, once.
func (e *execution) limit() error {
	if e.limited {
		return nil
	}
	e.limited = true
	return applyLimits(e.stage.pid, e.spec.Process)
}

// ready prepares the process that waits for leave to execute the program, and tells the caller about it.
func (e *execution) ready() error {
	if a := e.stage.agent; a != nil && a.listener >= 0 {
		if err := a.connect(); err != nil {
			return err
		}
		if err := a.tell(e.stage.pid); err != nil {
			return err
		}
	}
	if err := e.limit(); err != nil {
		return err
	}
	if err := e.c.joinRdt(e.stage.pid); err != nil {
		return err
	}
	if err := applyScheduling(e.stage.pid, e.spec.Process); err != nil {
		return err
	}
	return e.tell(e.stage, e.options.PidfdSocket, e.options.PidFile)
}

// kill ends the stage, and waits for both its processes.
func (e *execution) kill() {
	e.stage.kill()
	e.reapFirst()
}

func (e *execution) reapFirst() {
	if e.first != 0 {
		_, _ = sys.Reap(e.first)
		e.first = 0
	}
}

// finish lets the stage execute the program and, in the foreground, waits for its end.
func (e *execution) finish() (int, error) {
	if err := e.release(); err != nil {
		return 0, e.fail(err)
	}
	defer e.stage.close()
	if e.options.Detach {
		return 0, nil
	}
	if e.attach != nil {
		defer e.attach.Close()
	}
	e.stage.program = e.spec.Process.Args[0]
	status, err := e.stage.attend(e.signals, terminal.Job{Attach: e.attach}, e.c.runtime.Log)
	if err != nil {
		return 0, err
	}
	return exitStatus(status), nil
}

// release answers the stage's last message and waits for its execve.
func (e *execution) release() error {
	if err := e.stage.answer(""); err != nil {
		return err
	}
	e.reapFirst()
	m, err := e.stage.awaitProgram()
	if err != nil || m == nil {
		return err
	}
	root := openRoot(e.c.saved.InitPID)
	defer unix.Close(root)
	return startedError(e.spec, e.planned, m, root)
}
