// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func verdict(left []string) string {
	if len(left) == 0 {
		return "ok"
	}
	return "LEFT: " + strings.Join(left, "; ")
}

// report prints what was left, and writes the files that were asked for.
func report(o options, results []*result) error {
	for _, r := range results {
		for _, l := range r.Left {
			fmt.Printf("LEFT %s %s: %s\n", r.Caller, r.Runtime, l)
		}
	}
	fmt.Print(tables(results))
	if o.jsonFile != "" {
		content, err := json.MarshalIndent(results, "", "\t")
		if err != nil {
			return err
		}
		if err := write(o.jsonFile, content); err != nil {
			return err
		}
	}
	if o.markdownFile != "" {
		return write(o.markdownFile, []byte(tables(results)))
	}
	return nil
}

func write(name string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, content, 0o644)
}

// tables are in Markdown: per caller a column per runtime.
func tables(results []*result) string {
	var b strings.Builder
	for i, r := range results {
		if i > 0 && results[i-1].Caller == r.Caller {
			continue
		}
		var same []*result
		for _, other := range results {
			if other.Caller == r.Caller {
				same = append(same, other)
			}
		}
		table(&b, same)
	}
	return b.String()
}

func table(b *strings.Builder, same []*result) {
	fmt.Fprintf(b, "\n### %s\n\n| |", same[0].Caller)
	for _, r := range same {
		fmt.Fprintf(b, " %s |", r.Version)
	}
	fmt.Fprintf(b, "\n|---|%s\n", strings.Repeat("---:|", len(same)))
	row := func(name string, value func(*result) string) {
		fmt.Fprintf(b, "| %s |", name)
		for _, r := range same {
			fmt.Fprintf(b, " %s |", value(r))
		}
		b.WriteString("\n")
	}
	for i, p := range same[0].Parts {
		row(p.Name+", seconds", func(r *result) string { return fmt.Sprintf("%.1f", r.Parts[i].Seconds) })
		row("- left of it", func(r *result) string { return left(r.Parts[i]) })
		for _, name := range []string{shims, shimDescriptors, shimThreads, shimMemory} {
			if p.While[name] > 0 {
				row("- meanwhile "+name, func(r *result) string { return fmt.Sprint(r.Parts[i].While[name]) })
			}
		}
	}
	last := len(same[0].Parts) - 1
	row(filters, func(r *result) string { return fmt.Sprint(r.Parts[last].After[filters]) })
	for _, name := range append([]string{daemonDescriptors, daemonThreads}, shared...) {
		row(name+", before and after all", func(r *result) string {
			return fmt.Sprintf("%d, %d", r.Parts[0].Before[name], r.Parts[last].After[name])
		})
	}
}

func left(p part) string {
	if len(p.Left) > 0 {
		return strings.Join(p.Left, "; ")
	}
	return "nothing"
}
