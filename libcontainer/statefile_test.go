// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"encoding/json"
	"reflect"
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
