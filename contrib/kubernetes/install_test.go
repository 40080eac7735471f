// Package kubernetes has the test of rt-install, which installs rt on the nodes of a cluster.
package kubernetes

import (
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// node is a copy of this machine's root directory, which is thrown away: with its programs, but with a containerd that is
// not there, an own /etc/containerd, and a systemctl that writes down what it is asked.
type node struct {
	t           *testing.T
	dir, source string
	environment []string
}

const systemctl = `#!/bin/sh
echo "$*" >>/run/systemctl.log
! test -e /run/systemctl.fails
`

// newNode makes a node for the engine that listens on a socket of this name below /run.
func newNode(t *testing.T, socket string) *node {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: the node's programs are run by chroot")
	}
	for _, program := range []string{"containerd", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%v (it is part of what is tested)", err)
		}
	}
	scratch := t.TempDir()
	must(t, unix.Mount("rt-install-test", scratch, "tmpfs", 0, ""))
	t.Cleanup(func() { must(t, unix.Unmount(scratch, 0)) })
	root := filepath.Join(scratch, "root")
	for _, name := range []string{"root", "upper", "work"} {
		must(t, os.Mkdir(filepath.Join(scratch, name), 0o755))
	}
	must(t, unix.Mount("overlay", root, "overlay", 0, "lowerdir=/,upperdir="+scratch+"/upper,workdir="+scratch+"/work"))
	t.Cleanup(func() { must(t, unix.Unmount(root, unix.MNT_DETACH)) })
	n := &node{t: t, dir: root, source: filepath.Join(scratch, "rt")}
	must(t, os.RemoveAll(n.path("/etc/containerd")))
	must(t, os.RemoveAll(n.path("/etc/crio")))
	must(t, unix.Mount("run", n.path("/run"), "tmpfs", 0, ""))
	must(t, os.MkdirAll(filepath.Dir(n.path(socket)), 0o755))
	listener, err := net.Listen("unix", n.path(socket))
	must(t, err)
	t.Cleanup(func() { listener.Close() })
	n.write("/usr/local/bin/systemctl", systemctl, 0o755)
	must(t, os.WriteFile(n.source, []byte("#!/bin/sh\necho \"rt $1\"\n"), 0o755))
	return n
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (n *node) path(name string) string { return filepath.Join(n.dir, name) }

func (n *node) write(name, text string, mode os.FileMode) {
	n.t.Helper()
	must(n.t, os.MkdirAll(filepath.Dir(n.path(name)), 0o755))
	must(n.t, os.WriteFile(n.path(name), []byte(text), mode))
}

// read is the text of a file of the node, or "" if there is none.
func (n *node) read(name string) string {
	n.t.Helper()
	data, err := os.ReadFile(n.path(name))
	if err != nil && !os.IsNotExist(err) {
		n.t.Fatal(err)
	}
	return string(data)
}

func (n *node) run(action string) (string, error) {
	cmd := exec.Command("./rt-install", action)
	cmd.Env = append(append(os.Environ(), "HOST="+n.dir, "SOURCE="+n.source), n.environment...)
	output, err := cmd.CombinedOutput()
	return string(output), err
}

func (n *node) succeeds(action string) {
	n.t.Helper()
	if output, err := n.run(action); err != nil {
		n.t.Fatalf("rt-install %s: %v\n%s", action, err, output)
	}
}

func (n *node) fails(action, text string) {
	n.t.Helper()
	output, err := n.run(action)
	if err == nil || !strings.Contains(output, text) {
		n.t.Fatalf("rt-install %s: %v, want an error with %q\n%s", action, err, text, output)
	}
}

func (n *node) wantFile(name, text string) {
	n.t.Helper()
	if got := n.read(name); got != text {
		n.t.Errorf("%s:\n%s\nwant:\n%s", name, got, text)
	}
}

// configuration is what containerd itself makes of the node's files.
func (n *node) configuration() string {
	n.t.Helper()
	output, err := exec.Command("chroot", n.dir, "containerd", "config", "dump").CombinedOutput()
	if err != nil {
		n.t.Fatalf("containerd config dump: %v\n%s", err, output)
	}
	return string(output)
}

func (n *node) wantConfiguration(texts ...string) {
	n.t.Helper()
	got := n.configuration()
	for _, text := range texts {
		if !strings.Contains(got, text) {
			n.t.Errorf("containerd's configuration has no %q:\n%s", text, got)
		}
	}
}

const (
	containerdSocket = "/run/containerd/containerd.sock"
	crioSocket       = "/run/crio/crio.sock"
	configFile       = "/etc/containerd/config.toml"
	restarted        = "restart containerd\n"
)

// A configuration as kubeadm's guides have it, with things that must survive.
const kubeadmConfig = `version = 2
# kept
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "registry.example/pause:3.9"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = true
`

func TestInstallAddsTheHandlerAndKeepsTheRest(t *testing.T) {
	n := newNode(t, containerdSocket)
	n.write(configFile, kubeadmConfig, 0o600)
	n.succeeds("install")
	if got := n.read("/usr/local/bin/rt"); !strings.HasPrefix(got, "#!") {
		t.Errorf("binary: %q", got)
	}
	if got := n.read(configFile); !strings.HasPrefix(got, kubeadmConfig) {
		t.Errorf("config.toml:\n%s", got)
	}
	n.wantConfiguration(`registry.example/pause:3.9`, `BinaryName = "/usr/local/bin/rt"`, `Root = "/run/rt"`, "runtimes.runc]")
	if got := strings.Count(n.configuration(), "SystemdCgroup = true"); got != 2 {
		t.Errorf("SystemdCgroup is true for %d handlers, want 2: rt takes it over from runc", got)
	}
	info, err := os.Stat(n.path(configFile))
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode of config.toml: %o", info.Mode().Perm())
	}
	n.wantFile("/run/systemctl.log", restarted)
}

func TestInstallAgainChangesAndRestartsNothing(t *testing.T) {
	n := newNode(t, containerdSocket)
	n.write(configFile, kubeadmConfig, 0o644)
	n.succeeds("install")
	before := n.read(configFile)
	n.succeeds("install")
	n.wantFile(configFile, before)
	n.wantFile("/run/systemctl.log", restarted)
}

func TestANewBinaryNeedsNoRestart(t *testing.T) {
	n := newNode(t, containerdSocket)
	n.succeeds("install")
	must(t, os.WriteFile(n.source, []byte("#!/bin/sh\necho new\n"), 0o755))
	n.succeeds("install")
	n.wantFile("/usr/local/bin/rt", "#!/bin/sh\necho new\n")
	n.wantFile("/run/systemctl.log", restarted)
}

func TestInstallWithoutAConfiguration(t *testing.T) {
	n := newNode(t, containerdSocket)
	n.succeeds("install")
	n.wantConfiguration(`BinaryName = "/usr/local/bin/rt"`, "SystemdCgroup = false")
	n.succeeds("uninstall")
	if _, err := os.Stat(n.path(configFile)); !os.IsNotExist(err) {
		t.Errorf("config.toml is still there: %v", err)
	}
}

func TestSystemdCgroupAsAsked(t *testing.T) {
	n := newNode(t, containerdSocket)
	n.environment = []string{"SYSTEMD_CGROUP=true"}
	n.succeeds("install")
	n.wantConfiguration("SystemdCgroup = true")
	n.environment = []string{"SYSTEMD_CGROUP=perhaps"}
	n.fails("install", `SYSTEMD_CGROUP is "perhaps": true, false or auto`)
}

func TestUninstallLeavesTheNodeAsItWas(t *testing.T) {
	n := newNode(t, containerdSocket)
	n.write(configFile, kubeadmConfig, 0o644)
	n.succeeds("install")
	n.succeeds("uninstall")
	n.wantFile(configFile, kubeadmConfig)
	n.wantFile("/usr/local/bin/rt", "")
	n.wantFile("/run/systemctl.log", restarted+restarted)
	n.succeeds("uninstall")
	n.wantFile("/run/systemctl.log", restarted+restarted)
}

func TestUninstallWaitsForTheContainers(t *testing.T) {
	n := newNode(t, containerdSocket)
	n.succeeds("install")
	n.write("/run/rt/k8s.io/abc123/state.json", "{}", 0o600)
	n.fails("uninstall", "containers still use the handler rt; delete their pods first: abc123")
	n.wantConfiguration(`BinaryName = "/usr/local/bin/rt"`)
	must(t, os.RemoveAll(n.path("/run/rt/k8s.io/abc123")))
	n.succeeds("uninstall")
}

func TestABinaryThatDoesNotRunChangesNothing(t *testing.T) {
	n := newNode(t, containerdSocket)
	n.write("/usr/local/bin/rt", "old", 0o755)
	must(t, os.WriteFile(n.source, []byte("#!/bin/sh\nexit 1\n"), 0o755))
	n.fails("install", "does not run on this node")
	n.wantFile("/usr/local/bin/rt", "old")
	n.wantFile("/usr/local/bin/rt.new", "")
	n.wantFile("/run/systemctl.log", "")
}

func TestABrokenConfigurationIsLeftAlone(t *testing.T) {
	n := newNode(t, containerdSocket)
	n.write(configFile, "version = [\n", 0o644)
	n.fails("install", "containerd config dump fails")
	n.wantFile(configFile, "version = [\n")
	n.wantFile("/run/systemctl.log", "")
}

// Of version 1 containerd reads plugins.cri: the table of a plugin with its long name has no effect there.
func TestAConfigurationThatHidesTheHandlerIsPutBack(t *testing.T) {
	n := newNode(t, containerdSocket)
	old := "version = 1\n[plugins.cri]\n  sandbox_image = \"registry.example/pause:3.9\"\n"
	n.write(configFile, old, 0o644)
	n.fails("install", "the old one is back")
	n.wantFile(configFile, old)
	n.wantFile("/run/systemctl.log", "")
}

func TestAFailedRestartPutsTheConfigurationBack(t *testing.T) {
	n := newNode(t, containerdSocket)
	n.write(configFile, kubeadmConfig, 0o644)
	n.write("/run/systemctl.fails", "", 0o644)
	n.fails("install", "systemctl restart containerd fails")
	n.wantFile(configFile, kubeadmConfig)
	must(t, os.Remove(n.path("/run/systemctl.fails")))
	n.succeeds("install")
	n.wantConfiguration(`BinaryName = "/usr/local/bin/rt"`)
}

func TestCrio(t *testing.T) {
	n := newNode(t, crioSocket)
	n.succeeds("install")
	n.succeeds("install")
	n.wantFile("/etc/crio/crio.conf.d/50-rt.conf", "[crio.runtime.runtimes.rt]\nruntime_path = \"/usr/local/bin/rt\"\n"+
		"runtime_type = \"oci\"\nruntime_root = \"/run/rt\"\n")
	n.wantFile("/run/systemctl.log", "restart crio\n")
	n.succeeds("uninstall")
	n.wantFile("/etc/crio/crio.conf.d/50-rt.conf", "")
	n.wantFile("/run/systemctl.log", "restart crio\nrestart crio\n")
}

func TestANodeWithoutEngineIsRefused(t *testing.T) {
	n := newNode(t, "/run/other/engine.sock")
	n.fails("install", "which engine does this node use?")
	n.wantFile("/usr/local/bin/rt", "")
}

func TestTheNodeIsLabelled(t *testing.T) {
	n := newNode(t, containerdSocket)
	var requests []string
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		requests = append(requests, strings.Join([]string{
			r.Method, r.URL.Path, r.Header.Get("Authorization"), r.Header.Get("Content-Type"), string(body),
		}, " "))
		if strings.HasSuffix(r.URL.Path, "/nodes/unknown") {
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(server.Close)
	files := t.TempDir()
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	must(t, os.WriteFile(files+"/ca", certificate, 0o644))
	must(t, os.WriteFile(files+"/token", []byte("secret"), 0o600))
	n.environment = []string{"NODE_NAME=node1", "API=" + server.URL, "CA_FILE=" + files + "/ca", "TOKEN_FILE=" + files + "/token"}
	n.succeeds("install")
	n.succeeds("uninstall")
	request := "PATCH /api/v1/nodes/node1 Bearer secret application/merge-patch+json "
	want := []string{
		request + `{"metadata":{"labels":{"rt-runtime":"installed"}}}`, request + `{"metadata":{"labels":{"rt-runtime":null}}}`,
	}
	if strings.Join(requests, "\n") != strings.Join(want, "\n") {
		t.Errorf("requests:\n%s\nwant:\n%s", strings.Join(requests, "\n"), strings.Join(want, "\n"))
	}
	n.environment[0] = "NODE_NAME=unknown"
	n.fails("install", "the label rt-runtime of node unknown can't be set")
}

func TestAnUnknownActionShowsTheUsage(t *testing.T) {
	newNode(t, containerdSocket).fails("remove", "rt-install install|uninstall|status")
}
