package cri

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/client-go/util/exec"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// stream connects to the address that Exec or Attach has answered with.
func stream(t *testing.T, address string, options remotecommand.StreamOptions) error {
	t.Helper()
	at, err := url.Parse(address)
	check(t, err)
	executor, err := remotecommand.NewSPDYExecutor(&rest.Config{}, http.MethodPost, at)
	check(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	return executor.StreamWithContext(ctx, options)
}

func execAddress(t *testing.T, request *cri.ExecRequest) string {
	t.Helper()
	answer, err := service.Exec(call(t), request)
	check(t, err)
	return answer.Url
}

func TestStreamOfExec(t *testing.T) {
	c := runPod(t).run()
	address := execAddress(t, &cri.ExecRequest{
		ContainerId: c.id, Cmd: []string{"sh", "-c", "cat; echo err >&2; exit 5"}, Stdin: true, Stdout: true, Stderr: true,
	})
	var stdout, stderr bytes.Buffer
	err := stream(t, address, remotecommand.StreamOptions{Stdin: strings.NewReader("in\n"), Stdout: &stdout, Stderr: &stderr})
	var exit exec.CodeExitError
	if !errors.As(err, &exit) || exit.Code != 5 {
		t.Errorf("error %v, want exit status 5", err)
	}
	want(t, "stdout", stdout.String(), "in\n")
	want(t, "stderr", stderr.String(), "err\n")
}

// sizes gives one size of a terminal.
type sizes struct {
	size *remotecommand.TerminalSize
}

func (s *sizes) Next() *remotecommand.TerminalSize {
	size := s.size
	s.size = nil
	return size
}

func TestStreamOfExecOnATerminal(t *testing.T) {
	c := runPod(t).run()
	script := `until test "$(stty size 2>/dev/null)" = "33 99"; do sleep 0.1; done; tty; stty size`
	address := execAddress(t, &cri.ExecRequest{
		ContainerId: c.id, Cmd: []string{"sh", "-c", script}, Stdin: true, Stdout: true, Tty: true,
	})
	var stdout bytes.Buffer
	reader, writer := io.Pipe()
	defer writer.Close()
	check(t, stream(t, address, remotecommand.StreamOptions{
		Stdin: reader, Stdout: &stdout, Tty: true,
		TerminalSizeQueue: &sizes{&remotecommand.TerminalSize{Width: 99, Height: 33}},
	}))
	want(t, "output", stdout.String(), "/dev/pts/0\r\n33 99\r\n")
}

func TestStreamOfAttach(t *testing.T) {
	for name, terminal := range map[string]bool{"pipes": false, "terminal": true} {
		t.Run(name, func(t *testing.T) {
			c := runPod(t).run(shell(`read line; echo "got $line"`), func(config *cri.ContainerConfig) {
				config.Stdin, config.StdinOnce, config.Tty = true, true, terminal
			})
			answer, err := service.Attach(call(t), &cri.AttachRequest{
				ContainerId: c.id, Stdin: true, Stdout: true, Stderr: !terminal, Tty: terminal,
			})
			check(t, err)
			var stdout bytes.Buffer
			reader, writer := io.Pipe()
			defer writer.Close()
			options := remotecommand.StreamOptions{Stdin: reader, Stdout: &stdout, Tty: terminal}
			if !terminal {
				options.Stderr = io.Discard
			}
			go func() { fmt.Fprintln(writer, "text") }()
			check(t, stream(t, answer.Url, options))
			wantContains(t, "output", stdout.String(), "got text")
			if status := c.wait(); status.ExitCode != 0 {
				t.Errorf("exit status %d", status.ExitCode)
			}
		})
	}
}

func TestForwardedPort(t *testing.T) {
	p := runPod(t)
	webServer(p)
	answer, err := service.PortForward(call(t), &cri.PortForwardRequest{PodSandboxId: p.id, Port: []int32{8080}})
	check(t, err)
	at, err := url.Parse(answer.Url)
	check(t, err)
	transport, upgrader, err := spdy.RoundTripperFor(&rest.Config{})
	check(t, err)
	dialer := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, at)
	stop, ready := make(chan struct{}), make(chan struct{})
	forwarder, err := portforward.New(dialer, []string{"0:8080"}, stop, ready, io.Discard, io.Discard)
	check(t, err)
	done := make(chan error, 1)
	go func() { done <- forwarder.ForwardPorts() }()
	select {
	case <-ready:
	case err := <-done:
		t.Fatal(err)
	case <-time.After(callTimeout):
		t.Fatal("no connection")
	}
	ports, err := forwarder.GetPorts()
	check(t, err)
	page := fmt.Sprintf("http://127.0.0.1:%d/", ports[0].Local)
	eventually(t, "page is served through the forwarded port", func() bool { return get(page) == "hello from the pod\n" })
	close(stop)
	check(t, <-done)
}

// nodeAddress is an address of the machine that is not a loopback one: the pods' bridge has one.
func nodeAddress(t *testing.T) string {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	check(t, err)
	for _, address := range addresses {
		if ip, ok := address.(*net.IPNet); ok && !ip.IP.IsLoopback() && ip.IP.To4() != nil {
			return ip.IP.String()
		}
	}
	t.Fatal("the machine has no address")
	return ""
}
