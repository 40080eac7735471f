package cri

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

func mount(host, inside string, change func(*cri.Mount)) containerChange {
	return func(c *cri.ContainerConfig) {
		m := &cri.Mount{HostPath: host, ContainerPath: inside}
		if change != nil {
			change(m)
		}
		c.Mounts = append(c.Mounts, m)
	}
}

func busyboxPath(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("busybox")
	check(t, err)
	return path
}

func TestDirectoryOfTheHost(t *testing.T) {
	dir := t.TempDir()
	c := runPod(t).run(mount(dir, "/data/deep", nil))
	c.sh("echo inside >/data/deep/file")
	data, err := os.ReadFile(filepath.Join(dir, "file"))
	check(t, err)
	want(t, "file on the host", string(data), "inside\n")
}

func TestDirectoryOfTheHostReadOnly(t *testing.T) {
	c := runPod(t).run(mount(t.TempDir(), "/data", func(m *cri.Mount) { m.Readonly = true }))
	answer, err := c.tryExec("touch", "/data/file")
	check(t, err)
	wantContains(t, "touch", string(answer.Stderr), "Read-only file system")
}

func TestFileOfTheHostThroughALink(t *testing.T) {
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, "file"), []byte("content"), 0o644))
	check(t, os.Symlink("file", filepath.Join(dir, "link")))
	want(t, "file", runPod(t).output(command("cat", "/data"), mount(filepath.Join(dir, "link"), "/data", nil)), "content")
}

func TestMissingDirectoryOfTheHostIsMade(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	runPod(t).run(mount(dir, "/data", nil))
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		t.Errorf("%s: %v", dir, err)
	}
}

// sharedDir is a directory that is a mount, and shared, as the kubelet's directories are.
func sharedDir(t *testing.T, propagation uintptr) string {
	t.Helper()
	dir := t.TempDir()
	check(t, unix.Mount(dir, dir, "", unix.MS_BIND, ""))
	t.Cleanup(func() { check(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	check(t, unix.Mount("", dir, "", propagation, ""))
	check(t, os.Mkdir(filepath.Join(dir, "sub"), 0o755))
	return dir
}

func mountTmpfs(t *testing.T, dir string) {
	t.Helper()
	check(t, unix.Mount("none", dir, "tmpfs", 0, ""))
	t.Cleanup(func() { check(t, unix.Unmount(dir, 0)) })
	check(t, os.WriteFile(filepath.Join(dir, "mounted"), nil, 0o644))
}

func TestMountOfTheHostIsSeenAsItsPropagationSays(t *testing.T) {
	p := runPod(t, privilegedPod)
	for propagation, seen := range map[cri.MountPropagation]bool{
		cri.MountPropagation_PROPAGATION_PRIVATE:           false,
		cri.MountPropagation_PROPAGATION_HOST_TO_CONTAINER: true,
		cri.MountPropagation_PROPAGATION_BIDIRECTIONAL:     true,
	} {
		dir := sharedDir(t, unix.MS_SHARED)
		c := p.run(security(privileged), mount(dir, "/data", func(m *cri.Mount) { m.Propagation = propagation }))
		mountTmpfs(t, filepath.Join(dir, "sub"))
		if got := c.exec("ls", "/data/sub"); (got == "mounted") != seen {
			t.Errorf("%s: %q", propagation, got)
		}
	}
}

func TestMountOfTheContainerIsSeenWhenBidirectional(t *testing.T) {
	p := runPod(t, privilegedPod)
	for propagation, seen := range map[cri.MountPropagation]bool{
		cri.MountPropagation_PROPAGATION_HOST_TO_CONTAINER: false,
		cri.MountPropagation_PROPAGATION_BIDIRECTIONAL:     true,
	} {
		dir := sharedDir(t, unix.MS_SHARED)
		c := p.run(security(privileged), mount(dir, "/data", func(m *cri.Mount) { m.Propagation = propagation }))
		c.sh("mount -t tmpfs none /data/sub && touch /data/sub/mounted")
		_, err := os.Stat(filepath.Join(dir, "sub/mounted"))
		if (err == nil) != seen {
			t.Errorf("%s: on the host: %v", propagation, err)
		}
		c.exec("umount", "/data/sub")
	}
}

func TestPropagationFromAPrivateMountIsRefused(t *testing.T) {
	dir := sharedDir(t, unix.MS_PRIVATE)
	c, err := runPod(t).tryCreate(mount(dir, "/data", func(m *cri.Mount) {
		m.Propagation = cri.MountPropagation_PROPAGATION_BIDIRECTIONAL
	}))
	if err == nil {
		err = c.start()
	}
	wantError(t, "create or start", err, "not a shared mount", "not mounted on a shared")
}

func TestDeviceOfTheHost(t *testing.T) {
	device := func(permissions string) containerChange {
		return func(c *cri.ContainerConfig) {
			c.Devices = []*cri.Device{{HostPath: "/dev/kmsg", ContainerPath: "/dev/log-of-kernel", Permissions: permissions}}
		}
	}
	p := runPod(t)
	p.run(device("rw")).sh("test -c /dev/log-of-kernel && : >/dev/log-of-kernel")
	answer, err := p.run(device("m")).tryExec("sh", "-c", ": >/dev/log-of-kernel")
	check(t, err)
	wantContains(t, "without right to write", string(answer.Stderr), "Operation not permitted")
}

func TestResolvConfHostsAndHostnameAreThePods(t *testing.T) {
	p := runPod(t, func(config *cri.PodSandboxConfig) {
		config.DnsConfig = &cri.DNSConfig{Servers: []string{"10.9.8.7"}, Searches: []string{"a.test"}, Options: []string{"ndots:5"}}
	})
	c := p.run()
	got := c.exec("cat", "/etc/resolv.conf")
	for _, line := range []string{"nameserver 10.9.8.7", "search a.test", "options ndots:5"} {
		wantContains(t, "resolv.conf", got, line)
	}
	wantContains(t, "/etc/hostname", c.exec("cat", "/etc/hostname"), "the-pod")
	wantContains(t, "/etc/hosts", c.exec("cat", "/etc/hosts"), "127.0.0.1")
}

func TestSystemMountsHaveTheirFlags(t *testing.T) {
	table := runPod(t).run().exec("cat", "/proc/self/mounts")
	for _, wanted := range []string{
		" /proc proc rw,nosuid,nodev,noexec", " /sys sysfs ro,nosuid,nodev,noexec",
		" /dev/mqueue mqueue rw,nosuid,nodev,noexec",
	} {
		wantContains(t, "mounts", table, wanted)
	}
	for line := range strings.Lines(table) {
		if strings.HasPrefix(line, "cgroup") && strings.Contains(line, " /sys/fs/cgroup/") && !strings.Contains(line, " ro,") {
			t.Errorf("writable: %s", line)
		}
	}
}
