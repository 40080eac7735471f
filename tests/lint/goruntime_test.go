// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The Go that builds rt has what build/go-runtime is about: with another one rt works as well, and nobody notices that
// it starts later.
func TestTheGoRuntimeIsAdapted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if output, err := exec.Command("../../build/go-runtime", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	var overlay struct{ Replace map[string]string }
	data, err := os.ReadFile(filepath.Join(dir, "overlay.json"))
	if err == nil {
		err = json.Unmarshal(data, &overlay)
	}
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]struct{ has, hasNot string }{
		"cgroup_linux.go": {"\tprocs := min(ncpu, 1)\n", "\tprocs := ncpu\n"},
		"mgc.go":          {"\tgo bgscavenge(c)\n\tmemstats.enablegc = true", "\tgo bgscavenge(c)\n\t<-c\n"},
	} {
		found := false
		for original, replacement := range overlay.Replace {
			if filepath.Base(original) != name {
				continue
			}
			found = true
			content, err := os.ReadFile(replacement)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(content), want.has) || strings.Contains(string(content), want.hasNot) {
				t.Errorf("%s is not as it should be: want %q, not %q", name, want.has, want.hasNot)
			}
		}
		if !found {
			t.Errorf("%s is not replaced", name)
		}
	}
	if content, err := os.ReadFile(filepath.Join(dir, "experiment")); err != nil || !strings.Contains(string(content), "nogreenteagc") {
		t.Errorf("experiment %q, %v", content, err)
	}
}
