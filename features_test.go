// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go/features"

	"github.com/rt-oci/rt/libcontainer/seccomp"
	"github.com/rt-oci/rt/nsenter"
)

func TestFeaturesIsComplete(t *testing.T) {
	got := rt(t, "--debug", "features")
	wantStatus(t, got, 0)
	var f features.Features
	decoder := json.NewDecoder(strings.NewReader(got.stdout))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&f); err != nil {
		t.Fatal(err)
	}
	if f.OCIVersionMin != "1.0.0" || f.OCIVersionMax != "1.3.0" {
		t.Errorf("versions %q to %q", f.OCIVersionMin, f.OCIVersionMax)
	}
	want := []string{"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"}
	if !slices.Equal(f.Hooks, want) {
		t.Errorf("hooks %q", f.Hooks)
	}
	for name, list := range map[string][]string{
		"mountOptions": f.MountOptions, "namespaces": f.Linux.Namespaces, "capabilities": f.Linux.Capabilities,
		"actions": f.Linux.Seccomp.Actions, "operators": f.Linux.Seccomp.Operators, "archs": f.Linux.Seccomp.Archs,
		"knownFlags": f.Linux.Seccomp.KnownFlags,
	} {
		if len(list) == 0 {
			t.Errorf("%s is empty", name)
		}
		sorted := slices.Sorted(slices.Values(list))
		if len(slices.Compact(sorted)) != len(list) {
			t.Errorf("%s names something twice: %q", name, list)
		}
	}
	for name, c := range map[string]struct{ got, want int }{ // of the specification; libseccomp 2.6 knows the architectures
		"namespaces": {len(f.Linux.Namespaces), 8}, "actions": {len(f.Linux.Seccomp.Actions), 9}, "operators": {len(f.Linux.Seccomp.Operators), 7},
		"knownFlags": {len(f.Linux.Seccomp.KnownFlags), 4}, "archs": {len(f.Linux.Seccomp.Archs), 23}, "mountOptions": {len(f.MountOptions), 62},
	} {
		if c.got != c.want {
			t.Errorf("%d %s, want %d", c.got, name, c.want)
		}
	}
	for _, flag := range f.Linux.Seccomp.SupportedFlags {
		if !slices.Contains(f.Linux.Seccomp.KnownFlags, flag) {
			t.Errorf("flag %s is supported but not known", flag)
		}
	}
	for _, key := range []string{"org.rt.version", "org.rt.commit"} {
		if f.Annotations[key] == "" {
			t.Errorf("annotation %s is missing", key)
		}
	}
}

// What is not implemented must be said to be so: a caller takes absence for "unknown".
func TestFeaturesSaysWhatIsMissing(t *testing.T) {
	l := newLinuxFeatures()
	for name, value := range map[string]*bool{
		"cgroup.rdma": l.Cgroup.Rdma,
	} {
		if value == nil || *value {
			t.Errorf("%s is not false", name)
		}
	}
	for name, value := range map[string]*bool{
		"cgroup.v1": l.Cgroup.V1, "cgroup.v2": l.Cgroup.V2, "cgroup.systemd": l.Cgroup.Systemd, "cgroup.systemdUser": l.Cgroup.SystemdUser, "seccomp": l.Seccomp.Enabled, "idmap": l.MountExtensions.IDMap.Enabled, "netDevices": l.NetDevices.Enabled,
		"apparmor": l.Apparmor.Enabled, "selinux": l.Selinux.Enabled,
		"intelRdt": l.IntelRdt.Enabled, "schemata": l.IntelRdt.Schemata, "monitoring": l.IntelRdt.Monitoring,
	} {
		if value == nil || !*value {
			t.Errorf("%s is not true", name)
		}
	}
	if unsafe := newFeatures().PotentiallyUnsafeConfigAnnotations; !slices.Contains(unsafe, "org.systemd.property.") {
		t.Errorf("annotations that may be unsafe: %q", unsafe)
	}
	if p := l.MemoryPolicy; len(p.Modes) != 7 || len(p.Flags) != 3 || !slices.IsSorted(p.Modes) || !slices.IsSorted(p.Flags) {
		t.Errorf("memoryPolicy: %+v", p)
	}
}

func TestVersionJSON(t *testing.T) {
	got := rt(t, "version", "--json")
	wantStatus(t, got, 0)
	var v versionReport
	if err := json.Unmarshal([]byte(got.stdout), &v); err != nil {
		t.Fatal(err)
	}
	if v.Name != "rt" || v.Version != version || v.Commit == "" || v.Spec != "1.3.0" || !strings.HasPrefix(v.Go, "go1.") {
		t.Errorf("version: %+v", v)
	}
	if v.Libseccomp != seccomp.Version() || v.Arch != runtime.GOARCH || v.Stage.Plan != 1 || v.Stage.Bytes != len(nsenter.Binary) || v.Stage.SHA256 == "" {
		t.Errorf("stage and libraries: %+v", v)
	}
	// `make package-test` compares the list of a finished binary with `go version -m`.
	if v.Libraries == nil {
		t.Error("no list of libraries")
	}
}

// null says that a property is unknown, an empty list that it has no value (features.md): rt knows all that it prints.
func TestFeaturesHasNoNull(t *testing.T) {
	t.Parallel()
	data, err := json.Marshal(newFeatures())
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(data, []byte("null")) {
		t.Errorf("features: %s", data)
	}
}
