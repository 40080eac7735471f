// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"encoding/json"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rt-oci/rt/libcontainer/lazyjson"
)

// state.json is what encoding/json makes of it, for whoever else reads it.
func TestStateIsOrdinaryJSON(t *testing.T) {
	want := savedState{
		ID: "a", OCIVersion: "1.3.0", InitPID: 5, InitStart: 1 << 40, BootID: "b", Created: time.Now().UTC(), Bundle: "/b <&>",
		Annotations: map[string]string{"x": "\"é\n\""}, CgroupPaths: map[string]string{"": "/sys/fs/cgroup/a"}, CgroupOurs: true,
		CgroupKept: []string{"/x"}, NamespacePaths: namespacePaths(5), Started: 3, ForeignMounts: []string{"a", "a"}, Hooks: true,
		HostMounts: &mountPlace{Namespace: "/n", Device: 4, Inode: 1 << 32},
	}
	text, err := lazyjson.Append(nil, &want)
	if err != nil {
		t.Fatal(err)
	}
	var standard, ours savedState
	if err := json.Unmarshal(text, &standard); err != nil || !reflect.DeepEqual(standard, want) {
		t.Errorf("encoding/json reads %+v, %v", standard, err)
	}
	if !lazyjson.Decode(text, &ours) || !reflect.DeepEqual(ours, want) {
		t.Errorf("got %+v, want %+v", ours, want)
	}
}

// What a create that was killed has written down is where delete looks, and kills nobody.
func TestPreparedStateTellsPlacesOnly(t *testing.T) {
	r := &Runtime{Root: t.TempDir(), Log: silent{}}
	c := &Container{runtime: r, saved: savedState{ID: "a", CgroupPaths: map[string]string{"": "/x"}, CgroupOurs: true, InitPID: 5}}
	if err := os.Mkdir(c.dir(), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := c.prepare(); err != nil {
		t.Fatal(err)
	}
	loaded, err := r.Load("a")
	if err != nil || loaded.saved.CgroupPaths[""] != "/x" || loaded.saved.CgroupOurs || loaded.saved.InitPID != 0 {
		t.Errorf("got %+v, %v", loaded, err)
	}
	c.saved.InitPID = 0
	if err := c.save(); err != nil {
		t.Fatal(err)
	}
	c.saved.CgroupOurs = false
	if err := c.prepare(); err != nil {
		t.Fatal(err)
	}
	if loaded, err = r.Load("a"); err != nil || !loaded.saved.CgroupOurs {
		t.Errorf("got %+v, %v", loaded, err)
	}
	if err := os.WriteFile(c.file(stateName+newSuffix), []byte(`{"cgroup_paths":{"":"/y"`), 0o600); err != nil {
		t.Fatal(err)
	}
	if loaded, err = r.Load("a"); err != nil || loaded.saved.CgroupPaths[""] != "/x" {
		t.Errorf("half written: got %+v, %v", loaded, err)
	}
}

// An error names the file that was read, also where decoding has begun and given up.
func TestAStateThatCantBeDecodedIsNamed(t *testing.T) {
	r := &Runtime{Root: t.TempDir(), Log: silent{}}
	c := &Container{runtime: r, saved: savedState{ID: "a"}}
	if err := os.Mkdir(c.dir(), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", `{"id":`, `{"id":"b"`, `{"id":"b","init_process_pid":"x"}`} {
		if err := os.WriteFile(c.file(stateName), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := r.Load("a")
		if err == nil || !strings.Contains(err.Error(), strconv.Quote(r.Root+"/a/"+stateName)) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
