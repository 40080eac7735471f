// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"runtime"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/urfave/cli/v2"

	"github.com/rt-oci/rt/libcontainer/seccomp"
)

// Set by the linker (-X main.version=1.2.3 -X main.commit=HASH); a plain `go build` shows these.
var (
	version = "0.0.0"
	commit  = "unknown"
)

var versionCommand = &cli.Command{
	Name:  "version",
	Usage: "print the version",
	Flags: []cli.Flag{
		&cli.BoolFlag{Name: "json", Usage: "print a JSON object"},
	},
	Action: func(ctx *cli.Context) error {
		if ctx.Bool("json") {
			return printJSON(ctx.App.Writer, newVersionInfo(ctx.App.Name), "    ")
		}
		return printVersion(ctx.App.Writer, ctx.App.Name)
	},
}

// versionInfo is the output of version --json.
type versionInfo struct {
	Name       string `json:"name"`
	Version    string `json:"version"`
	Commit     string `json:"commit"`
	Spec       string `json:"spec"` // the newest runtime-spec that is implemented
	Go         string `json:"go"`
	Libseccomp string `json:"libseccomp,omitempty"`
}

func newVersionInfo(name string) versionInfo {
	return versionInfo{
		Name: name, Version: version, Commit: commit, Spec: specs.Version,
		Go: runtime.Version(), Libseccomp: seccomp.Version(),
	}
}

// printVersion prints the lines that callers of runc parse, the name and the version on the first.
func printVersion(w io.Writer, name string) error {
	v := newVersionInfo(name)
	text := fmt.Sprintf("%s version %s\ncommit: %s\nspec: %s\ngo: %s\n", v.Name, v.Version, v.Commit, v.Spec, v.Go)
	if v.Libseccomp != "" {
		text += fmt.Sprintf("libseccomp: %s\n", v.Libseccomp)
	}
	if _, err := io.WriteString(w, text); err != nil {
		return fmt.Errorf("print version: %w", err)
	}
	return nil
}
