// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// containerd is a daemon of its own, called by ctr. Its containers have no image: what is of interest is the runtime.
type containerd struct {
	*stand
	daemon *exec.Cmd
	socket string
}

const namespace = "stress"

func (c *containerd) open() error {
	c.socket = filepath.Join(c.dir, "containerd.sock")
	config := fmt.Sprintf(`version = 2
root = %q
state = %q
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = %q
`, c.dir+"/root", c.dir+"/run", c.socket)
	file := filepath.Join(c.dir, "containerd.toml")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(c.dir, "containerd.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	c.daemon = c.command("containerd", "--config", file)
	c.daemon.Stdout, c.daemon.Stderr = log, log
	if err := c.daemon.Start(); err != nil {
		return fmt.Errorf("start containerd (Debian: containerd): %w", err)
	}
	for range 300 {
		if err = c.ctr("version"); err == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("containerd does not answer: %w", err)
}

func (c *containerd) close() error {
	if err := c.daemon.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	_ = c.daemon.Wait() // its status is not of interest
	return nil
}

func (c *containerd) client(args ...string) *exec.Cmd {
	return c.command("ctr", append([]string{"--address", c.socket, "--namespace", namespace}, args...)...)
}

func (c *containerd) ctr(args ...string) error { return run(c.client(args...)) }

// run gives the options that both kinds of run have.
func (c *containerd) run(bundle, id string, options ...string) error {
	args := append([]string{"run", "--runc-binary", c.path, "--runc-root", c.root, "--null-io"}, options...)
	return c.ctr(append(args, "--config", filepath.Join(bundle, "config.json"), id)...)
}

func (c *containerd) start(id string, k kind) error {
	bundle, err := c.bundle(id, k, "sleep", "100000")
	if err != nil {
		return err
	}
	return c.run(bundle, id, "--detach")
}

func (c *containerd) stop(id string) error {
	if err := c.ctr("task", "delete", "--force", id); err != nil && !strings.Contains(err.Error(), "exit with non-zero exit code 137") {
		return err
	}
	if err := c.ctr("container", "delete", id); err != nil {
		return err
	}
	return c.forget(id)
}

func (c *containerd) once(id string, k kind) error {
	bundle, err := c.bundle(id, k, "true")
	if err != nil {
		return err
	}
	if err := c.run(bundle, id, "--rm"); err != nil {
		return err
	}
	return c.forget(id)
}

func (c *containerd) exec(id string, n int) error {
	args := []string{"task", "exec", "--exec-id", fmt.Sprintf("e%d", n)}
	switch n % 4 {
	case 1:
		return wantFailure(c.ctr(append(args, id, "sh", "-c", "exit 3")...))
	case 2:
		return wantFailure(c.ctr(append(args, id, "nosuch")...))
	case 3:
		args = append(args, "--user", "1000")
	}
	return c.ctr(append(args, id, "true")...)
}

func (c *containerd) running() (int, error) {
	out, err := c.client("task", "list").Output()
	return strings.Count(string(out), " RUNNING"), err
}

// census counts the descriptors of containerd, and what shims there are: how many, their memory and descriptors.
func (c *containerd) census(found census) error {
	fds, err := descriptors(c.daemon.Process.Pid)
	if err != nil {
		return err
	}
	found[daemonDescriptors] = fds
	found[daemonThreads] = threads(c.daemon.Process.Pid)
	for _, pid := range processes() {
		name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		if err != nil || !strings.HasPrefix(string(name), "containerd-shim") {
			continue
		}
		if fds, err = descriptors(pid); err != nil {
			return err
		}
		pss, err := proportional(pid)
		if err != nil {
			return err
		}
		found[shims]++
		found[shimThreads] += threads(pid)
		found[shimDescriptors] += fds
		found[shimMemory] += pss
	}
	return nil
}
