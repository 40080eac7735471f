// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rt-oci/rt/tests/harness"
)

// Output is complete, however soon the process ends and however much it is, with a terminal and without.
func TestOutputIsComplete(t *testing.T) {
	t.Parallel()
	b := running(t)
	want := new(strings.Builder)
	for i := range 3000 {
		fmt.Fprintln(want, i+1)
	}
	for name, c := range map[string]struct {
		flags   []string
		program string
		want    string
		times   int
	}{
		"short":             {nil, "echo one line", "one line\n", 50},
		"short, terminal":   {[]string{"-t"}, "echo one line", "one line\n", 100},
		"long":              {nil, "seq 1 3000", want.String(), 20},
		"long, terminal":    {[]string{"-t"}, "seq 1 3000", want.String(), 50},
		"no line, terminal": {[]string{"-t"}, "printf x", "x", 30},
	} {
		t.Run(name, func(t *testing.T) {
			for range c.times {
				if got := b.Exec(t, c.flags, "sh", "-c", c.program).WantExit(t, 0).Stdout; got != c.want {
					t.Fatalf("%d bytes, want %d; they end in %q", len(got), len(c.want), got[max(0, len(got)-50):])
				}
			}
		})
	}
	t.Run("run", func(t *testing.T) {
		b := terminal(shell(t, "seq 1 3000"))
		for range 10 {
			b.Run(t).WantExit(t, 0).WantStdoutIs(t, strings.TrimSuffix(want.String(), "\n"))
		}
	})
}

// pipeOf starts rt with a pipe for its output and returns the end to read, and rt's number.
func pipeOf(t *testing.T, b *harness.Bundle, stdin io.Reader, args ...string) (out *os.File, pid int, wait func() int) {
	t.Helper()
	out, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	if _, err := unix.FcntlInt(w.Fd(), unix.F_SETPIPE_SZ, 4096); err != nil {
		t.Fatal(err)
	}
	cmd := b.Command(t, args...)
	cmd.Stdout, cmd.Stdin = w, stdin
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return out, cmd.Process.Pid, func() int {
		ends(t, cmd)
		if stderr.Len() > 0 {
			t.Logf("stderr: %s", stderr.String())
		}
		return cmd.ProcessState.ExitCode()
	}
}

// idles demands that a process that has nothing to do takes neither processor nor memory.
func idles(t *testing.T, pid int) {
	t.Helper()
	const mebibyte = 1 << 20
	before, _ := cost(t, pid)
	harness.Eventually(t, "the buffers are full, and rt waits", func() bool {
		earlier := before
		time.Sleep(500 * time.Millisecond)
		before, _ = cost(t, pid)
		return before == earlier
	})
	time.Sleep(2 * time.Second)
	after, resident := cost(t, pid)
	t.Logf("%d ticks in 2 s, %d KiB resident", after-before, resident>>10)
	if after-before > 5 { // of 200
		t.Errorf("%d ticks of processor time in 2 s", after-before)
	}
	if resident > 16*mebibyte {
		t.Errorf("%d bytes resident", resident)
	}
}

// A reader that has stopped stops the program; rt waits for it and costs nothing (CVE-2022-31030).
func TestAStoppedReaderCostsNothing(t *testing.T) {
	t.Parallel()
	b := running(t)
	out, pid, wait := pipeOf(t, b, nil, "exec", "-t", b.ID, "sh", "-c", "yes | head -c 300000; echo; echo end")
	idles(t, pid)
	all, err := io.ReadAll(out) // it goes on, and nothing is lost
	if status := wait(); err != nil || status != 0 || len(all) != 300000+len("\nend\n") || !bytes.HasSuffix(all, []byte("\nend\n")) {
		t.Errorf("status %d, %d bytes, %v", status, len(all), err)
	}

	r := terminal(harness.NewBundle(t, "yes"))
	r.Write(t)
	_, pid, wait = pipeOf(t, r, nil, "run", "-b", r.Dir, r.ID)
	idles(t, pid)
	r.Kill(t, "KILL").WantExit(t, 0)
	r.WaitFor(t, "stopped")      // before that, a signal would be for the process
	signal(t, pid, unix.SIGTERM) // the rest of the output is wanted no more
	if status := wait(); status != 137 {
		t.Errorf("status %d", status)
	}
}

// The same the other way: a program that reads nothing.
func TestInputThatNobodyReadsCostsNothing(t *testing.T) {
	t.Parallel()
	b := running(t)
	in, err := os.Open("/dev/zero")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, pid, wait := pipeOf(t, b, in, "exec", "-t", b.ID, "sh", "-c", "stty raw -echo; exec sleep 1000")
	go func() { _, _ = io.Copy(io.Discard, out) }() // the echo of what came before stty
	idles(t, pid)
	signal(t, pid, unix.SIGTERM)
	if status := wait(); status != 143 {
		t.Errorf("status %d", status)
	}
}

// When the process has ended and the reader has stopped, a signal ends rt. The container goes, the terminal is restored,
// and the status is the process's.
func TestTheRestOfTheOutputCanBeInterrupted(t *testing.T) {
	t.Parallel()
	b := terminal(shell(t, "head -c 6000 /dev/zero | tr '\\0' x; exit 5")) // what a small pipe and a terminal hold
	b.Write(t)
	for _, s := range []unix.Signal{unix.SIGTERM, unix.SIGINT, unix.SIGHUP} {
		_, pid, wait := pipeOf(t, b, nil, "run", "-b", b.Dir, b.ID)
		harness.Eventually(t, "the program has ended", func() bool {
			got := b.RT(t, "state", b.ID)
			return strings.Contains(got.Stdout, `"stopped"`)
		})
		signal(t, pid, s)
		if status := wait(); status != 5 {
			t.Errorf("%v: status %d", s, status)
		}
		b.RT(t, "state", b.ID).WantOneError(t, "container does not exist")
	}
}

// A reader that is gone hangs the terminal up.
func TestAClosedReaderEndsTheProgram(t *testing.T) {
	t.Parallel()
	b := running(t)
	out, _, wait := pipeOf(t, b, nil, "exec", "-t", b.ID, "yes")
	if _, err := io.ReadFull(out, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	out.Close()
	if status := wait(); status != 128+int(unix.SIGHUP) && status != 1 { // the signal, or yes sees the error first
		t.Errorf("status %d", status)
	}
	b.Exec(t, nil, "sh", "-c", "! pidof yes").WantExit(t, 0)

	r := terminal(harness.NewBundle(t, "yes")) // the first process of a pid namespace gets no SIGHUP
	r.Write(t)
	out, _, wait = pipeOf(t, r, nil, "run", "-b", r.Dir, r.ID)
	if _, err := io.ReadFull(out, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	out.Close()
	if status := wait(); status != 1 {
		t.Errorf("status %d", status)
	}
}
