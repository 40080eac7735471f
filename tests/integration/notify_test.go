// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/tests/harness"
)

var buildNotify = sync.OnceValues(func() (string, error) { return harness.BuildProgram("./notify") })

// service is a bundle whose rt a service manager has started, and that manager. The program is a shell with these lines.
func service(t *testing.T, lines ...string) (*harness.Bundle, *net.UnixConn) {
	t.Helper()
	b := shell(t, lines...)
	program, err := buildNotify()
	if err != nil {
		t.Fatal(err)
	}
	harness.WriteFile(t, b.InRootfs("bin/notify"), program, 0o755)
	address := &net.UnixAddr{Name: b.Path("manager.sock"), Net: "unixgram"}
	manager, err := net.ListenUnixgram("unixgram", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { manager.Close() })
	b.Env = []string{"NOTIFY_SOCKET=" + address.Name}
	t.Cleanup(func() { b.Env = nil })
	return b, manager
}

// receive returns the next message to the manager, with the number of descriptors that came with it. It closes them,
// which answers a barrier as systemd does.
func receive(manager *net.UnixConn) (string, error) {
	if err := manager.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		return "", err
	}
	text, control := make([]byte, 4096), make([]byte, 256)
	n, controlBytes, _, _, err := manager.ReadMsgUnix(text, control)
	if err != nil {
		return "", err
	}
	all, err := unix.ParseSocketControlMessage(control[:controlBytes])
	if err != nil {
		return "", err
	}
	fds := 0
	for i := range all {
		rights, err := unix.ParseUnixRights(&all[i])
		if err != nil {
			return "", err
		}
		for _, fd := range rights {
			fds++
			unix.Close(fd)
		}
	}
	return fmt.Sprintf("%s+%d", text[:n], fds), nil
}

// told returns what the manager is told until the command has ended and nothing comes any more.
func told(t *testing.T, manager *net.UnixConn, command func()) (messages []string) {
	t.Helper()
	var ended atomic.Bool
	var reader sync.WaitGroup
	reader.Go(func() {
		for {
			last := ended.Load()
			message, err := receive(manager)
			switch {
			case err == nil:
				messages = append(messages, message)
			case !errors.Is(err, os.ErrDeadlineExceeded):
				t.Error(err)
				return
			case last:
				return
			}
		}
	})
	command()
	ended.Store(true)
	reader.Wait()
	return messages
}

func wantTold(t *testing.T, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("the service manager was told %q, want %q", got, want)
	}
}

func TestReadinessOfADetachedRun(t *testing.T) {
	t.Parallel()
	for _, user := range []bool{false, true} {
		b, manager := service(t, `notify "STATUS=one
READY=10" "STATUS=two
READY=1" MAINPID=1; echo told $NOTIFY_SOCKET; touch /run/notify/file; sleep 1000`)
		if user {
			mapIDs(t, b)
		}
		before := b.Snapshot(t)
		got := told(t, manager, func() { b.Run(t, "-d").WantExit(t, 0) })
		wantTold(t, got, fmt.Sprintf("READY=1\nMAINPID=%d\n+0", b.State(t).Pid), "BARRIER=1+1")
		b.WaitForOutput(t, "told /run/notify/notify.sock")
		b.Env = nil
		b.Delete(t, "--force").WantExit(t, 0)
		before.WantSame(t)
	}
}

func TestReadinessOfAContainerThatIsStarted(t *testing.T) {
	t.Parallel()
	b, manager := service(t, "notify READY=1; sleep 1000")
	before := b.Snapshot(t)
	b.Create(t).WantExit(t, 0)
	wantTold(t, told(t, manager, func() {}))
	got := told(t, manager, func() { b.Start(t).WantExit(t, 0) })
	wantTold(t, got, fmt.Sprintf("READY=1\nMAINPID=%d\n+0", b.State(t).Pid), "BARRIER=1+1")
	if _, err := os.Lstat(filepath.Join(b.Root, b.ID, "notify/notify.sock")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("nobody listens any more, and the socket is left: %v", err)
	}
	b.Delete(t, "--force").WantExit(t, 0)
	before.WantSame(t)
}

// In the foreground rt is the service's main process, and stays it.
func TestReadinessOfARunInTheForeground(t *testing.T) {
	t.Parallel()
	b, manager := service(t, "notify STATUS=busy READY=1; exit 7")
	got := told(t, manager, func() { b.Run(t).WantExit(t, 7) })
	wantTold(t, got, "READY=1\n+0")
}

func TestTheWaitForReadinessEndsWithTheContainer(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"notify STATUS=busy; exit 3", "exit 0"} {
		b, manager := service(t, program)
		got := told(t, manager, func() { b.Run(t, "-d").WantExit(t, 0) })
		wantTold(t, got)
		b.WaitFor(t, "stopped")
	}
}

// While start waits, others may look, signal and delete.
func TestAContainerThatIsNotReadyCanBeKilled(t *testing.T) {
	t.Parallel()
	b, manager := service(t, "echo up; sleep 1000")
	b.Create(t).WantExit(t, 0)
	start := b.Command(t, "start", b.ID)
	if err := start.Start(); err != nil {
		t.Fatal(err)
	}
	b.WaitForOutput(t, "up")
	b.Delete(t, "--force").WantExit(t, 0)
	if err := start.Wait(); err != nil {
		t.Errorf("start: %v", err)
	}
	wantTold(t, told(t, manager, func() {}))
}

// The directory of the socket is the host's. Root of a user namespace may change the attributes of the mount, but not
// what lies there.
func TestTheDirectoryOfTheNotifySocketIsTheHosts(t *testing.T) {
	t.Parallel()
	b, manager := service(t, "mount -o remount,bind,rw /run/notify; touch /run/notify/file; rm -f /run/notify/notify.sock; notify READY=1")
	mapIDs(t, b)
	grant(b, "CAP_SYS_ADMIN")
	got := told(t, manager, func() {
		b.Run(t).WantExit(t, 0).WantStderr(t, "touch: /run/notify/file: Permission denied", "'/run/notify/notify.sock': Permission denied")
	})
	wantTold(t, got, "READY=1\n+0")
}

// A container of a create without the variable knows no socket: start does not wait for it.
func TestNobodyWaitsForAContainerThatWasNotAsked(t *testing.T) {
	t.Parallel()
	b, manager := service(t, "echo $NOTIFY_SOCKET; ls /run/notify; sleep 1000")
	env := b.Env
	b.Env = nil
	b.Create(t).WantExit(t, 0)
	b.Env = env
	b.Start(t).WantExit(t, 0)
	b.WaitForOutput(t, "\n")
	wantTold(t, told(t, manager, func() {}))
	if strings.Contains(b.Output(t), "notify.sock") {
		t.Errorf("the container was told of a socket: %s", b.Output(t))
	}
}

func TestANotifySocketThatIsNoneIsRefused(t *testing.T) {
	t.Parallel()
	for name, address := range map[string]string{
		"relative": "manager.sock", "nobody there": "/none/manager.sock", "no name": "@", "abstract, nobody there": "@rt-test-nobody",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, _ := service(t, "sleep 1000")
			b.Env = []string{"NOTIFY_SOCKET=" + address}
			before := b.Snapshot(t)
			b.Run(t, "-d").WantOneError(t, "NOTIFY_SOCKET", `"`+address+`"`)
			before.WantSame(t)
		})
	}
}

func TestAnAbstractNotifySocket(t *testing.T) {
	t.Parallel()
	b, _ := service(t, "notify READY=1; exit 0")
	name := "@" + b.ID
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	b.Env = []string{"NOTIFY_SOCKET=" + name}
	got := told(t, manager, func() { b.Run(t).WantExit(t, 0) })
	wantTold(t, got, "READY=1\n+0")
}

// The path of a socket is limited to 108 bytes, that of a state root is not.
func TestReadinessUnderALongStateRoot(t *testing.T) {
	t.Parallel()
	b, manager := service(t, "notify READY=1; exit 0")
	short := b.Root
	defer func() { b.Root = short }()
	b.Root = harness.Mkdir(t, filepath.Join(short, strings.Repeat("long", 40)), 0o700)
	got := told(t, manager, func() { b.Run(t).WantExit(t, 0) })
	wantTold(t, got, "READY=1\n+0")
}
