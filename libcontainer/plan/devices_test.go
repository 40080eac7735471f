// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// deviceSteps plans the devices of a config and returns the steps, one per line.
func deviceSteps(t *testing.T, s *specs.Spec) []string {
	t.Helper()
	b := &builder{spec: s, host: testHost(), plan: &Plan{}}
	if err := devices(b); err != nil {
		t.Fatal(err)
	}
	lines := make([]string, len(b.plan.Steps))
	for i := range b.plan.Steps {
		lines[i] = describeEntry(&b.plan.Steps[i])
	}
	return lines
}

func TestConfiguredDeviceReplacesTheDefault(t *testing.T) {
	t.Parallel()
	s := namespaceSpec("mount")
	mode := fs.FileMode(0o600)
	s.Linux.Devices = []specs.LinuxDevice{
		{Path: "/dev/./null", Type: "c", Major: 1, Minor: 3, FileMode: &mode},
		{Path: "/dev/ptmx", Type: "c", Major: 5, Minor: 2},
	}
	var null, ptmx []string
	for _, line := range deviceSteps(t, s) {
		if strings.Contains(line, `Path="/dev/null"`) {
			null = append(null, line)
		}
		if strings.Contains(line, `Path="/dev/ptmx"`) {
			ptmx = append(ptmx, line)
		}
	}
	want := []string{`MakeNode Path="/dev/null" Mode=020600 Major=1 Minor=3 Flags=no-symlinks  [linux.devices[0] "/dev/./null"]`}
	if !slices.Equal(null, want) {
		t.Errorf("null: %q, want %q", null, want)
	}
	if len(ptmx) != 1 || !strings.HasPrefix(ptmx[0], "Symlink") {
		t.Errorf("ptmx must be the link alone: %q", ptmx)
	}
}

// In a user namespace mknod(2) is not allowed: the host's node is taken, without what a device has no use for.
func TestDevicesInAUserNamespaceAreTaken(t *testing.T) {
	t.Parallel()
	for _, words := range []string{"mount user", "mount user@"} {
		for _, line := range deviceSteps(t, namespaceSpec(words)) {
			if strings.HasPrefix(line, "MakeNode") {
				t.Errorf("%q: %s", words, line)
			}
		}
	}
}

func TestBoundDevIsLeftAlone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		destination, option string
		want                bool
	}{{"/dev", "rbind", true}, {"/dev/", "bind", true}, {"/dev", "nosuid", false}, {"/dev/shm", "bind", false}} {
		s := namespaceSpec("mount")
		s.Mounts = []specs.Mount{{Destination: c.destination, Source: "/y", Options: []string{c.option}}}
		if got := len(deviceSteps(t, s)) == 0; got != c.want {
			t.Errorf("%s %s: left alone is %v", c.option, c.destination, got)
		}
	}
}

func TestUnknownDeviceTypeIsRefused(t *testing.T) {
	t.Parallel()
	s := namespaceSpec("mount")
	s.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/x", Type: "z"}}
	_, err := Create(s, testHost())
	if err == nil || !strings.Contains(err.Error(), `linux.devices[0] "/dev/x": type "z"`) {
		t.Errorf("got %v", err)
	}
}
