// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer/plan"
)

// Descriptors of the stage as the harness sees them open: 0 to 2, the socket, the plan, and the plan's files.
const (
	socketFD  = 3
	firstFile = 5
)

// writeSeeds writes one input of the harness (harness.c, struct input_head) for each config of the planner's tests
// and returns the files.
func writeSeeds(top, dir string) ([]string, error) {
	configs, err := filepath.Glob(filepath.Join(top, "libcontainer/plan/testdata/*.json"))
	if err != nil || len(configs) == 0 {
		return nil, fmt.Errorf("find configs below %q: %d found: %w", top, len(configs), err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make seed directory: %w", err)
	}
	var seeds []string
	for _, config := range configs {
		name := strings.TrimSuffix(filepath.Base(config), ".json")
		for _, exec := range []bool{false, true} {
			if name == "no-process" && exec {
				continue
			}
			seed, err := newSeed(config, exec)
			if err != nil {
				return nil, fmt.Errorf("make seed of %q: %w", config, err)
			}
			file := filepath.Join(dir, name)
			if exec {
				file += "-exec"
			}
			if err := os.WriteFile(file, seed, 0o644); err != nil {
				return nil, fmt.Errorf("write seed: %w", err)
			}
			seeds = append(seeds, file)
		}
	}
	return seeds, nil
}

// newSeed makes the plan of a container, or of an exec of its process once more.
func newSeed(config string, exec bool) ([]byte, error) {
	data, err := os.ReadFile(config)
	if err != nil {
		return nil, err
	}
	s := &specs.Spec{}
	if err := json.Unmarshal(data, s); err != nil {
		return nil, err
	}
	host := plan.Host{
		ID: "seed", Bundle: "/bundle", Rootfs: "/bundle/rootfs", TaskFiles: 1,
		CgroupMounts: []plan.CgroupMount{{Name: "cpu,cpuacct", Path: "/sys/fs/cgroup/cpu,cpuacct/seed", Links: []string{"cpu"}}},
		ProcMounts:   []string{"/proc"}, NoPivot: strings.Contains(config, "hooks"),
		Filter: &plan.Filter{Program: make([]byte, 64)}, Capabilities: 1<<41 - 1, WaitForStart: true,
	}
	p, err := plan.Create(s, host)
	if exec {
		p, err = plan.Exec(s, host, plan.Entered{Init: 7, Join: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWUSER})
	}
	if err != nil {
		return nil, err
	}
	raw, err := p.Encode(firstFile, socketFD)
	if err != nil {
		return nil, err
	}
	head := []byte{0, byte(firstFile + len(p.Files)), byte(len(raw)), byte(len(raw) >> 8)}
	return append(head, raw...), nil
}
