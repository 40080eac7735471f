// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/urfave/cli/v2"

	"github.com/rt-oci/rt/libcontainer/cgroup"
	"github.com/rt-oci/rt/libcontainer/spec"
)

var specCommand = &cli.Command{
	Name:  "spec",
	Usage: "write a config.json to begin with",
	Flags: []cli.Flag{
		&cli.StringFlag{Name: "bundle", Aliases: []string{"b"}, Usage: "write it into `DIR` (default: the current directory)"},
		&cli.BoolFlag{Name: "rootless", Usage: "for a container with a user namespace, run by this user"},
	},
	Action: func(ctx *cli.Context) error {
		config := spec.Default(ctx.Bool("rootless"), onCgroupV2(), os.Geteuid(), os.Getegid())
		config.Hostname = ctx.App.Name // under the name runc it is runc's, too
		if err := writeConfig(ctx.String("bundle"), config); err != nil {
			return fmt.Errorf("spec: %w", err)
		}
		return nil
	},
}

// onCgroupV2 reports whether the host is pure cgroup v2. Without control groups it is no matter.
func onCgroupV2() bool {
	layout, err := cgroup.Detect()
	return err == nil && layout.Version == cgroup.V2
}

// writeConfig writes config.json into the bundle. It appears complete or not at all, and never replaces one.
func writeConfig(bundle string, config *specs.Spec) (err error) {
	data, err := json.MarshalIndent(config, "", "\t")
	if err != nil {
		return fmt.Errorf("encode config: %w", err)
	}
	target := filepath.Join(bundle, "config.json")
	tmp, err := os.OpenFile(filepath.Join(bundle, fmt.Sprintf(".config.json.%d", os.Getpid())),
		os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return fmt.Errorf("create config: %w", err)
	}
	defer func() { err = errors.Join(err, os.Remove(tmp.Name())) }()
	_, err = tmp.Write(append(data, '\n'))
	if err = errors.Join(err, tmp.Close()); err != nil {
		return fmt.Errorf("write config: %w", err)
	}
	// link(2) refuses to replace a file, in one step with giving this one its name.
	err = os.Link(tmp.Name(), target)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("file %q exists (remove it first)", target)
	}
	if err != nil {
		return fmt.Errorf("name config: %w", err)
	}
	return nil
}
