// SPDX-License-Identifier: Apache-2.0

package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const groupsTop = "/sys/fs/cgroup"

// stand is what the work with one runtime needs, and where it is looked for what was left.
type stand struct {
	path   string // the runtime
	dir    string
	rootfs string
	root   string // the runtime's state root
	temp   string // TMPDIR of all that is started
	group  string // parent of the containers' control groups
	config map[string]any
	timens bool // the runtime knows time namespaces
	settle time.Duration
}

func newStand(dir, path string, settle time.Duration) (*stand, error) {
	s := &stand{
		path: path, dir: dir, rootfs: filepath.Join(dir, "rootfs"), root: filepath.Join(dir, "state"), temp: filepath.Join(dir, "tmp"),
		settle: settle,
		group:  "/" + filepath.Base(filepath.Dir(dir)) + "-" + filepath.Base(dir), // the scratch directory's name is random
	}
	for _, d := range []string{s.rootfs + "/bin", s.rootfs + "/etc", s.root, s.temp, filepath.Join(dir, "bundles")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, err
		}
	}
	// User namespaces of the bundles map root to somebody who has to reach the root file system.
	for d := dir; d != "/"; d = filepath.Dir(d) {
		if info, err := os.Stat(d); err != nil || info.Mode()&0o001 == 0 {
			if err := os.Chmod(d, 0o755); err != nil {
				return nil, err
			}
		}
	}
	if err := s.fill(); err != nil {
		return nil, err
	}
	out, err := exec.Command(path, "features").Output()
	s.timens = err == nil && strings.Contains(string(out), `"time"`)
	return s, s.readConfig()
}

// fill makes the root file system of Debian's busybox-static.
func (s *stand) fill() error {
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		return fmt.Errorf("find busybox (Debian: busybox-static): %w", err)
	}
	in, err := os.Open(busybox)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(s.rootfs+"/bin/busybox", os.O_WRONLY|os.O_CREATE, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	if err := out.Close(); err != nil {
		return err
	}
	for _, applet := range []string{"sh", "true", "sleep", "tty"} {
		if err := os.Symlink("busybox", s.rootfs+"/bin/"+applet); err != nil {
			return err
		}
	}
	for _, d := range []string{"proc", "sys", "dev", "tmp", "data"} {
		if err := os.Mkdir(s.rootfs+"/"+d, 0o755); err != nil {
			return err
		}
	}
	return os.WriteFile(s.rootfs+"/etc/passwd", []byte("root:x:0:0:root:/:/bin/sh\n"), 0o644)
}

func (s *stand) readConfig() error {
	if out, err := exec.Command(s.path, "spec", "--bundle", s.dir).CombinedOutput(); err != nil {
		return fmt.Errorf("spec: %w: %s", err, out)
	}
	content, err := os.ReadFile(filepath.Join(s.dir, "config.json"))
	if err != nil {
		return err
	}
	return json.Unmarshal(content, &s.config)
}

// kind is what a container is like.
type kind int

const (
	plain     kind = iota
	filtered       // a seccomp profile that all of its kind share
	userNS         // user and time namespaces, a tmpfs and a bind mount
	ownFilter      // a seccomp profile of its own
	kinds
)

//go:embed seccomp.json
var profile []byte

// bundle makes the bundle of a container and returns its directory.
func (s *stand) bundle(id string, k kind, args ...string) (string, error) {
	dir := filepath.Join(s.dir, "bundles", id)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	c, err := s.copyConfig()
	if err != nil {
		return "", err
	}
	process, linux := c["process"].(map[string]any), c["linux"].(map[string]any)
	process["terminal"], process["args"] = false, args
	c["root"].(map[string]any)["path"] = s.rootfs
	c["ociVersion"] = "1.0.2" // what Debian 12's runc understands
	linux["cgroupsPath"] = s.group + "/" + id
	switch k {
	case filtered, ownFilter:
		var filter map[string]any
		if err := json.Unmarshal(profile, &filter); err != nil {
			return "", err
		}
		if k == ownFilter {
			s.makeOwn(filter, id)
		}
		linux["seccomp"] = filter
	case userNS:
		s.addNamespaces(c)
	}
	content, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, "config.json"), content, 0o644)
}

func (s *stand) copyConfig() (map[string]any, error) {
	content, err := json.Marshal(s.config)
	if err != nil {
		return nil, err
	}
	var c map[string]any
	return c, json.Unmarshal(content, &c)
}

// makeOwn changes a profile so that no other container has it.
func (s *stand) makeOwn(filter map[string]any, id string) {
	sum := uint64(14695981039346656037) // FNV-1a
	for _, b := range []byte(id) {
		sum = (sum ^ uint64(b)) * 1099511628211
	}
	filter["syscalls"] = append(filter["syscalls"].([]any), map[string]any{
		"names": []string{"lookup_dcookie"}, "action": "SCMP_ACT_ERRNO", "errnoRet": 1,
		"args": []any{map[string]any{"index": 0, "value": sum >> 16, "op": "SCMP_CMP_EQ"}},
	})
}

func (s *stand) addNamespaces(c map[string]any) {
	linux := c["linux"].(map[string]any)
	more := []string{"user"}
	if s.timens {
		more = append(more, "time")
		linux["timeOffsets"] = map[string]any{"boottime": map[string]any{"secs": 1000}}
	}
	for _, t := range more {
		linux["namespaces"] = append(linux["namespaces"].([]any), map[string]any{"type": t})
	}
	mapping := []any{map[string]any{"containerID": 0, "hostID": 200000, "size": 65536}}
	linux["uidMappings"], linux["gidMappings"] = mapping, mapping
	c["mounts"] = append(c["mounts"].([]any),
		map[string]any{"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": []string{"nosuid", "size=1m"}},
		map[string]any{"destination": "/data", "type": "bind", "source": s.rootfs + "/etc", "options": []string{"rbind", "ro"}})
}

// command is a program that the work starts, with a place of its own for temporary files.
func (s *stand) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "TMPDIR="+s.temp)
	return cmd
}

// forget removes the bundle of a container.
func (s *stand) forget(id string) error { return os.RemoveAll(filepath.Join(s.dir, "bundles", id)) }

// hierarchies are the directories that have control groups: one on v2, one per controller on v1.
func hierarchies() []string {
	found := []string{groupsTop}
	entries, _ := os.ReadDir(groupsTop)
	for _, e := range entries {
		dir := filepath.Join(groupsTop, e.Name())
		if _, err := os.Stat(dir + "/cgroup.procs"); e.IsDir() && err == nil {
			found = append(found, dir)
		}
	}
	return found
}
