package cri

import (
	"os"
	"strings"
	"testing"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

func namespaces(change func(*cri.NamespaceOption)) podChange {
	return func(p *cri.PodSandboxConfig) { change(p.Linux.SecurityContext.NamespaceOptions) }
}

// hostNamespace is that of these tests, which run beside containerd.
func hostNamespace(t *testing.T, kind string) string {
	t.Helper()
	link, err := os.Readlink("/proc/self/ns/" + kind)
	check(t, err)
	return link
}

func (c *container) namespace(kind string) string { return c.exec("readlink", "/proc/self/ns/"+kind) }

func TestContainersOfAPodShareNetworkIpcAndHostname(t *testing.T) {
	p := runPod(t)
	one, two := p.run(), p.run()
	for _, kind := range []string{"net", "ipc", "uts"} {
		want(t, kind, one.namespace(kind), two.namespace(kind))
		if one.namespace(kind) == hostNamespace(t, kind) {
			t.Errorf("%s: the host's", kind)
		}
	}
	for _, kind := range []string{"mnt", "pid"} {
		if one.namespace(kind) == two.namespace(kind) {
			t.Errorf("%s: shared", kind)
		}
	}
	want(t, "hostname", one.exec("hostname"), "the-pod")
}

func TestPidNamespaceOfThePod(t *testing.T) {
	p := runPod(t, namespaces(func(n *cri.NamespaceOption) { n.Pid = cri.NamespaceMode_POD }))
	one, two := p.run(command("sleep", "1111")), p.run(command("sleep", "2222"))
	want(t, "namespace", one.namespace("pid"), two.namespace("pid"))
	processes := one.exec("ps")
	for _, name := range []string{"/pause", "sleep 1111", "sleep 2222"} {
		wantContains(t, "processes", processes, name)
	}
	check(t, one.stop(0))
	wantContains(t, "the other container's processes", two.exec("ps"), "sleep 2222")
}

func TestPidNamespaceOfTheContainer(t *testing.T) {
	c := runPod(t).run(command("sleep", "1111"))
	want(t, "process 1", c.sh("tr '\\0' ' ' </proc/1/cmdline"), "sleep 1111")
}

func TestPidNamespaceOfTheNode(t *testing.T) {
	p := runPod(t, namespaces(func(n *cri.NamespaceOption) { n.Pid = cri.NamespaceMode_NODE }))
	c := p.run(shell("sleep 3333 & sleep 3333"))
	want(t, "namespace", c.namespace("pid"), hostNamespace(t, "pid"))
	check(t, c.stop(0))
	c.wait()
	eventually(t, "all processes of the container are gone", func() bool { return !hostHasProcess(t, "sleep\x003333") })
}

func TestPidNamespaceOfAnotherContainer(t *testing.T) {
	p := runPod(t)
	target := p.run(command("sleep", "4444"))
	c := p.run(security(func(c *cri.LinuxContainerSecurityContext) {
		c.NamespaceOptions.Pid, c.NamespaceOptions.TargetId = cri.NamespaceMode_TARGET, target.id
	}))
	want(t, "namespace", c.namespace("pid"), target.namespace("pid"))
	wantContains(t, "processes", c.exec("ps"), "sleep 4444")
}

func TestNetworkOfTheNode(t *testing.T) {
	p := runPod(t, namespaces(func(n *cri.NamespaceOption) { n.Network = cri.NamespaceMode_NODE }), func(p *cri.PodSandboxConfig) {
		p.Hostname = "" // the node's
	})
	want(t, "namespace", p.run().namespace("net"), hostNamespace(t, "net"))
}

func TestIpcOfTheNode(t *testing.T) {
	p := runPod(t, namespaces(func(n *cri.NamespaceOption) { n.Ipc = cri.NamespaceMode_NODE }))
	want(t, "namespace", p.run().namespace("ipc"), hostNamespace(t, "ipc"))
}

func TestSysctlsOfThePod(t *testing.T) {
	p := runPod(t, func(config *cri.PodSandboxConfig) {
		config.Linux.Sysctls = map[string]string{
			"kernel.shm_rmid_forced": "1", "net.ipv4.ip_local_port_range": "1024 65000",
		}
	})
	c := p.run()
	want(t, "shm_rmid_forced", c.exec("cat", "/proc/sys/kernel/shm_rmid_forced"), "1")
	want(t, "ip_local_port_range", c.exec("cat", "/proc/sys/net/ipv4/ip_local_port_range"), "1024\t65000")
}

func TestSysctlOfTheNodeIsRefused(t *testing.T) {
	config := podConfig(t, func(config *cri.PodSandboxConfig) {
		config.Linux.Sysctls = map[string]string{"vm.swappiness": "10"}
	})
	_, err := service.RunPodSandbox(call(t), &cri.RunPodSandboxRequest{Config: config, RuntimeHandler: *handler})
	wantError(t, "run", err, "vm.swappiness")
}

func TestSharedMemoryIsThePods(t *testing.T) {
	p := runPod(t)
	one, two := p.run(), p.run()
	one.sh("echo shared >/dev/shm/file")
	want(t, "the other's /dev/shm", two.exec("cat", "/dev/shm/file"), "shared")
}

// hostHasProcess looks for a part of a command line (words end in 0 bytes) among the processes of the machine.
func hostHasProcess(t *testing.T, part string) bool {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	check(t, err)
	for _, entry := range entries {
		if data, err := os.ReadFile("/proc/" + entry.Name() + "/cmdline"); err == nil && strings.Contains(string(data), part) {
			return true
		}
	}
	return false
}
