// SPDX-License-Identifier: Apache-2.0

package security

import (
	"strings"
	"testing"

	"github.com/rt-oci/rt/tests/harness"
)

// A user's container without a cgroup namespace has the host's /sys with all that is mounted there; the control groups in
// it are read-only as the config says (CVE-2023-25809).
func TestControlGroupsOfAUsersContainerAreReadOnly(t *testing.T) {
	t.Parallel()
	b := harness.NewUserBundle(t, "sh", "-c", `for d in /sys/fs/cgroup /sys/fs/cgroup/*/; do mkdir "$d/rt-probe"; echo tried; done 2>&1`)
	for _, n := range b.Spec.Linux.Namespaces {
		if n.Type == "cgroup" {
			t.Fatal("the config has a cgroup namespace")
		}
	}
	got := b.Run(t).WantExit(t, 0)
	tried, refused := strings.Count(got.Stdout, "tried\n"), strings.Count(got.Stdout, "Read-only file system")
	if tried == 0 || tried != refused {
		t.Errorf("%d of %d directories are read-only:\n%s", refused, tried, got.Stdout)
	}
}
