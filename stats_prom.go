// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/rt-oci/rt/libcontainer"
	"github.com/rt-oci/rt/libcontainer/cgroup"
)

// metric is a family of the text format of Prometheus: "# HELP", "# TYPE", and then all its samples. Names follow the
// conventions of Prometheus and OpenMetrics: base units, and _total for what only grows.
type metric struct {
	name, kind, help string
	samples          func(s *samples, u libcontainer.Usage)
}

// samples writes the samples of one family.
type samples struct {
	b    *bytes.Buffer
	name string
	id   string
}

// add writes one sample. Labels are pairs of name and value besides the container's id.
func (s *samples) add(value float64, labels ...string) {
	s.b.WriteString(s.name + `{id="` + escapeLabel(s.id) + `"`)
	for i := 0; i+1 < len(labels); i += 2 {
		s.b.WriteString("," + labels[i] + `="` + escapeLabel(labels[i+1]) + `"`)
	}
	s.b.WriteString("} " + strconv.FormatFloat(value, 'f', -1, 64) + "\n")
}

// escapeLabel escapes what the format wants escaped in a label's value, which must be UTF-8.
func escapeLabel(value string) string {
	if !strings.ContainsAny(value, "\\\"\n") {
		return strings.ToValidUTF8(value, "\uFFFD")
	}
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(strings.ToValidUTF8(value, "\uFFFD"))
}

const (
	counter = "counter"
	gauge   = "gauge"
)

// prom prints all metrics in the text format of Prometheus.
func (v *statsView) prom(rows []libcontainer.Usage) error {
	var b bytes.Buffer
	writeStatuses(&b, rows)
	for _, families := range [][]metric{stateMetrics(), cpuMetrics(), memoryMetrics(), otherMetrics()} {
		for _, m := range families {
			writeFamily(&b, m, rows)
		}
	}
	return v.write(&b)
}

// writeFamily leaves out a family without samples.
func writeFamily(b *bytes.Buffer, m metric, rows []libcontainer.Usage) {
	var text bytes.Buffer
	for _, u := range rows {
		m.samples(&samples{&text, m.name, u.ID}, u)
	}
	if text.Len() > 0 {
		writeHead(b, m.name, m.kind, m.help)
		b.Write(text.Bytes())
	}
}

func writeHead(b *bytes.Buffer, name, kind, help string) {
	b.WriteString("# HELP " + name + " " + help + "\n# TYPE " + name + " " + kind + "\n")
}

// writeStatuses counts the containers, so that even without any of them there is output.
func writeStatuses(b *bytes.Buffer, rows []libcontainer.Usage) {
	writeHead(b, "rt_containers", gauge, "Containers by status, of those that were asked for.")
	for _, status := range []specs.ContainerState{
		specs.StateCreating, specs.StateCreated, specs.StateRunning, libcontainer.StatusPaused, specs.StateStopped,
	} {
		n := 0
		for _, u := range rows {
			if u.Status == status {
				n++
			}
		}
		b.WriteString(`rt_containers{status="` + string(status) + `"} ` + strconv.Itoa(n) + "\n")
	}
}

func stateMetrics() []metric {
	return []metric{
		{"rt_container_info", gauge, "1 for each container.", func(s *samples, u libcontainer.Usage) {
			s.add(1, "bundle", u.Bundle)
		}},
		{"rt_container_status", gauge, "1 for the present status of each container.", func(s *samples, u libcontainer.Usage) {
			s.add(1, "status", string(u.Status))
		}},
	}
}

// seconds turns a counter of nanoseconds into the base unit.
func seconds(nanoseconds uint64) float64 { return float64(nanoseconds) / 1e9 }

func cpuMetrics() []metric {
	cpu := func(f func(s *samples, c *cgroup.CPUStats)) func(*samples, libcontainer.Usage) {
		return func(s *samples, u libcontainer.Usage) {
			if u.Counters != nil && u.Counters.CPU != nil {
				f(s, u.Counters.CPU)
			}
		}
	}
	return []metric{
		{"rt_container_cpu_usage_seconds_total", counter, "Processor time.", cpu(func(s *samples, c *cgroup.CPUStats) {
			s.add(seconds(c.Usage.Total))
		})},
		{"rt_container_cpu_mode_seconds_total", counter, "Processor time in user mode and in the kernel.", cpu(func(s *samples, c *cgroup.CPUStats) {
			s.add(seconds(c.Usage.User), "mode", "user")
			s.add(seconds(c.Usage.Kernel), "mode", "system")
		})},
		{"rt_container_cpu_periods_total", counter, "Periods in which the quota of processor time was enforced.", cpu(func(s *samples, c *cgroup.CPUStats) {
			s.add(float64(c.Throttling.Periods))
		})},
		{"rt_container_cpu_throttled_periods_total", counter, "Periods in which the quota was used up.", cpu(func(s *samples, c *cgroup.CPUStats) {
			s.add(float64(c.Throttling.ThrottledPeriods))
		})},
		{"rt_container_cpu_throttled_seconds_total", counter, "Time for which the quota held processes back.", cpu(func(s *samples, c *cgroup.CPUStats) {
			s.add(seconds(c.Throttling.ThrottledTime))
		})},
	}
}

func memoryMetrics() []metric {
	memory := func(f func(s *samples, m *cgroup.MemoryStats)) func(*samples, libcontainer.Usage) {
		return func(s *samples, u libcontainer.Usage) {
			if u.Counters != nil && u.Counters.Memory != nil && u.Counters.Memory.Usage != nil {
				f(s, u.Counters.Memory)
			}
		}
	}
	return []metric{
		{"rt_container_memory_usage_bytes", gauge, "Memory that counts against the limit.", memory(func(s *samples, m *cgroup.MemoryStats) {
			s.add(float64(m.Usage.Usage))
		})},
		{"rt_container_memory_working_set_bytes", gauge, "Memory without the part of the page cache that was not used lately.", memory(func(s *samples, m *cgroup.MemoryStats) {
			s.add(float64(workingSet(m)))
		})},
		{"rt_container_memory_peak_bytes", gauge, "Highest memory usage so far.", memory(func(s *samples, m *cgroup.MemoryStats) {
			if m.Usage.Max > 0 {
				s.add(float64(m.Usage.Max))
			}
		})},
		{"rt_container_memory_limit_bytes", gauge, "Limit of memory, if there is one.", memory(func(s *samples, m *cgroup.MemoryStats) {
			if m.Usage.Limit > 0 && !cgroup.Unlimited(m.Usage.Limit) {
				s.add(float64(m.Usage.Limit))
			}
		})},
		{"rt_container_memory_limit_hits_total", counter, "How often the limit of memory was reached.", memory(func(s *samples, m *cgroup.MemoryStats) {
			s.add(float64(m.Usage.Failures))
		})},
		{"rt_container_memory_oom_kills_total", counter, "Processes that the kernel has killed for lack of memory.", memory(func(s *samples, m *cgroup.MemoryStats) {
			s.add(float64(m.OOMKills))
		})},
		{"rt_container_memory_swap_bytes", gauge, "Swap in use.", memory(func(s *samples, m *cgroup.MemoryStats) {
			if m.SwapOnly != nil {
				s.add(float64(m.SwapOnly.Usage))
			}
		})},
	}
}

// workingSet is the usage without inactive pages of files: what reclaim could take at once.
func workingSet(m *cgroup.MemoryStats) uint64 {
	inactive, ok := m.Raw["total_inactive_file"] // v1, groups below included
	if !ok {
		inactive = m.Raw["inactive_file"]
	}
	return m.Usage.Usage - min(m.Usage.Usage, inactive)
}

func otherMetrics() []metric {
	return []metric{
		{"rt_container_pids", gauge, "Tasks, threads included.", func(s *samples, u libcontainer.Usage) {
			if u.Counters != nil && u.Counters.Pids != nil {
				s.add(float64(u.Counters.Pids.Current))
			}
		}},
		{"rt_container_pids_limit", gauge, "Limit of tasks, if there is one.", func(s *samples, u libcontainer.Usage) {
			if u.Counters != nil && u.Counters.Pids != nil && u.Counters.Pids.Limit > 0 {
				s.add(float64(u.Counters.Pids.Limit))
			}
		}},
		{"rt_container_io_bytes_total", counter, "Bytes moved from and to block devices.", func(s *samples, u libcontainer.Usage) {
			if u.Counters != nil && u.Counters.Blkio != nil {
				addDevices(s, u.Counters.Blkio.ServiceBytes)
			}
		}},
		{"rt_container_io_operations_total", counter, "Operations on block devices.", func(s *samples, u libcontainer.Usage) {
			if u.Counters != nil && u.Counters.Blkio != nil {
				addDevices(s, u.Counters.Blkio.Serviced)
			}
		}},
		{"rt_container_hugetlb_usage_bytes", gauge, "Huge pages in use.", func(s *samples, u libcontainer.Usage) {
			if u.Counters != nil {
				for _, size := range slices.Sorted(maps.Keys(u.Counters.Hugetlb)) {
					s.add(float64(u.Counters.Hugetlb[size].Usage), "pagesize", size)
				}
			}
		}},
		{"rt_container_pressure_waiting_seconds_total", counter, "Time in which some task waited for a resource.", func(s *samples, u libcontainer.Usage) {
			addPressure(s, u.Counters, func(p *cgroup.Pressure) uint64 { return p.Some.Total })
		}},
		{"rt_container_pressure_stalled_seconds_total", counter, "Time in which all tasks waited for a resource.", func(s *samples, u libcontainer.Usage) {
			addPressure(s, u.Counters, func(p *cgroup.Pressure) uint64 { return p.Full.Total })
		}},
	}
}

// addDevices leaves the sums of v1 out: they are sums of the others.
func addDevices(s *samples, entries []cgroup.IOEntry) {
	for _, e := range entries {
		switch e.Op {
		case "Read", "Write", "Discard":
			device := strconv.FormatUint(e.Major, 10) + ":" + strconv.FormatUint(e.Minor, 10)
			s.add(float64(e.Value), "device", device, "operation", strings.ToLower(e.Op))
		}
	}
}

// addPressure writes the counters of microseconds of each resource.
func addPressure(s *samples, c *cgroup.Stats, total func(p *cgroup.Pressure) uint64) {
	if c == nil {
		return
	}
	add := func(resource string, p *cgroup.Pressure) {
		if p != nil {
			s.add(float64(total(p))/1e6, "resource", resource)
		}
	}
	if c.CPU != nil {
		add("cpu", c.CPU.PSI)
	}
	if c.Memory != nil {
		add("memory", c.Memory.PSI)
	}
	if c.Blkio != nil {
		add("io", c.Blkio.PSI)
	}
}
