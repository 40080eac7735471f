package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/rt-oci/rt/libcontainer"
)

var deleteCommand = &cli.Command{
	Name: "delete", Usage: "remove a container that has stopped or was never started", ArgsUsage: "<container-id>",
	Flags: []cli.Flag{
		&cli.BoolFlag{Name: "force", Aliases: []string{"f"}, Usage: "kill the container first; none of this id is no error"},
	},
	Action: func(ctx *cli.Context) error {
		force := ctx.Bool("force")
		id, err := deleteContainer(ctx, force)
		if force && errors.Is(err, libcontainer.ErrNotExist) {
			return nil
		}
		if err != nil && id != "" {
			return fmt.Errorf("delete %s: %w", id, err)
		}
		return err
	},
}

// deleteContainer returns the id once it is not named by the error already.
func deleteContainer(ctx *cli.Context, force bool) (string, error) {
	id, _, err := containerArgs(ctx)
	if err != nil {
		return "", err
	}
	r, err := newRuntime(ctx)
	if err != nil {
		return "", err
	}
	return id, r.Delete(id, force)
}
