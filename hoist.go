// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// arrange returns args, program name first, with the options of the command in front of its arguments.
// urfave/cli stops looking for options at the first argument and would take the options of `create ID --bundle DIR`
// for further arguments. A command line without a known command is returned as it is, for the parser to refuse.
func arrange(args []string, global []cli.Flag, table []command) []string {
	at := commandIndex(args, global)
	if at >= len(args) {
		return args
	}
	c, known := find(table, args[at])
	if !known {
		return args
	}
	return append(slices.Clone(args[:at+1]), hoist(args[at+1:], c.Flags, c.passesOptions)...)
}

// commandIndex returns the index of the command's name in args, that is, of the first word
// after the program name that is neither a global option nor the value of one.
func commandIndex(args []string, global []cli.Flag) int {
	at := 1
	for at < len(args) {
		if args[at] == "--" {
			return at + 1
		}
		n := optionWords(args[at], global)
		if n == 0 {
			break
		}
		at += n
	}
	return at
}

// hoist returns the words after a command's name with the options first, then "--", then the arguments.
// Words after a "--" are arguments. With stopAtArgument all words after the first argument are arguments, too.
// An unknown option is moved like a known one, so that the parser refuses it. A call for help replaces everything:
// help is given whatever else stands there.
func hoist(words []string, flags []cli.Flag, stopAtArgument bool) []string {
	var options, arguments []string
	for len(words) > 0 {
		if words[0] == "--" {
			arguments = append(arguments, words[1:]...)
			break
		}
		n := optionWords(words[0], flags)
		switch {
		case n == 0 && stopAtArgument:
			arguments = append(arguments, words...)
			words = nil
		case n == 0:
			arguments = append(arguments, words[0])
			words = words[1:]
		case isHelp(words[0]):
			return []string{"--help"}
		case n > len(words):
			// The value is missing. Nothing may follow, lest it be taken for the value.
			return append(options, words...)
		default:
			options = append(options, words[:n]...)
			words = words[n:]
		}
	}
	return append(append(options, "--"), arguments...)
}

// optionWords returns how many words the option takes that starts with this word: 2 if its value is the next word,
// 1 otherwise (a switch, a value after "=", an unknown option), 0 if the word is no option.
func optionWords(word string, flags []cli.Flag) int {
	if len(word) < 2 || word[0] != '-' {
		return 0
	}
	name, _, hasValue := strings.Cut(optionName(word), "=")
	if hasValue {
		return 1
	}
	for _, f := range flags {
		if isNamed(f, name) {
			if f, ok := f.(cli.DocGenerationFlag); ok && f.TakesValue() {
				return 2
			}
			return 1
		}
	}
	return 1
}

// optionName strips the one or two dashes in front of an option's name.
func optionName(word string) string {
	return strings.TrimPrefix(strings.TrimPrefix(word, "-"), "-")
}

func isHelp(word string) bool {
	name := optionName(word)
	return name == "h" || name == "help"
}
