// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rt-oci/rt/tests/harness"
)

// Where and when each kind of hook runs (config.md, "POSIX-platform Hooks"): on the host or in the container; before
// pivot_root as long as the container's first process has the host's root; poststart when that has become the program.
func TestHooksRunInTheNamespacesAndAtTheMomentOfTheSpec(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "sleep", "1000")
	dir := filepath.Dir(logTo(t, b))
	const namespaces = "for n in mnt net uts ipc pid; do readlink /proc/thread-self/ns/$n; done"
	for _, kind := range kinds {
		file := filepath.Join(dir, kind)
		addHook(b, kind, namespaces+" >"+file+`
			pid=$(sed 's/.*"pid":[ ]*\([0-9]*\).*/\1/')
			tr '\0' ' ' </proc/$pid/cmdline >`+file+`.program
			test -d /proc/$pid/root`+b.Dir+" && touch "+file+".before")
	}
	// The answer of test(1) is none of the hook's, and after poststop there is no process.
	for _, kind := range kinds {
		hook := (*hooksOf(b, kind))[0]
		hook.Args[2] += "\ntrue"
	}
	output, err := exec.Command("sh", "-c", namespaces).Output()
	if err != nil {
		t.Fatal(err)
	}
	host := string(output)
	b.Run(t, "-d").WantExit(t, 0)
	container := b.Exec(t, nil, "sh", "-c", namespaces).WantExit(t, 0).Stdout
	b.Delete(t, "--force").WantExit(t, 0)
	for kind, want := range map[string]string{
		"prestart": host, "createRuntime": host, "startContainer": container, "poststart": host, "poststop": host,
	} {
		wantFile(t, filepath.Join(dir, kind), want)
	}
	if host == container {
		t.Errorf("the container has the namespaces of the host: %s", host)
	}
	for _, kind := range kinds {
		if before := kind == "prestart" || kind == "createRuntime"; exists(filepath.Join(dir, kind+".before")) != before && kind != "createContainer" {
			t.Errorf("%s: the root is still the host's: %v, want %v", kind, !before, before)
		}
	}
	wantFile(t, filepath.Join(dir, "poststart.program"), "sleep 1000 ")
	if program := harness.ReadFile(t, filepath.Join(dir, "startContainer.program")); strings.Contains(program, "sleep") {
		t.Errorf("a startContainer hook finds the program running: %q", program)
	}
}

// Without env a hook of the host has the environment of rt.
func TestHooksOfTheHostInheritTheEnvironmentOfRt(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "true")
	b.Env = []string{"RT_TEST_MARK=inherited"}
	log := b.Path("log")
	for _, kind := range []string{"prestart", "createRuntime", "createContainer", "poststart", "poststop"} {
		addHook(b, kind, "echo "+kind+" $RT_TEST_MARK >>"+log)
	}
	b.Run(t).WantExit(t, 0)
	wantFile(t, log, "prestart inherited\ncreateRuntime inherited\ncreateContainer inherited\npoststart inherited\npoststop inherited\n")
}
