// SPDX-License-Identifier: Apache-2.0

// Package intelrdt puts containers into groups of a resctrl file system: shares of caches and of memory bandwidth, and
// their monitoring (config-linux.md, "IntelRdt"; kernel: filesystems/resctrl.rst).
package intelrdt

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/sys"
)

// Group is the place of a container in a resctrl file system.
type Group struct {
	Path    string // class of service, a directory
	Monitor string // monitoring group, a directory; "" for none
	Owned   bool   // the class is the container's alone, and goes with it

	config *specs.LinuxIntelRdt
	made   bool // this process has made the class

	mkdir, rmdir func(path string) error // what makes and removes a group: in this file system the directory alone
}

// reserved are names in the root that are no classes.
var reserved = [...]string{".", "..", "info", "mon_data", "mon_groups"}

// Check refuses what no resctrl file system takes.
func Check(r *specs.LinuxIntelRdt) error {
	if r == nil {
		return nil
	}
	if r.ClosID != "/" {
		for _, name := range reserved {
			if r.ClosID == name {
				return fmt.Errorf("linux.intelRdt.closID %q: no name of a class of service", r.ClosID)
			}
		}
		if strings.ContainsAny(r.ClosID, "/\n\x00") || len(r.ClosID) > unix.NAME_MAX {
			return fmt.Errorf("linux.intelRdt.closID %q: want the name of a directory, or \"/\" for the default class", r.ClosID)
		}
	}
	for _, line := range [...]struct{ member, prefix, value string }{
		{"l3CacheSchema", "L3:", r.L3CacheSchema}, {"memBwSchema", "MB:", r.MemBwSchema},
	} {
		if line.value != "" && (!strings.HasPrefix(line.value, line.prefix) || strings.ContainsAny(line.value, "\n\x00")) {
			return fmt.Errorf("linux.intelRdt.%s %q: want one line that begins with %q", line.member, line.value, line.prefix)
		}
	}
	for i, line := range r.Schemata {
		if name, _, ok := strings.Cut(line, ":"); !ok || name == "" || strings.ContainsAny(line, "\n\x00") {
			return fmt.Errorf("linux.intelRdt.schemata[%d] %q: want one line such as \"L2:0=f;1=f\"", i, line)
		}
	}
	return nil
}

// New returns the group that a container with this id and config gets below root. Nothing is made yet; what is there
// already is looked at, so that only what Create makes is ever removed.
func New(root, id string, config *specs.LinuxIntelRdt) *Group {
	g := &Group{config: config, mkdir: mkdir, rmdir: rmdir}
	switch config.ClosID {
	case "":
		g.Path = filepath.Join(root, id)
		_, err := os.Lstat(g.Path)
		g.Owned = errors.Is(err, fs.ErrNotExist)
	case "/":
		g.Path = root
	default:
		g.Path = filepath.Join(root, config.ClosID)
	}
	if config.EnableMonitoring {
		g.Monitor = filepath.Join(g.Path, "mon_groups", id)
	}
	return g
}

// Open returns a group that was made before.
func Open(path, monitor string, owned bool) *Group {
	return &Group{Path: path, Monitor: monitor, Owned: owned, rmdir: rmdir}
}

func mkdir(path string) error { return os.Mkdir(path, 0o755) }

func rmdir(path string) error {
	if err := unix.Rmdir(path); err != nil {
		return &fs.PathError{Op: "rmdir", Path: path, Err: err}
	}
	return nil
}

// hasSchema says that the config asks for shares.
func (g *Group) hasSchema() bool {
	return g.config.L3CacheSchema != "" || g.config.MemBwSchema != "" || len(g.config.Schemata) > 0
}

// Create makes what is missing and sets the shares. On error nothing that it has made is left.
func (g *Group) Create() error {
	err := g.create()
	if err == nil {
		return nil
	}
	if undoErr := g.Undo(); undoErr != nil {
		err = fmt.Errorf("%w (and %v)", err, undoErr)
	}
	return err
}

func (g *Group) create() error {
	existed, err := g.makeClass()
	if err != nil {
		return err
	}
	if err := g.writeSchema(existed); err != nil {
		return err
	}
	if g.Monitor == "" {
		return nil
	}
	if err := g.mkdir(g.Monitor); err != nil {
		g.Monitor = "" // it is not ours
		return fmt.Errorf("make monitoring group: %w%s", err, full(err, "num_rmids"))
	}
	return nil
}

// makeClass makes the class of service. One that the config names and asks no shares of must be there.
func (g *Group) makeClass() (existed bool, err error) {
	if _, err := os.Lstat(g.Path); err == nil {
		return true, nil
	}
	if g.config.ClosID != "" && !g.hasSchema() {
		return false, fmt.Errorf("class of service %q: %w (it is made only for a config with a schema)", g.Path, fs.ErrNotExist)
	}
	err = g.mkdir(g.Path)
	if errors.Is(err, fs.ErrExist) {
		g.Owned = false
		return true, nil
	}
	if err != nil {
		g.Owned = false
		return false, fmt.Errorf("make class of service: %w%s", err, full(err, "num_closids"))
	}
	g.made = true
	return false, nil
}

func full(err error, file string) string {
	if errors.Is(err, unix.ENOSPC) {
		return " (the processor has no more of them: see " + file + " below info)"
	}
	return ""
}

// writeSchema sets the shares, in the order that the specification wants. In a class that was there and that the config
// names, the two older members only describe what must be set: others are in it.
func (g *Group) writeSchema(existed bool) error {
	older := [...]string{g.config.L3CacheSchema, g.config.MemBwSchema}
	if existed && g.config.ClosID != "" {
		if err := g.compare(older[:]); err != nil {
			return err
		}
	} else {
		for _, line := range older {
			if line == "" {
				continue
			}
			if err := g.write(line); err != nil {
				return err
			}
		}
	}
	if len(g.config.Schemata) == 0 {
		return nil
	}
	return g.write(strings.Join(g.config.Schemata, "\n"))
}

// Change sets new shares in a class that is the container's alone, with one write: all of it or, if the kernel refuses,
// nothing.
func (g *Group) Change(r *specs.LinuxIntelRdt) error {
	if err := Check(r); err != nil {
		return err
	}
	if !g.Owned {
		return fmt.Errorf("linux.intelRdt: the class of service %q is not the container's alone (write its file schemata by hand)", g.Path)
	}
	var lines []string
	for _, line := range [...]string{r.L3CacheSchema, r.MemBwSchema} {
		if line != "" {
			lines = append(lines, line)
		}
	}
	if err := g.write(strings.Join(lines, "\n")); err != nil {
		return fmt.Errorf("linux.intelRdt: %w", err)
	}
	return nil
}

func (g *Group) write(lines string) error {
	if err := sys.WriteFile(filepath.Join(g.Path, "schemata"), lines+"\n"); err != nil {
		return fmt.Errorf("%q: %w%s", lines, err, g.kernelWords())
	}
	return nil
}

// kernelWords is what the kernel has to say about the last write.
func (g *Group) kernelWords() string {
	root := g.Path
	if g.config == nil || g.config.ClosID != "/" {
		root = filepath.Dir(root)
	}
	words, err := os.ReadFile(filepath.Join(root, "info", "last_cmd_status"))
	if text := strings.TrimSpace(string(words)); err == nil && text != "" && text != "ok" {
		return ": " + strings.ReplaceAll(text, "\n", "; ")
	}
	return ""
}

// Add puts a process of one thread into the group. Its children are in it too.
func (g *Group) Add(pid int) error {
	paths := []string{g.Path}
	if g.Monitor != "" {
		paths = append(paths, g.Monitor) // takes only what is in its class
	}
	for _, path := range paths {
		if err := sys.WriteFile(filepath.Join(path, "tasks"), strconv.Itoa(pid)); err != nil {
			return err
		}
	}
	return nil
}

// Remove removes the monitoring group, and the class if it is the container's alone.
func (g *Group) Remove() error {
	paths := []string{g.Monitor}
	if g.Owned {
		paths = append(paths, g.Path)
	}
	for _, path := range paths {
		if path == "" {
			continue
		}
		if err := g.rmdir(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove resctrl group: %w", err)
		}
	}
	return nil
}

// Undo is Remove for a container that could not be made. A class that was made for it under a name of the config goes as
// well, unless somebody is in it already.
func (g *Group) Undo() error {
	if err := g.Remove(); err != nil || g.Owned || !g.made {
		return err
	}
	tasks, err := os.ReadFile(filepath.Join(g.Path, "tasks"))
	if err != nil || len(strings.TrimSpace(string(tasks))) > 0 {
		return err
	}
	if err := g.rmdir(g.Path); err != nil {
		return fmt.Errorf("remove resctrl group: %w", err)
	}
	return nil
}
