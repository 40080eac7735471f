// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// validator is one configuration being checked.
type validator struct {
	spec     *specs.Spec
	linux    *specs.Linux // empty if the section is absent
	bundle   string
	warnings []string
}

// Validate checks all of a configuration that can be judged without looking at the host, and refuses
// what this version does not apply. bundle is the absolute path of the bundle. The error names the
// first member that is wrong and what would be right; warnings are about what is ignored. A missing
// process is no error: only `start` needs one.
//
// Paths below the root are judged by their text alone. Whoever opens them has to look again, since a
// link in the root file system may lead elsewhere.
func Validate(s *specs.Spec, bundle string) (warnings []string, err error) {
	v := &validator{spec: s, linux: s.Linux, bundle: bundle}
	if v.linux == nil {
		v.linux = new(specs.Linux)
	}
	for _, check := range [...]func(*validator) error{
		(*validator).version,
		(*validator).root,
		(*validator).namespaces, // the others ask which there are
		(*validator).idMappings,
		(*validator).timeOffsets,
		(*validator).hostNames,
		(*validator).netDevices,
		(*validator).annotations,
		(*validator).mounts,
		(*validator).process,
		(*validator).devices,
		(*validator).deviceRules,
		(*validator).cgroupsPath,
		(*validator).sysctl,
		(*validator).coveredPaths,
		(*validator).propagation,
		(*validator).personality,
		(*validator).mountLabel,
		(*validator).seccomp,
		(*validator).hooks,
		(*validator).ignored,
	} {
		if err := check(v); err != nil {
			return v.warnings, err
		}
	}
	return v.warnings, nil
}

func (v *validator) warn(format string, args ...any) {
	v.warnings = append(v.warnings, fmt.Sprintf(format, args...))
}

// version accepts every 1.x and warns of those that are newer than the types we decode into: callers
// write their library's version, rarely because they use what is new in it.
func (v *validator) version() error {
	if v.spec.Version == "" {
		return fmt.Errorf("ociVersion: missing (the newest version supported is %q)", specs.Version)
	}
	major, minor, ok := parseVersion(v.spec.Version)
	if !ok {
		return fmt.Errorf("ociVersion %q: want a semantic version such as %q", v.spec.Version, specs.Version)
	}
	if major != specs.VersionMajor {
		return fmt.Errorf("ociVersion %q: want a version 1.x, the newest supported is %q", v.spec.Version, specs.Version)
	}
	if minor > specs.VersionMinor {
		v.warn("ociVersion %q is newer than %q: what it adds is ignored", v.spec.Version, specs.Version)
	}
	return nil
}

func (v *validator) root() error {
	if v.spec.Root == nil {
		return errors.New(`root: missing (want {"path": "rootfs"}, with the directory of the root file system)`)
	}
	if v.spec.Root.Path == "" {
		return errors.New("root.path: missing (want a directory, absolute or relative to the bundle)")
	}
	return noNUL("root.path", v.spec.Root.Path)
}

// hostNameBytesMax is __NEW_UTS_LEN of uname(2).
const hostNameBytesMax = 64

func (v *validator) hostNames() error {
	for _, n := range [...]struct{ member, value string }{
		{"hostname", v.spec.Hostname},
		{"domainname", v.spec.Domainname},
	} {
		switch {
		case n.value == "":
		case !v.has(specs.UTSNamespace):
			return fmt.Errorf(`%s %q: it would be the host's (add {"type": "uts"} to linux.namespaces)`, n.member, n.value)
		case len(n.value) > hostNameBytesMax:
			return fmt.Errorf("%s %q: want at most %d bytes, got %d", n.member, n.value, hostNameBytesMax, len(n.value))
		}
		if err := noNUL(n.member, n.value); err != nil {
			return err
		}
	}
	return nil
}

func (v *validator) annotations() error {
	if value, ok := v.spec.Annotations[""]; ok {
		return fmt.Errorf("annotations: the key of %q is empty (name it or remove it)", value)
	}
	return nil
}

func (v *validator) cgroupsPath() error {
	p := v.linux.CgroupsPath
	if slices.Contains(strings.Split(p, "/"), "..") {
		return fmt.Errorf("linux.cgroupsPath %q: want a path without %q", p, "..")
	}
	if strings.Contains(p, "\n") {
		return fmt.Errorf("linux.cgroupsPath %q: want a path without a line break", p)
	}
	return noNUL("linux.cgroupsPath", p)
}

const addMountNamespace = `add {"type": "mount"} to linux.namespaces`

// hasOwnMounts says that the container has a mount namespace that nobody else is in.
func (v *validator) hasOwnMounts() bool {
	n := v.find(specs.MountNamespace)
	return n != nil && n.Path == ""
}

// coveredPaths checks masked and read-only paths, the root among them. Without a mount namespace they would be covered
// for the whole host.
func (v *validator) coveredPaths() error {
	if v.spec.Root.Readonly && !v.hasOwnMounts() {
		return fmt.Errorf("root.readonly: without a mount namespace of its own it would be the host's directory that becomes read-only (%s)", addMountNamespace)
	}
	for _, list := range [...]struct {
		member string
		paths  []string
	}{
		{"linux.maskedPaths", v.linux.MaskedPaths},
		{"linux.readonlyPaths", v.linux.ReadonlyPaths},
	} {
		if len(list.paths) > 0 && !v.has(specs.MountNamespace) {
			return fmt.Errorf("%s: it would cover the host's (%s)", list.member, addMountNamespace)
		}
		for i, p := range list.paths {
			if err := absolute(fmt.Sprintf("%s[%d]", list.member, i), p); err != nil {
				return err
			}
		}
	}
	return nil
}

func (v *validator) propagation() error {
	switch v.linux.RootfsPropagation {
	case "":
		return nil
	case "shared", "slave", "private", "unbindable", "rshared", "rslave", "rprivate", "runbindable":
		if !v.hasOwnMounts() {
			return fmt.Errorf("linux.rootfsPropagation: without a mount namespace of its own it would be that of the host's mounts (%s)", addMountNamespace)
		}
		return nil
	}
	return fmt.Errorf("linux.rootfsPropagation %q: want shared, slave, private or unbindable, each also with r in front",
		v.linux.RootfsPropagation)
}

func (v *validator) personality() error {
	p := v.linux.Personality
	switch {
	case p == nil:
		return nil
	case p.Domain == "":
		return errors.New("linux.personality.domain: missing (want LINUX or LINUX32)")
	case p.Domain != specs.PerLinux && p.Domain != specs.PerLinux32:
		return fmt.Errorf("linux.personality.domain %q: want LINUX or LINUX32", p.Domain)
	case len(p.Flags) > 0:
		return fmt.Errorf("linux.personality.flags: unknown flag %q (the specification defines none)", p.Flags[0])
	}
	return nil
}

func (v *validator) hooks() error {
	h := v.spec.Hooks
	if h == nil {
		return nil
	}
	for _, kind := range [...]struct {
		name  string
		hooks []specs.Hook
	}{
		{"prestart", h.Prestart}, //nolint:staticcheck // deprecated, still a MUST of runtime.md
		{"createRuntime", h.CreateRuntime},
		{"createContainer", h.CreateContainer},
		{"startContainer", h.StartContainer},
		{"poststart", h.Poststart},
		{"poststop", h.Poststop},
	} {
		for i := range kind.hooks {
			if err := checkHook(fmt.Sprintf("hooks.%s[%d]", kind.name, i), &kind.hooks[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkHook(member string, h *specs.Hook) error {
	if err := absolute(member+".path", h.Path); err != nil {
		return err
	}
	if h.Timeout != nil && *h.Timeout <= 0 {
		return fmt.Errorf("%s.timeout %d: want more than 0 seconds", member, *h.Timeout)
	}
	if err := noNULs(member+".args", h.Args); err != nil {
		return err
	}
	return noNULs(member+".env", h.Env)
}

// absolute checks a path that must be there and begin with "/".
func absolute(member, p string) error {
	if p == "" {
		return fmt.Errorf("%s: missing (want an absolute path)", member)
	}
	if !path.IsAbs(p) {
		return fmt.Errorf("%s %q: want an absolute path", member, p)
	}
	return noNUL(member, p)
}

// noNUL refuses what the kernel would read only up to a NUL byte.
func noNUL(member, value string) error {
	if strings.IndexByte(value, 0) >= 0 {
		return fmt.Errorf("%s %q: want a string without NUL", member, value)
	}
	return nil
}

func noNULs(member string, values []string) error {
	for i, value := range values {
		if strings.IndexByte(value, 0) >= 0 {
			return noNUL(fmt.Sprintf("%s[%d]", member, i), value)
		}
	}
	return nil
}
