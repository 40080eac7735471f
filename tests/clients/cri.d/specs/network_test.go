package cri

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// webServer is a container that serves a page on port 8080.
func webServer(p *pod) *container {
	p.t.Helper()
	return p.run(command("httpd", "-f", "-p", "8080", "-h", "/www"))
}

// get is the page of a web server, or "" as long as there is none.
func get(url string) string {
	answer, err := http.Get(url)
	if err != nil {
		return ""
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return ""
	}
	return string(body)
}

func TestPodHasAnAddress(t *testing.T) {
	p := runPod(t)
	webServer(p)
	address := p.status().GetNetwork().GetIp()
	if address == "" {
		t.Fatal("no address")
	}
	eventually(t, "page is served to the node", func() bool {
		return get(fmt.Sprintf("http://%s:8080/", address)) == "hello from the pod\n"
	})
}

func TestPodsReachEachOther(t *testing.T) {
	server, client := runPod(t), runPod(t)
	webServer(server)
	c := client.run()
	eventually(t, "page is served to the other pod", func() bool {
		answer, err := c.tryExec("wget", "-q", "-O", "-", "http://"+server.status().GetNetwork().GetIp()+":8080/")
		return err == nil && string(answer.Stdout) == "hello from the pod\n"
	})
}

func TestContainersOfAPodReachEachOtherOverLoopback(t *testing.T) {
	p := runPod(t)
	webServer(p)
	c := p.run()
	eventually(t, "page is served", func() bool {
		answer, err := c.tryExec("wget", "-q", "-O", "-", "http://127.0.0.1:8080/")
		return err == nil && string(answer.Stdout) == "hello from the pod\n"
	})
}

func TestPortOfTheNode(t *testing.T) {
	p := runPod(t, func(config *cri.PodSandboxConfig) {
		config.PortMappings = []*cri.PortMapping{{ContainerPort: 8080, HostPort: 18080}}
	})
	webServer(p)
	address := nodeAddress(t)
	eventually(t, "page is served on the node's port", func() bool {
		return get("http://"+address+":18080/") == "hello from the pod\n"
	})
}
