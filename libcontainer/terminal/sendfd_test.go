// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// receive accepts one connection and returns the name and the number of descriptors of its only message.
func receive(t *testing.T, l *net.UnixListener) (name string, fds []int) {
	t.Helper()
	c, err := l.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	payload, control := make([]byte, 8192), make([]byte, 256)
	n, controlBytes, _, _, err := c.ReadMsgUnix(payload, control)
	if err != nil {
		t.Fatal(err)
	}
	messages, err := unix.ParseSocketControlMessage(control[:controlBytes])
	if err != nil || len(messages) != 1 {
		t.Fatalf("%d control messages, %v", len(messages), err)
	}
	if fds, err = unix.ParseUnixRights(&messages[0]); err != nil {
		t.Fatal(err)
	}
	if more, _ := c.Read(payload[n:]); more != 0 {
		t.Errorf("%d more bytes", more)
	}
	return string(payload[:n]), fds
}

// listen listens on name in dir, however long dir is.
func listen(t *testing.T, dir, name string) *net.UnixListener {
	t.Helper()
	d, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	t.Chdir(dir)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestSendFD(t *testing.T) {
	long := filepath.Join(t.TempDir(), strings.Repeat("long/", 40))
	if err := os.MkdirAll(long, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{t.TempDir(), long} {
		l := listen(t, dir, "socket")
		file, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		sent := make(chan error, 1)
		go func() { sent <- SendFD(filepath.Join(dir, "socket"), "/dev/ptmx", file) }()
		name, fds := receive(t, l)
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
		if name != "/dev/ptmx" || len(fds) != 1 {
			t.Errorf("name %q, %d descriptors", name, len(fds))
		}
		var got, want unix.Stat_t
		if err := errors.Join(unix.Fstat(fds[0], &got), unix.Fstat(int(file.Fd()), &want)); err != nil || got.Rdev != want.Rdev || got.Ino != want.Ino {
			t.Errorf("another file: %v", err)
		}
		unix.Close(fds[0])
	}
}

func TestSendFDErrors(t *testing.T) {
	dir := t.TempDir()
	deaf := filepath.Join(dir, "deaf")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: deaf}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path, name string
		want       error
		text       string
	}{
		{dir + "/none", "x", unix.ENOENT, dir + "/none"},
		{deaf, "x", unix.ECONNREFUSED, "nobody listens"},
		{"@rt-test-nobody-listens", "x", unix.ECONNREFUSED, "nobody listens"},
		{dir + strings.Repeat("/none", 40), "x", unix.ENOENT, "open: "},
		{"", "x", nil, "the path is empty"},
		{deaf, "", nil, "name of 0 bytes"},
		{deaf, strings.Repeat("x", 4096), nil, "name of 4096 bytes"},
	} {
		err := SendFD(c.path, c.name, os.Stdin)
		if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%q: %v", c.path, err)
		}
	}
}
