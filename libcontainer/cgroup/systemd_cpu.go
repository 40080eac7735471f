// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"fmt"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// errIdleAndWeight refuses two values of which systemd has one: an idle group is one of weight 0 for it (since 252).
// Callers match the text.
var errIdleAndWeight = errors.New("unable to apply both cpu.idle and a weight (cpu.shares, unified cpu.weight): an idle group has none")

// checkIdle refuses idle together with a weight.
func checkIdle(r *specs.LinuxResources) error {
	if r == nil || r.CPU == nil || !given(r.CPU.Idle) || *r.CPU.Idle != 1 {
		return nil
	}
	if _, weight := r.Unified["cpu.weight"]; weight || given(r.CPU.Shares, 0) {
		return fmt.Errorf("linux.resources.cpu.idle: %w", errIdleAndWeight)
	}
	return nil
}

// cpuValues collects what makes up systemd's quota of processor time: a quota and its period, of which either may be
// given alone.
type cpuValues struct {
	dir           string
	given         bool
	quota, period string // as the control files have them; "" is not given
}

func (c *cpuValues) take(dir, file, value string) error {
	c.dir, c.given = dir, true
	switch file {
	case "cpu.cfs_quota_us":
		c.quota = value
	case "cpu.cfs_period_us":
		c.period = value
	default:
		fields := strings.Fields(value)
		if len(fields) == 0 || len(fields) > 2 {
			return fmt.Errorf("%q for cpu.max: not a quota and a period", value)
		}
		c.quota = fields[0]
		if len(fields) == 2 {
			c.period = fields[1]
		}
	}
	return nil
}

// defaultPeriod is the kernel's, in microseconds.
const defaultPeriod = 100000

// properties returns systemd's form: microseconds of processor time per second, in whole percents, rounded up so that
// groups below can have what was asked for; and the period. What isn't given is what the group has, if it is there.
func (c *cpuValues) properties() []property {
	if !c.given {
		return nil
	}
	var properties []property
	period, err := amount(c.orCurrent(c.period, "cpu.cfs_period_us", 1))
	if err != nil || period == 0 {
		period = defaultPeriod
	}
	if c.period != "" {
		properties = append(properties, number("CPUQuotaPeriodUSec", period))
	}
	quota, err := amount(c.orCurrent(c.quota, "cpu.cfs_quota_us", 0))
	if err != nil || quota == infinity {
		return append(properties, number("CPUQuotaPerSecUSec", infinity))
	}
	const percent = 10000
	perSecond := quota * 1000000 / period
	return append(properties, number("CPUQuotaPerSecUSec", (perSecond+percent-1)/percent*percent))
}

// orCurrent returns value, or what the group has: in a file of its own on v1, as a field of cpu.max on v2.
func (c *cpuValues) orCurrent(value, fileV1 string, field int) string {
	if value != "" {
		return value
	}
	if current, err := readControl(c.dir, fileV1); err == nil {
		return current
	}
	if current, err := readControl(c.dir, "cpu.max"); err == nil {
		if fields := strings.Fields(current); len(fields) > field {
			return fields[field]
		}
	}
	return ""
}

// idle translates cpu.idle. What ends being idle gets the standard weight again, as in the kernel.
func (c *cpuValues) idle(dir, value string) []property {
	const standardWeight = 100
	if value == "1" {
		return []property{number("CPUWeight", 0)}
	}
	if current, err := readControl(dir, "cpu.idle"); err == nil && current == "1" {
		return []property{number("CPUWeight", standardWeight)}
	}
	return nil
}
