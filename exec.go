package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/rt-oci/rt/libcontainer"
)

// execFailed is the exit status of exec for failures of its own, which no process should have.
const execFailed = 255

// repeated are the values of an option that may be given several times.
type repeated []string

// Set, String and Get make repeated a flag.Getter.
func (r *repeated) Set(value string) error {
	if value == alias {
		return nil
	}
	*r = append(*r, value)
	return nil
}

func (r *repeated) String() string { return strings.Join(*r, " ") }

// alias is no value, as no argument has a NUL.
const alias = "\x00"

// Serialize is what the library sets an option to under its other names, which share one value here.
func (r *repeated) Serialize() string { return alias }

// Get returns the values.
func (r *repeated) Get() any { return []string(*r) }

// several are the options of exec that may be given several times. The library's own kind would split their values at
// commas.
type several struct{ env, gids, capabilities, cgroups repeated }

// newExecCommand returns the command with values of its own.
func newExecCommand() *cli.Command {
	s := new(several)
	return &cli.Command{
		Name: "exec", Usage: "start a further process in a container",
		ArgsUsage: "<container-id> <program> [<argument>...] | --process <file> <container-id>",
		Flags:     execFlags(s),
		Action: func(ctx *cli.Context) error {
			status, err := execProcess(ctx, s)
			if err != nil {
				return exitError{code: execFailed, err: err}
			}
			if status != 0 {
				return exitError{code: status}
			}
			return nil
		},
	}
}

func execFlags(s *several) []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "process", Aliases: []string{"p"}, Usage: "take the process from `FILE`, of the form of \"process\" in a config.json"},
		&cli.BoolFlag{Name: "tty", Aliases: []string{"t"}, Usage: "give the process a terminal"},
		&cli.StringFlag{Name: "console-socket", Usage: "send the terminal's master to the listener at the unix socket `PATH`"},
		&cli.BoolFlag{Name: "detach", Aliases: []string{"d"}, Usage: "return as soon as the program has been executed"},
		&cli.StringFlag{Name: "pid-file", Usage: "write the number of the process to `FILE`"},
		&cli.StringFlag{Name: "pidfd-socket", Usage: "send a pidfd of the process to the listener at the unix socket `PATH`"},
		&cli.StringFlag{Name: "cwd", Usage: "start in the directory `DIR` of the container"},
		&cli.GenericFlag{Name: "env", Aliases: []string{"e"}, Value: &s.env, Usage: "add `NAME=VALUE` to the environment (repeatable)"},
		&cli.StringFlag{Name: "user", Aliases: []string{"u"}, Usage: "run as `UID[:GID]`, numbers"},
		&cli.GenericFlag{Name: "additional-gids", Aliases: []string{"g"}, Value: &s.gids, Usage: "add the group `GID` (repeatable)"},
		&cli.GenericFlag{Name: "cap", Aliases: []string{"c"}, Value: &s.capabilities, Usage: "add the capability `CAP` (repeatable)"},
		&cli.BoolFlag{Name: "no-new-privs", Usage: "gain no privileges by execve (no_new_privs)"},
		&cli.StringFlag{Name: "apparmor", Usage: "confine the process by the AppArmor `PROFILE`"},
		&cli.StringFlag{Name: "process-label", Usage: "give the process the SELinux `LABEL`"},
		&cli.IntFlag{Name: "preserve-fds", Usage: "pass the `N` descriptors from 3 on to the process"},
		&cli.GenericFlag{Name: "cgroup", Value: &s.cgroups, Usage: "run in the group `[CONTROLLER,...:]PATH` below that of the container (repeatable)"},
		&cli.BoolFlag{Name: "ignore-paused", Usage: "in a paused container, wait until it is resumed"},
	}
}

func execProcess(ctx *cli.Context, s *several) (int, error) {
	c, err := loadContainer(ctx)
	if err != nil {
		return 0, err
	}
	options, err := execOptions(ctx, s)
	status := 0
	if err == nil {
		status, err = c.Exec(options)
	}
	if err != nil {
		return 0, fmt.Errorf("exec %s: %w", c.ID(), err)
	}
	return status, nil
}

// execOptions gathers what exec is called with.
func execOptions(ctx *cli.Context, s *several) (libcontainer.ExecOptions, error) {
	args := ctx.Args().Tail()
	if len(args) > 0 && args[0] == "--" { // exec ID -- PROGRAM, as people type it
		args = args[1:]
	}
	o := libcontainer.ExecOptions{
		Process: libcontainer.ProcessOptions{
			File: ctx.String("process"), Args: args, Terminal: ctx.Bool("tty"), Cwd: ctx.String("cwd"), Env: s.env,
			Capabilities: s.capabilities, ApparmorProfile: ctx.String("apparmor"), SelinuxLabel: ctx.String("process-label"),
		},
		PidFile: ctx.String("pid-file"), ConsoleSocket: ctx.String("console-socket"), PidfdSocket: ctx.String("pidfd-socket"),
		PreserveFDs: ctx.Int("preserve-fds"), Cgroups: s.cgroups,
		IgnorePaused: ctx.Bool("ignore-paused"), Detach: ctx.Bool("detach"),
	}
	if o.PreserveFDs < 0 {
		return o, fmt.Errorf("--preserve-fds %d: not a number of descriptors", o.PreserveFDs)
	}
	if ctx.IsSet("no-new-privs") {
		value := ctx.Bool("no-new-privs")
		o.Process.NoNewPrivileges = &value
	}
	for _, text := range s.gids {
		gid, err := parseID(text)
		if err != nil {
			return o, fmt.Errorf("--additional-gids %q: %w", text, err)
		}
		o.Process.AdditionalGIDs = append(o.Process.AdditionalGIDs, gid)
	}
	if ctx.IsSet("user") {
		uid, gid, err := parseUser(ctx.String("user"))
		if err != nil {
			return o, fmt.Errorf("--user %q: %w", ctx.String("user"), err)
		}
		o.Process.UID, o.Process.GID = uid, gid
	}
	return o, nil
}

// parseUser understands UID and UID:GID; gid is nil without one.
func parseUser(text string) (uid, gid *uint32, err error) {
	first, second, hasGroup := strings.Cut(text, ":")
	u, err := parseID(first)
	if err != nil {
		return nil, nil, err
	}
	if !hasGroup {
		return &u, nil, nil
	}
	g, err := parseID(second)
	if err != nil {
		return nil, nil, err
	}
	return &u, &g, nil
}

// parseID understands an id as digits alone: no sign, no blank, no leading zero. 4294967295 is none: to the kernel it
// says that nothing is to be changed, and the process would stay root (CVE-2026-30892).
func parseID(text string) (uint32, error) {
	id, err := strconv.ParseUint(text, 10, 32)
	if err != nil || strconv.FormatUint(id, 10) != text || id == 1<<32-1 {
		return 0, fmt.Errorf("%q is not an id (want a number from 0 to %d)", text, uint32(1<<32-2))
	}
	return uint32(id), nil
}
