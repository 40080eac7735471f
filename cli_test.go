// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// parse runs a command line whose command is replaced by a probe with the same options and argument counts.
func parse(t *testing.T, name, line string, probe func(ctx *cli.Context) error) result {
	t.Helper()
	table := commands()
	for i, c := range table {
		if c.Name == name {
			replaced := *c.Command
			replaced.Action = probe
			table[i].Command = &replaced
		}
	}
	args := append([]string{"rt"}, words(line)...)
	var stdout, stderr bytes.Buffer
	app := newApp("rt", &stdout, &stderr)
	done, err := dispatch(app, args, table)
	if !done {
		err = runByLibrary(app, args, table)
	}
	return result{report(logOf(app), err), stdout.String(), stderr.String()}
}

// bundleDir makes a directory with a config.json and returns its path.
func bundleDir(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestContainerArgs(t *testing.T) {
	dir := bundleDir(t, "web1")
	other := bundleDir(t, "other")
	t.Chdir(filepath.Dir(dir))
	cwd := filepath.Dir(dir)
	if err := os.Mkdir("plain", 0o755); err != nil {
		t.Fatal(err)
	}

	for _, tc := range []struct{ command, args, id, bundle string }{
		{"create", "c1", "c1", cwd},
		{"run", "c1", "c1", cwd},
		{"create", "--bundle web1 c1", "c1", dir},
		{"create", "c1 --bundle web1", "c1", dir},
		{"create", "c1 -b=" + other, "c1", other},
		{"create", "c1 web1", "c1", dir},
		{"run", "c1 ./web1/", "c1", dir},
		{"create", "./web1", "web1", dir},
		{"create", dir + "/", "web1", dir},
		{"run", dir, "web1", dir},
		{"run", "./plain/../web1", "web1", dir},
		{"start", "./web1", "web1", dir},
		{"state", dir, "web1", dir},
		{"kill", dir + " KILL", "web1", dir},
		{"kill", "c1 ./web1", "c1", ""},
		{"delete", "./web1 --force", "web1", dir},
		{"start", "c1", "c1", ""},
		{"start", "web1", "web1", ""},                  // no '/': an id
		{"create", "-b web1 " + dir, dir, dir},         // the bundle is known, so this is the id, refused later
		{"create", "-- -c1", "-c1", cwd},               // ids are checked elsewhere
		{"create", "./missing web1", "./missing", dir}, // likewise
	} {
		t.Run(tc.command+" "+tc.args, func(t *testing.T) {
			called := false
			got := parse(t, tc.command, tc.command+" "+tc.args, func(ctx *cli.Context) error {
				called = true
				id, bundle, err := containerArgs(ctx)
				if err != nil || id != tc.id || bundle != tc.bundle {
					t.Errorf("containerArgs = %q, %q, %v, want %q, %q", id, bundle, err, tc.id, tc.bundle)
				}
				return nil
			})
			if !called {
				t.Errorf("the command did not run: %s", got.stderr)
			}
		})
	}
}

func TestContainerArgsOfThisDirectory(t *testing.T) {
	dir := bundleDir(t, "here")
	t.Chdir(dir)
	parse(t, "run", "run ./", func(ctx *cli.Context) error {
		id, bundle, err := containerArgs(ctx)
		if err != nil || id != "here" || bundle != dir {
			t.Errorf("containerArgs = %q, %q, %v, want %q, %q", id, bundle, err, "here", dir)
		}
		return nil
	})
}

func TestPathThatIsNoBundleIsRefused(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.MkdirAll("trap/config.json", 0o755); err != nil {
		t.Fatal(err)
	}
	for _, args := range []string{"start ./missing", "run ./trap", "state /", "delete -f ./trap/config.json"} {
		name, _, _ := strings.Cut(args, " ")
		got := parse(t, name, args, func(ctx *cli.Context) error {
			_, _, err := containerArgs(ctx)
			return err
		})
		wantStatus(t, got, 1)
		wantContains(t, "stderr", got.stderr, name+": invalid container ID format: ")
		wantContains(t, "stderr", got.stderr, "it has no config.json")
	}
}

func TestBundleGivenTwiceIsRefused(t *testing.T) {
	got := parse(t, "create", "create -b /x c1 /y", func(ctx *cli.Context) error {
		_, _, err := containerArgs(ctx)
		return err
	})
	wantStatus(t, got, 1)
	wantContains(t, "stderr", got.stderr, `create: bundle given twice: --bundle "/x" and "/y"`)
}

// Every caller's command line (spelling and order as they were observed) must reach the command it names.
func TestCommandLinesOfCallers(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	shim := "--root /r --log " + log + " --log-format json "
	conmon := "--log-format=json --log " + log + " "
	for _, tc := range []struct{ command, line string }{
		{"create", shim + "create --bundle /b --pid-file /p --console-socket /s --no-pivot --no-new-keyring --preserve-fds 2 ID"},
		{"start", shim + "start ID"},
		{"delete", shim + "delete ID"},
		{"delete", shim + "delete --force ID"},
		{"kill", shim + "kill ID 15"},
		{"kill", shim + "kill --all ID 9"},
		{"start", "--debug " + shim + "start ID"},
		{"start", shim + "--systemd-cgroup start ID"},
		{"start", "--rootless=true " + shim + "start ID"},
		{"features", "--debug features"},
		{"create", conmon + "create --bundle /b --pid-file /p ID"},
		{"start", "start ID"},
		{"kill", "kill ID TERM"},
		{"state", "state ID"},
		{"run", "run -d --keep --no-subreaper -b /b --pidfd-socket /s ID"},
		{"list", "--root /r list --format json"},
		{"list", "list -q"},
		{"spec", "spec --rootless --bundle /b"},
	} {
		called := false
		got := parse(t, tc.command, tc.line, func(ctx *cli.Context) error {
			called = true
			if ctx.NArg() > 0 && ctx.Args().First() != "ID" {
				t.Errorf("%s: first argument is %q", tc.line, ctx.Args().First())
			}
			return nil
		})
		if !called || got.status != 0 {
			t.Errorf("%s: status %d, %s", tc.line, got.status, got.stderr)
		}
	}
}

func TestContainerMayBeNamedLikeACommand(t *testing.T) {
	for _, id := range []string{"help", "h", "run", "list", "version"} {
		called := false
		parse(t, "state", "state "+id, func(ctx *cli.Context) error {
			called = ctx.Args().First() == id
			return nil
		})
		if !called {
			t.Errorf("state %s did not reach the command", id)
		}
	}
}

func TestBuildLeavesTheTableAlone(t *testing.T) {
	for _, c := range commands() {
		flags := len(c.Flags)
		if err := runByLibrary(newApp("rt", io.Discard, io.Discard), []string{"rt", "--version"}, commands()); err != nil {
			t.Fatal(err)
		}
		if len(c.Flags) != flags || c.HelpName != "" {
			t.Errorf("%s was changed", c.Name)
		}
	}
}

func TestCommandsHaveTexts(t *testing.T) {
	for _, c := range commands() {
		if c.Usage == "" || c.Action == nil {
			t.Errorf("%s has no usage or no action", c.Name)
		}
		if (c.ArgsUsage != "") != (c.maxArgs > 0) {
			t.Errorf("%s: usage of arguments %q with at most %d arguments", c.Name, c.ArgsUsage, c.maxArgs)
		}
		for _, f := range c.Flags {
			if f, ok := f.(cli.DocGenerationFlag); !ok || f.GetUsage() == "" {
				t.Errorf("%s: option without usage", c.Name)
			}
		}
	}
}

func TestPrintJSONReportsAFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skipf("no /dev/full: %v", err)
	}
	defer full.Close()
	if err := printJSON(full, 1, ""); err == nil || !strings.Contains(err.Error(), "print JSON") {
		t.Errorf("printJSON = %v", err)
	}
}
