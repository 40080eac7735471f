// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"os"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/cgroup"
	"github.com/rt-oci/rt/libcontainer/hook"
	"github.com/rt-oci/rt/libcontainer/lazyjson"
	"github.com/rt-oci/rt/libcontainer/plan"
	"github.com/rt-oci/rt/libcontainer/spec"
	"github.com/rt-oci/rt/libcontainer/sys"
	"github.com/rt-oci/rt/nsenter"
)

// hookRunner runs the hooks of one container. The namespaces of init are where hooks of the container run.
type hookRunner struct {
	c     *Container
	spec  *specs.Spec
	group *cgroup.Group
	pid   int // of init, 0 when it is gone
}

// state is what a hook reads from its standard input. pid is init's number where the hook runs.
func (r *hookRunner) state(status specs.ContainerState, pid int) ([]byte, error) {
	data, err := lazyjson.Append(nil, &specs.State{
		Version: specs.Version, ID: r.c.saved.ID, Status: status, Pid: pid,
		Bundle: r.c.saved.Bundle, Annotations: r.c.saved.Annotations,
	})
	if err != nil {
		return nil, fmt.Errorf("encode state: %w", err)
	}
	return data, nil
}

// onHost runs hooks in the runtime's namespaces.
func (r *hookRunner) onHost(kind string, hooks []specs.Hook, status specs.ContainerState) error {
	if len(hooks) == 0 {
		return nil
	}
	state, err := r.state(status, r.pid)
	if err != nil {
		return err
	}
	return hook.Run(kind, hooks, state, hook.Options{Dir: r.c.saved.Bundle})
}

// inContainer runs hooks in the container's namespaces: before pivot_root as the runtime (where is
// plan.HookBeforePivot), after it as the container's process, with no more rights.
func (r *hookRunner) inContainer(kind string, hooks []specs.Hook, where plan.HookPlace) error {
	if len(hooks) == 0 {
		return nil
	}
	pid := r.pid
	if hasPrivate(r.spec, specs.PIDNamespace) {
		pid = 1
	}
	state, err := r.state(specs.StateCreated, pid)
	if err != nil {
		return err
	}
	options := hook.Options{Start: func(h specs.Hook, stdin, stdout, stderr *os.File) (hook.Process, error) {
		return r.start(&h, where, [3]uintptr{stdin.Fd(), stdout.Fd(), stderr.Fd()})
	}}
	if where == plan.HookInContainer && r.spec.Process != nil {
		options.Env = r.environment(r.spec.Process)
	}
	return hook.Run(kind, hooks, state, options)
}

// environment is that of the container's process, with the HOME that it gets. It is never nil: that would be rt's own.
func (r *hookRunner) environment(p *specs.Process) []string {
	return append([]string{}, environmentIn(r.pid, p)...)
}

// environmentIn is the environment of a process in a container that exists: the HOME that it lacks comes from the root
// of the container's process pid.
func environmentIn(pid int, p *specs.Process) []string {
	env := plan.Environment(p.Env)
	if !plan.NeedsHome(p.Env) {
		return env
	}
	passwd, root := -1, openRoot(pid)
	if root >= 0 {
		defer unix.Close(root)
		if fd, err := sys.OpenRegularInRoot(root, "/etc/passwd"); err == nil {
			defer unix.Close(fd)
			passwd = fd
		}
	}
	return append(env, "HOME="+homeDirectory(passwd, p.User.UID))
}

// start starts one hook in the container: the stage again, with another plan.
func (r *hookRunner) start(h *specs.Hook, where plan.HookPlace, stdio [3]uintptr) (hook.Process, error) {
	tasks, err := r.group.TaskFiles()
	if err != nil {
		return hook.Process{}, err
	}
	defer closeAll(tasks)
	host := planHost(r.c, r.group, len(tasks))
	if host.Filter, err = r.c.compileFilter(r.spec); err != nil {
		return hook.Process{}, err
	}
	if where == plan.HookInContainer {
		if err := checkProcessLabels(r.spec.Process); err != nil {
			return hook.Process{}, err
		}
	}
	p, err := plan.Hook(r.spec, host, h, where, r.pid)
	if err != nil {
		return hook.Process{}, err
	}
	opened, err := openFiles(p, fileSources{tasks: tasks})
	if err != nil {
		return hook.Process{}, err
	}
	defer opened.close()
	start := stageStart{plan: p, opened: opened, stdio: stdio}
	s, err := start.spawn(r.group)
	if err != nil {
		return hook.Process{}, err
	}
	s.agent = r.c.seccompAgent(r.spec, specs.StateCreated)
	s.process = r.spec.Process
	if err := s.awaitExecute(p); err != nil {
		s.kill()
		return hook.Process{}, err
	}
	return hook.Process{PID: s.pid, PIDFD: s.pidFD}, nil
}

// awaitExecute waits until the stage closes the socket: it has executed its program, or waits for its start.
func (s *stage) awaitExecute(p *plan.Plan) error {
	for {
		m, _, err := s.receive(p)
		if errors.Is(err, errStageEnded) && !errors.Is(err, unix.ECONNRESET) {
			s.closeSocket()
			return nil
		}
		if err != nil {
			return err
		}
		if m.Type == nsenter.MessageGate {
			if held, err := s.serveGate(m); err != nil || held {
				return err
			}
			continue
		}
		switch {
		case m.Type == nsenter.MessageForked:
			err = s.follow(int(m.Value))
		case m.Type == nsenter.MessageLimits && s.process != nil:
			err = applyLimits(s.pid, s.process)
		default: // no other one may be due here
			err = fmt.Errorf("hear from the stage: message %d was not due: %w", m.Type, unix.EPROTO)
		}
		if err != nil {
			return err
		}
		if err := s.answer(""); err != nil {
			return err
		}
	}
}

// runCreateHooks runs the hooks of create, in the spec's order (runtime.md, "Lifecycle", steps 3 to 5). From here on
// poststop hooks belong to the end of the container, also if it is never created.
func (n *creation) runCreateHooks() error {
	h := n.spec.Hooks
	r := &hookRunner{c: n.c, spec: n.spec, group: n.group, pid: n.stage.pid}
	n.undo = append([]func(){n.runPoststop}, n.undo...)                          // the last of all
	if err := r.onHost("prestart", h.Prestart, specs.StateCreated); err != nil { //nolint:staticcheck // prestart is deprecated, not gone
		return err
	}
	if err := r.onHost("createRuntime", h.CreateRuntime, specs.StateCreated); err != nil {
		return err
	}
	return r.inContainer("createContainer", h.CreateContainer, plan.HookBeforePivot)
}

func (n *creation) runPoststop() { n.c.runPoststop(n.spec) }

// runPoststop runs the poststop hooks of a container that is gone. Their failures are only told.
func (c *Container) runPoststop(s *specs.Spec) {
	if c.poststopped || s.Hooks == nil || len(s.Hooks.Poststop) == 0 {
		return
	}
	c.poststopped = true
	r := &hookRunner{c: c, spec: s}
	state, err := r.state(specs.StateStopped, 0)
	if err == nil {
		err = hook.RunAll("poststop", s.Hooks.Poststop, state, hook.Options{Dir: existing(c.saved.Bundle)})
	}
	if err != nil {
		c.runtime.Log.Warnf("%v", err)
	}
}

// existing returns dir, or "/" if it is gone: a bundle may be removed before its container is deleted.
func existing(dir string) string {
	if _, err := os.Stat(dir); err != nil {
		return "/"
	}
	return dir
}

// loadSpec decodes the configuration that the container was created with.
func (c *Container) loadSpec() (*specs.Spec, error) {
	data, err := sys.ReadFile(c.file(configName))
	if err != nil {
		return nil, fmt.Errorf("read saved config: %w", err)
	}
	s, err := spec.Load(data)
	if err != nil {
		return nil, fmt.Errorf("load saved config: %w", err)
	}
	return s, nil
}
