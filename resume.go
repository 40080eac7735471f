// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/urfave/cli/v2"
)

var resumeCommand = &cli.Command{
	Name: "resume", Usage: "let the processes of a paused container run on", ArgsUsage: "<container-id>",
	Action: func(ctx *cli.Context) error {
		c, err := loadContainer(ctx)
		if err != nil {
			return err
		}
		if err := c.Resume(); err != nil {
			return fmt.Errorf("resume %s: %w", c.ID(), err)
		}
		return nil
	},
}
