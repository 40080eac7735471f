package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

const programTimeout = 120 * time.Second

// A job is one program to run.
type job struct {
	runtime string
	program string
	dir     string // working directory: holds bin/, runtimetest and the archive of the root filesystem
}

// runProgram runs one program in a mount namespace of its own and removes whatever it leaves behind.
func (m machine) runProgram(ctx context.Context, j job) (result, error) {
	if below(os.TempDir(), stateParent) || below(j.runtime, stateParent) {
		return result{}, fmt.Errorf("neither TMPDIR nor the runtime may be below %s, which is hidden from the programs", stateParent)
	}
	var r result
	err := inPrivateMounts(func() error {
		if err := m.mountCgroups(); err != nil {
			return err
		}
		// The runtime's state directory starts empty: every container in it is the program's.
		if err := syscall.Mount("tmpfs", stateParent, "tmpfs", 0, "mode=0755"); err != nil {
			return fmt.Errorf("mount tmpfs on %s: %w", stateParent, err)
		}
		tmp, err := os.MkdirTemp("", "rt-conformance-")
		if err != nil {
			return err
		}
		r, err = j.run(ctx, tmp)
		var c cleaner
		c.containers(j.runtime)
		c.mounts(tmp)
		c.cgroups()
		c.directory(tmp)
		r.left = strings.Join(c.found, ", ")
		return errors.Join(err, errors.Join(c.errs...))
	})
	return r, err
}

// stateParent is the directory below which runtimes keep their state.
const stateParent = "/run"

func below(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

// inPrivateMounts calls f on a thread with a private copy of the mount namespace. The thread ends with f, and the
// namespace with its last process, so nothing that is mounted inside is ever seen by the rest of the machine.
func inPrivateMounts(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and no unlocking: the thread must not be used for anything else
		done <- func() error {
			if err := syscall.Unshare(syscall.CLONE_NEWNS); err != nil {
				return fmt.Errorf("unshare the mount namespace: %w", err)
			}
			if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
				return fmt.Errorf("make the mounts private: %w", err)
			}
			return f()
		}()
	}()
	return <-done
}

// run runs the program to its end and judges it. Its output goes to files, since containers that it leaves behind
// would keep pipes open.
func (j job) run(ctx context.Context, tmp string) (result, error) {
	// As open as /tmp, in which the programs expect to work: containers with a user namespace have to get through.
	if err := os.Chmod(tmp, 0o755); err != nil {
		return result{}, err
	}
	stdout, err := os.Create(filepath.Join(tmp, "stdout"))
	if err != nil {
		return result{}, err
	}
	defer stdout.Close()
	stderr, err := os.Create(filepath.Join(tmp, "stderr"))
	if err != nil {
		return result{}, err
	}
	defer stderr.Close()
	bundles := filepath.Join(tmp, "bundles")
	if err := os.Mkdir(bundles, 0o755); err != nil {
		return result{}, err
	}
	timed, cancel := context.WithTimeout(ctx, programTimeout)
	defer cancel()
	cmd := exec.CommandContext(timed, filepath.Join(j.dir, "bin", j.program))
	cmd.Dir = j.dir
	cmd.Env = append(os.Environ(), "RUNTIME="+j.runtime, "TMPDIR="+bundles)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	end, err := endingOf(cmd.Run(), timed)
	if err != nil {
		return result{}, err
	}
	out, err := os.ReadFile(stdout.Name())
	if err != nil {
		return result{}, err
	}
	errOut, err := os.ReadFile(stderr.Name())
	if err != nil {
		return result{}, err
	}
	r := judge(out, end)
	r.output = string(out) + string(errOut) + leftoverStderr(bundles)
	return r, nil
}

// leftoverStderr returns what the runtime wrote to the bundles that are still there. Some programs print no more than
// "exit status 1" when the runtime fails.
func leftoverStderr(bundles string) string {
	var text strings.Builder
	files, _ := filepath.Glob(filepath.Join(bundles, "ocitest*", "stderr-*")) // the pattern is valid
	for _, name := range files {
		if data, err := os.ReadFile(name); err == nil {
			text.Write(data)
		}
	}
	return text.String()
}

func endingOf(err error, timed context.Context) (ending, error) {
	if timed.Err() != nil {
		return ending{timedOut: true}, nil
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return ending{}, err
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	if ok && status.Signaled() {
		return ending{status: 128 + int(status.Signal())}, nil
	}
	return ending{status: exit.ExitCode()}, nil
}
