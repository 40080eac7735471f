// SPDX-License-Identifier: Apache-2.0

package fault

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/tests/harness"
)

// buildWithCompiler builds an rt that has another file embedded in the filter compiler's place. Where there is no Go, it
// was built before, and is named after that file.
func buildWithCompiler(t *testing.T, compiler string) string {
	t.Helper()
	if built := os.Getenv("RT_TEST_PROGRAMS"); built != "" {
		return filepath.Join(built, "rt-with-"+filepath.Base(compiler))
	}
	embedded, err := filepath.Abs("../../libcontainer/seccomp/rt-seccomp-" + runtime.GOARCH)
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {embedded: compiler}})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	list, binary := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "rt")
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-buildvcs=false", "-tags", "urfave_cli_no_docs", "-overlay", list, "-o", binary, "../..")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return binary
}

// TestAFilterThatCannotBeCompiled wants an error in place of a container without its filter.
func TestAFilterThatCannotBeCompiled(t *testing.T) {
	for _, c := range []struct{ name, compiler, want string }{
		{"damaged", "testdata/rt-seccomp", "linux.seccomp: run the filter compiler: execute it: exec format error"},
		{"not the compiler", "/bin/true", "linux.seccomp: run the filter compiler: decode answer: it is cut off or damaged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			compiler, err := filepath.Abs(c.compiler)
			if err != nil {
				t.Fatal(err)
			}
			b := harness.NewBundle(t, "echo", "runs without its filter")
			b.Wrapper = []string{"/bin/sh", "-c", `shift; exec "$0" "$@"`, buildWithCompiler(t, compiler)}
			defer func() { b.Wrapper = nil }() // it will be gone when the bundle is cleaned up
			b.Run(t).WantExit(t, 0)            // that has none
			b.Spec.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActAllow}
			before := b.Snapshot(t)
			b.Create(t).WantOneError(t, c.want)
			b.Run(t).WantOneError(t, c.want).WantNoStdout(t, "runs")
			before.WantSame(t)
		})
	}
}
