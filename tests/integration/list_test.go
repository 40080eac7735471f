// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go/features"

	"github.com/rt-oci/rt/tests/harness"
)

func TestListShowsContainersSortedByID(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "sleep", "1000")
	b.Write(t)
	ids := []string{b.ID + "-a", b.ID + "-b", b.ID + "-c"}
	for _, i := range []int{1, 2, 0} {
		id := ids[i]
		t.Cleanup(func() { b.RT(t, "delete", "--force", id) })
		b.RT(t, "create", "--bundle", b.Dir, id).WantExit(t, 0)
	}
	b.RT(t, "start", ids[1]).WantExit(t, 0)

	b.RT(t, "list", "-q").WantExit(t, 0).WantStdoutIs(t, strings.Join(ids, "\n"))

	lines := strings.Split(b.RT(t, "list").WantExit(t, 0).Stdout, "\n")
	if ok, _ := regexp.MatchString(`^ID +PID +STATUS +BUNDLE +CREATED`, lines[0]); !ok {
		t.Errorf("header is %q", lines[0])
	}
	for i, want := range []string{"created", "running", "created"} {
		f := strings.Fields(lines[i+1])
		if len(f) < 5 || f[0] != ids[i] || f[2] != want || f[3] != b.Dir || f[4][0] < '0' || f[4][0] > '9' {
			t.Errorf("line %d is %q", i+1, lines[i+1])
		}
	}

	got := b.RT(t, "list", "--format", "json").WantExit(t, 0)
	order := `\{"ociVersion":"\d+\.\d+\.\d+[^"]*","id":"` + regexp.QuoteMeta(ids[0]) +
		`","pid":\d+,"status":"created","bundle":"[^"]+","rootfs":"[^"]+","created":"[^"]+"`
	if ok, _ := regexp.MatchString(`^\[`+order+`.*\}\]\n?$`, got.Stdout); !ok {
		t.Errorf("JSON is %s", got.Stdout)
	}
}

func TestListOfAnEmptyRootIsEmpty(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "true")
	b.RT(t, "list", "-q").WantExit(t, 0).WantStdoutIs(t, "")
	b.Raw(t, "--root", b.Path("nosuch"), "list").WantExit(t, 1)
}

func TestVersionHasTheLinesThatCallersRead(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "true")
	lines := strings.Split(b.Raw(t, "--version").WantExit(t, 0).Stdout, "\n")
	for i, want := range []string{`version \d+\.\d+\.\d+`, `^commit:`, `^spec: \d+\.\d+\.\d+`} {
		if ok, _ := regexp.MatchString(want, lines[i]); !ok {
			t.Errorf("line %d is %q, want %s", i, lines[i], want)
		}
	}
}

func TestFeaturesAreAStructureOfTheSpec(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "true")
	got := b.Raw(t, "features").WantExit(t, 0)
	var f features.Features
	if err := json.Unmarshal([]byte(got.Stdout), &f); err != nil {
		t.Fatal(err)
	}
	if f.OCIVersionMin != "1.0.0" || f.OCIVersionMax != "1.3.0" || len(f.Hooks) != 6 || len(f.Linux.Namespaces) != 8 {
		t.Errorf("features: %s", got.Stdout)
	}
}

// Each option that `features` lists must be one that mounts take.
func TestEveryMountOptionOfFeaturesIsAccepted(t *testing.T) {
	t.Parallel()
	b := harness.NewBundle(t, "true")
	var f features.Features
	if err := json.Unmarshal([]byte(b.Raw(t, "features").Stdout), &f); err != nil {
		t.Fatal(err)
	}
	source := harness.Mkdir(t, b.Path("source"), 0o755)
	for _, option := range f.MountOptions {
		switch option {
		case "remount", "tmpcopyup", "mand", "nomand", "idmap", "ridmap":
			continue // not for a plain bind mount
		}
		b.Spec.Mounts = append(b.Spec.Mounts, bind(source, "/mnt/"+option, "bind", option))
	}
	b.Run(t).WantExit(t, 0)
}
