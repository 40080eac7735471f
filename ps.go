// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/rt-oci/rt/libcontainer"
)

var psCommand = &cli.Command{
	Name: "ps", Usage: "list the processes of a container", ArgsUsage: "<container-id> [<ps options>]",
	Flags: []cli.Flag{
		&cli.StringFlag{Name: "format", Aliases: []string{"f"}, Value: "table", Usage: "print as \"table\" of ps(1) or \"json\""},
	},
	Action: func(ctx *cli.Context) error {
		format := ctx.String("format")
		if format != "table" && format != "json" {
			return fmt.Errorf("ps: invalid format option %q (use table or json)", format)
		}
		c, err := loadContainer(ctx)
		if err != nil {
			return err
		}
		if err := printProcesses(ctx, c, format); err != nil {
			return fmt.Errorf("ps %s: %w", c.ID(), err)
		}
		return nil
	},
}

func printProcesses(ctx *cli.Context, c *libcontainer.Container, format string) error {
	if format == "json" {
		pids, err := c.Processes()
		if err != nil {
			return err
		}
		return printJSON(ctx.App.Writer, pids, "")
	}
	table, err := c.ProcessTable(ctx.Args().Tail())
	if err != nil {
		return err
	}
	if _, err := io.WriteString(ctx.App.Writer, table); err != nil {
		return fmt.Errorf("print table: %w", err)
	}
	return nil
}
