package main

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
)

// writeDocs writes the tables as a page of the documentation.
func writeDocs(path string, rows []row) error {
	var page bytes.Buffer
	fmt.Fprint(&page, `# Conformance

This page is written by `+"`tests/conformance/run --write-docs`"+` from tests/conformance/expected.tsv and points.tsv, after a
run in which everything was as expected. `+"`make conformance`"+` compares each run with the same tables: a program that
passes or fails unexpectedly breaks it.

The programs are those of the OCI [runtime-tools](https://github.com/opencontainers/runtime-tools) (validation/), at the
versions that tests/conformance/go.mod and tests/conformance/pids2505/go.mod pin.

* **pass**: every point holds. **hollow-ok**: the program asserts nothing and had no complaint.
* **hollow-err**: the program asserts nothing, but printed an error. **fail 2/5**: 2 of 5 points fail; they are listed below.
* **flaky**: racy by construction; a run may pass or fail in the listed points.
* v1: the v1 controllers, hugetlb, net_cls and net_prio too, are mounted. v2: only the unified hierarchy is. A remark such as
  "hugetlb: skip" says what is expected on a machine that lacks this.

`)
	fmt.Fprintf(&page, "Green: %s with v1, %s with v2.\n\n", green(rows, "v1"), green(rows, "v2"))
	fmt.Fprint(&page, "| program | v1 | v2 | without | why |\n|---|---|---|---|---|\n")
	for _, r := range rows {
		fmt.Fprintf(&page, "| %s | %s | %s | %s | %s |\n", r.program, r.v1, r.v2, without(r), cell(r.reason))
	}
	fmt.Fprint(&page, "\n## Failing points\n\n| program | cgroup | point | text |\n|---|---|---|---|\n")
	for _, r := range rows {
		for _, p := range r.pinned {
			version := strings.Replace(p.cgroup, "*", "v1, v2", 1)
			fmt.Fprintf(&page, "| %s | %s | %s | %s |\n", r.program, version, p.point, cell(p.name))
		}
	}
	if err := os.WriteFile(path, page.Bytes(), 0o644); err != nil {
		return fmt.Errorf("write the documentation: %w", err)
	}
	return nil
}

// green counts the programs that are expected to be green on a machine that lacks nothing.
func green(rows []row, cgroup string) string {
	everything := machine{cgroup: cgroup, features: knownFeatures()}
	n := 0
	for _, r := range rows {
		if v := r.expectation(everything).verdict; v == pass || v == hollowOK {
			n++
		}
	}
	return fmt.Sprintf("%d of %d", n, len(rows))
}

func without(r row) string {
	var remarks []string
	for feature, e := range r.lacking {
		remarks = append(remarks, feature+": "+e.String())
	}
	slices.Sort(remarks)
	return strings.Join(remarks, ", ")
}

func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
