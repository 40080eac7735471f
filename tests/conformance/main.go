// Command conformance runs the validation programs of the OCI runtime-tools against a runtime and compares each
// result with expected.tsv and points.tsv: a pass or a failure that is not written there breaks the run.
//
// The programs come from the Go module proxy, pinned by the go.sum files of this directory and of pids2505.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

type options struct {
	runtime   string
	programs  []string
	cgroup    string
	expected  string
	points    string
	writeDocs bool
	verbose   bool
}

// init keeps the main goroutine on the first thread: the thread of a sandbox has to end with its sandbox, and the
// first thread of a process can't.
func init() { runtime.LockOSThread() }

func main() {
	o, err := parseFlags(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil {
		err = run(o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
}

func parseFlags(args []string) (options, error) {
	var o options
	f := flag.NewFlagSet("tests/conformance/run", flag.ContinueOnError)
	f.StringVar(&o.cgroup, "cgroup", "auto", "cgroup `version`: auto, v1, v2 (v2 on a hybrid machine: only the unified tree is shown)")
	f.StringVar(&o.expected, "expected", "expected.tsv", "`file` with the expected result of each program")
	f.StringVar(&o.points, "points", "points.tsv", "`file` with the failing points of the programs that are expected to fail")
	f.BoolVar(&o.writeDocs, "write-docs", false, "write docs/conformance.md when everything was as expected")
	f.BoolVar(&o.verbose, "v", false, "print what each program printed, and what it left behind")
	f.Usage = func() {
		fmt.Fprintln(f.Output(), "Usage: tests/conformance/run [flags] RUNTIME [PROGRAM...]")
		f.PrintDefaults()
	}
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() == 0 {
		return o, errors.New("no runtime given (usage: tests/conformance/run RUNTIME [PROGRAM...])")
	}
	o.programs = f.Args()[1:]
	o.runtime = fromCaller(f.Arg(0))
	f.Visit(func(set *flag.Flag) {
		switch set.Name {
		case "expected":
			o.expected = fromCaller(o.expected)
		case "points":
			o.points = fromCaller(o.points)
		}
	})
	return o, nil
}

// fromCaller resolves a path against the directory that the script was called in.
func fromCaller(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(os.Getenv("RT_CONFORMANCE_CWD"), path)
}

func run(o options) error {
	expected, err := loadTable(o.expected, o.points)
	if err != nil {
		return err
	}
	if reason := cannotRun(); reason != "" {
		fmt.Printf("conformance skipped: %s\n0 passed, 0 failed, %d skipped\n", reason, len(expected))
		return nil
	}
	if _, err := os.Stat(o.runtime); err != nil {
		return fmt.Errorf("find the runtime: %w", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	build, err := prepareSuite(ctx)
	if err != nil {
		return err
	}
	unlock, err := lockSuite(build)
	if err != nil {
		return err
	}
	defer unlock()
	host, err := probeMachine(o.cgroup)
	if err != nil {
		return err
	}
	defer host.release()
	chosen, err := choose(expected, o.programs)
	if err != nil {
		return err
	}
	fmt.Printf("# %s, %s\n", o.runtime, host)
	report := newReport(host, o.verbose)
	for _, row := range chosen {
		if err := runRow(ctx, o, build, host, row, report); err != nil {
			return err
		}
	}
	if err := report.finish(); err != nil {
		return err
	}
	if !o.writeDocs {
		return nil
	}
	if len(o.programs) > 0 {
		return errors.New("refuse to write docs/conformance.md: it needs a run of all programs")
	}
	return writeDocs(filepath.Join("..", "..", "docs", "conformance.md"), expected)
}

// cannotRun says why the suite can't run here at all; "" means it can.
func cannotRun() string {
	if os.Geteuid() != 0 {
		return "it needs root"
	}
	if runtime.GOARCH != "amd64" && runtime.GOARCH != "386" {
		return "the suite has no root filesystem for " + runtime.GOARCH
	}
	return ""
}

func runRow(ctx context.Context, o options, build suite, host machine, row row, report *report) error {
	want := row.expectation(host)
	if want.verdict == skip {
		report.skipped(row, "this machine lacks "+want.lacks)
		return nil
	}
	got, err := host.runProgram(ctx, job{
		runtime: o.runtime,
		program: row.program,
		dir:     build.dir(row.module),
	})
	if ctx.Err() != nil {
		return fmt.Errorf("run %s: interrupted", row.program)
	}
	if err != nil {
		return fmt.Errorf("run %s: %w", row.program, err)
	}
	report.add(row, want, got)
	return nil
}

// choose returns the rows of the named programs, all rows if no name is given.
func choose(rows []row, names []string) ([]row, error) {
	if len(names) == 0 {
		return rows, nil
	}
	var chosen []row
	for _, name := range names {
		found := false
		for _, r := range rows {
			if r.program == name {
				chosen, found = append(chosen, r), true
			}
		}
		if !found {
			return nil, fmt.Errorf("choose programs: %q is not in the table (%s)", name, programNames(rows))
		}
	}
	return chosen, nil
}

func programNames(rows []row) string {
	names := make([]string, len(rows))
	for i, r := range rows {
		names[i] = r.program
	}
	return strings.Join(names, " ")
}
