// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// hoistFlagsForTest has one option of each kind.
func hoistFlagsForTest() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "bundle", Aliases: []string{"b"}},
		&cli.IntFlag{Name: "preserve-fds"},
		&cli.StringSliceFlag{Name: "env", Aliases: []string{"e"}},
		&cli.BoolFlag{Name: "detach", Aliases: []string{"d"}},
	}
}

func TestHoistPutsOptionsFirst(t *testing.T) {
	for _, tc := range []struct{ name, words, want string }{
		{"nothing", "", "--"},
		{"no options", "ID", "-- ID"},
		{"already in order", "--bundle B ID", "--bundle B -- ID"},
		{"behind the argument", "ID --bundle B", "--bundle B -- ID"},
		{"between arguments", "ID -b B DIR", "-b B -- ID DIR"},
		{"value after =", "ID --bundle=B DIR", "--bundle=B -- ID DIR"},
		{"empty value after =", "ID --bundle= DIR", "--bundle= -- ID DIR"},
		{"one dash before a long name", "ID -bundle B", "-bundle B -- ID"},
		{"value that begins with a dash", "ID --bundle -x", "--bundle -x -- ID"},
		{"value that looks like an option", "ID --bundle --detach", "--bundle --detach -- ID"},
		{"value that looks like help", "ID --bundle -h", "--bundle -h -- ID"},
		{"value that is the terminator", "ID --bundle -- X", "--bundle -- -- ID X"},
		{"switch takes no value", "-d ID", "-d -- ID"},
		{"switch with value", "ID --detach=false", "--detach=false -- ID"},
		{"number", "ID --preserve-fds 3", "--preserve-fds 3 -- ID"},
		{"repeated", "-e A=1 ID -e B=2", "-e A=1 -e B=2 -- ID"},
		{"terminator", "-- -d ID", "-- -d ID"},
		{"terminator behind the argument", "ID -- --bundle", "-- ID --bundle"},
		{"second terminator is an argument", "-- ID --", "-- ID --"},
		{"single dash is an argument", "- ID", "-- - ID"},
		{"empty word is an argument", " ID", "--  ID"},
		{"unknown option", "ID --bogus", "--bogus -- ID"},
		{"negative number is no argument", "ID -9", "-9 -- ID"},
		{"missing value", "ID --bundle", "--bundle"},
		{"missing value after others", "ID -d -b", "-d -b"},
		{"help", "-h", "--help"},
		{"help behind the argument", "ID --help", "--help"},
		{"help before what is wrong", "ID --bogus --help", "--help"},
		{"help after the terminator", "-- -h", "-- -h"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := hoist(words(tc.words), hoistFlagsForTest(), false)
			if !slices.Equal(got, words(tc.want)) {
				t.Errorf("hoist(%q) = %q, want %q", tc.words, got, tc.want)
			}
		})
	}
}

func TestHoistLeavesForeignOptionsAlone(t *testing.T) {
	for _, tc := range []struct{ name, words, want string }{
		{"options of the command run there", "-d ID ls -d --bundle", "-d -- ID ls -d --bundle"},
		{"its help", "ID ls --help", "-- ID ls --help"},
		{"its terminator", "ID sh -- -x", "-- ID sh -- -x"},
		{"our help", "-d --help ID ls", "--help"},
		{"our terminator", "-d -- ID ls -d", "-d -- ID ls -d"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := hoist(words(tc.words), hoistFlagsForTest(), true)
			if !slices.Equal(got, words(tc.want)) {
				t.Errorf("hoist(%q) = %q, want %q", tc.words, got, tc.want)
			}
		})
	}
}

// words splits at single blanks, so that two blanks enclose an empty word.
func words(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, " ")
}

func TestCommandIndexSkipsGlobalOptions(t *testing.T) {
	global := globalFlags(productName)
	for _, tc := range []struct {
		line string
		want int
	}{
		{"rt", 1},
		{"rt list", 1},
		{"rt --root R list", 3},
		{"rt --root list list", 3},
		{"rt --root=R --debug list -q", 3},
		{"rt --log L --log-format json --systemd-cgroup state ID", 6},
		{"rt -- list", 2},
		{"rt --root", 3},
		{"rt --bogus list", 2},
	} {
		if got := commandIndex(words(tc.line), global); got != tc.want {
			t.Errorf("commandIndex(%q) = %d, want %d", tc.line, got, tc.want)
		}
	}
}

func TestArrangeChangesOnlyItsCopy(t *testing.T) {
	args := words("rt --root R run ID --bundle B")
	before := slices.Clone(args)
	got := arrange(args, globalFlags(productName), commands())
	if want := words("rt --root R run --bundle B -- ID"); !slices.Equal(got, want) {
		t.Errorf("arrange = %q, want %q", got, want)
	}
	if !slices.Equal(args, before) {
		t.Errorf("arrange changed its input to %q", args)
	}
	for _, line := range []string{"rt", "rt --root", "rt nonsense ID --bundle B", "rt help run"} {
		if got := arrange(words(line), globalFlags(productName), commands()); !slices.Equal(got, words(line)) {
			t.Errorf("arrange(%q) = %q, want it unchanged", line, got)
		}
	}
}
