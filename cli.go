// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/rt-oci/rt/libcontainer"
)

// command is a row of the command table: a command and what urfave/cli has no field for.
type command struct {
	*cli.Command
	minArgs, maxArgs int
	passesOptions    bool // what follows the first argument belongs to the command run there, not to rt
}

// commands returns the command table, in the order of the help text.
func commands() []command {
	return []command{
		{Command: createCommand, minArgs: 1, maxArgs: 2},
		{Command: startCommand, minArgs: 1, maxArgs: 1},
		{Command: runCommand, minArgs: 1, maxArgs: 2},
		{Command: newExecCommand(), minArgs: 1, maxArgs: math.MaxInt, passesOptions: true},
		{Command: stateCommand, minArgs: 1, maxArgs: 1},
		{Command: killCommand, minArgs: 1, maxArgs: 2},
		{Command: deleteCommand, minArgs: 1, maxArgs: 1},
		{Command: updateCommand, minArgs: 1, maxArgs: 1},
		{Command: eventsCommand, minArgs: 1, maxArgs: 1},
		{Command: pauseCommand, minArgs: 1, maxArgs: 1},
		{Command: resumeCommand, minArgs: 1, maxArgs: 1},
		{Command: psCommand, minArgs: 1, maxArgs: math.MaxInt, passesOptions: true},
		{Command: statsCommand, maxArgs: math.MaxInt},
		{Command: listCommand},
		{Command: specCommand},
		{Command: featuresCommand},
		{Command: versionCommand},
		{Command: completionCommand, minArgs: 1, maxArgs: 1},
	}
}

// newApp returns the command line of a binary invoked by the name arg0.
func newApp(arg0 string, stdout, stderr io.Writer) *cli.App {
	product := productOf(arg0)
	app := &cli.App{
		Name:        product,
		HelpName:    invokedName(arg0),
		Usage:       "Open Container Initiative runtime",
		Description: appDescription,
		Version:     version,
		Compiled:    time.Unix(0, 1), // otherwise the library looks for the binary's file to find its date
		Flags:       globalFlags(product),
		Before:      before,
		Writer:      stdout,
		ErrWriter:   stderr,
		Metadata:    map[string]any{logKey: &logger{stderr: stderr}},
		// Errors are reported and turned into an exit status by execute, not by the library.
		ExitErrHandler: func(*cli.Context, error) {},
		OnUsageError:   usageError,
	}
	cli.VersionPrinter = func(ctx *cli.Context) { _ = printVersion(ctx.App.Writer, ctx.App.Name) }
	return app
}

// runByLibrary lets the library parse the command line, find the command and run it, or say what is wrong.
func runByLibrary(app *cli.App, args []string, table []command) error {
	for _, c := range table {
		app.Commands = append(app.Commands, c.build())
	}
	return app.Run(arrange(args, app.Flags, table))
}

const appDescription = `Runs containers from bundles. A bundle is a directory with a file config.json,
written according to the OCI runtime specification, and the container's root file system.
"spec" writes a config.json to begin with, "run ID" in a bundle runs it.`

// build returns the command for the library, checks included. It is a copy because the library writes to its commands.
func (c command) build() *cli.Command {
	cmd := *c.Command
	cmd.Flags = slices.Clone(cmd.Flags)
	quietDefaults(cmd.Flags)
	cmd.HideHelpCommand = true // a container may be named "help"
	cmd.OnUsageError = usageError
	cmd.Action = func(ctx *cli.Context) error {
		if err := c.checkArgs(ctx.NArg()); err != nil {
			return usageError(ctx, err, true)
		}
		return c.Action(ctx)
	}
	return &cmd
}

// quietDefaults keeps "(default: false)" out of the help of switches, on copies of theirs.
func quietDefaults(flags []cli.Flag) {
	for i, f := range flags {
		if f, ok := f.(*cli.BoolFlag); ok {
			quiet := *f
			quiet.DisableDefaultText = true
			flags[i] = &quiet
		}
	}
}

// checkArgs refuses a wrong number of arguments in the words that users of runc know.
func (c command) checkArgs(n int) error {
	switch {
	case c.minArgs == c.maxArgs && n != c.minArgs:
		return fmt.Errorf("%q requires exactly %d argument(s)", c.Name, c.minArgs)
	case n < c.minArgs:
		return fmt.Errorf("%q requires a minimum of %d argument(s)", c.Name, c.minArgs)
	case n > c.maxArgs:
		return fmt.Errorf("%q requires a maximum of %d argument(s)", c.Name, c.maxArgs)
	}
	return nil
}

// usageError shows the usage on stdout and returns err, with a hint if a global option stands behind the command.
func usageError(ctx *cli.Context, err error, isCommand bool) error {
	fmt.Fprintln(ctx.App.Writer, "Incorrect usage.")
	if !isCommand {
		return errors.Join(err, cli.ShowAppHelp(ctx))
	}
	if helpErr := cli.ShowCommandHelp(ctx, ctx.Command.Name); helpErr != nil {
		return errors.Join(err, helpErr)
	}
	name, unknown := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	for _, f := range ctx.App.Flags {
		if unknown && isNamed(f, name) {
			return fmt.Errorf("%w (a global option: put it before %q)", err, ctx.Command.Name)
		}
	}
	return err
}

// newRuntime returns the runtime on the state root of this command line.
func newRuntime(ctx *cli.Context) (*libcontainer.Runtime, error) {
	root, err := stateRoot(ctx)
	if err != nil {
		return nil, err
	}
	log := logOf(ctx.App)
	log.Debugf("%s %s: state root %q", ctx.Command.Name, version, root)
	return &libcontainer.Runtime{Root: root, Log: log, Rootless: rootlessOption(ctx.String("rootless"))}, nil
}

// loadContainer returns the container that the arguments name. Its errors name the command and the container.
func loadContainer(ctx *cli.Context) (*libcontainer.Container, error) {
	id, _, err := containerArgs(ctx)
	if err != nil {
		return nil, err
	}
	r, err := newRuntime(ctx)
	if err != nil {
		return nil, err
	}
	c, err := r.Load(id)
	if errors.Is(err, libcontainer.ErrInvalidID) { // it quotes the id, which may be anything
		return nil, fmt.Errorf("%s: %w", ctx.Command.Name, err)
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", ctx.Command.Name, id, err)
	}
	return c, nil
}

// containerArgs returns the container's id and, for commands with an option --bundle, the absolute path of the bundle.
// The forms are ID (with --bundle DIR or in the bundle), ID DIR where a bundle is needed,
// and the path of a bundle alone: it contains a '/' and leads to a config.json; the id is the directory's name.
func containerArgs(ctx *cli.Context) (id, bundle string, err error) {
	id = ctx.Args().First()
	needsBundle := hasFlag(ctx.Command, "bundle")
	if needsBundle {
		if bundle, err = bundleArg(ctx); err != nil {
			return "", "", err
		}
	}
	isPath := bundle == "" && strings.Contains(id, "/") // no valid id contains one
	if isPath {
		if err := checkBundlePath(id); err != nil {
			return "", "", fmt.Errorf("%s: %w", ctx.Command.Name, err)
		}
		bundle = id
	}
	if !needsBundle && !isPath {
		return id, "", nil
	}
	// The empty path is the current directory.
	if bundle, err = filepath.Abs(bundle); err != nil {
		return "", "", fmt.Errorf("%s: resolve bundle: %w", ctx.Command.Name, err)
	}
	if isPath {
		id = filepath.Base(bundle)
	}
	return id, bundle, nil
}

func checkBundlePath(path string) error {
	if info, err := os.Stat(filepath.Join(path, "config.json")); err != nil || info.IsDir() {
		return fmt.Errorf("%w: %q (nor is it a bundle: it has no config.json)", libcontainer.ErrInvalidID, path)
	}
	return nil
}

// idArg returns the id that one of several arguments names: itself, or the name of the directory of a bundle.
func idArg(word string) (string, error) {
	if !strings.Contains(word, "/") {
		return word, nil
	}
	if err := checkBundlePath(word); err != nil {
		return "", err
	}
	path, err := filepath.Abs(word)
	if err != nil {
		return "", fmt.Errorf("resolve bundle: %w", err)
	}
	return filepath.Base(path), nil
}

// bundleArg returns the bundle that stands beside an id, as the option --bundle or the second argument; "" if none does.
func bundleArg(ctx *cli.Context) (string, error) {
	option, second := ctx.String("bundle"), ctx.Args().Get(1)
	if option != "" && second != "" {
		return "", fmt.Errorf("%s: bundle given twice: --bundle %q and %q", ctx.Command.Name, option, second)
	}
	return option + second, nil
}

func hasFlag(cmd *cli.Command, name string) bool {
	return slices.ContainsFunc(cmd.Flags, func(f cli.Flag) bool { return isNamed(f, name) })
}

// printJSON prints v and a newline: on one line if indent is empty.
func printJSON(w io.Writer, v any, indent string) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("print JSON: %w", err)
	}
	return nil
}
