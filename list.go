// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/rt-oci/rt/libcontainer"
)

var listCommand = &cli.Command{
	Name:  "list",
	Usage: "list the containers below the state root",
	Flags: []cli.Flag{
		&cli.StringFlag{Name: "format", Aliases: []string{"f"}, Value: "table", Usage: "print as \"table\" or \"json\""},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "print the ids only"},
	},
	Action: func(ctx *cli.Context) error {
		format := ctx.String("format")
		if format != "table" && format != "json" {
			return fmt.Errorf("list: invalid format option %q (use table or json)", format)
		}
		containers, err := listContainers(ctx)
		if err != nil {
			return fmt.Errorf("list: %w", err)
		}
		if ctx.Bool("quiet") {
			return printIDs(ctx.App.Writer, containers)
		}
		states := make([]libcontainer.State, 0, len(containers)) // not nil: JSON [] and not null
		for _, c := range containers {
			states = append(states, c.State())
		}
		if format == "json" {
			return printJSON(ctx.App.Writer, states, "")
		}
		return printTable(ctx.App.Writer, states)
	},
}

// listContainers returns the containers sorted by id. A state root that the caller names must be there;
// the default one appears with the first container.
func listContainers(ctx *cli.Context) ([]*libcontainer.Container, error) {
	r, err := newRuntime(ctx)
	if err != nil {
		return nil, err
	}
	if err := checkRoot(ctx, r); err != nil {
		return nil, err
	}
	return r.List()
}

// checkRoot refuses a state root that was named and is not there.
func checkRoot(ctx *cli.Context, r *libcontainer.Runtime) error {
	_, err := os.Stat(r.Root)
	if err == nil || !ctx.IsSet("root") && errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fmt.Errorf("look up state root: %w", err)
}

func printIDs(w io.Writer, containers []*libcontainer.Container) error {
	for _, c := range containers {
		if _, err := fmt.Fprintln(w, c.ID()); err != nil {
			return fmt.Errorf("print list: %w", err)
		}
	}
	return nil
}

// printTable prints one line per container below a header, blanks between the columns.
func printTable(w io.Writer, states []libcontainer.State) error {
	table := tabwriter.NewWriter(w, 12, 1, 3, ' ', 0)
	fmt.Fprint(table, "ID\tPID\tSTATUS\tBUNDLE\tCREATED\tOWNER\n")
	for _, s := range states {
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%s\t%s\n",
			s.ID, s.Pid, s.Status, oneLine(s.Bundle), s.Created.Format(time.RFC3339Nano), s.Owner)
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("print list: %w", err)
	}
	return nil
}
