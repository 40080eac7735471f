package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/rt-oci/rt/libcontainer"
)

var runCommand = &cli.Command{
	Name: "run", Usage: "make a container, start it, wait for its end and remove it", ArgsUsage: "<container-id> [<bundle>] | <bundle>",
	Flags: []cli.Flag{
		bundleFlag, consoleSocketFlag, pidFileFlag, pidfdSocketFlag, noPivotFlag, noNewKeyringFlag, preserveFDsFlag,
		&cli.BoolFlag{Name: "detach", Aliases: []string{"d"}, Usage: "return as soon as the program has been executed"},
		&cli.BoolFlag{Name: "keep", Usage: "leave the container stopped when its process has ended"},
		&cli.BoolFlag{Name: "no-subreaper", Usage: "accepted for compatibility: the command is never a subreaper"},
	},
	Action: func(ctx *cli.Context) error {
		r, id, options, err := createArguments(ctx)
		if err != nil {
			return err
		}
		status, err := r.Run(id, libcontainer.RunOptions{
			CreateOptions: options, Detach: ctx.Bool("detach"), Keep: ctx.Bool("keep"),
		})
		if err != nil {
			return fmt.Errorf("run %s: %w", id, err)
		}
		if status != 0 {
			return exitError{code: status}
		}
		return nil
	},
}
