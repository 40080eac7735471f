// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/cgroup"
	"github.com/rt-oci/rt/libcontainer/plan"
	"github.com/rt-oci/rt/libcontainer/seccomp"
	"github.com/rt-oci/rt/libcontainer/spec"
	"github.com/rt-oci/rt/libcontainer/sys"
)

// Create makes a container and leaves it waiting for Start (runtime.md, "Create"). On error nothing is left of it.
func (r *Runtime) Create(id string, o CreateOptions) (*Container, error) {
	n, err := r.make(id, o, true, true)
	if err != nil {
		return nil, err
	}
	defer n.c.release()
	if err := n.stage.answer(""); err != nil {
		return nil, n.fail(err)
	}
	if err := n.stage.awaitExecute(n.planned); err != nil { // its end of the socket closes
		return nil, n.fail(err)
	}
	n.stage.close()
	return n.c, nil
}

// creation is a container that is being made. undo has what takes back what was done, last first.
type creation struct {
	c        *Container
	options  CreateOptions
	detached bool
	spec     *specs.Spec
	config   []byte
	group    *cgroup.Group
	planned  *plan.Plan
	stage    *stage
	console  *os.File // master of the terminal, until somebody takes it
	undo     []func()
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
	if os.Geteuid() != 0 {
		return nil, errors.New("containers of an ordinary user are not supported yet: run rt as root")
	}
	n := &creation{c: &Container{runtime: r, saved: savedState{ID: id, Created: now()}}, options: o, detached: detached}
	for _, step := range []func() error{n.loadConfig, n.findRootfs, n.checkConfig, n.makeStateDir, n.rememberMounts, n.makeCgroup} {
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
	for i := len(n.undo) - 1; i >= 0; i-- {
		n.undo[i]()
	}
	n.undo = nil
	return err
}

func (n *creation) onFailure(undo func()) { n.undo = append(n.undo, undo) }

// loadConfig reads and checks the bundle's config.json.
func (n *creation) loadConfig() error {
	bundle, err := filepath.Abs(n.options.Bundle)
	if err != nil {
		return fmt.Errorf("find bundle: %w", err)
	}
	path := filepath.Join(bundle, configName)
	if n.config, err = os.ReadFile(path); err != nil {
		return fmt.Errorf("load bundle: %w (a bundle is a directory with a config.json; `rt spec` writes one)", err)
	}
	if n.spec, err = spec.Load(n.config); err != nil {
		return fmt.Errorf("load %q: %w", path, err)
	}
	s := &n.c.saved
	s.Bundle, s.OCIVersion, s.Annotations, s.Owner = bundle, specs.Version, n.spec.Annotations, os.Getuid()
	s.NoProcess = n.spec.Process == nil
	s.SharedPIDs = !hasPrivate(n.spec, specs.PIDNamespace)
	if h := n.spec.Hooks; h != nil {
		s.Hooks = len(h.StartContainer)+len(h.Poststart)+len(h.Poststop) > 0
	}
	return nil
}

// checkConfig refuses what can't be done as it is asked for, before anything is made.
func (n *creation) checkConfig() error {
	warnings, err := spec.Validate(n.spec, n.c.saved.Bundle)
	if err != nil {
		return fmt.Errorf("check %q: %w", filepath.Join(n.c.saved.Bundle, configName), err)
	}
	for _, w := range warnings {
		n.c.runtime.Log.Warnf("%s", w)
	}
	if n.spec.Linux.Resources != nil {
		if err := cgroup.CheckDeviceRules(n.spec.Linux.Resources.Devices); err != nil {
			return err
		}
	}
	if err := checkJoined(n.spec); err != nil {
		return err
	}
	if err := n.passSockets(); err != nil {
		return err
	}
	return n.checkTerminal()
}

// hasPrivate says that the container gets a new namespace of a type.
func hasPrivate(s *specs.Spec, t specs.LinuxNamespaceType) bool {
	for _, n := range s.Linux.Namespaces {
		if n.Type == t {
			return n.Path == ""
		}
	}
	return false
}

// checkTerminal refuses what can't work, in the words that callers of runc know.
func (n *creation) checkTerminal() error {
	terminal := n.spec.Process != nil && n.spec.Process.Terminal
	switch {
	case n.options.ConsoleSocket != "" && !terminal:
		return fmt.Errorf("%w (process.terminal is false)", errNoConsoleSocket)
	case n.options.ConsoleSocket == "" && terminal && n.detached:
		return errNeedsConsoleSocket
	case n.options.ConsoleSocket != "" && !n.detached:
		return errNoConsoleSocket
	}
	return nil
}

// findRootfs looks the root file system up; a link to it is followed once, here: what is checked afterwards is
// checked against the place that is used.
func (n *creation) findRootfs() error {
	if n.spec.Root == nil || n.spec.Root.Path == "" {
		return nil // checkConfig says so, after what is more basic
	}
	path := n.spec.Root.Path
	if !filepath.IsAbs(path) {
		path = filepath.Join(n.c.saved.Bundle, path)
	}
	resolved, err := filepath.EvalSymlinks(path)
	if err != nil {
		return fmt.Errorf("root.path %q: %w", n.spec.Root.Path, err)
	}
	info, err := os.Stat(resolved)
	if err != nil {
		return fmt.Errorf("root.path %q: %w", n.spec.Root.Path, err)
	}
	if !info.IsDir() {
		return fmt.Errorf("root.path %q: not a directory", n.spec.Root.Path)
	}
	n.c.saved.Rootfs, n.spec.Root.Path = resolved, resolved
	n.resolveSources(info)
	return nil
}

// resolveSources gives mount sources that lie in the root file system, however they are spelled, the root's own path.
// Behind it the image decides where a path leads, so that these sources are looked up in the container's root.
func (n *creation) resolveSources(root os.FileInfo) {
	for i := range n.spec.Mounts {
		m := &n.spec.Mounts[i]
		if m.Source == "" || m.Type != "bind" && m.Type != "none" && m.Type != "" && !hasBindOption(m.Options) {
			continue
		}
		source := m.Source
		if !filepath.IsAbs(source) {
			source = n.c.saved.Bundle + "/" + source
		}
		for at := 1; at < len(source); at++ {
			if source[at] != '/' || source[at-1] == '/' {
				continue
			}
			if info, err := os.Stat(source[:at]); err == nil && os.SameFile(info, root) {
				m.Source = n.c.saved.Rootfs + source[at:]
				break
			}
		}
	}
}

func hasBindOption(options []string) bool {
	return slices.Contains(options, "bind") || slices.Contains(options, "rbind")
}

// makeStateDir claims the id. From here on a rt that is killed leaves something that `delete --force` finds.
func (n *creation) makeStateDir() error {
	if err := os.MkdirAll(n.c.runtime.Root, 0o700); err != nil {
		return fmt.Errorf("make state root: %w", err)
	}
	if err := unix.Mkdir(n.c.dir(), 0o700); err != nil {
		if err == unix.EEXIST {
			return fmt.Errorf("%w (delete it first, or choose another id)", ErrExist)
		}
		return fmt.Errorf("make state directory %q: %w", n.c.dir(), err)
	}
	if err := n.c.acquire(); err != nil {
		return err
	}
	n.onFailure(n.c.release)
	n.onFailure(n.removeStateDir)
	return writeNew(n.c.file(configName), n.config, 0o600)
}

func (n *creation) removeStateDir() {
	if err := n.c.removeStateDir(); err != nil {
		n.c.runtime.Log.Warnf("%v", err)
	}
}

// makeCgroup makes the control group. Its paths are saved before it exists, for delete after a rt that was killed; that
// it is ours, and what may be killed in it, only afterwards: it may turn out to be another container's.
func (n *creation) makeCgroup() error {
	layout, err := cgroup.Detect()
	if err != nil {
		return err
	}
	if n.group, err = layout.Place(n.spec.Linux.CgroupsPath, n.c.saved.ID); err != nil {
		return err
	}
	n.c.saved.CgroupPaths = n.group.Paths()
	if err := n.c.save(); err != nil {
		return err
	}
	if err := n.group.Create(); err != nil {
		return fmt.Errorf("make control group: %w", err)
	}
	n.onFailure(n.removeCgroup)
	n.c.saved.CgroupKept, n.c.saved.CgroupOurs = n.group.Kept(), true
	if len(n.c.saved.CgroupKept) > 0 {
		err = n.c.save()
	} else {
		err = writeNew(n.c.file(claimName), nil, 0o600) // says no more, and costs less
	}
	if err != nil {
		return err
	}
	return n.setDevices()
}

// removeCgroup also ends what hooks may have left running in the group.
func (n *creation) removeCgroup() {
	err := n.group.Kill(unix.SIGKILL)
	if err == nil {
		err = n.group.Rollback(removeDeadline)
	}
	if err != nil {
		n.c.runtime.Log.Warnf("remove control group: %v", err)
	}
}

// setDevices limits the group to its devices. On v1 everything is denied before one device after the other is allowed:
// the stage, which makes device nodes, must not be in the group yet.
func (n *creation) setDevices() error {
	var rules []specs.LinuxDeviceCgroup
	if n.spec.Linux.Resources != nil {
		rules = n.spec.Linux.Resources.Devices
	}
	return n.group.SetDevices(rules)
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
	n.planned, n.c.saved.Started = p, p.Started
	for _, w := range p.Warnings {
		n.c.runtime.Log.Warnf("%s", w)
	}
	opened, err := openFiles(p, tasks, n.c.dir())
	if err != nil {
		return err
	}
	defer opened.close()
	if n.stage, err = spawn(p, opened, n.group, [3]uintptr{0, 1, 2}); err != nil {
		return err
	}
	n.onFailure(n.stage.kill)
	if err := n.prepareState(); err != nil {
		return err
	}
	return n.serve(p)
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// plan gathers what the planner has to know, and plans.
func (n *creation) plan(wait bool, taskFiles int) (*plan.Plan, error) {
	host := planHost(n.c, taskFiles)
	host.CgroupV2 = n.group.Version() == cgroup.V2
	host.CgroupMounts = cgroupMounts(n.group)
	host.WaitForStart = wait
	host.PreserveFDs, host.NoPivot, host.NoNewKeyring = n.options.PreserveFDs, n.options.NoPivot, n.options.NoNewKeyring
	var err error
	if host.Filter, err = compileFilter(n.spec); err != nil {
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
func planHost(c *Container, taskFiles int) plan.Host {
	return plan.Host{
		ID: c.saved.ID, Bundle: c.saved.Bundle, Rootfs: c.saved.Rootfs,
		TaskFiles: taskFiles, Capabilities: sys.BoundingSet(),
	}
}

// compileFilter compiles linux.seccomp; nil without one.
func compileFilter(s *specs.Spec) (*plan.Filter, error) {
	if s.Linux.Seccomp == nil {
		return nil, nil
	}
	filter, err := seccomp.Compile(s.Linux.Seccomp)
	if err != nil {
		return nil, err // it names the member
	}
	return &plan.Filter{Program: filter.Program, Flags: filter.Flags}, nil
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
	pid := n.stage.pid
	if path := n.options.PidfdSocket; path != "" {
		if err := sendPidfd(path, n.stage.pidFD); err != nil {
			return err
		}
	}
	if path := n.options.PidFile; path != "" {
		if err := writeAtomically(path, []byte(strconv.Itoa(pid)), 0o644); err != nil {
			return fmt.Errorf("write pid file: %w", err)
		}
		n.onFailure(func() { _ = unix.Unlink(path) })
	}
	return nil
}
