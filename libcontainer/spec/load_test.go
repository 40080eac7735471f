// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/rt-oci/rt/libcontainer/lazyjson"
)

func TestLoadRefuses(t *testing.T) {
	for _, c := range []struct{ name, config, want string }{
		{"empty", "", "the file is empty (rt spec writes a default one)"},
		{"blank", " \n\t\r\n", "the file is empty (rt spec writes a default one)"},
		{"byte order mark only", "\xef\xbb\xbf", "the file is empty (rt spec writes a default one)"},
		{"UTF-16", "\xff\xfe{\x00}\x00", "the file is UTF-16 (save it as UTF-8)"},
		{"UTF-16, other order", "\xfe\xff\x00{\x00}", "the file is UTF-16 (save it as UTF-8)"},
		{"not UTF-8", "{\n \"hostname\": \"caf\xe9\"\n}", "line 2, column 18: byte 0xe9 is not UTF-8"},
		{"no JSON", "hello", "line 1, column 1: invalid character 'h' looking for beginning of value"},
		{"NUL bytes", "\x00\x00", `line 1, column 1: invalid character '\x00' looking for beginning of value`},
		{"cut off", "{\n  \"root\": {\n", "line 3, column 1: the file ends in the middle"},
		{"cut off in a word", "{\"root\": nul", "line 1, column 13: the file ends in the middle"},
		{"comma too many", "{\n  \"hostname\": \"a\",\n}", "line 3, column 1: invalid character '}' looking for beginning of object key string"},
		{"comma missing", "{\n  \"hostname\": \"a\"\n  \"root\": {}\n}", "line 3, column 3: invalid character '\"' after object key:value pair"},
		{"column in characters", "{\"hostname\": \"äöü\" x}", "line 1, column 20: invalid character 'x' after object key:value pair"},
		{"trailing garbage", "{}\n\n  x", "line 3, column 3: invalid character 'x' after top-level value"},
		{"two documents", "{}{}", "line 1, column 3: invalid character '{' after top-level value"},
		{"after a byte order mark", "\xef\xbb\xbf{,}", "line 1, column 2: invalid character ',' looking for beginning of object key string"},
		{"line break in a string", "{\"hostname\": \"a\nb\"}", `line 1, column 16: invalid character '\n' in string literal`},

		{"array", "[]", "line 1, column 1: the document: want object, got array"},
		{"string", `  "x"`, "line 1, column 3: the document: want object, got string"},
		{"number", "\n7", "line 2, column 1: the document: want object, got number"},
		{"hostname", `{"hostname": 5}`, "line 1, column 14: hostname: want string, got number"},
		{"args", "{\n \"process\": {\n  \"args\": \"sh\"\n }\n}", "line 3, column 11: process.args: want array of strings, got string"},
		{"an argument", `{"process": {"args": ["sh", "-c", 5]}}`, "line 1, column 35: process.args[2]: want string, got number"},
		{"terminal", `{"process": {"terminal": "true"}}`, "line 1, column 26: process.terminal: want true or false, got string"},
		{"cwd", `{"process": {"cwd": true}}`, "line 1, column 21: process.cwd: want string, got true or false"},
		{"negative uid", `{"process": {"user": {"uid": -1}}}`, "line 1, column 30: process.user.uid: want whole number from 0 to 4294967295, got -1"},
		{"large uid", `{"process": {"user": {"uid": 4294967296}}}`, "line 1, column 30: process.user.uid: want whole number from 0 to 4294967295, got 4294967296"},
		{"uid with a fraction", `{"process": {"user": {"uid": 1.5}}}`, "line 1, column 30: process.user.uid: want whole number from 0 to 4294967295, got 1.5"},
		{"group", `{"process": {"user": {"additionalGids": [1, "2"]}}}`, "line 1, column 45: process.user.additionalGids[1]: want whole number from 0 to 4294967295, got string"},
		{"groups", `{"process": {"user": {"additionalGids": 1}}}`, "line 1, column 41: process.user.additionalGids: want array of numbers, got number"},
		{"nice", `{"process": {"scheduler": {"nice": 3000000000}}}`, "line 1, column 36: process.scheduler.nice: want whole number from -2147483648 to 2147483647, got 3000000000"},
		{"limit", `{"linux": {"resources": {"memory": {"limit": "1G"}}}}`, "line 1, column 46: linux.resources.memory.limit: want whole number from -9223372036854775808 to 9223372036854775807, got string"},
		{"rlimit", `{"process": {"rlimits": [{"hard": 18446744073709551616}]}}`, "line 1, column 35: process.rlimits[0].hard: want whole number from 0 to 18446744073709551615, got 18446744073709551616"},
		{"mounts", `{"mounts": {}}`, "line 1, column 12: mounts: want array of objects, got object"},
		{"third mount", "{\"mounts\": [\n{\"destination\": \"/a\"},\n{\"options\": [\"ro\", []]},\n{\"options\": [[\"ro\"]]}\n]}", "line 3, column 20: mounts[1].options[1]: want string, got array"},
		{"sysctl", `{"linux": {"sysctl": {"net.ipv4.ip_forward": 1}}}`, "line 1, column 46: linux.sysctl.net.ipv4.ip_forward: want string, got number"},
		{"odd key", "{\"annotations\": {\"a\": \"\", \"b\\nc\": {}}}", `line 1, column 35: annotations."b\nc": want string, got object`},
		{"case of the user", `{"Linux": {"Resources": {"CPU": []}}}`, "line 1, column 33: Linux.Resources.CPU: want object, got array"},
		{"device number", `{"linux": {"devices": [{"path": "/dev/x", "major": "1"}]}}`, "line 1, column 52: linux.devices[0].major: want whole number from -9223372036854775808 to 9223372036854775807, got string"},
	} {
		s, err := Load([]byte(c.config))
		if err == nil || err.Error() != c.want {
			t.Errorf("%s:\n got %v\nwant %s", c.name, err, c.want)
		}
		if s != nil && err != nil {
			t.Errorf("%s: a result beside the error", c.name)
		}
	}
}

func TestLoadIsTolerant(t *testing.T) {
	config := `{
		"OCIVersion": "1.0.2",
		"unknown": {"process": [1, {"args": 5}]},
		"hostname": "first", "hostname": "web1",
		"process": {"cwd": "/", "user": null, "env": null, "args": ["a", null], "unknown": true},
		"root": {"path": "rootfs", "readonly": null},
		"linux": {
			"resources": {"cpu": {"shares": 2}, "CPU": {"Cpus": "0"}},
			"namespaces": null
		},
		"windows": null, "vm": {"kernel": {"path": "/k"}}
	}`
	for _, prefix := range []string{"", "\xef\xbb\xbf"} {
		s, err := Load([]byte(prefix + config))
		if err != nil {
			t.Fatal(err)
		}
		if s.Version != "1.0.2" || s.Hostname != "web1" || s.Process.Cwd != "/" || s.Root.Readonly {
			t.Errorf("got %+v", s)
		}
		if cpu := s.Linux.Resources.CPU; *cpu.Shares != 2 || cpu.Cpus != "0" {
			t.Errorf("cpu is %+v, want the members of both objects", cpu)
		}
	}
}

func TestLoadAlwaysGivesALinuxSection(t *testing.T) {
	for _, config := range []string{"null", "{}", `{"linux": null}`, `{"linux": {}}`} {
		if s, err := Load([]byte(config)); err != nil || s.Linux == nil {
			t.Errorf("%s: got %+v, %v", config, s, err)
		}
	}
}

func TestLoadReadsWhatDefaultWrites(t *testing.T) {
	want := Default(true, true, 1000, 100)
	text, err := json.MarshalIndent(want, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	got, err := Load(text)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}

// sameBothWays fails if the decoder that saves time gives anything but encoding/json does.
func sameBothWays(t *testing.T, data []byte) bool {
	t.Helper()
	var got, want document
	if !lazyjson.Decode(data, &got) {
		return false
	}
	if err := json.Unmarshal(data, &want); err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v, want %+v, %v", got, want, err)
	}
	return true
}

// What callers write needs no second decoder.
func TestUsualConfigsAreDecodedAtOnce(t *testing.T) {
	texts := map[string][]byte{}
	files, err := filepath.Glob("../plan/testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no configs", err)
	}
	for _, name := range files {
		if texts[name], err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	if texts["default"], err = json.Marshal(Default(true, false, 1000, 1000)); err != nil {
		t.Fatal(err)
	}
	for name, text := range texts {
		if !sameBothWays(t, text) {
			t.Errorf("%s: given up", name)
		}
	}
}

// FuzzLoad checks that whatever is read can be judged and is what encoding/json reads, and that every error is one line with a place.
func FuzzLoad(f *testing.F) {
	for _, s := range []string{
		"", "null", "[]", "{}", `{"process": {"args": ["sh", 5]}}`, "{\"a\": [1, {\"b\": null}], \"hostname\": {}}",
		"{\n\"mounts\": [{\"options\": \"ro\"}]}", "\xef\xbb\xbf{\"hostname\": \"\xff\"}",
		`{"ociVersion":"1.3.0","root":{"path":"r"},"process":{"cwd":"/","args":["a"],"env":["=x"]},"linux":{"sysctl":{"net.x":"1"},"namespaces":[{"type":"user"}],"uidMappings":[{"size":1}]}}`,
		`{"ociVersion":"1.3.0","root":{"path":"/"},"mounts":[{"destination":"/proc/../proc/x","type":"none","options":["a,rbind"]}],"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["a"],"args":[{"index":9}]}]}}}`,
	} {
		f.Add([]byte(s))
	}
	if text, err := json.Marshal(Default(false, true, 0, 0)); err == nil {
		f.Add(text)
	}
	if text, err := json.Marshal(Default(true, false, 1000, 1000)); err == nil {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		sameBothWays(t, data)
		s, err := Load(data)
		if err != nil {
			text := err.Error()
			if strings.ContainsAny(text, "\n\r\x00") {
				t.Errorf("%q is not one line", text)
			}
			if !strings.HasPrefix(text, "line ") && !strings.HasPrefix(text, "the file is ") {
				t.Errorf("%q has no place", text)
			}
			return
		}
		warnings, err := Validate(s, "/run/b1")
		if err != nil {
			warnings = append(warnings, err.Error())
		}
		for _, text := range warnings {
			if text == "" || strings.ContainsAny(text, "\n\r\x00") {
				t.Errorf("%q is not one line", text)
			}
		}
	})
}
