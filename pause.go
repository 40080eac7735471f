// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/urfave/cli/v2"
)

var pauseCommand = &cli.Command{
	Name: "pause", Usage: "stop all processes of a container until resume", ArgsUsage: "<container-id>",
	Action: func(ctx *cli.Context) error {
		c, err := loadContainer(ctx)
		if err != nil {
			return err
		}
		if err := c.Pause(); err != nil {
			return fmt.Errorf("pause %s: %w", c.ID(), err)
		}
		return nil
	},
}
