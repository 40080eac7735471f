// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/urfave/cli/v2"

	"github.com/rt-oci/rt/libcontainer/seccomp"
	"github.com/rt-oci/rt/nsenter"
)

// Set by the linker (-X main.version=1.2.3 -X main.commit=HASH); a plain `go build` shows these.
var (
	version  = "0.0.0"
	commit   = "unknown"
	stageSum = "unknown" // SHA-256 of the stage
)

var versionCommand = &cli.Command{
	Name:  "version",
	Usage: "print the version",
	Flags: []cli.Flag{
		&cli.BoolFlag{Name: "json", Usage: "print a JSON object, with the libraries and the stage"},
	},
	Action: func(ctx *cli.Context) error {
		if ctx.Bool("json") {
			return printJSON(ctx.App.Writer, newVersionReport(ctx.App.Name), "    ")
		}
		return printVersion(ctx.App.Writer, ctx.App.Name)
	},
}

// versionReport is the output of version --json.
type versionReport struct {
	versionInfo
	Arch      string          `json:"arch"`
	Stage     stageVersion    `json:"stage"`
	Libraries []moduleVersion `json:"libraries"`
}

// stageVersion tells which stage is embedded.
type stageVersion struct {
	Plan   int    `json:"plan"` // the version of the plan's format
	Bytes  int    `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// moduleVersion is a Go module that is linked in.
type moduleVersion struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Sum     string `json:"sum,omitempty"` // as in go.sum
}

// newVersionReport reads the list of modules that the linker has left in the binary, which only this output needs.
func newVersionReport(name string) versionReport {
	report := versionReport{
		versionInfo: newVersionInfo(name),
		Arch:        runtime.GOARCH,
		Stage:       stageVersion{Plan: nsenter.PlanVersion, Bytes: len(nsenter.Binary), SHA256: stageSum},
		Libraries:   []moduleVersion{},
	}
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return report
	}
	for _, m := range build.Deps {
		report.Libraries = append(report.Libraries, moduleVersion{m.Path, m.Version, m.Sum})
	}
	return report
}

// versionInfo is what every form of the version tells.
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
