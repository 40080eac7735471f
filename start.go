package main

import (
	"fmt"

	"github.com/urfave/cli/v2"
)

var startCommand = &cli.Command{
	Name: "start", Usage: "execute the program of a created container", ArgsUsage: "<container-id>",
	Action: func(ctx *cli.Context) error {
		c, err := loadContainer(ctx)
		if err != nil {
			return err
		}
		if err := c.Start(); err != nil {
			return fmt.Errorf("start %s: %w", c.ID(), err)
		}
		return nil
	},
}
