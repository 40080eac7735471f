// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/sys"
)

// A service manager that has started rt may want to be told when the container's program is ready (sd_notify(3)). The
// program can't be given the manager's own socket: what it sent would be taken for rt's, and rt's number in the pid
// namespace is another. It gets a socket of ours, and of what it sends only READY=1 is passed on.
//
// The socket lies in a directory of the state, which the container has as a read-only mount from create on; start, or
// run, makes the socket in it, as nobody would hold it in between.

const (
	notifyName      = "notify"      // directory in the state directory
	notifySocket    = "notify.sock" // in it
	notifyInside    = "/run/notify" // where the container has the directory
	notifyVariable  = "NOTIFY_SOCKET"
	readyLine       = "READY=1"
	barrierDeadline = 5000 // milliseconds, as systemd-notify(1) waits
)

// offerNotify gives the container the directory, and the variable, if rt has the variable itself.
func (n *creation) offerNotify() error {
	if os.Getenv(notifyVariable) == "" || n.spec.Process == nil {
		return nil
	}
	dir := n.c.file(notifyName)
	if err := unix.Mkdir(dir, 0o755); err != nil {
		return fmt.Errorf("%s: make %q: %w", notifyVariable, dir, err)
	}
	if err := unix.Chmod(dir, 0o755); err != nil { // whatever the umask is
		return fmt.Errorf("%s: chmod %q: %w", notifyVariable, dir, err)
	}
	n.spec.Mounts = append(slices.Clone(n.spec.Mounts), specs.Mount{
		Destination: notifyInside, Type: "bind", Source: dir, Options: []string{"bind", "ro", "nosuid", "nodev", "noexec"},
	})
	n.spec.Process.Env = append(slices.Clone(n.spec.Process.Env), notifyVariable+"="+notifyInside+"/"+notifySocket)
	return nil
}

// removeNotify removes the directory from the state. A privileged container may have left something in it.
func (c *Container) removeNotify() error { return os.RemoveAll(c.file(notifyName)) }

// notifier waits for the container's READY=1. nil stands for one that nobody waits for.
type notifier struct {
	socket  int // where the container sends to
	dir     int // that has it
	manager int // connected to the service manager
	pidFD   int // of the container's process
	pid     int
	done    chan struct{} // is closed when the wait in the background has ended
}

// notifier makes the socket for a container that is about to start. A container that was created without the variable
// does not know where to send to, and nobody waits for it.
func (c *Container) notifier() (*notifier, error) {
	address := os.Getenv(notifyVariable)
	if address == "" {
		return nil, nil
	}
	n := &notifier{socket: -1, dir: -1, manager: -1, pidFD: -1, pid: c.saved.InitPID}
	var err error
	if n.dir, err = unix.Open(c.file(notifyName), unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0); err == unix.ENOENT {
		return nil, nil
	}
	if err == nil {
		n.pidFD, err = c.openInit()
	}
	if err == nil {
		n.manager, err = dialManager(address)
	}
	if err == nil {
		n.socket, err = listenNotify(n.dir)
	}
	if err != nil {
		n.close()
		return nil, fmt.Errorf("%s: %w", notifyVariable, err)
	}
	return n, nil
}

func (n *notifier) close() {
	if n == nil {
		return
	}
	if n.done != nil {
		<-n.done
	}
	if n.socket >= 0 {
		_ = unix.Unlinkat(n.dir, notifySocket, 0)
	}
	for _, fd := range []int{n.socket, n.dir, n.manager, n.pidFD} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// dialManager connects to the service manager: a path, or an abstract name behind @ (sd_notify(3)).
func dialManager(address string) (int, error) {
	if !filepath.IsAbs(address) && (address[0] != '@' || len(address) == 1) {
		return -1, fmt.Errorf("%q: want an absolute path, or a name that begins with @", address)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("socket: %w", err)
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: address}); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("connect %q: %w (a service manager listens there; unset the variable if there is none)", address, err)
	}
	return fd, nil
}

// listenNotify makes the socket that every user of the container can send to. The path of the state may be too long for
// the address of a socket (unix(7)), that of a descriptor is not.
func listenNotify(dir int) (int, error) {
	path := "/proc/self/fd/" + strconv.Itoa(dir) + "/" + notifySocket
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("socket: %w", err)
	}
	_ = unix.Unlinkat(dir, notifySocket, 0) // of a start that was killed
	// It is made with its mode: what has the name later may be something else, in a directory that a container sees.
	umask := unix.Umask(0o111)
	err = unix.Bind(fd, &unix.SockaddrUnix{Name: path})
	unix.Umask(umask)
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("bind %s: %w", notifySocket, err)
	}
	return fd, nil
}

// background waits beside a run in the foreground: rt stays, and is the service's main process.
func (n *notifier) background(log Logger) {
	if n == nil {
		return
	}
	n.done = make(chan struct{})
	background(func() {
		defer close(n.done)
		if err := n.await(false); err != nil {
			log.Warnf("%v", err)
		}
	})
}

// await waits for READY=1 of the container, or its end, and passes it on. If rt ends then, the container's process is
// named as the main one of the service.
func (n *notifier) await(ends bool) error {
	if n == nil {
		return nil
	}
	message := make([]byte, 4096)
	for {
		heard, err := sys.WaitReadable(n.socket, n.pidFD, nil)
		if err != nil || !heard {
			return err
		}
		size, err := unix.Read(n.socket, message) // without room for descriptors: the kernel drops what comes along
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: read: %w", notifyVariable, err)
		}
		if isReady(string(message[:size])) {
			return n.tell(ends)
		}
	}
}

func isReady(message string) bool {
	for line := range strings.SplitSeq(message, "\n") {
		if line == readyLine {
			return true
		}
	}
	return false
}

// tell passes READY=1 on, in one message with the main process: between two the service would have none.
func (n *notifier) tell(ends bool) error {
	message := readyLine + "\n"
	if ends {
		message += "MAINPID=" + strconv.Itoa(n.pid) + "\n"
	}
	if err := sys.SendMessage(n.manager, []byte(message)); err != nil {
		return fmt.Errorf("%s: tell the service manager (the container is running): %w", notifyVariable, err)
	}
	if ends {
		n.barrier()
	}
	return nil
}

// barrier waits until the manager has read what was sent, and closes the pipe that comes with it
// (sd_notify_barrier(3)): it looks the sender up, who must still be there. A manager that knows no barrier drops the
// pipe.
func (n *notifier) barrier() {
	var pipe [2]int
	if unix.Pipe2(pipe[:], unix.O_CLOEXEC) != nil {
		return
	}
	defer unix.Close(pipe[0])
	err := unix.Sendmsg(n.manager, []byte("BARRIER=1"), unix.UnixRights(pipe[1]), nil, unix.MSG_NOSIGNAL)
	unix.Close(pipe[1])
	if err == nil {
		_, _ = sys.WaitProcess(pipe[0], barrierDeadline) // whoever reads next gets it; it is no use to wait for more
	}
}
