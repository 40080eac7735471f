// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/urfave/cli/v2"

	"github.com/rt-oci/rt/libcontainer"
	"github.com/rt-oci/rt/libcontainer/sys"
)

// productName is the name that rt prints and uses for its state root, unless a link gives it the other one.
const (
	productName    = "rt"
	compatibleName = "runc"
)

// logKey is where the app keeps its logger.
const logKey = "log"

// invokedName returns the base name of the binary as it was called, which the help texts show.
func invokedName(arg0 string) string {
	name := filepath.Base(arg0)
	if name == "." || name == "/" {
		return productName
	}
	return name
}

// productOf returns the name to work under: "runc" if called by a link of that name, so that callers which
// know runc's state root and version line find them, otherwise "rt".
func productOf(arg0 string) string {
	if invokedName(arg0) == compatibleName {
		return compatibleName
	}
	return productName
}

// globalFlags returns the options that stand before the command.
func globalFlags(product string) []cli.Flag {
	root := defaultRoot(product, os.Getenv("XDG_RUNTIME_DIR"), os.Getenv("USER"), os.Geteuid(), sys.InUserNamespace)
	return []cli.Flag{
		&cli.StringFlag{Name: "root", Usage: "keep the state of containers in `DIR`", Value: root, DefaultText: root},
		&cli.StringFlag{Name: "log", Usage: "append messages to `FILE` instead of stderr"},
		&cli.StringFlag{Name: "log-format", Usage: "write messages as \"text\" or \"json\"", Value: "text"},
		&cli.BoolFlag{Name: "debug", Usage: "log what is being done", DisableDefaultText: true},
		&cli.BoolFlag{
			Name: "systemd-cgroup", Usage: "let systemd make the control group; linux.cgroupsPath is then \"slice:prefix:name\"",
			DisableDefaultText: true,
		},
		&cli.StringFlag{Name: "rootless", Usage: "go on without access to control groups: true, false or auto", Value: "auto"},
	}
}

// before checks the global options and sets the logger up. It runs before each command.
func before(ctx *cli.Context) error {
	log := logOf(ctx.App)
	log.debug = ctx.Bool("debug")
	switch format := ctx.String("log-format"); format {
	case "text":
	case "json":
		log.json = true
	default:
		return fmt.Errorf("invalid log-format: %q (use text or json)", format)
	}
	if path := ctx.String("log"); path != "" {
		file, err := openLog(path)
		if err != nil {
			return err
		}
		log.file = file
	}
	if value := ctx.String("rootless"); value != "auto" {
		if _, err := strconv.ParseBool(value); err != nil {
			return fmt.Errorf("invalid rootless: %q (use true, false or auto)", value)
		}
	}
	return nil
}

// logOf returns the app's logger.
func logOf(app *cli.App) *logger {
	return app.Metadata[logKey].(*logger)
}

// stateRoot returns the absolute path of the directory that holds the state of this user's containers.
func stateRoot(ctx *cli.Context) (string, error) {
	root := ctx.String("root")
	if root == "" {
		return "", errors.New("--root: empty path")
	}
	abs, err := filepath.Abs(root)
	if err != nil {
		return "", fmt.Errorf("resolve root %q: %w", root, err)
	}
	return abs, nil
}

// rootlessOption is the value of --rootless, which has passed before.
func rootlessOption(value string) libcontainer.Rootless {
	if value == "auto" {
		return libcontainer.RootlessAuto
	}
	if on, _ := strconv.ParseBool(value); on {
		return libcontainer.RootlessYes
	}
	return libcontainer.RootlessNo
}

// defaultRoot returns the state root for a user without --root. Both places are emptied at boot. That of ordinary users
// is also that of the root of a user namespace of theirs (podman), who keeps their name; one whose name is root has a system
// of his own there, with its own /run. A relative XDG_RUNTIME_DIR, which would be in whatever bundle rt was called in, is
// invalid and ignored (XDG Base Directory Specification).
func defaultRoot(product, runtimeDir, name string, uid int, nested func() bool) string {
	if filepath.IsAbs(runtimeDir) && (uid != 0 || name != "root" && nested()) {
		return filepath.Join(runtimeDir, product)
	}
	return filepath.Join("/run", product)
}
