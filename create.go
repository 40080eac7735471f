package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/rt-oci/rt/libcontainer"
)

// The options of create, which run has too.
var (
	bundleFlag        = &cli.StringFlag{Name: "bundle", Aliases: []string{"b"}, Usage: "make the container from the bundle in `DIR`, by default the current directory"}
	consoleSocketFlag = &cli.StringFlag{Name: "console-socket", Usage: "send the terminal's master to the listener at the unix socket `PATH`"}
	pidFileFlag       = &cli.StringFlag{Name: "pid-file", Usage: "write the number of the container's process to `FILE`"}
	pidfdSocketFlag   = &cli.StringFlag{Name: "pidfd-socket", Usage: "send a pidfd of the container's process to the listener at the unix socket `PATH`"}
	noPivotFlag       = &cli.BoolFlag{Name: "no-pivot", Usage: "move the root instead of pivot_root, for a root file system on a ramdisk"}
	noNewKeyringFlag  = &cli.BoolFlag{Name: "no-new-keyring", Usage: "leave the container in the caller's session keyring"}
	preserveFDsFlag   = &cli.IntFlag{Name: "preserve-fds", Usage: "pass the `N` descriptors from 3 on to the container's process"}
)

var createCommand = &cli.Command{
	Name: "create", Usage: "make a container and leave it waiting for start", ArgsUsage: "<container-id> [<bundle>] | <bundle>",
	Flags: []cli.Flag{bundleFlag, consoleSocketFlag, pidFileFlag, pidfdSocketFlag, noPivotFlag, noNewKeyringFlag, preserveFDsFlag},
	Action: func(ctx *cli.Context) error {
		r, id, options, err := createArguments(ctx)
		if err != nil {
			return err
		}
		if _, err := r.Create(id, options); err != nil {
			return fmt.Errorf("create %s: %w", id, err)
		}
		return nil
	},
}

// createArguments gathers what create and run are called with.
func createArguments(ctx *cli.Context) (*libcontainer.Runtime, string, libcontainer.CreateOptions, error) {
	var options libcontainer.CreateOptions
	id, bundle, err := containerArgs(ctx)
	if err != nil {
		return nil, "", options, err
	}
	r, err := newRuntime(ctx)
	if err != nil {
		return nil, "", options, err
	}
	options = libcontainer.CreateOptions{
		Bundle: bundle, PidFile: ctx.String("pid-file"),
		ConsoleSocket: ctx.String("console-socket"), PidfdSocket: ctx.String("pidfd-socket"),
		PreserveFDs: ctx.Int("preserve-fds"),
		NoPivot:     ctx.Bool("no-pivot"), NoNewKeyring: ctx.Bool("no-new-keyring"),
		Systemd: ctx.Bool("systemd-cgroup"),
	}
	if options.PreserveFDs < 0 {
		return nil, "", options, fmt.Errorf("%s %s: --preserve-fds %d: not a number of descriptors", ctx.Command.Name, id, options.PreserveFDs)
	}
	return r, id, options, nil
}
