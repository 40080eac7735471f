package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"
)

var killCommand = &cli.Command{
	Name: "kill", Usage: "send a signal to the process of a container", ArgsUsage: "<container-id> [<signal>]",
	Flags: []cli.Flag{
		&cli.BoolFlag{Name: "all", Aliases: []string{"a"}, Usage: "send it to every process of the container"},
	},
	Action: func(ctx *cli.Context) error {
		c, err := loadContainer(ctx)
		if err != nil {
			return err
		}
		name := ctx.Args().Get(1)
		if name == "" {
			name = "TERM"
		}
		signal, err := parseSignal(name)
		if err == nil {
			err = c.Kill(signal, ctx.Bool("all"))
		}
		if err != nil {
			return fmt.Errorf("kill %s: %w", c.ID(), err)
		}
		return nil
	},
}

const (
	signalRTMin = 34 // as C libraries number it: they keep two for themselves
	signalMax   = 64
)

// parseSignal understands numbers, 0 included, and names in any case, with or without SIG, also RTMIN+n and RTMAX-n.
func parseSignal(name string) (unix.Signal, error) {
	if n, err := strconv.Atoi(name); err == nil {
		if n < 0 || n > signalMax {
			return 0, fmt.Errorf("unknown signal %q (use 0 to %d)", name, signalMax)
		}
		return unix.Signal(n), nil
	}
	upper := strings.TrimPrefix(strings.ToUpper(name), "SIG")
	if n := unix.SignalNum("SIG" + upper); n != 0 {
		return n, nil
	}
	for _, base := range []struct {
		name string
		from int
	}{{"RTMIN", signalRTMin}, {"RTMAX", signalMax}} {
		rest, ok := strings.CutPrefix(upper, base.name)
		if !ok {
			continue
		}
		if rest == "" {
			return unix.Signal(base.from), nil
		}
		if n, err := strconv.Atoi(rest); err == nil && base.from+n >= signalRTMin && base.from+n <= signalMax && strings.ContainsAny(rest[:1], "+-") {
			return unix.Signal(base.from + n), nil
		}
	}
	return 0, fmt.Errorf("unknown signal %q", name)
}
