package cri

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

func security(change func(*cri.LinuxContainerSecurityContext)) containerChange {
	return func(c *cri.ContainerConfig) { change(c.Linux.SecurityContext) }
}

// A pod that has privileged containers has to be privileged itself.
func privilegedPod(config *cri.PodSandboxConfig) { config.Linux.SecurityContext.Privileged = true }

func privileged(c *cri.LinuxContainerSecurityContext) { c.Privileged = true }

// capabilities is the mask of the effective ones, as hexadecimal digits.
func capabilities(p *pod, change func(*cri.LinuxContainerSecurityContext)) string {
	return p.output(shell("grep CapEff /proc/self/status | cut -f 2"), security(change))
}

func TestUserGroupAndSupplementaryGroups(t *testing.T) {
	got := runPod(t).output(shell("id -u; id -g; id -G"), security(func(c *cri.LinuxContainerSecurityContext) {
		c.RunAsUser, c.RunAsGroup = &cri.Int64Value{Value: 1234}, &cri.Int64Value{Value: 5678}
		c.SupplementalGroups = []int64{4321}
	}))
	want(t, "ids", got, "1234\n5678\n5678 4321")
}

func TestUserByNameHasItsGroupsOfTheImage(t *testing.T) {
	got := runPod(t).output(shell("id -u; id -g; id -G; echo $HOME"), security(func(c *cri.LinuxContainerSecurityContext) {
		c.RunAsUsername = "worker"
	}))
	want(t, "ids", got, "1000\n2000\n2000 3000\n/home/worker")
}

func TestUserOfTheImage(t *testing.T) {
	for image, wanted := range map[string]string{userImage: "1000\n2000", userNameImage: "1000\n2000"} {
		got := runPod(t).output(shell("id -u; id -g"), func(c *cri.ContainerConfig) { c.Image.Image = image })
		want(t, image, got, wanted)
	}
}

func TestRootFilesystemIsReadOnlyOnRequest(t *testing.T) {
	for _, readOnly := range []bool{false, true} {
		c := runPod(t).run(shell("touch /new"), security(func(c *cri.LinuxContainerSecurityContext) { c.ReadonlyRootfs = readOnly }))
		if status := c.wait(); (status.ExitCode != 0) != readOnly {
			t.Errorf("read-only %t: exit status %d", readOnly, status.ExitCode)
		}
		if readOnly {
			wantContains(t, "log", c.log(), "Read-only file system")
		}
	}
}

func TestPrivilegedContainerHasAllCapabilitiesAndDevices(t *testing.T) {
	p := runPod(t, privilegedPod)
	last, err := os.ReadFile("/proc/sys/kernel/cap_last_cap")
	check(t, err)
	own, err := os.ReadFile("/proc/self/status")
	check(t, err)
	_, after, _ := strings.Cut(string(own), "CapBnd:\t")
	bounding, _, _ := strings.Cut(after, "\n")
	want(t, "capabilities (last: "+strings.TrimSpace(string(last))+")", capabilities(p, privileged), bounding)
	c := p.run(security(privileged))
	c.exec("ls", "/dev/kmsg")
	c.sh("mkdir /mnt; mount -t tmpfs none /mnt && touch /mnt/file && umount /mnt")
	want(t, "filter", c.sh("grep Seccomp: /proc/self/status | cut -f 2"), "0")
}

func TestOrdinaryContainerCanNotMountOrMakeDevices(t *testing.T) {
	c := runPod(t).run()
	for _, script := range []string{"mount -t tmpfs none /tmp", "ls /dev/kmsg", "mknod /tmp/disk b 8 0 && cat /tmp/disk"} {
		answer, err := c.tryExec("sh", "-c", script)
		check(t, err)
		if answer.ExitCode == 0 {
			t.Errorf("%q has succeeded", script)
		}
	}
}

func TestCapabilitiesAreAddedAndDropped(t *testing.T) {
	p := runPod(t)
	set := func(add, drop []string) func(*cri.LinuxContainerSecurityContext) {
		return func(c *cri.LinuxContainerSecurityContext) {
			c.Capabilities = &cri.Capability{AddCapabilities: add, DropCapabilities: drop}
		}
	}
	want(t, "default", capabilities(p, func(*cri.LinuxContainerSecurityContext) {}), "00000000a80425fb")
	want(t, "with NET_ADMIN", capabilities(p, set([]string{"NET_ADMIN"}, nil)), "00000000a80435fb")
	want(t, "without CHOWN", capabilities(p, set(nil, []string{"CHOWN"})), "00000000a80425fa")
	want(t, "none", capabilities(p, set(nil, []string{"ALL"})), "0000000000000000")
	want(t, "only one", capabilities(p, set([]string{"NET_BIND_SERVICE"}, []string{"ALL"})), "0000000000000400")
}

func TestNoNewPrivilegesOnRequest(t *testing.T) {
	p := runPod(t)
	for value, wanted := range map[bool]string{false: "0", true: "1"} {
		got := p.output(shell("grep NoNewPrivs /proc/self/status | cut -f 2"),
			security(func(c *cri.LinuxContainerSecurityContext) { c.NoNewPrivs = value }))
		want(t, "NoNewPrivs", got, wanted)
	}
}

func seccomp(kind cri.SecurityProfile_ProfileType, file string) containerChange {
	return security(func(c *cri.LinuxContainerSecurityContext) {
		c.Seccomp = &cri.SecurityProfile{ProfileType: kind, LocalhostRef: file}
	})
}

func TestSeccompOfTheRuntime(t *testing.T) {
	got := runPod(t).output(shell("grep Seccomp: /proc/self/status | cut -f 2; unshare -U true || echo refused"),
		seccomp(cri.SecurityProfile_RuntimeDefault, ""))
	wantContains(t, "log", got, "refused")
	wantContains(t, "log", got, "2\n")
}

func TestSeccompUnconfined(t *testing.T) {
	got := runPod(t).output(shell("grep Seccomp: /proc/self/status | cut -f 2"), seccomp(cri.SecurityProfile_Unconfined, ""))
	want(t, "mode", got, "0")
}

func TestSeccompOfAFile(t *testing.T) {
	profile := filepath.Join(t.TempDir(), "no-mkdir.json")
	check(t, os.WriteFile(profile, []byte(`{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
		{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 100}]}`), 0o644))
	p := runPod(t)
	got := p.output(shell("mkdir /tmp/new; touch /tmp/file && echo touched"), seccomp(cri.SecurityProfile_Localhost, profile))
	wantContains(t, "log", got, "Network is down")
	wantContains(t, "log", got, "touched")
	_, err := p.tryCreate(seccomp(cri.SecurityProfile_Localhost, profile+".missing"))
	wantError(t, "create with a missing profile", err, "no such file", "failed to load")
}

func TestAppArmorUnconfined(t *testing.T) {
	got := runPod(t).output(command("echo", "runs"), security(func(c *cri.LinuxContainerSecurityContext) {
		c.Apparmor = &cri.SecurityProfile{ProfileType: cri.SecurityProfile_Unconfined}
	}))
	want(t, "log", got, "runs")
}

// maskedFile is a file of /proc that this kernel has and the kubelet asks to mask.
func maskedFile(t *testing.T) string {
	t.Helper()
	for _, file := range []string{"/proc/kcore", "/proc/keys", "/proc/timer_list"} {
		if _, err := os.Stat(file); err == nil {
			return file
		}
	}
	t.Skip("this kernel has none of the files that the kubelet asks to mask")
	return ""
}

func TestMaskedAndReadOnlyPaths(t *testing.T) {
	paths := security(func(c *cri.LinuxContainerSecurityContext) {
		c.MaskedPaths, c.ReadonlyPaths = []string{maskedFile(t), "/sys/firmware", "/bin"}, []string{"/proc/sys", "/home"}
	})
	c := runPod(t).run(paths, command("/busybox", "sleep", "1000"), mount(busyboxPath(t), "/busybox", nil))
	want(t, "masked file", c.exec("/busybox", "head", "-c", "1", maskedFile(t)), "")
	want(t, "masked directory", c.exec("/busybox", "ls", "-A", "/bin"), "")
	answer, err := c.tryExec("/busybox", "touch", "/home/new")
	check(t, err)
	wantContains(t, "writing to a read-only path", string(answer.Stderr), "Read-only file system")
}
