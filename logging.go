// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// logTime is RFC 3339 with a fixed number of digits, so that lines sort by it.
const logTime = "2006-01-02T15:04:05.000000Z07:00"

// logger writes one line per message, in logfmt or JSON, with a single write each: several commands
// may append to the same file. It satisfies libcontainer's Logger.
type logger struct {
	stderr io.Writer
	file   io.Writer // nil without --log
	json   bool
	debug  bool
}

// openLog opens the file of --log for appending and creates it if need be. Callers read it when a command has failed.
func openLog(path string) (*os.File, error) {
	// Not os.OpenFile: it sets up the runtime's poller, five system calls that a regular file has no use for.
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_APPEND|unix.O_CREAT|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open log %q: %w", path, err)
	}
	return os.NewFile(uintptr(fd), path), nil
}

// Debugf logs a message if --debug was given.
func (l *logger) Debugf(format string, args ...any) {
	if l.debug {
		l.write("debug", fmt.Sprintf(format, args...))
	}
}

// Warnf logs something that the caller should know although the command goes on.
func (l *logger) Warnf(format string, args ...any) {
	l.write("warning", fmt.Sprintf(format, args...))
}

// fatal reports the error that ends the command: to the log file, whose last line at level error is what callers show,
// and in plain text to stderr, for people and for callers whose log is empty. JSON asked for without a file goes to stderr.
func (l *logger) fatal(msg string) {
	if l.file != nil || l.json {
		l.write("error", msg)
	}
	if l.file != nil || !l.json {
		_, _ = fmt.Fprintln(l.stderr, oneLine(msg)) // nobody is left to be told
	}
}

// write logs one line. A log that can't be written must not stop a container, so nothing is returned.
func (l *logger) write(level, msg string) {
	out := l.file
	if out == nil {
		out = l.stderr
	}
	now := time.Now().UTC().Format(logTime) // UTC: the local zone would have to be read from /etc
	if l.json {
		_, _ = out.Write(jsonLine(level, msg, now))
		return
	}
	_, _ = fmt.Fprintf(out, "time=%q level=%s msg=%s\n", now, level, strconv.Quote(msg))
}

// jsonLine returns {"level":…,"msg":…,"time":…} and a newline; the encoder escapes what could end the string or the line.
func jsonLine(level, msg, now string) []byte {
	var line strings.Builder
	enc := json.NewEncoder(&line)
	enc.SetEscapeHTML(false)
	// The encoder fails on unsupported types only; a struct of strings has none.
	_ = enc.Encode(struct {
		Level string `json:"level"`
		Msg   string `json:"msg"`
		Time  string `json:"time"`
	}{level, msg, now})
	return []byte(line.String())
}

// oneLine escapes what could break a line or steer a terminal: names that come from outside may hold newlines
// and control sequences.
func oneLine(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		if strconv.IsPrint(r) && (r != utf8.RuneError || size > 1) {
			b.WriteString(s[:size])
		} else {
			quoted := strconv.Quote(s[:size])
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		s = s[size:]
	}
	return b.String()
}
