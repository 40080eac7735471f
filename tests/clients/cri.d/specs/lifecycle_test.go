package cri

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

func TestServerAnswersVersionAndIsReady(t *testing.T) {
	version, err := service.Version(call(t), &cri.VersionRequest{})
	check(t, err)
	want(t, "runtime name", version.RuntimeName, "containerd")
	status, err := service.Status(call(t), &cri.StatusRequest{})
	check(t, err)
	for _, condition := range status.Status.Conditions {
		if !condition.Status {
			t.Errorf("condition %s: %s: %s", condition.Type, condition.Reason, condition.Message)
		}
	}
}

// The handler's program knows the container, in the root that belongs to the handler: so it was this program that made it.
func TestPodsAreOfTheRuntimeThatTheHandlerNames(t *testing.T) {
	p := runPod(t)
	c := p.run()
	for _, id := range []string{p.id, c.id} {
		output, err := exec.Command(*binary, "--root", *stateRoot, "state", id).CombinedOutput()
		if err != nil {
			t.Fatalf("%s state: %v: %s", *binary, err, output)
		}
		wantContains(t, "state", string(output), `"running"`)
	}
	want(t, "handler of the pod", p.status().RuntimeHandler, *handler)
}

func TestPodRunsAndStopsAndIsRemoved(t *testing.T) {
	p := runPod(t)
	if state := p.status().State; state != cri.PodSandboxState_SANDBOX_READY {
		t.Errorf("after run: %s", state)
	}
	p.stop()
	if state := p.status().State; state != cri.PodSandboxState_SANDBOX_NOTREADY {
		t.Errorf("after stop: %s", state)
	}
	p.remove()
	_, err := service.PodSandboxStatus(call(t), &cri.PodSandboxStatusRequest{PodSandboxId: p.id})
	wantError(t, "status of a removed pod", err, "not found")
}

func TestStopAndRemoveCanBeRepeated(t *testing.T) {
	p := runPod(t)
	c := p.run()
	for range 2 {
		check(t, c.stop(0))
	}
	for range 2 {
		check(t, c.remove())
	}
	p.stop()
	p.stop()
	p.remove()
	p.remove()
}

func TestContainerIsCreatedThenRunningThenExited(t *testing.T) {
	c := runPod(t).create(shell("exit 0"))
	if state := c.status().State; state != cri.ContainerState_CONTAINER_CREATED {
		t.Errorf("after create: %s", state)
	}
	check(t, c.start())
	status := c.wait()
	if status.ExitCode != 0 || status.Reason != "Completed" {
		t.Errorf("exit status %d, reason %q", status.ExitCode, status.Reason)
	}
	// A program that ends at once may do so before containerd takes the time of its start.
	if status.StartedAt < status.CreatedAt || status.FinishedAt < status.CreatedAt {
		t.Errorf("times: created %d, started %d, finished %d", status.CreatedAt, status.StartedAt, status.FinishedAt)
	}
}

func TestExitStatusIsReported(t *testing.T) {
	status := runPod(t).run(shell("exit 42")).wait()
	if status.ExitCode != 42 || status.Reason != "Error" {
		t.Errorf("exit status %d, reason %q", status.ExitCode, status.Reason)
	}
}

func TestStopLetsTheProgramEndByItself(t *testing.T) {
	c := runPod(t).run(shell("trap 'exit 33' TERM; echo ready; while :; do sleep 0.1; done"))
	eventually(t, "program is ready", func() bool { return c.log() == "ready" })
	check(t, c.stop(60))
	if status := c.wait(); status.ExitCode != 33 {
		t.Errorf("exit status %d, want 33", status.ExitCode)
	}
}

func TestStopKillsAfterItsTime(t *testing.T) {
	c := runPod(t).run(shell("trap '' TERM; echo ready; while :; do sleep 0.1; done"))
	eventually(t, "program is ready", func() bool { return c.log() == "ready" })
	check(t, c.stop(1))
	if status := c.wait(); status.ExitCode != 137 {
		t.Errorf("exit status %d, want 137", status.ExitCode)
	}
}

func TestMissingProgramIsAnErrorOfStart(t *testing.T) {
	c := runPod(t).create(command("no-such-program"))
	wantError(t, "start", c.start(), "executable file not found", "no such file")
	status := c.wait()
	if status.Reason != "StartError" || status.ExitCode != 128 {
		t.Errorf("reason %q, exit status %d", status.Reason, status.ExitCode)
	}
}

func TestMissingPathIsAnErrorOfStart(t *testing.T) {
	wantError(t, "start", runPod(t).create(command("/no/such/program")).start(), "no such file or directory")
}

func TestFileWithoutExecuteBitIsAnErrorOfStart(t *testing.T) {
	wantError(t, "start", runPod(t).create(command("/etc/not-executable")).start(), "permission denied")
}

func TestMissingWorkingDirectoryIsMade(t *testing.T) {
	got := runPod(t).output(command("pwd"), func(c *cri.ContainerConfig) { c.WorkingDir = "/new/directory" })
	want(t, "working directory", got, "/new/directory")
}

func TestContainersAreListedByState(t *testing.T) {
	p := runPod(t)
	created, running, exited := p.create(), p.run(), p.run(shell("exit 0"))
	exited.wait()
	for state, wanted := range map[cri.ContainerState]string{
		cri.ContainerState_CONTAINER_CREATED: created.id,
		cri.ContainerState_CONTAINER_RUNNING: running.id,
		cri.ContainerState_CONTAINER_EXITED:  exited.id,
	} {
		answer, err := service.ListContainers(call(t), &cri.ListContainersRequest{Filter: &cri.ContainerFilter{
			PodSandboxId: p.id, State: &cri.ContainerStateValue{State: state},
		}})
		check(t, err)
		if len(answer.Containers) != 1 || answer.Containers[0].Id != wanted {
			t.Errorf("%s: %v", state, answer.Containers)
		}
	}
}

func TestRunningContainerIsRemoved(t *testing.T) {
	c := runPod(t).run()
	check(t, c.remove())
	_, err := service.ContainerStatus(call(t), &cri.ContainerStatusRequest{ContainerId: c.id})
	wantError(t, "status of a removed container", err, "not found")
}

func TestContainerIsStartedAgainInItsPod(t *testing.T) {
	p := runPod(t)
	for range 3 {
		c := p.run(shell("exit 1"))
		c.wait()
		check(t, c.remove())
	}
}

func TestTenPodsAtOnce(t *testing.T) {
	var group sync.WaitGroup
	for i := range 10 {
		name := fmt.Sprint(i)
		group.Go(func() {
			t.Run(name, func(t *testing.T) {
				want(t, "output", runPod(t).output(command("echo", name)), name)
			})
		})
	}
	group.Wait()
}

// After a pod's end nothing of it is on the machine: state, mounts, groups, processes.
func TestNothingIsLeftOfAPod(t *testing.T) {
	p := runPod(t)
	c := p.run()
	left := func() []string {
		var found []string
		for _, id := range []string{p.id, c.id} {
			found = append(found, traces(t, id)...)
		}
		return found
	}
	if len(left()) < 4 {
		t.Fatalf("of a living pod there is only %q: this check would see nothing", left())
	}
	p.stop()
	p.remove()
	eventually(t, "nothing is left", func() bool { return len(left()) == 0 })
}

// traces is what the machine has of an id.
func traces(t *testing.T, id string) []string {
	t.Helper()
	var found []string
	for _, pattern := range []string{
		filepath.Join(*stateRoot, id),
		"/sys/fs/cgroup/rt-test-pods/" + id, "/sys/fs/cgroup/*/rt-test-pods/" + id,
	} {
		paths, err := filepath.Glob(pattern)
		check(t, err)
		found = append(found, paths...)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	check(t, err)
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, id) {
			found = append(found, line)
		}
	}
	commands, err := filepath.Glob("/proc/[0-9]*/cmdline")
	check(t, err)
	for _, file := range commands {
		if data, err := os.ReadFile(file); err == nil && strings.Contains(string(data), id) {
			found = append(found, file)
		}
	}
	return found
}
