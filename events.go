// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/rt-oci/rt/libcontainer"
)

var eventsCommand = &cli.Command{
	Name: "events", Usage: "print counters and out-of-memory events of a container as JSON lines", ArgsUsage: "<container-id>",
	Description: `Prints the counters of the control group at once and then at each interval, and an event
whenever memory has run out, until no process is left in the container.`,
	Flags: []cli.Flag{
		&cli.DurationFlag{Name: "interval", Value: 5 * time.Second, Usage: "print the counters every `DURATION`, such as 500ms or 1m"},
		&cli.BoolFlag{Name: "stats", Usage: "print the counters once"},
	},
	Action: func(ctx *cli.Context) error {
		interval := ctx.Duration("interval")
		if interval <= 0 {
			return errors.New("events: duration interval must be greater than 0")
		}
		c, err := loadContainer(ctx)
		if err != nil {
			return err
		}
		print := func(e libcontainer.Event) error { return printJSON(ctx.App.Writer, e, "") }
		if ctx.Bool("stats") {
			var event libcontainer.Event
			if event, err = c.Stats(); err == nil {
				err = print(event)
			}
		} else {
			err = c.Events(interval, print)
		}
		if err != nil {
			return fmt.Errorf("events %s: %w", c.ID(), err)
		}
		return nil
	},
}
