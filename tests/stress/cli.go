// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// caller is how containers are made.
type caller interface {
	open() error
	// start makes a container that runs until stop.
	start(id string, k kind) error
	stop(id string) error
	// once runs a container from the beginning to the end.
	once(id string, k kind) error
	// exec runs the n-th process in a container.
	exec(id string, n int) error
	// running counts the containers that run.
	running() (int, error)
	// census adds what only this caller has.
	census(c census) error
	close() error
}

// cli calls the runtime as a person does.
type cli struct{ *stand }

func (c *cli) open() error  { return nil }
func (c *cli) close() error { return nil }

// do runs a command of the runtime, which must end well.
func (c *cli) do(args ...string) error {
	return run(c.command(c.path, append([]string{"--root", c.root}, args...)...))
}

func run(cmd *exec.Cmd) error {
	_, err := output(cmd)
	return err
}

// output runs a program for at most two minutes. Its output goes to a file and not to a pipe, which a process that lives
// on would keep open.
func output(cmd *exec.Cmd) (string, error) {
	out, err := os.CreateTemp("", "rt-stress-output-")
	if err != nil {
		return "", err
	}
	defer func() { out.Close(); os.Remove(out.Name()) }()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		return "", err
	}
	deadline := time.AfterFunc(2*time.Minute, func() { _ = cmd.Process.Kill() })
	defer deadline.Stop()
	err = cmd.Wait()
	text, readErr := os.ReadFile(out.Name())
	if readErr != nil {
		return "", readErr
	}
	if err != nil {
		return string(text), fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, bytes.TrimSpace(text))
	}
	return string(text), nil
}

func (c *cli) start(id string, k kind) error {
	bundle, err := c.bundle(id, k, "sleep", "100000")
	if err != nil {
		return err
	}
	if err := c.do("create", "--bundle", bundle, "--pid-file", filepath.Join(bundle, "pid"), id); err != nil {
		return err
	}
	return c.do("start", id)
}

func (c *cli) stop(id string) error {
	if err := c.do("kill", id, "KILL"); err != nil {
		return err
	}
	if err := c.stopped(id); err != nil {
		return err
	}
	if err := c.do("delete", id); err != nil {
		return err
	}
	return c.forget(id)
}

// stopped waits until the container's process is gone.
func (c *cli) stopped(id string) error {
	pid, err := os.ReadFile(filepath.Join(c.dir, "bundles", id, "pid"))
	if err != nil {
		return err
	}
	for range 3000 {
		if _, err := os.Stat("/proc/" + string(pid)); err != nil {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("%s: process %s lives after SIGKILL", id, pid)
}

// once takes each second container through run, and the others through create, start, kill and delete.
func (c *cli) once(id string, k kind) error {
	if len(id)%2 == int(id[len(id)-1])%2 {
		if err := c.start(id, k); err != nil {
			return err
		}
		return c.stop(id)
	}
	bundle, err := c.bundle(id, k, "true")
	if err != nil {
		return err
	}
	if err := c.do("run", "--bundle", bundle, id); err != nil {
		return err
	}
	return c.forget(id)
}

// exec is a program that ends well, one that fails, one that is not there, and one in the background, in turn.
func (c *cli) exec(id string, n int) error {
	switch n % 4 {
	case 1:
		return wantFailure(c.do("exec", id, "sh", "-c", "exit 3"))
	case 2:
		return wantFailure(c.do("exec", id, "nosuch"))
	case 3:
		return c.do("exec", "--detach", "--user", "1000", id, "true")
	}
	return c.do("exec", id, "true")
}

func wantFailure(err error) error {
	if err == nil {
		return fmt.Errorf("a program that fails ended well")
	}
	return nil
}

func (c *cli) running() (int, error) {
	out, err := c.command(c.path, "--root", c.root, "list").Output()
	return strings.Count(string(out), " running "), err
}

func (c *cli) census(census) error { return nil }
