package cri

import (
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

type (
	podChange       func(*cri.PodSandboxConfig)
	containerChange func(*cri.ContainerConfig)
)

type pod struct {
	t      *testing.T
	id     string
	config *cri.PodSandboxConfig
}

type container struct {
	t       *testing.T
	id      string
	logPath string
}

var serial atomic.Int64

// podConfig is a pod with namespaces of its own, as the kubelet asks for it: each container has its own processes.
func podConfig(t *testing.T, changes ...podChange) *cri.PodSandboxConfig {
	t.Helper()
	name := strings.ToLower(strings.ReplaceAll(t.Name(), "/", "-"))
	config := &cri.PodSandboxConfig{
		Metadata: &cri.PodSandboxMetadata{
			Name: name, Uid: name, Namespace: "rt-test", Attempt: uint32(serial.Add(1)),
		},
		Hostname:     "the-pod",
		LogDirectory: t.TempDir(),
		Labels:       map[string]string{"test": name},
		Linux: &cri.LinuxPodSandboxConfig{
			CgroupParent: "/rt-test-pods",
			SecurityContext: &cri.LinuxSandboxSecurityContext{
				NamespaceOptions: &cri.NamespaceOption{Pid: cri.NamespaceMode_CONTAINER},
			},
		},
	}
	for _, change := range changes {
		change(config)
	}
	return config
}

// runPod runs a pod that goes away with the test.
func runPod(t *testing.T, changes ...podChange) *pod {
	t.Helper()
	p := &pod{t: t, config: podConfig(t, changes...)}
	answer, err := service.RunPodSandbox(call(t), &cri.RunPodSandboxRequest{Config: p.config, RuntimeHandler: *handler})
	check(t, err)
	p.id = answer.PodSandboxId
	t.Cleanup(func() {
		if _, err := service.PodSandboxStatus(call(t), &cri.PodSandboxStatusRequest{PodSandboxId: p.id}); err != nil {
			return // the test has removed it
		}
		p.stop()
		p.remove()
	})
	return p
}

func (p *pod) stop() {
	p.t.Helper()
	_, err := service.StopPodSandbox(call(p.t), &cri.StopPodSandboxRequest{PodSandboxId: p.id})
	check(p.t, err)
}

func (p *pod) remove() {
	p.t.Helper()
	_, err := service.RemovePodSandbox(call(p.t), &cri.RemovePodSandboxRequest{PodSandboxId: p.id})
	check(p.t, err)
}

func (p *pod) status() *cri.PodSandboxStatus {
	p.t.Helper()
	answer, err := service.PodSandboxStatus(call(p.t), &cri.PodSandboxStatusRequest{PodSandboxId: p.id})
	check(p.t, err)
	return answer.Status
}

func command(words ...string) containerChange {
	return func(c *cri.ContainerConfig) { c.Command = words }
}

func shell(script string) containerChange { return command("sh", "-c", script) }

// tryCreate makes a container that sleeps, unless a change says otherwise.
func (p *pod) tryCreate(changes ...containerChange) (*container, error) {
	p.t.Helper()
	number := uint32(serial.Add(1))
	config := &cri.ContainerConfig{
		Metadata: &cri.ContainerMetadata{Name: "container", Attempt: number},
		Image:    &cri.ImageSpec{Image: busyboxImage},
		Command:  []string{"sleep", "1000"},
		LogPath:  "log-" + time.Now().Format("150405.000000000"),
		Linux:    &cri.LinuxContainerConfig{SecurityContext: &cri.LinuxContainerSecurityContext{}},
		Labels:   p.config.Labels,
	}
	of := p.config.Linux.SecurityContext.NamespaceOptions
	config.Linux.SecurityContext.NamespaceOptions = &cri.NamespaceOption{Network: of.Network, Pid: of.Pid, Ipc: of.Ipc}
	for _, change := range changes {
		change(config)
	}
	answer, err := service.CreateContainer(call(p.t), &cri.CreateContainerRequest{
		PodSandboxId: p.id, Config: config, SandboxConfig: p.config,
	})
	if err != nil {
		return nil, err
	}
	return &container{p.t, answer.ContainerId, filepath.Join(p.config.LogDirectory, config.LogPath)}, nil
}

func (p *pod) create(changes ...containerChange) *container {
	p.t.Helper()
	c, err := p.tryCreate(changes...)
	check(p.t, err)
	return c
}

// run makes a container and starts it.
func (p *pod) run(changes ...containerChange) *container {
	p.t.Helper()
	c := p.create(changes...)
	check(p.t, c.start())
	return c
}

// output runs a container to its end, and is what it wrote.
func (p *pod) output(changes ...containerChange) string {
	p.t.Helper()
	c := p.run(changes...)
	c.wait()
	return c.log()
}

func (c *container) start() error {
	c.t.Helper()
	_, err := service.StartContainer(call(c.t), &cri.StartContainerRequest{ContainerId: c.id})
	return err
}

func (c *container) stop(seconds int64) error {
	c.t.Helper()
	_, err := service.StopContainer(call(c.t), &cri.StopContainerRequest{ContainerId: c.id, Timeout: seconds})
	return err
}

func (c *container) remove() error {
	c.t.Helper()
	_, err := service.RemoveContainer(call(c.t), &cri.RemoveContainerRequest{ContainerId: c.id})
	return err
}

func (c *container) status() *cri.ContainerStatus {
	c.t.Helper()
	answer, err := service.ContainerStatus(call(c.t), &cri.ContainerStatusRequest{ContainerId: c.id})
	check(c.t, err)
	return answer.Status
}

// wait waits for the container's end.
func (c *container) wait() *cri.ContainerStatus {
	c.t.Helper()
	var status *cri.ContainerStatus
	eventually(c.t, "container has exited", func() bool {
		status = c.status()
		return status.State == cri.ContainerState_CONTAINER_EXITED
	})
	return status
}

// log is what the container has written, without the CRI's time, stream and tag in front of each line.
func (c *container) log() string {
	c.t.Helper()
	data, err := os.ReadFile(c.logPath)
	check(c.t, err)
	var text strings.Builder
	for line := range strings.Lines(string(data)) {
		if fields := strings.SplitN(line, " ", 4); len(fields) == 4 {
			text.WriteString(fields[3])
		}
	}
	return strings.TrimSpace(text.String())
}

func (c *container) tryExec(words ...string) (*cri.ExecSyncResponse, error) {
	c.t.Helper()
	return service.ExecSync(call(c.t), &cri.ExecSyncRequest{ContainerId: c.id, Cmd: words, Timeout: 60})
}

// exec runs a program in the container; it must succeed.
func (c *container) exec(words ...string) string {
	c.t.Helper()
	answer, err := c.tryExec(words...)
	check(c.t, err)
	if answer.ExitCode != 0 {
		c.t.Fatalf("%q: exit status %d, stderr %q", words, answer.ExitCode, answer.Stderr)
	}
	return strings.TrimSpace(string(answer.Stdout))
}

func (c *container) sh(script string) string {
	c.t.Helper()
	return c.exec("sh", "-c", script)
}

func want(t *testing.T, what, got, wanted string) {
	t.Helper()
	if got != wanted {
		t.Errorf("%s: %q, want %q", what, got, wanted)
	}
}

func wantContains(t *testing.T, what, got, wanted string) {
	t.Helper()
	if !strings.Contains(got, wanted) {
		t.Errorf("%s: %q does not contain %q", what, got, wanted)
	}
}

func wantError(t *testing.T, what string, err error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("%s: no error", what)
	}
	for _, text := range texts {
		if strings.Contains(err.Error(), text) {
			return
		}
	}
	t.Errorf("%s: error %q has none of %q", what, err, texts)
}
