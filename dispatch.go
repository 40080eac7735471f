// SPDX-License-Identifier: Apache-2.0

package main

import (
	"flag"
	"io"

	"github.com/urfave/cli/v2"
)

// dispatch runs the command of a command line that needs nothing of the library but its types: a known command, known
// options, the right number of arguments, no call for help. The library prepares help and completion of all commands
// before it looks at the arguments, at every start. With false, dispatch has run nothing, and the library is to be
// asked, which also has the words for what is wrong.
func dispatch(app *cli.App, args []string, table []command) (bool, error) {
	at := commandIndex(args, app.Flags)
	if at >= len(args) || args[at-1] == "--" {
		return false, nil
	}
	c, known := find(table, args[at])
	if !known {
		return false, nil
	}
	global, ok := parseOptions(app.Flags, args[1:at])
	if !ok || global.NArg() > 0 {
		return false, nil
	}
	own, ok := parseOptions(c.Flags, hoist(args[at+1:], c.Flags, c.passesOptions))
	if !ok || c.checkArgs(own.NArg()) != nil {
		return false, nil
	}
	outer := cli.NewContext(app, global, nil)
	if err := before(outer); err != nil {
		return true, err
	}
	inner := cli.NewContext(app, own, outer)
	inner.Command = c.Command
	return true, c.Action(inner)
}

// find looks a command up by its name.
func find(table []command, name string) (command, bool) {
	for _, c := range table {
		if c.HasName(name) {
			return c, true
		}
	}
	return command{}, false
}

// parseOptions parses words, which begin with options. It knows the plain kinds of options.
func parseOptions(flags []cli.Flag, words []string) (*flag.FlagSet, bool) {
	set := flag.NewFlagSet("", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.Usage = func() {}
	for _, f := range flags {
		name, aliases := namesOf(f)
		switch f := f.(type) {
		case *cli.StringFlag:
			set.String(name, f.Value, "")
		case *cli.BoolFlag:
			set.Bool(name, f.Value, "")
		case *cli.IntFlag:
			set.Int(name, f.Value, "")
		case *cli.GenericFlag:
			set.Var(f.Value, name, "")
		default:
			return nil, false
		}
		for _, alias := range aliases {
			set.Var(set.Lookup(name).Value, alias, "")
		}
	}
	if set.Parse(words) != nil {
		return nil, false
	}
	return set, !givenTwice(flags, set)
}

// givenTwice says that an option stands there by two of its names, which the library refuses.
func givenTwice(flags []cli.Flag, set *flag.FlagSet) bool {
	var given []string
	set.Visit(func(f *flag.Flag) { given = append(given, f.Name) })
	for _, f := range flags {
		n := 0
		for _, name := range given {
			if isNamed(f, name) {
				n++
			}
		}
		if n > 1 {
			return true
		}
	}
	return false
}

// namesOf is what the library's Names returns, without the regular expression that it applies to each name.
func namesOf(f cli.Flag) (name string, aliases []string) {
	switch f := f.(type) {
	case *cli.StringFlag:
		return f.Name, f.Aliases
	case *cli.BoolFlag:
		return f.Name, f.Aliases
	case *cli.IntFlag:
		return f.Name, f.Aliases
	case *cli.GenericFlag:
		return f.Name, f.Aliases
	}
	all := f.Names()
	return all[0], all[1:]
}

// isNamed says that an option has this name.
func isNamed(f cli.Flag, name string) bool {
	first, aliases := namesOf(f)
	if first == name {
		return true
	}
	for _, alias := range aliases {
		if alias == name {
			return true
		}
	}
	return false
}
