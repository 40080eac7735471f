package cri

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

func TestExecKeepsOutputErrorsAndStatusApart(t *testing.T) {
	c := runPod(t).run()
	answer, err := c.tryExec("sh", "-c", "echo out; echo err >&2; exit 7")
	check(t, err)
	want(t, "stdout", string(answer.Stdout), "out\n")
	want(t, "stderr", string(answer.Stderr), "err\n")
	if answer.ExitCode != 7 {
		t.Errorf("exit status %d, want 7", answer.ExitCode)
	}
}

func TestExecEndsWhenItsTimeIsUp(t *testing.T) {
	c := runPod(t).run()
	_, err := service.ExecSync(call(t), &cri.ExecSyncRequest{
		ContainerId: c.id, Cmd: []string{"sleep", "12345"}, Timeout: 1,
	})
	if status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("error %v, want DeadlineExceeded", err)
	}
	eventually(t, "the program is gone", func() bool { return !strings.Contains(c.exec("ps"), "12345") })
}

func TestExecOfAMissingProgramIsAnError(t *testing.T) {
	_, err := runPod(t).run().tryExec("no-such-program")
	wantError(t, "exec", err, "executable file not found", "no such file")
}

func TestExecInAnExitedContainerIsAnError(t *testing.T) {
	c := runPod(t).run(shell("exit 0"))
	c.wait()
	_, err := c.tryExec("true")
	wantError(t, "exec", err, "CONTAINER_EXITED")
}

func TestExecBringsAMegabyteBack(t *testing.T) {
	answer, err := runPod(t).run().tryExec("sh", "-c", "yes 0123456 | head -c 1048576")
	check(t, err)
	if len(answer.Stdout) != 1<<20 {
		t.Errorf("%d bytes, want %d", len(answer.Stdout), 1<<20)
	}
}

func TestTwentyExecsAtOnce(t *testing.T) {
	c := runPod(t).run()
	var group sync.WaitGroup
	var failures sync.Map
	for i := range 20 {
		group.Go(func() {
			answer, err := c.tryExec("echo", fmt.Sprint(i))
			if err != nil || strings.TrimSpace(string(answer.Stdout)) != fmt.Sprint(i) {
				failures.Store(i, fmt.Sprintf("%v %v", answer, err))
			}
		})
	}
	group.Wait()
	failures.Range(func(i, why any) bool {
		t.Errorf("exec %v: %v", i, why)
		return true
	})
}

func TestExecHasTheContainersIdentityAndEnvironment(t *testing.T) {
	c := runPod(t).run(func(config *cri.ContainerConfig) {
		config.Linux.SecurityContext.RunAsUser = &cri.Int64Value{Value: 1000}
		config.Linux.SecurityContext.RunAsGroup = &cri.Int64Value{Value: 2000}
		config.Linux.SecurityContext.NoNewPrivs = true
		config.Envs = []*cri.KeyValue{{Key: "GIVEN", Value: "by the pod"}}
		config.WorkingDir = "/tmp"
	})
	want(t, "id", c.exec("id", "-u")+":"+c.exec("id", "-g"), "1000:2000")
	want(t, "environment", c.sh(`echo "$GIVEN, $FROM_IMAGE"`), "by the pod, yes")
	want(t, "working directory", c.exec("pwd"), "/tmp")
	want(t, "NoNewPrivs", c.sh("grep NoNewPrivs /proc/self/status | cut -f 2"), "1")
	mine, init := c.sh("grep -E '^(Cap|Seccomp)' /proc/self/status"), c.sh("grep -E '^(Cap|Seccomp)' /proc/1/status")
	want(t, "capabilities and filter", mine, init)
	for _, name := range []string{"mnt", "pid", "net", "ipc", "uts"} {
		want(t, name, c.exec("readlink", "/proc/self/ns/"+name), c.exec("readlink", "/proc/1/ns/"+name))
	}
}

func TestLogHasBothStreamsWithTimes(t *testing.T) {
	c := runPod(t).run(shell("echo out; echo err >&2; printf 'no newline'"))
	c.wait()
	data, err := os.ReadFile(c.logPath)
	check(t, err)
	for _, part := range []string{" stdout F out\n", " stderr F err\n", " stdout P no newline"} {
		wantContains(t, "log", string(data), part)
	}
}

func TestLogOfATerminal(t *testing.T) {
	got := runPod(t).output(shell("test -t 0 && test -t 1 && test -t 2 && echo a terminal"),
		func(c *cri.ContainerConfig) { c.Tty, c.Stdin = true, true })
	want(t, "log", strings.TrimRight(got, "\r"), "a terminal")
}

func TestLogIsOpenedAgain(t *testing.T) {
	c := runPod(t).run(shell("while :; do echo line; sleep 0.1; done"))
	eventually(t, "something is written", func() bool { return c.log() != "" })
	check(t, os.Rename(c.logPath, c.logPath+".1"))
	_, err := service.ReopenContainerLog(call(t), &cri.ReopenContainerLogRequest{ContainerId: c.id})
	check(t, err)
	eventually(t, "the new file is written", func() bool {
		data, err := os.ReadFile(c.logPath)
		return err == nil && len(data) > 0
	})
}
