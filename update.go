// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/urfave/cli/v2"

	"github.com/rt-oci/rt/libcontainer"
	"github.com/rt-oci/rt/libcontainer/spec"
)

var updateCommand = &cli.Command{
	Name: "update", Usage: "change the limits of a container", ArgsUsage: "<container-id>",
	Description: "Changes only the limits that are given; the others stay. The file of --resources has the form of linux.resources\n" +
		"in config.json; with it, the other options for limits are ignored, but not those of Intel RDT.",
	Flags: []cli.Flag{
		&cli.StringFlag{Name: "resources", Aliases: []string{"r"}, Usage: "read the limits from `FILE`, or from stdin if that is -"},
		&cli.StringFlag{Name: "memory", Usage: "limit memory to `BYTES`, which may have a suffix such as M; -1 for no limit"},
		&cli.StringFlag{Name: "memory-reservation", Usage: "keep `BYTES` of memory from being reclaimed as long as others have some"},
		&cli.StringFlag{Name: "memory-swap", Usage: "limit memory and swap together to `BYTES`; -1 for no limit"},
		&cli.StringFlag{Name: "cpu-period", Usage: "count the quota of processor time in periods of `MICROSECONDS`"},
		&cli.StringFlag{Name: "cpu-quota", Usage: "limit processor time in a period to `MICROSECONDS`; -1 for no limit"},
		&cli.StringFlag{Name: "cpu-burst", Usage: "let up to `MICROSECONDS` of unused quota be used later"},
		&cli.StringFlag{Name: "cpu-share", Usage: "relative weight of processor time, 2 to 262144"},
		&cli.StringFlag{Name: "cpu-rt-period", Usage: "count real-time processor time in periods of `MICROSECONDS` (v1)"},
		&cli.StringFlag{Name: "cpu-rt-runtime", Usage: "limit real-time processor time in a period to `MICROSECONDS` (v1)"},
		&cli.StringFlag{Name: "cpu-idle", Usage: "1: use only processor time that nobody else wants; 0: not so"},
		&cli.StringFlag{Name: "cpuset-cpus", Usage: "processors to run on, a `LIST` such as 0-3,7"},
		&cli.StringFlag{Name: "cpuset-mems", Usage: "memory nodes to allocate from, a `LIST` such as 0-1"},
		&cli.StringFlag{Name: "pids-limit", Usage: "limit the number of processes and threads; -1 for no limit"},
		&cli.StringFlag{Name: "blkio-weight", Usage: "relative weight of input and output, 10 to 1000"},
		&cli.BoolFlag{Name: "no-oom", Usage: "kill nobody to lower the memory limit: reclaim before, and if that is not enough change nothing (v2)"},
		&cli.StringFlag{Name: "deadline", Usage: "give up reclaiming for --no-oom after `DURATION`", Value: "2s"},
		&cli.StringFlag{Name: "l3-cache-schema", Usage: "Intel RDT: `SCHEMA` of the L3 cache, such as L3:0=f"},
		&cli.StringFlag{Name: "mem-bw-schema", Usage: "Intel RDT: `SCHEMA` of the memory bandwidth, such as MB:0=50"},
	},
	Action: func(ctx *cli.Context) error {
		change, err := resourcesAsked(ctx)
		if err != nil {
			return fmt.Errorf("update: %w", err)
		}
		options := libcontainer.UpdateOptions{Rdt: rdtAsked(ctx), NoOOM: ctx.Bool("no-oom")}
		if options.Deadline, err = time.ParseDuration(ctx.String("deadline")); err != nil || options.Deadline < 0 {
			return fmt.Errorf("update: invalid value for deadline: %q: want a duration such as 500ms or 2s", ctx.String("deadline"))
		}
		c, err := loadContainer(ctx)
		if err != nil {
			return err
		}
		if err := c.Update(change, options); err != nil {
			return fmt.Errorf("update %s: %w", c.ID(), err)
		}
		return nil
	},
}

// rdtAsked returns the schemata that the options give, nil without any.
func rdtAsked(ctx *cli.Context) *specs.LinuxIntelRdt {
	r := &specs.LinuxIntelRdt{L3CacheSchema: ctx.String("l3-cache-schema"), MemBwSchema: ctx.String("mem-bw-schema")}
	if r.L3CacheSchema == "" && r.MemBwSchema == "" {
		return nil
	}
	return r
}

// resourcesAsked returns what the options say.
func resourcesAsked(ctx *cli.Context) (*specs.LinuxResources, error) {
	r := &specs.LinuxResources{Memory: &specs.LinuxMemory{}, CPU: &specs.LinuxCPU{}, Pids: &specs.LinuxPids{}, BlockIO: &specs.LinuxBlockIO{}}
	from := ctx.String("resources")
	var ignored []string
	for _, o := range updateOptions {
		value := ctx.String(o.name)
		if value == "" {
			continue
		}
		if from != "" {
			ignored = append(ignored, "--"+o.name)
			continue
		}
		if err := o.set(r, value); err != nil {
			return nil, fmt.Errorf("invalid value for %s: %q: %w", o.name, value, err)
		}
	}
	if from == "" {
		return r, nil
	}
	if len(ignored) > 0 {
		logOf(ctx.App).Warnf("%s: ignored beside --resources", strings.Join(ignored, ", "))
	}
	return readResources(from)
}

// updateOptions are the options of update that set one value each.
var updateOptions = [...]struct {
	name string
	set  func(r *specs.LinuxResources, value string) error
}{
	{"memory", func(r *specs.LinuxResources, v string) error { return setBytes(&r.Memory.Limit, v) }},
	{"memory-reservation", func(r *specs.LinuxResources, v string) error { return setBytes(&r.Memory.Reservation, v) }},
	{"memory-swap", func(r *specs.LinuxResources, v string) error { return setBytes(&r.Memory.Swap, v) }},
	{"cpu-period", func(r *specs.LinuxResources, v string) error { return setNatural(&r.CPU.Period, v) }},
	{"cpu-quota", func(r *specs.LinuxResources, v string) error { return setInteger(&r.CPU.Quota, v) }},
	{"cpu-burst", func(r *specs.LinuxResources, v string) error { return setNatural(&r.CPU.Burst, v) }},
	{"cpu-share", func(r *specs.LinuxResources, v string) error { return setNatural(&r.CPU.Shares, v) }},
	{"cpu-rt-period", func(r *specs.LinuxResources, v string) error { return setNatural(&r.CPU.RealtimePeriod, v) }},
	{"cpu-rt-runtime", func(r *specs.LinuxResources, v string) error { return setInteger(&r.CPU.RealtimeRuntime, v) }},
	{"cpu-idle", func(r *specs.LinuxResources, v string) error { return setInteger(&r.CPU.Idle, v) }},
	{"cpuset-cpus", func(r *specs.LinuxResources, v string) error { r.CPU.Cpus = v; return nil }},
	{"cpuset-mems", func(r *specs.LinuxResources, v string) error { r.CPU.Mems = v; return nil }},
	{"pids-limit", func(r *specs.LinuxResources, v string) error { return setInteger(&r.Pids.Limit, v) }},
	{"blkio-weight", func(r *specs.LinuxResources, v string) error { return setWeight(&r.BlockIO.Weight, v) }},
}

func setInteger(to **int64, value string) error {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return errors.New("want a whole number")
	}
	*to = &n
	return nil
}

func setNatural(to **uint64, value string) error {
	n, err := strconv.ParseUint(value, 10, 64)
	if err != nil {
		return errors.New("want a whole number from 0 on")
	}
	*to = &n
	return nil
}

// setWeight takes the range that the kernel of v1 has for weights; 0 is none.
func setWeight(to **uint16, value string) error {
	n, err := strconv.ParseUint(value, 10, 16)
	if err != nil || n != 0 && (n < 10 || n > 1000) {
		return errors.New("want a whole number from 10 to 1000")
	}
	weight := uint16(n)
	*to = &weight
	return nil
}

// setBytes understands numbers with one of the suffixes k, m, g, t and p, of powers of 1024, in either case and with B or
// iB behind it, and -1.
func setBytes(to **int64, value string) error {
	n, ok := int64(-1), value == "-1"
	if !ok {
		n, ok = parseBytes(value)
	}
	if !ok {
		return errors.New("invalid size (want a number of bytes, with a suffix such as k, M or G if need be, or -1 for no limit)")
	}
	*to = &n
	return nil
}

func parseBytes(value string) (int64, bool) {
	value = strings.ToLower(value)
	number := strings.TrimRight(value, "bikmgtp ")
	suffix := strings.TrimSpace(value[len(number):])
	power := 0
	if suffix != "" {
		power = strings.IndexByte("bkmgtp", suffix[0])
		if rest := suffix[1:]; power < 0 || rest != "" && (power == 0 || rest != "b" && rest != "ib") {
			return 0, false
		}
	}
	if strings.Trim(number, "0123456789.") != "" {
		return 0, false
	}
	unit := int64(1) << (10 * power)
	if n, err := strconv.ParseInt(number, 10, 64); err == nil {
		return n * unit, n <= math.MaxInt64/unit
	}
	n, err := strconv.ParseFloat(number, 64)
	return int64(n * float64(unit)), err == nil && n*float64(unit) < math.MaxInt64
}

// resourcesMaxBytes is more than any list of limits has.
const resourcesMaxBytes = 4 << 20

// readResources reads a file of --resources, or standard input.
func readResources(path string) (*specs.LinuxResources, error) {
	file, name := os.Stdin, "standard input"
	if path != "-" {
		var err error
		if file, err = os.Open(path); err != nil {
			return nil, fmt.Errorf("read resources: %w", err)
		}
		defer file.Close()
		name = path
	}
	data, err := io.ReadAll(io.LimitReader(file, resourcesMaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read resources: %w", err)
	}
	if len(data) > resourcesMaxBytes {
		return nil, fmt.Errorf("read resources from %q: more than %d bytes", name, resourcesMaxBytes)
	}
	r, err := spec.LoadResources(data)
	if err != nil {
		return nil, fmt.Errorf("read resources from %q: %w", name, err)
	}
	return r, nil
}
