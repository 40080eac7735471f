// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// seen is what a command sees of its command line.
func seen(ctx *cli.Context) string {
	text := fmt.Sprintf("%s %q", ctx.Command.Name, ctx.Args().Slice())
	for _, flags := range [][]cli.Flag{ctx.Command.Flags, ctx.App.Flags} {
		for _, f := range flags {
			name, _ := namesOf(f)
			if name != "help" && name != "version" {
				text += fmt.Sprintf(" %s=%v,%v", name, ctx.Value(name), ctx.IsSet(name))
			}
		}
	}
	return text
}

// probed returns the table with commands that only tell what they see.
func probed(saw *string) []command {
	table := commands()
	for i, c := range table {
		replaced := *c.Command
		replaced.Action = func(ctx *cli.Context) error {
			*saw = seen(ctx)
			return nil
		}
		table[i].Command = &replaced
	}
	return table
}

func TestDispatchIsWhatTheLibraryDoes(t *testing.T) {
	for line, want := range map[string]bool{
		"run c1": true, "run --bundle B c1": true, "run c1 -b B": true, "run -b=B c1 -d": true, "run --detach=false c1": true,
		"create c1 B": true, "create --preserve-fds 3 --no-pivot c1": true, "create -- -c1": true, "state c1": true,
		"--root R --debug run c1": true, "--root=R --log-format json start c1": true, "--log-format=json delete -f c1": true,
		"kill c1 KILL": true, "kill c1": true, "list": true, "list -f json": true, "-root R list": true, "--root R --root S list": true,
		"exec c1 sh": true, "exec -t c1 sh -c x": true, "exec -e A=1 -e B=2,3 --cap CAP_KILL --cgroup cpu,cpuacct:a c1 env -e C": true,
		"exec --process F --detach --pid-file P c1": true, "exec -e A=1 --env B=2 c1 sh": false, "exec": false, "exec c1 -t": true,
		// These the library refuses, or answers itself.
		"": false, "run": false, "run a b c": false, "run --help": false, "run c1 -h": false, "--help": false, "--version": false,
		"bogus": false, "run --bogus c1": false, "--bogus run c1": false, "run --preserve-fds x c1": false, "run --bundle": false,
		"run -b B --bundle B c1": false, "run -d=maybe c1": false, "--root": false, "start a b": false,
	} {
		t.Run(line, func(t *testing.T) {
			args := append([]string{"rt"}, strings.Fields(line)...)
			var got, expected string
			done, err := dispatch(newApp("rt", io.Discard, io.Discard), args, probed(&got))
			if done != want || done && err != nil {
				t.Fatalf("dispatched %v, %v", done, err)
			}
			if !done && got != "" {
				t.Errorf("has run %s", got)
			}
			_ = runByLibrary(newApp("rt", io.Discard, io.Discard), args, probed(&expected))
			if done && got != expected {
				t.Errorf("got  %s\nwant %s", got, expected)
			}
			if !done && expected != "" {
				t.Errorf("the library runs it: %s", expected)
			}
		})
	}
}

func TestDispatchChecksGlobalOptions(t *testing.T) {
	var saw string
	done, err := dispatch(newApp("rt", io.Discard, io.Discard), []string{"rt", "--log-format", "xml", "list"}, probed(&saw))
	if !done || err == nil || saw != "" {
		t.Errorf("got %v, %v, %q", done, err, saw)
	}
}
