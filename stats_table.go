// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/libcontainer"
	"github.com/rt-oci/rt/libcontainer/cgroup"
)

// usage is one row in the form in which it is shown, and the JSON object of it. A member without a value is nil, and
// left out: there is no controller, no limit, or no process.
type usage struct {
	Time          time.Time `json:"time"`
	ID            string    `json:"id"`
	Status        string    `json:"status"`
	CPUPercent    *float64  `json:"cpuPercent,omitempty"` // of one processor
	CPUTime       *uint64   `json:"cpuTime,omitempty"`    // nanoseconds
	Memory        *uint64   `json:"memoryUsage,omitempty"`
	MemoryLimit   *uint64   `json:"memoryLimit,omitempty"`
	MemoryPercent *float64  `json:"memoryPercent,omitempty"` // of the limit
	Pids          *uint64   `json:"pids,omitempty"`
	PidsLimit     *uint64   `json:"pidsLimit,omitempty"`
	Read          *uint64   `json:"ioRead,omitempty"` // bytes
	Written       *uint64   `json:"ioWritten,omitempty"`
	Pressure      *pressure `json:"pressure,omitempty"`
}

// pressure is, for each resource, the share of the last 10 seconds in which some task waited for it, in percent.
type pressure struct {
	CPU    *float64 `json:"cpu,omitempty"`
	Memory *float64 `json:"memory,omitempty"`
	IO     *float64 `json:"io,omitempty"`
}

func summary(u libcontainer.Usage) usage {
	s := usage{Time: u.Time.UTC(), ID: u.ID, Status: string(u.Status), CPUPercent: u.CPUPercent}
	c := u.Counters
	if c == nil {
		return s
	}
	if c.CPU != nil {
		s.CPUTime = &c.CPU.Usage.Total
	}
	if c.Memory != nil && c.Memory.Usage != nil {
		s.Memory = &c.Memory.Usage.Usage
		if limit := c.Memory.Usage.Limit; limit > 0 && !cgroup.Unlimited(limit) {
			percent := 100 * float64(*s.Memory) / float64(limit)
			s.MemoryLimit, s.MemoryPercent = &limit, &percent
		}
	}
	if c.Pids != nil {
		s.Pids = &c.Pids.Current
		if c.Pids.Limit > 0 {
			s.PidsLimit = &c.Pids.Limit
		}
	}
	s.Read, s.Written = transferred(c.Blkio)
	s.Pressure = waiting(c)
	return s
}

// transferred adds up the bytes of all block devices.
func transferred(io *cgroup.IOStats) (read, written *uint64) {
	if io == nil {
		return nil, nil
	}
	var sums [2]uint64
	for _, e := range io.ServiceBytes {
		switch e.Op {
		case "Read":
			sums[0] += e.Value
		case "Write":
			sums[1] += e.Value
		}
	}
	return &sums[0], &sums[1]
}

func waiting(c *cgroup.Stats) *pressure {
	p := &pressure{}
	if c.CPU != nil && c.CPU.PSI != nil {
		p.CPU = &c.CPU.PSI.Some.Avg10
	}
	if c.Memory != nil && c.Memory.PSI != nil {
		p.Memory = &c.Memory.PSI.Some.Avg10
	}
	if c.Blkio != nil && c.Blkio.PSI != nil {
		p.IO = &c.Blkio.PSI.Some.Avg10
	}
	if *p == (pressure{}) {
		return nil
	}
	return p
}

// json prints one line per container.
func (v *statsView) json(rows []libcontainer.Usage) error {
	var b bytes.Buffer
	for _, row := range rows {
		if err := printJSON(&b, summary(row), ""); err != nil {
			return err
		}
	}
	return v.write(&b)
}

// table prints a header and one line per container.
func (v *statsView) table(rows []libcontainer.Usage) error {
	var b bytes.Buffer
	writeTable(&b, rows)
	return v.write(&b)
}

// writeTable writes columns of one word each, as scripts split them.
func writeTable(w io.Writer, rows []libcontainer.Usage) {
	table := tabwriter.NewWriter(w, 6, 1, 2, ' ', 0)
	fmt.Fprint(table, "ID\tSTATUS\tCPU%\tMEMORY\tLIMIT\tMEM%\tPIDS\tREAD\tWRITTEN\tPSI-CPU\tPSI-MEM\tPSI-IO\n")
	for _, row := range rows {
		u := summary(row)
		if u.Pressure == nil {
			u.Pressure = &pressure{}
		}
		fmt.Fprintln(table, strings.Join([]string{
			u.ID, u.Status, percent(u.CPUPercent),
			size(u.Memory), size(u.MemoryLimit), percent(u.MemoryPercent), count(u.Pids), size(u.Read), size(u.Written),
			percent(u.Pressure.CPU), percent(u.Pressure.Memory), percent(u.Pressure.IO),
		}, "\t"))
	}
	_ = table.Flush() // into a buffer
}

// none stands where there is no value.
const none = "-"

func percent(p *float64) string {
	if p == nil {
		return none
	}
	return strconv.FormatFloat(*p, 'f', 1, 64)
}

func count(n *uint64) string {
	if n == nil {
		return none
	}
	return strconv.FormatUint(*n, 10)
}

// size shows bytes with three digits or more and a binary unit: "0B", "1023B", "1.00KiB", "97.7MiB", "512GiB".
func size(n *uint64) string {
	if n == nil {
		return none
	}
	if *n < 1024 {
		return strconv.FormatUint(*n, 10) + "B"
	}
	value, unit := float64(*n)/1024, 0
	for value >= 1023.5 && unit < len("KMGTPE")-1 {
		value, unit = value/1024, unit+1
	}
	digits := 2
	switch {
	case value >= 99.95:
		digits = 0
	case value >= 9.995:
		digits = 1
	}
	return strconv.FormatFloat(value, 'f', digits, 64) + "KMGTPE"[unit:unit+1] + "iB"
}

// screen returns a printer that draws each table over the one before.
func (v *statsView) screen() func(rows []libcontainer.Usage) error {
	const clear, home, restOfLine, restOfScreen = "\x1b[2J", "\x1b[H", "\x1b[K", "\x1b[J"
	start := clear + home
	return func(rows []libcontainer.Usage) error {
		var text, b bytes.Buffer
		writeTable(&text, rows)
		b.WriteString(start)
		start = home
		for _, line := range fit(text.String(), terminalSize(v.out)) {
			b.WriteString(line + restOfLine + "\n")
		}
		b.WriteString(restOfScreen)
		return v.write(&b)
	}
}

// fit cuts a text to the size of a terminal, whose last line is left to the cursor: wrapped or scrolled lines would not
// be drawn over. A size of 0 is not known.
func fit(text string, size *unix.Winsize) []string {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if size == nil || size.Row < 3 || size.Col == 0 {
		return lines
	}
	if most := int(size.Row) - 1; len(lines) > most {
		left := len(lines) - most + 1
		lines = append(lines[:most-1], fmt.Sprintf("... and %d more", left))
	}
	for i, line := range lines {
		lines[i] = line[:min(len(line), int(size.Col))]
	}
	return lines
}
