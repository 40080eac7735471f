// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/libcontainer/intelrdt"
	"github.com/rt-oci/rt/libcontainer/plan"
	"github.com/rt-oci/rt/libcontainer/spec"
	"github.com/rt-oci/rt/libcontainer/sys"
)

// loadConfig reads and checks the bundle's config.json.
func (n *creation) loadConfig() error {
	bundle, err := filepath.Abs(n.options.Bundle)
	if err != nil {
		return fmt.Errorf("find bundle: %w", err)
	}
	path := filepath.Join(bundle, configName)
	if n.config, err = sys.ReadFile(path); err != nil {
		return fmt.Errorf("load bundle: %w (a bundle is a directory with a config.json; `rt spec` writes one)", err)
	}
	if n.spec, err = spec.Load(n.config); err != nil {
		return fmt.Errorf("load %q: %w", path, err)
	}
	if plan.MakesNetwork(n.spec) {
		if n.network, err = sys.BeginNetwork(); err != nil {
			return fmt.Errorf("linux.namespaces: make a network namespace: %w", err)
		}
		n.onFailure(n.network.Drop)
	}
	s := &n.c.saved
	s.Bundle, s.OCIVersion, s.Annotations, s.Owner = bundle, specs.Version, n.spec.Annotations, os.Getuid()
	s.NoProcess, s.NoNewKeyring = n.spec.Process == nil, n.options.NoNewKeyring
	s.SharedPIDs = !hasPrivate(n.spec, specs.PIDNamespace)
	if h := n.spec.Hooks; h != nil {
		s.Hooks = len(h.StartContainer)+len(h.Poststart)+len(h.Poststop) > 0
	}
	return nil
}

// checkConfig refuses what can't be done as it is asked for, before anything is made.
func (n *creation) checkConfig() error {
	warnings, err := spec.Validate(n.spec, n.c.saved.Bundle)
	if err != nil {
		return fmt.Errorf("check %q: %w", filepath.Join(n.c.saved.Bundle, configName), err)
	}
	for _, w := range warnings {
		n.c.runtime.Log.Warnf("%s", w)
	}
	if err := n.checkResources(); err != nil {
		return err
	}
	if err := intelrdt.Check(n.spec.Linux.IntelRdt); err != nil {
		return err
	}
	if err := plan.CheckMemoryPolicy(n.spec.Linux.MemoryPolicy); err != nil {
		return err
	}
	if err := checkLabels(n.spec); err != nil {
		return err
	}
	if err := checkJoined(n.spec); err != nil {
		return err
	}
	if err := n.passSockets(); err != nil {
		return err
	}
	return n.checkTerminal()
}

// hasPrivate says that the container gets a new namespace of a type.
func hasPrivate(s *specs.Spec, t specs.LinuxNamespaceType) bool {
	for _, n := range s.Linux.Namespaces {
		if n.Type == t {
			return n.Path == ""
		}
	}
	return false
}

// checkTerminal refuses what can't work, in the words that callers of runc know.
func (n *creation) checkTerminal() error {
	terminal := n.spec.Process != nil && n.spec.Process.Terminal
	switch {
	case n.options.ConsoleSocket != "" && !terminal:
		return fmt.Errorf("%w (process.terminal is false)", errNoConsoleSocket)
	case n.options.ConsoleSocket == "" && terminal && n.detached:
		return errNeedsConsoleSocket
	case n.options.ConsoleSocket != "" && !n.detached:
		return errNoConsoleSocket
	}
	return nil
}

// findRootfs looks the root file system up; a link to it is followed once, here: what is checked afterwards is
// checked against the place that is used.
func (n *creation) findRootfs() error {
	if n.spec.Root == nil || n.spec.Root.Path == "" {
		return nil // checkConfig says so, after what is more basic
	}
	path := n.spec.Root.Path
	if !filepath.IsAbs(path) {
		path = filepath.Join(n.c.saved.Bundle, path)
	}
	resolved, err := filepath.EvalSymlinks(path)
	if err != nil {
		return fmt.Errorf("root.path %q: %w", n.spec.Root.Path, err)
	}
	info, err := os.Stat(resolved)
	if err != nil {
		return fmt.Errorf("root.path %q: %w", n.spec.Root.Path, err)
	}
	if !info.IsDir() {
		return fmt.Errorf("root.path %q: not a directory", n.spec.Root.Path)
	}
	n.c.saved.Rootfs, n.spec.Root.Path = resolved, resolved
	n.resolveSources(info)
	return nil
}

// resolveSources gives mount sources that lie in the root file system, however they are spelled, the root's own path.
// Behind it the image decides where a path leads, so that these sources are looked up in the container's root.
func (n *creation) resolveSources(root os.FileInfo) {
	for i := range n.spec.Mounts {
		m := &n.spec.Mounts[i]
		if m.Source == "" || m.Type != "bind" && m.Type != "none" && m.Type != "" && !hasBindOption(m.Options) {
			continue
		}
		source := m.Source
		if !filepath.IsAbs(source) {
			source = n.c.saved.Bundle + "/" + source
		}
		for at := 1; at < len(source); at++ {
			if source[at] != '/' || source[at-1] == '/' {
				continue
			}
			if info, err := os.Stat(source[:at]); err == nil && os.SameFile(info, root) {
				m.Source = n.c.saved.Rootfs + source[at:]
				break
			}
		}
	}
}

func hasBindOption(options []string) bool {
	return slices.Contains(options, "bind") || slices.Contains(options, "rbind")
}
