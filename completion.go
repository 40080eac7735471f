// SPDX-License-Identifier: Apache-2.0

package main

import (
	_ "embed"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"
)

//go:embed completions/rt.bash
var bashCompletion string

//go:embed completions/rt.zsh
var zshCompletion string

//go:embed completions/rt.fish
var fishCompletion string

var completionCommand = &cli.Command{
	Name:      "completion",
	Usage:     "print a script that completes commands, options and container ids",
	ArgsUsage: "bash|zsh|fish",
	Action: func(ctx *cli.Context) error {
		script, err := completionFor(ctx.Args().First())
		if err != nil {
			return err
		}
		if _, err := io.WriteString(ctx.App.Writer, script); err != nil {
			return fmt.Errorf("print completion: %w", err)
		}
		return nil
	},
}

// completionFor returns the completion script for a shell.
func completionFor(shell string) (string, error) {
	switch shell {
	case "bash":
		return bashCompletion, nil
	case "zsh":
		return zshCompletion, nil
	case "fish":
		return fishCompletion, nil
	}
	return "", fmt.Errorf("completion: unknown shell %q (use bash, zsh or fish)", shell)
}
