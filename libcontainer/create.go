// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/cgroup"
	"github.com/rt-oci/rt/libcontainer/network"
	"github.com/rt-oci/rt/libcontainer/plan"
	"github.com/rt-oci/rt/libcontainer/sys"
)

// Create makes a container and leaves it waiting for Start (runtime.md, "Create"). On error nothing is left of it.
func (r *Runtime) Create(id string, o CreateOptions) (*Container, error) {
	n, err := r.make(id, o, true, true)
	if err != nil {
		return nil, err
	}
	defer n.c.release()
	if err := n.stage.answer(n.home); err != nil {
		return nil, n.fail(err)
	}
	if err := n.stage.awaitExecute(n.planned); err != nil { // its end of the socket closes
		return nil, n.fail(err)
	}
	if n.c.saved.MemoryLimited && isExiting(n.stage.pid) { // it was killed on its way to the wait, which closed the socket, too
		return nil, n.fail(errStageEnded)
	}
	n.stage.close()
	n.leaveNetDevices()
	return n.c, nil
}

// creation is a container that is being made.
type creation struct {
	c          *Container
	options    CreateOptions
	detached   bool
	spec       *specs.Spec
	config     []byte
	layout     cgroup.Layout
	group      *cgroup.Group
	network    *sys.NewNetwork       // that is made meanwhile, if the plan asks for it
	lateLimits *specs.LinuxResources // that would be in the stage's way
	planned    *plan.Plan
	home       string // entry of the environment, if the configuration has none
	stage      *stage
	devices    *network.Moved
	mappings   []int          // user namespaces of Plan.IDMaps that were needed, else -1
	oom        <-chan finding // what watchOOM has seen; nil if nobody watches
	holder     *stage         // holds the place in a new scope of systemd until the stage is there
	console    *os.File       // master of the terminal, until somebody takes it
	clocks     int            // timens_offsets of the stage, once it is open
	mounts     int            // the mount namespace of the program in the foreground; 0 if it is not held
	rollback
}

// rollback has what takes back what was done.
type rollback struct{ undo []func() }

func (r *rollback) onFailure(undo func()) { r.undo = append(r.undo, undo) }

// fail undoes everything, last first, and returns err.
func (r *rollback) fail(err error) error {
	for i := len(r.undo) - 1; i >= 0; i-- {
		r.undo[i]()
	}
	r.undo = nil
	return err
}

// make does all of Create up to the answer to the stage's MESSAGE_READY. With wait the stage then waits for Start,
// otherwise it executes the user's process; detached says that nobody will attend to its terminal.
func (r *Runtime) make(id string, o CreateOptions, wait, detached bool) (*creation, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	if err := sys.CheckKernel(); err != nil {
		return nil, err
	}
	n := &creation{c: &Container{runtime: r, saved: savedState{ID: id, Created: now()}}, options: o, detached: detached}
	for _, step := range []func() error{n.loadConfig, n.findRootfs, n.checkConfig, n.checkRootless, n.makeStateDir, n.offerNotify, n.rememberMounts, n.makeRdt, n.makeCgroup} {
		if err := step(); err != nil {
			return nil, n.fail(err)
		}
	}
	if err := n.execute(wait); err != nil {
		return nil, n.fail(err)
	}
	return n, nil
}

// fail undoes everything and returns err.
func (n *creation) fail(err error) error {
	if errors.Is(err, errStageEnded) {
		err = n.death(n.stage)
	} else if who := n.lostScope(err); who != nil {
		err = n.death(who)
	}
	return n.rollback.fail(n.explainMemory(err))
}

// makeStateDir claims the id. From here on a rt that is killed leaves something that `delete --force` finds.
func (n *creation) makeStateDir() error {
	if err := n.c.runtime.checkRoot(); err != nil {
		return err
	}
	err := unix.Mkdir(n.c.dir(), 0o700)
	if err == unix.ENOENT {
		if err := n.c.runtime.makeRoot(); err != nil {
			return err
		}
		err = unix.Mkdir(n.c.dir(), 0o700)
	}
	if err == unix.EEXIST {
		return fmt.Errorf("%w (delete it first, or choose another id)", ErrExist)
	}
	if err != nil {
		return explainRoot(fmt.Errorf("make state directory %q: %w", n.c.dir(), err))
	}
	if err := n.c.acquire(); err != nil {
		return err
	}
	n.onFailure(n.c.release)
	n.onFailure(n.removeStateDir)
	return nil
}

func (n *creation) removeStateDir() {
	if err := n.c.removeStateDir(); err != nil {
		n.c.runtime.Log.Warnf("%v", err)
	}
}

// execute plans the container, starts the stage and serves it until it is ready.
func (n *creation) execute(wait bool) error {
	tasks, err := n.group.TaskFiles()
	if err != nil {
		return err
	}
	defer closeAll(tasks)
	p, err := n.plan(wait, len(tasks))
	if err != nil {
		return err
	}
	injectFault(p)
	n.planned, n.c.saved.Started, n.c.saved.LateFilter = p, p.Started, p.LateFilter
	for _, w := range p.Warnings {
		n.c.runtime.Log.Warnf("%s", w)
	}
	opened, err := openFiles(p, fileSources{tasks: tasks, dir: n.c.dir(), network: n.network})
	if err != nil {
		return err
	}
	start := stageStart{plan: p, opened: opened, stdio: [3]uintptr{0, 1, 2}, beside: n.besideStage}
	n.stage, err = start.spawn(n.group)
	opened.close() // now, as the stage has work to do: later it waits for us
	if err != nil {
		return err
	}
	n.onFailure(n.stage.kill)
	if signals := n.options.signals; signals != nil {
		n.stage.look = untilInterrupted(signals.Ending)
	}
	n.stage.agent = n.c.seccompAgent(n.spec, specs.StateCreating)
	if p.AtGate {
		n.stage.waiting = n.c
	}
	defer n.closeMappings()
	if err := n.prepareState(); err != nil {
		return err
	}
	return n.stage.serve(p, n.handle)
}

// besideStage does what needs no stage and has time until it is ready or asks for something.
func (n *creation) besideStage() error {
	if err := writeNew(n.c.file(configName), n.config, 0o600); err != nil {
		return err
	}
	if n.group.Version() == cgroup.V2 {
		return n.setDevices()
	}
	return nil
}

// closeAll closes the descriptors that nobody has taken.
func closeAll(fds []int) {
	for _, fd := range fds {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// plan gathers what the planner has to know, and plans.
func (n *creation) plan(wait bool, taskFiles int) (*plan.Plan, error) {
	host := planHost(n.c, n.group, taskFiles)
	group, err := n.visibleGroup()
	if err != nil {
		return nil, err
	}
	host.CgroupV2 = group.Version() == cgroup.V2
	host.CgroupMounts = cgroupMounts(group)
	host.WaitForStart = wait
	host.PreserveFDs, host.NoPivot, host.NoNewKeyring = n.options.PreserveFDs, n.options.NoPivot, n.options.NoNewKeyring
	if host.Filter, err = n.c.compileFilter(n.spec); err != nil {
		return nil, err
	}
	if n.options.NoPivot {
		if host.ProcMounts, err = procMounts(); err != nil {
			return nil, err
		}
	}
	return plan.Create(n.spec, host)
}

// planHost is what every plan for a container has to know.
func planHost(c *Container, group *cgroup.Group, taskFiles int) plan.Host {
	bounding, all := sys.Capabilities()
	return plan.Host{
		ID: c.saved.ID, Bundle: c.saved.Bundle, Rootfs: c.saved.Rootfs,
		TaskFiles: taskFiles, MovedByHost: group.MovedBySystemd(), Capabilities: bounding, AllCapabilities: all,
		Unprivileged: unprivileged(), NodesRefused: limitedRoot(), SetgroupsDenied: c.deniesSetgroups(),
	}
}

// prepareState writes what a container that is ready is known by, while the stage works; finish gives it its name.
func (n *creation) prepareState() error {
	_, start, err := processStat(n.stage.pid)
	if err != nil {
		return fmt.Errorf("read init's start time: %w", err)
	}
	s := &n.c.saved
	s.InitPID, s.InitStart, s.BootID = n.stage.pid, start, bootID()
	s.NamespacePaths = namespacePaths(n.stage.pid)
	return n.c.prepare()
}

// finish saves the state and tells the caller the process.
func (n *creation) finish() error {
	if err := n.c.commit(); err != nil {
		return err
	}
	return n.tell(n.stage, n.options.PidfdSocket, n.options.PidFile)
}

// tell gives the caller the process, in the ways that it has asked for.
func (r *rollback) tell(s *stage, pidfdSocket, pidFile string) error {
	if pidfdSocket != "" {
		if err := sendPidfd(pidfdSocket, s.pidFD); err != nil {
			return err
		}
	}
	if pidFile != "" {
		if err := writeAtomically(pidFile, []byte(strconv.Itoa(s.pid)), 0o644); err != nil {
			return fmt.Errorf("write pid file: %w", err)
		}
		r.onFailure(func() { _ = unix.Unlink(pidFile) })
	}
	return nil
}
