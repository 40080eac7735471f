// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// refusal is a change to a valid configuration and the error that it must give.
type refusal struct {
	name string
	edit func(*specs.Spec)
	want string
}

func wantRefusals(t *testing.T, cases []refusal) {
	t.Helper()
	for _, c := range cases {
		s := Default(false, true, 0, 0)
		c.edit(s)
		if _, err := Validate(s, "/run/b1"); err == nil || err.Error() != c.want {
			t.Errorf("%s:\n got %v\nwant %s", c.name, err, c.want)
		}
	}
}

// acceptance is a change that must be fine, with the warnings that it gives.
type acceptance struct {
	name     string
	edit     func(*specs.Spec)
	warnings []string
}

func wantAcceptances(t *testing.T, cases []acceptance) {
	t.Helper()
	for _, c := range cases {
		s := Default(false, true, 0, 0)
		c.edit(s)
		if warnings, err := Validate(s, "/run/b1"); err != nil || !slices.Equal(warnings, c.warnings) {
			t.Errorf("%s:\n got %v, warnings %q\nwant warnings %q", c.name, err, warnings, c.warnings)
		}
	}
}

func ptr[T any](value T) *T { return &value }

func without(s *specs.Spec, t specs.LinuxNamespaceType) {
	s.Linux.Namespaces = slices.DeleteFunc(s.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == t })
}

func with(s *specs.Spec, t specs.LinuxNamespaceType, path string) {
	without(s, t)
	s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: t, Path: path})
}

func TestVersions(t *testing.T) {
	for version, want := range map[string]string{
		"":                         `ociVersion: missing (the newest version supported is "1.3.0")`,
		"invalid":                  `ociVersion "invalid": want a semantic version such as "1.3.0"`,
		"1":                        `ociVersion "1": want a semantic version such as "1.3.0"`,
		"1.0":                      `ociVersion "1.0": want a semantic version such as "1.3.0"`,
		"1.0.0.0":                  `ociVersion "1.0.0.0": want a semantic version such as "1.3.0"`,
		"v1.0.0":                   `ociVersion "v1.0.0": want a semantic version such as "1.3.0"`,
		"1.00.0":                   `ociVersion "1.00.0": want a semantic version such as "1.3.0"`,
		"1..0":                     `ociVersion "1..0": want a semantic version such as "1.3.0"`,
		"1.0.0-":                   `ociVersion "1.0.0-": want a semantic version such as "1.3.0"`,
		"1.0.0-01":                 `ociVersion "1.0.0-01": want a semantic version such as "1.3.0"`,
		"1.0.0-rc_1":               `ociVersion "1.0.0-rc_1": want a semantic version such as "1.3.0"`,
		"1.0.0+":                   `ociVersion "1.0.0+": want a semantic version such as "1.3.0"`,
		"1.0.0+a+b":                `ociVersion "1.0.0+a+b": want a semantic version such as "1.3.0"`,
		"1.0.-1":                   `ociVersion "1.0.-1": want a semantic version such as "1.3.0"`,
		"99999999999999999999.0.0": `ociVersion "99999999999999999999.0.0": want a semantic version such as "1.3.0"`,
		"2.0.0":                    `ociVersion "2.0.0": want a version 1.x, the newest supported is "1.3.0"`,
		"0.9.0":                    `ociVersion "0.9.0": want a version 1.x, the newest supported is "1.3.0"`,
		"1.0.0":                    "",
		"1.0.0-rc1":                "",
		"1.0.2-dev":                "",
		"1.0.2-rc.1-a":             "",
		"1.2.1+dev":                "",
		"1.2.0-x+001.b":            "",
		"1.3.9":                    "",
	} {
		s := Default(false, true, 0, 0)
		s.Version = version
		warnings, err := Validate(s, "/run/b1")
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != want || len(warnings) > 0 {
			t.Errorf("%q:\n got %s, %q\nwant %s", version, got, warnings, want)
		}
	}
	wantAcceptances(t, []acceptance{
		{"newer minor", func(s *specs.Spec) { s.Version = "1.4.0" }, []string{`ociVersion "1.4.0" is newer than "1.3.0": what it adds is ignored`}},
		{"much newer minor", func(s *specs.Spec) { s.Version = "1.99.0-rc1" }, []string{`ociVersion "1.99.0-rc1" is newer than "1.3.0": what it adds is ignored`}},
	})
}

func TestRefuseTopLevel(t *testing.T) {
	hook := func(h specs.Hook) func(*specs.Spec) {
		return func(s *specs.Spec) { s.Hooks = &specs.Hooks{Poststop: []specs.Hook{{Path: "/bin/true"}, h}} }
	}
	wantRefusals(t, []refusal{
		{"no root", func(s *specs.Spec) { s.Root = nil }, `root: missing (want {"path": "rootfs"}, with the directory of the root file system)`},
		{"no root path", func(s *specs.Spec) { s.Root.Path = "" }, "root.path: missing (want a directory, absolute or relative to the bundle)"},
		{"NUL in root path", func(s *specs.Spec) { s.Root.Path = "r\x00" }, `root.path "r\x00": want a string without NUL`},
		{"hostname without namespace", func(s *specs.Spec) { without(s, specs.UTSNamespace) }, `hostname "rt": it would be the host's (add {"type": "uts"} to linux.namespaces)`},
		{"domainname without namespace", func(s *specs.Spec) { without(s, specs.UTSNamespace); s.Hostname, s.Domainname = "", "example.org" }, `domainname "example.org": it would be the host's (add {"type": "uts"} to linux.namespaces)`},
		{"long hostname", func(s *specs.Spec) { s.Hostname = strings.Repeat("a", 65) }, `hostname "` + strings.Repeat("a", 65) + `": want at most 64 bytes, got 65`},
		{"long domainname", func(s *specs.Spec) { s.Domainname = strings.Repeat("a", 65) }, `domainname "` + strings.Repeat("a", 65) + `": want at most 64 bytes, got 65`},
		{"NUL in hostname", func(s *specs.Spec) { s.Hostname = "a\x00b" }, `hostname "a\x00b": want a string without NUL`},
		{"annotation without key", func(s *specs.Spec) { s.Annotations = map[string]string{"a": "", "": "x"} }, `annotations: the key of "x" is empty (name it or remove it)`},
		{"cgroupsPath upwards", func(s *specs.Spec) { s.Linux.CgroupsPath = "/a/../../b" }, `linux.cgroupsPath "/a/../../b": want a path without ".."`},
		{"cgroupsPath of two lines", func(s *specs.Spec) { s.Linux.CgroupsPath = "/a\nb" }, `linux.cgroupsPath "/a\nb": want a path without a line break`},
		{"cgroupsPath with NUL", func(s *specs.Spec) { s.Linux.CgroupsPath = "/a\x00" }, `linux.cgroupsPath "/a\x00": want a string without NUL`},
		{"propagation", func(s *specs.Spec) { s.Linux.RootfsPropagation = "foo" }, `linux.rootfsPropagation "foo": want shared, slave, private or unbindable, each also with r in front`},
		{"relative masked path", func(s *specs.Spec) { s.Linux.MaskedPaths = []string{"/a", "proc/kcore"} }, `linux.maskedPaths[1] "proc/kcore": want an absolute path`},
		{"empty masked path", func(s *specs.Spec) { s.Linux.MaskedPaths = []string{""} }, "linux.maskedPaths[0]: missing (want an absolute path)"},
		{"relative read-only path", func(s *specs.Spec) { s.Linux.ReadonlyPaths = []string{"proc/sys"} }, `linux.readonlyPaths[0] "proc/sys": want an absolute path`},
		{"read-only root without a mount namespace", func(s *specs.Spec) { without(s, specs.MountNamespace) }, `root.readonly: without a mount namespace of its own it would be the host's directory that becomes read-only (add {"type": "mount"} to linux.namespaces)`},
		{"read-only root in a joined mount namespace", func(s *specs.Spec) {
			without(s, specs.MountNamespace)
			s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.MountNamespace, Path: "/n"})
		}, `root.readonly: without a mount namespace of its own it would be the host's directory that becomes read-only (add {"type": "mount"} to linux.namespaces)`},
		{"propagation without a mount namespace", func(s *specs.Spec) {
			without(s, specs.MountNamespace)
			s.Root.Readonly, s.Linux.MaskedPaths, s.Linux.ReadonlyPaths, s.Linux.RootfsPropagation = false, nil, nil, "rslave"
		}, `linux.rootfsPropagation: without a mount namespace of its own it would be that of the host's mounts (add {"type": "mount"} to linux.namespaces)`},
		{"masked paths of the host", func(s *specs.Spec) { without(s, specs.MountNamespace); s.Root.Readonly = false }, `linux.maskedPaths: it would cover the host's (add {"type": "mount"} to linux.namespaces)`},
		{"read-only paths of the host", func(s *specs.Spec) {
			without(s, specs.MountNamespace)
			s.Root.Readonly, s.Linux.MaskedPaths = false, nil
		}, `linux.readonlyPaths: it would cover the host's (add {"type": "mount"} to linux.namespaces)`},
		{"no personality", func(s *specs.Spec) { s.Linux.Personality = &specs.LinuxPersonality{} }, "linux.personality.domain: missing (want LINUX or LINUX32)"},
		{"other personality", func(s *specs.Spec) { s.Linux.Personality = &specs.LinuxPersonality{Domain: "BSD"} }, `linux.personality.domain "BSD": want LINUX or LINUX32`},
		{"personality flag", func(s *specs.Spec) {
			s.Linux.Personality = &specs.LinuxPersonality{Domain: "LINUX", Flags: []specs.LinuxPersonalityFlag{"ADDR_NO_RANDOMIZE"}}
		}, `linux.personality.flags: unknown flag "ADDR_NO_RANDOMIZE" (the specification defines none)`},
		{"hook without path", hook(specs.Hook{}), "hooks.poststop[1].path: missing (want an absolute path)"},
		{"hook with relative path", hook(specs.Hook{Path: "bin/true"}), `hooks.poststop[1].path "bin/true": want an absolute path`},
		{"hook without time", hook(specs.Hook{Path: "/a", Timeout: ptr(0)}), "hooks.poststop[1].timeout 0: want more than 0 seconds"},
		{"hook with negative time", hook(specs.Hook{Path: "/a", Timeout: ptr(-1)}), "hooks.poststop[1].timeout -1: want more than 0 seconds"},
		{"hook argument with NUL", hook(specs.Hook{Path: "/a", Args: []string{"a", "\x00"}}), `hooks.poststop[1].args[1] "\x00": want a string without NUL`},
		{"hook environment with NUL", hook(specs.Hook{Path: "/a", Env: []string{"A=\x00"}}), `hooks.poststop[1].env[0] "A=\x00": want a string without NUL`},
	})
	kinds := map[string]func(*specs.Hooks, []specs.Hook){
		"prestart":        func(h *specs.Hooks, list []specs.Hook) { h.Prestart = list }, //nolint:staticcheck // still a MUST
		"createRuntime":   func(h *specs.Hooks, list []specs.Hook) { h.CreateRuntime = list },
		"createContainer": func(h *specs.Hooks, list []specs.Hook) { h.CreateContainer = list },
		"startContainer":  func(h *specs.Hooks, list []specs.Hook) { h.StartContainer = list },
		"poststart":       func(h *specs.Hooks, list []specs.Hook) { h.Poststart = list },
		"poststop":        func(h *specs.Hooks, list []specs.Hook) { h.Poststop = list },
	}
	for kind, set := range kinds {
		wantRefusals(t, []refusal{{kind, func(s *specs.Spec) { s.Hooks = new(specs.Hooks); set(s.Hooks, []specs.Hook{{}}) }, "hooks." + kind + "[0].path: missing (want an absolute path)"}})
	}
}

func TestAcceptTopLevel(t *testing.T) {
	wantAcceptances(t, []acceptance{
		{"no process", func(s *specs.Spec) { s.Process = nil }, nil},
		{"no linux section", func(s *specs.Spec) { s.Linux, s.Hostname, s.Root.Readonly = nil, "", false }, nil},
		{"other platforms", func(s *specs.Spec) {
			s.Windows, s.Solaris, s.VM, s.ZOS, s.FreeBSD = new(specs.Windows), new(specs.Solaris), new(specs.VM), new(specs.ZOS), new(specs.FreeBSD)
		}, nil},
		{"longest hostname", func(s *specs.Spec) { s.Hostname = strings.Repeat("a", 64) }, nil},
		{"hostname in a joined namespace", func(s *specs.Spec) { with(s, specs.UTSNamespace, "/proc/7/ns/uts") }, nil},
		{"no hostname, no namespace", func(s *specs.Spec) { s.Hostname = ""; without(s, specs.UTSNamespace) }, nil},
		{"host's mounts", func(s *specs.Spec) {
			without(s, specs.MountNamespace)
			s.Linux.MaskedPaths, s.Linux.ReadonlyPaths = []string{}, []string{}
			s.Root.Readonly = false
		}, nil},
		{"systemd's cgroupsPath", func(s *specs.Spec) { s.Linux.CgroupsPath = "machine.slice:rt:web..1" }, nil},
		{"empty annotation", func(s *specs.Spec) { s.Annotations = map[string]string{"a": ""} }, nil},
		{"personality", func(s *specs.Spec) {
			s.Linux.Personality = &specs.LinuxPersonality{Domain: "LINUX32", Flags: []specs.LinuxPersonalityFlag{}}
		}, nil},
		{"hooks", func(s *specs.Spec) {
			s.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/bin/true", Timeout: ptr(1), Env: []string{"odd"}}}}
		}, nil},
	})
	for _, word := range []string{"shared", "slave", "private", "unbindable", "rshared", "rslave", "rprivate", "runbindable"} {
		wantAcceptances(t, []acceptance{{word, func(s *specs.Spec) { s.Linux.RootfsPropagation = word }, nil}})
	}
}
