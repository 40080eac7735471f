// SPDX-License-Identifier: Apache-2.0

// Package hook runs the hooks of a container (runtime-spec: config.md "POSIX-platform Hooks", runtime.md
// "Lifecycle"). It works on the host side. Hooks of the runtime namespace are started here; hooks of the container
// namespace are started by a function of the caller and treated the same from then on: state on standard input,
// output captured, time limit, one-line error.
package hook

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Options says where and how hooks run.
type Options struct {
	// Dir is the working directory of hooks that are started on the host: the bundle.
	Dir string
	// Env is the environment of hooks that configure none; nil means the environment of this process.
	Env []string
	// Start starts a hook whose Args and Env are complete; nil starts it on the host. It returns once the program
	// has been executed. The three files are open for the time of the call.
	Start func(h specs.Hook, stdin, stdout, stderr *os.File) (Process, error)
}

// Process is a started hook: a child of this process that leads a session and that nobody else waits for.
// Run closes PIDFD.
type Process struct {
	PID   int
	PIDFD int
}

// Warnings are the failures of hooks that can't fail the operation they belong to.
type Warnings []error

// Error returns all warnings on one line.
func (w Warnings) Error() string {
	text := make([]string, len(w))
	for i, err := range w {
		text[i] = err.Error()
	}
	return strings.Join(text, "; ")
}

// Unwrap returns the single warnings.
func (w Warnings) Unwrap() []error { return w }

// Kinds returns the names of all kinds of hooks in the order of a container's life.
func Kinds() []string {
	return []string{"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"}
}

// Check reports the first hook that can't be run as configured (config.md "POSIX-platform Hooks"). Paths are not
// looked up: those of startContainer hooks exist only in the container.
func Check(h *specs.Hooks) error {
	if h == nil {
		return nil
	}
	lists := [][]specs.Hook{
		h.Prestart, //nolint:staticcheck // Deprecated, but runtimes must still run it.
		h.CreateRuntime, h.CreateContainer, h.StartContainer, h.Poststart, h.Poststop,
	}
	for i, kind := range Kinds() {
		for n := range lists[i] {
			if err := check(&lists[i][n]); err != nil {
				return fmt.Errorf("hooks.%s[%d].%w", kind, n, err)
			}
		}
	}
	return nil
}

func check(h *specs.Hook) error {
	switch {
	case h.Path == "":
		return fmt.Errorf("path: missing")
	case !filepath.IsAbs(h.Path):
		return fmt.Errorf("path: %q is not absolute", h.Path)
	case h.Timeout != nil && *h.Timeout <= 0:
		return fmt.Errorf("timeout: %d is not greater than 0 (seconds; leave it out for no limit)", *h.Timeout)
	}
	for _, s := range append(append([]string{h.Path}, h.Args...), h.Env...) {
		if strings.IndexByte(s, 0) >= 0 {
			return fmt.Errorf("path, args, env: %q contains a NUL byte", s)
		}
	}
	return nil
}

// Run runs the hooks of one kind in order and stops at the first that fails. state is the JSON text of the
// container's state. The error's beginning, "error running KIND hook #N:", is matched by callers.
func Run(kind string, hooks []specs.Hook, state []byte, o Options) error {
	for i := range hooks {
		if err := runOne(hooks[i], state, o); err != nil {
			return fmt.Errorf("error running %s hook #%d: %q: %w", kind, i, hooks[i].Path, err)
		}
	}
	return nil
}

// RunAll runs all hooks of one kind whether or not they fail and returns the failures as Warnings. It is for
// poststop (runtime.md "Lifecycle", step 13).
func RunAll(kind string, hooks []specs.Hook, state []byte, o Options) error {
	var warnings Warnings
	for i := range hooks {
		if err := runOne(hooks[i], state, o); err != nil {
			warnings = append(warnings, fmt.Errorf("error running %s hook #%d: %q: %w", kind, i, hooks[i].Path, err))
		}
	}
	if warnings == nil {
		return nil
	}
	return warnings
}

// runOne runs one hook from start to end.
func runOne(h specs.Hook, state []byte, o Options) error {
	complete(&h, o.Env)
	start := o.Start
	if start == nil {
		start = func(h specs.Hook, stdin, stdout, stderr *os.File) (Process, error) {
			return startOnHost(h, o.Dir, stdin, stdout, stderr)
		}
	}
	began := time.Now()
	talk, err := begin(h, state, start)
	if err != nil {
		return err
	}
	defer talk.close()
	end, err := talk.wait(h.Timeout)
	took := time.Since(began).Round(time.Millisecond)
	switch {
	case err != nil:
		return fmt.Errorf("wait for process %d: %w%s", talk.process.PID, err, talk.output.describe())
	case end.timedOut:
		return fmt.Errorf("killed after %v, its timeout is %d s%s", took, *h.Timeout, talk.output.describe())
	case end.status.Signaled():
		signal := end.status.Signal()
		return fmt.Errorf("killed by signal %d (%s) after %v%s", int(signal), signal, took, talk.output.describe())
	case end.status.ExitStatus() != 0:
		return fmt.Errorf("exit status %d after %v%s", end.status.ExitStatus(), took, talk.output.describe())
	}
	return nil
}

// complete fills in what the configuration may leave out. An empty list of variables is an empty environment;
// only an absent one is inherited.
func complete(h *specs.Hook, env []string) {
	if len(h.Args) == 0 {
		h.Args = []string{h.Path}
	}
	if h.Env == nil {
		h.Env = env
	}
	if h.Env == nil {
		h.Env = os.Environ()
	}
}

// startOnHost starts a hook in the namespaces of this process.
func startOnHost(h specs.Hook, dir string, stdin, stdout, stderr *os.File) (Process, error) {
	pidFD := -1
	pid, err := syscall.ForkExec(h.Path, h.Args, &syscall.ProcAttr{
		Dir:   dir,
		Env:   h.Env,
		Files: []uintptr{stdin.Fd(), stdout.Fd(), stderr.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true, PidFD: &pidFD},
	})
	if err != nil {
		// The child reports the errno of chdir and of execve in the same way.
		if e := unix.Access(dir, unix.X_OK); dir != "" && e != nil {
			return Process{}, fmt.Errorf("chdir %q: %w", dir, e)
		}
		return Process{}, fmt.Errorf("execve: %w", err)
	}
	return Process{PID: pid, PIDFD: pidFD}, nil
}
