// SPDX-License-Identifier: Apache-2.0

// Command rt runs containers from OCI bundles: a drop-in for runc.
//
// Package main is the command line: one file per command (flags, one call into libcontainer, one print), the frame
// around them in cli.go, global.go, hoist.go and logging.go. It makes no policy of its own.
//
// The Go runtime follows no CPU limit: it would keep files of our control group open for that, all the time.
//
//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0
package main

import (
	"errors"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	_ "github.com/rt-oci/rt/libcontainer/startup"
)

func main() {
	os.Exit(execute(os.Args, os.Stdout, os.Stderr))
}

// execute runs one command line, program name first, and returns the exit status: that of the command,
// or of the container's process for run in the foreground.
func execute(args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		args = []string{productName} // execve(2) allows an empty argument list before Linux 5.18
	}
	table := commands()
	app := newApp(args[0], stdout, stderr)
	done, err := dispatch(app, args, table)
	if !done {
		err = runByLibrary(app, args, table)
	}
	return report(logOf(app), err)
}

// report says on the log and on stderr what went wrong, once, and returns the exit status.
func report(log *logger, err error) int {
	if err == nil {
		return 0
	}
	if msg := err.Error(); msg != "" {
		log.fatal(msg)
	}
	var coder cli.ExitCoder
	if errors.As(err, &coder) {
		return coder.ExitCode()
	}
	return 1
}

// exitError is an error that decides the exit status. Without err it is silent:
// the container's process has ended with this status and has said itself what there was to say.
type exitError struct {
	code int
	err  error
}

func (e exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

// ExitCode makes exitError a cli.ExitCoder.
func (e exitError) ExitCode() int { return e.code }

func (e exitError) Unwrap() error { return e.err }
