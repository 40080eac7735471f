// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// hostile are texts that could end a line, a string or an object, or steer a terminal.
var hostile = []string{
	"two\nlines", `quote " and \ backslash`, "carriage\rreturn", "nul\x00", "\x1b[2Jclear", "bad utf-8 \xff\xfe",
	`","level":"debug","x":"`, "line\u2028separator", "<&>", "right-to-left \u202e", "tab\t", "日本語", "",
}

func TestJSONLinesSurviveHostileText(t *testing.T) {
	for _, msg := range hostile {
		var out bytes.Buffer
		l := &logger{stderr: &out, json: true}
		l.Warnf("%s", msg)
		if n := strings.Count(out.String(), "\n"); n != 1 || !strings.HasSuffix(out.String(), "\n") {
			t.Errorf("%q: %d newlines, want one at the end: %q", msg, n, out.String())
		}
		var got map[string]string
		if err := json.Unmarshal(out.Bytes(), &got); err != nil {
			t.Errorf("%q: %v in %q", msg, err, out.String())
			continue
		}
		if want := strings.ToValidUTF8(msg, "\ufffd"); len(got) != 3 || got["level"] != "warning" || (got["msg"] != want && !strings.Contains(msg, "\xff")) {
			t.Errorf("%q: logged %v", msg, got)
		}
		if _, err := time.Parse(time.RFC3339, got["time"]); err != nil {
			t.Errorf("time: %v", err)
		}
	}
}

func TestTextLinesSurviveHostileText(t *testing.T) {
	form := regexp.MustCompile(`^time="[^"]+" level=warning msg="([^"\\]|\\.)*"\n$`)
	for _, msg := range hostile {
		var out bytes.Buffer
		l := &logger{stderr: &out}
		l.Warnf("%s", msg)
		if !form.Match(out.Bytes()) {
			t.Errorf("%q gave the line %q", msg, out.String())
		}
	}
}

func TestOneLine(t *testing.T) {
	for in, want := range map[string]string{
		"":                      "",
		`plain "text" a\b: 日本語`: `plain "text" a\b: 日本語`,
		"two\nlines\r":          `two\nlines\r`,
		"\x1b[31m":              `\x1b[31m`,
		"\xff\u202e\ufffd":      `\xff\u202e` + "\ufffd",
		"a\tb":                  `a\tb`,
	} {
		if got := oneLine(in); got != want {
			t.Errorf("oneLine(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestFatalWithoutFile(t *testing.T) {
	var text, object bytes.Buffer
	(&logger{stderr: &text}).fatal("exec /run.sh: no such file or directory")
	if got, want := text.String(), "exec /run.sh: no such file or directory\n"; got != want {
		t.Errorf("text: %q, want %q", got, want)
	}
	(&logger{stderr: &object, json: true}).fatal("a\nb")
	if n := strings.Count(object.String(), "\n"); n != 1 || !strings.HasPrefix(object.String(), `{"level":"error","msg":"a\nb",`) {
		t.Errorf("json: %q", object.String())
	}
}

func TestDebugIsSilentUnlessAskedFor(t *testing.T) {
	var out bytes.Buffer
	l := &logger{stderr: &out}
	l.Debugf("x")
	if out.Len() != 0 {
		t.Errorf("logged %q", out.String())
	}
	l.debug = true
	l.Debugf("seccomp filter flags: %d", 4)
	wantContains(t, "log", out.String(), `level=debug msg="seccomp filter flags: 4"`)
}

func TestOpenLogAppendsAndIsNotInherited(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	for range 2 {
		f, err := openLog(path)
		if err != nil {
			t.Fatal(err)
		}
		flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFD, 0)
		if err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("descriptor flags %#x, %v: want close-on-exec", flags, err)
		}
		if _, err := f.WriteString("x\n"); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "x\nx\n" {
		t.Errorf("log holds %q, %v", data, err)
	}
	if _, err := openLog(filepath.Join(path, "below-a-file")); err == nil || !strings.Contains(err.Error(), "open log") {
		t.Errorf("openLog below a file: %v", err)
	}
}
