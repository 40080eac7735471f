// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// passSockets hands the sockets on that a service manager has opened for this process (sd_listen_fds(3)): they are the
// descriptors from 3 on, before those of --preserve-fds, and the container's process is told so as we were.
func (n *creation) passSockets() error {
	if os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) || n.spec.Process == nil {
		return nil
	}
	value := os.Getenv("LISTEN_FDS")
	count, err := strconv.Atoi(value)
	if err != nil || count < 0 {
		return fmt.Errorf("LISTEN_FDS %q: not a number of descriptors", value)
	}
	if count == 0 {
		return nil
	}
	if !hasPrivate(n.spec, specs.PIDNamespace) {
		return errors.New("LISTEN_FDS: the container's process can only be told about sockets if it has a pid namespace of its own")
	}
	n.options.PreserveFDs += count
	n.spec.Process.Env = append(n.spec.Process.Env, "LISTEN_FDS="+value, "LISTEN_PID=1")
	if names := os.Getenv("LISTEN_FDNAMES"); names != "" {
		n.spec.Process.Env = append(n.spec.Process.Env, "LISTEN_FDNAMES="+names)
	}
	return nil
}
