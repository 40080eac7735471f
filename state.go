package main

import "github.com/urfave/cli/v2"

var stateCommand = &cli.Command{
	Name: "state", Usage: "print the state of a container as JSON", ArgsUsage: "<container-id>",
	Action: func(ctx *cli.Context) error {
		c, err := loadContainer(ctx)
		if err != nil {
			return err
		}
		return printJSON(ctx.App.Writer, c.State(), "  ")
	},
}
