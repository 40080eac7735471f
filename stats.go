// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer"
)

// firstWindow is how long the processor time is watched for the first table; longer than that nobody waits gladly.
const firstWindow = 500 * time.Millisecond

var statsCommand = &cli.Command{
	Name: "stats", Usage: "show what containers use, again and again", ArgsUsage: "[<container-id>...]",
	Description: `Shows processor time, memory, tasks, block I/O and pressure of the named containers, or of all
that have a process, until it is interrupted or all that were named are deleted.`,
	Flags: []cli.Flag{
		&cli.BoolFlag{Name: "all", Aliases: []string{"a"}, Usage: "also show containers that have stopped"},
		&cli.StringFlag{Name: "format", Aliases: []string{"f"}, Value: "table", Usage: "print as \"table\", \"json\" (one object per line) or \"prom\" (for Prometheus, once)"},
		&cli.DurationFlag{Name: "interval", Aliases: []string{"i"}, Value: 2 * time.Second, Usage: "refresh every `DURATION`, such as 500ms or 1m"},
		&cli.BoolFlag{Name: "no-stream", Usage: "print once"},
	},
	Action: func(ctx *cli.Context) error {
		view, err := newStatsView(ctx)
		if err == nil {
			err = view.run()
		}
		if err != nil {
			return fmt.Errorf("stats: %w", err)
		}
		return nil
	},
}

// statsView is one run of the command.
type statsView struct {
	out      io.Writer
	sampler  *libcontainer.Sampler
	print    func(rows []libcontainer.Usage) error
	interval time.Duration
	once     bool
	rates    bool // two samples are needed before the first output
}

func newStatsView(ctx *cli.Context) (*statsView, error) {
	v := &statsView{out: ctx.App.Writer, interval: ctx.Duration("interval"), once: ctx.Bool("no-stream"), rates: true}
	if v.interval <= 0 {
		return nil, errors.New("duration interval must be greater than 0")
	}
	switch format := ctx.String("format"); format {
	case "table":
		v.print = v.table
		if size := terminalSize(v.out); size != nil && !v.once {
			v.print = v.screen()
		}
	case "json":
		v.print = v.json
	case "prom":
		if ctx.IsSet("interval") {
			return nil, errors.New("prom is printed once: --interval does not go with it")
		}
		v.print, v.once, v.rates = v.prom, true, false
	default:
		return nil, fmt.Errorf("invalid format option %q (use table, json or prom)", format)
	}
	var ids []string
	for _, word := range ctx.Args().Slice() {
		id, err := idArg(word)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	r, err := newRuntime(ctx)
	if err != nil {
		return nil, err
	}
	if err := checkRoot(ctx, r); err != nil && len(ids) == 0 {
		return nil, err
	}
	v.sampler, err = r.NewSampler(ids, ctx.Bool("all"))
	return v, err
}

// run prints sample after sample. Without any output yet a container that goes away is an error, later it is the end.
func (v *statsView) run() error {
	rows, err := v.sampler.Sample()
	if err == nil && v.rates {
		<-time.After(min(v.interval, firstWindow))
		rows, err = v.sampler.Sample()
	}
	for err == nil {
		if err = v.print(rows); err != nil || v.once {
			return err
		}
		<-time.After(v.interval)
		if rows, err = v.sampler.Sample(); errors.Is(err, libcontainer.ErrNotExist) {
			return nil
		}
	}
	return err
}

// write hands the output of one sample over in one piece.
func (v *statsView) write(b *bytes.Buffer) error {
	if _, err := v.out.Write(b.Bytes()); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// terminalSize returns the size of the terminal that w is, nil if it is none or one that can't move its cursor.
func terminalSize(w io.Writer) *unix.Winsize {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return nil
	}
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return nil
	}
	return size
}
