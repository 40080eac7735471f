// SPDX-License-Identifier: Apache-2.0

package main

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/opencontainers/runtime-spec/specs-go/features"
	"github.com/urfave/cli/v2"

	"github.com/rt-oci/rt/libcontainer/capability"
	"github.com/rt-oci/rt/libcontainer/cgroup"
	"github.com/rt-oci/rt/libcontainer/hook"
	"github.com/rt-oci/rt/libcontainer/plan"
	"github.com/rt-oci/rt/libcontainer/seccomp"
)

// oldestSpec is the oldest runtime-spec whose config.json is accepted.
const oldestSpec = "1.0.0"

var featuresCommand = &cli.Command{
	Name:  "features",
	Usage: "print what the runtime supports as JSON (features.md of the runtime-spec)",
	Action: func(ctx *cli.Context) error {
		return printJSON(ctx.App.Writer, newFeatures(), "    ")
	},
}

// newFeatures describes this build, whatever the host can do; only seccomp's supportedFlags depend on the host by
// definition. The lists come from the tables that the parsers use. What is not implemented is false, not left out:
// absence means "unknown" (features.md).
func newFeatures() *features.Features {
	return &features.Features{
		OCIVersionMin: oldestSpec,
		OCIVersionMax: specs.Version,
		Hooks:         hook.Kinds(),
		MountOptions:  plan.MountOptionNames(),
		Linux:         newLinuxFeatures(),
		Annotations: map[string]string{
			"org.rt.version":                       version,
			"org.rt.commit":                        commit,
			"io.github.seccomp.libseccomp.version": seccomp.Version(),
		},
		PotentiallyUnsafeConfigAnnotations: []string{cgroup.PropertyPrefix},
	}
}

func newLinuxFeatures() *features.Linux {
	yes, no := true, false
	return &features.Linux{
		Namespaces:   plan.NamespaceTypes(),
		Capabilities: capability.Names(),
		Cgroup:       &features.Cgroup{V1: &yes, V2: &yes, Systemd: &yes, SystemdUser: &yes, Rdma: &no},
		Seccomp: &features.Seccomp{
			Enabled:        &yes,
			Actions:        specWords(seccomp.Actions()),
			Operators:      specWords(seccomp.Operators()),
			Archs:          specWords(seccomp.Architectures()),
			KnownFlags:     specWords(seccomp.KnownFlags()),
			SupportedFlags: specWords(seccomp.SupportedFlags()),
		},
		Apparmor:        &features.Apparmor{Enabled: &yes},
		Selinux:         &features.Selinux{Enabled: &yes},
		IntelRdt:        &features.IntelRdt{Enabled: &yes, Schemata: &yes, Monitoring: &yes},
		MemoryPolicy:    &features.MemoryPolicy{Modes: plan.MemoryPolicyModes(), Flags: plan.MemoryPolicyFlags()},
		MountExtensions: &features.MountExtensions{IDMap: &features.IDMap{Enabled: &yes}},
		NetDevices:      &features.NetDevices{Enabled: &yes},
	}
}

// specWords returns typed words of the spec as plain strings.
func specWords[T ~string](typed []T) []string {
	list := make([]string, len(typed))
	for i, word := range typed {
		list[i] = string(word)
	}
	return list
}
