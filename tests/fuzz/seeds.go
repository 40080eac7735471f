// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
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
		for _, kind := range [...]seedKind{ofCreate, ofExec, ofListener} {
			if name == "no-process" && kind != ofCreate {
				continue
			}
			seed, err := newSeed(config, kind)
			if err != nil {
				return nil, fmt.Errorf("make seed of %q: %w", config, err)
			}
			file := filepath.Join(dir, name+string(kind))
			if err := os.WriteFile(file, seed, 0o644); err != nil {
				return nil, fmt.Errorf("write seed: %w", err)
			}
			seeds = append(seeds, file)
		}
	}
	return seeds, nil
}

// seedKind is what a seed is made of, and the end of its file's name.
type seedKind string

const (
	ofCreate   seedKind = ""          // a container
	ofExec     seedKind = "-exec"     // its process once more
	ofListener seedKind = "-listener" // a container with a filter that has a listener
)

// newSeed makes the plan of a kind.
func newSeed(config string, kind seedKind) ([]byte, error) {
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
		Filter: &plan.Filter{Program: make([]byte, 64)}, Capabilities: 1<<41 - 1, AllCapabilities: 1<<41 - 1, WaitForStart: true,
	}
	if kind != ofExec { // under which a container can wait, and ask for its label
		host.Filter.Program = binary.NativeEndian.AppendUint64(nil, 0x7fff0000<<32|0x06) // BPF_RET|BPF_K, SECCOMP_RET_ALLOW
	}
	if kind == ofListener {
		host.Filter.Flags = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER
	}
	p, err := plan.Create(s, host)
	if kind == ofExec {
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
