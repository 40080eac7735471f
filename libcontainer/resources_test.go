// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func decodeResources(t *testing.T, document string) *specs.LinuxResources {
	t.Helper()
	r := &specs.LinuxResources{}
	if err := json.Unmarshal([]byte(document), r); err != nil {
		t.Fatal(err)
	}
	return r
}

func encodeResources(t *testing.T, r *specs.LinuxResources) string {
	t.Helper()
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestMergeResources(t *testing.T) {
	for _, c := range []struct{ name, old, change, want string }{
		{"nothing", `{"pids":{"limit":5}}`, `{}`, `{"pids":{"limit":5}}`},
		{"empty objects", `{"pids":{"limit":5}}`, `{"memory":{},"cpu":{},"pids":{},"blockIO":{},"network":{}}`, `{"memory":{},"cpu":{},"pids":{"limit":5},"blockIO":{},"network":{}}`},
		{"zeros that are none", `{"memory":{"limit":5},"cpu":{"shares":6,"quota":7,"period":8,"cpus":"0"}}`, `{"memory":{"limit":0,"swap":0},"cpu":{"shares":0,"quota":0,"period":0,"cpus":""}}`, `{"memory":{"limit":5},"cpu":{"shares":6,"quota":7,"period":8,"cpus":"0"}}`},
		{"zeros that are values", `{"cpu":{"idle":1,"burst":5},"pids":{"limit":5}}`, `{"cpu":{"idle":0,"burst":0},"pids":{"limit":0}}`, `{"cpu":{"burst":0,"idle":0},"pids":{"limit":0}}`},
		{"values beside others", `{"cpu":{"quota":7,"cpus":"0"}}`, `{"cpu":{"period":8,"mems":"1"},"memory":{"reservation":9}}`, `{"memory":{"reservation":9},"cpu":{"quota":7,"period":8,"cpus":"0","mems":"1"}}`},
		{"unlimited memory lifts swap", `{"memory":{"limit":5,"swap":9}}`, `{"memory":{"limit":-1}}`, `{"memory":{"limit":-1,"swap":-1}}`},
		{"both", `{"memory":{"limit":5,"swap":9}}`, `{"memory":{"limit":10,"swap":20}}`, `{"memory":{"limit":10,"swap":20}}`},
		{"a weight ends idle", `{"cpu":{"idle":1}}`, `{"cpu":{"shares":5}}`, `{"cpu":{"shares":5,"idle":0}}`},
		{"a check is not kept", `{}`, `{"memory":{"limit":10,"checkBeforeUpdate":true}}`, `{"memory":{"limit":10}}`},
		{"devices as a whole", `{"devices":[{"allow":false,"access":"rwm"}]}`, `{"devices":[]}`, `{}`},
		{
			"devices of blockIO one by one",
			`{"blockIO":{"weight":10,"throttleReadBpsDevice":[{"major":8,"minor":0,"rate":1},{"major":8,"minor":1,"rate":2}],"weightDevice":[{"major":8,"minor":0,"weight":9}]}}`,
			`{"blockIO":{"throttleReadBpsDevice":[{"major":8,"minor":1,"rate":3},{"major":8,"minor":2,"rate":4}],"weightDevice":[{"major":8,"minor":0,"weight":11}]}}`,
			`{"blockIO":{"weight":10,"weightDevice":[{"major":8,"minor":0,"weight":11}],"throttleReadBpsDevice":[{"major":8,"minor":0,"rate":1},{"major":8,"minor":1,"rate":3},{"major":8,"minor":2,"rate":4}]}}`,
		},
		{
			"lists and tables by key",
			`{"hugepageLimits":[{"pageSize":"2MB","limit":1}],"network":{"classID":1,"priorities":[{"name":"eth0","priority":1}]},"rdma":{"a":{"hcaHandles":1}},"unified":{"memory.high":"1","pids.max":"2"}}`,
			`{"hugepageLimits":[{"pageSize":"1GB","limit":2}],"network":{"priorities":[{"name":"eth0","priority":5}]},"rdma":{"b":{"hcaHandles":2}},"unified":{"memory.high":"9"}}`,
			`{"hugepageLimits":[{"pageSize":"2MB","limit":1},{"pageSize":"1GB","limit":2}],"network":{"classID":1,"priorities":[{"name":"eth0","priority":5}]},"rdma":{"a":{"hcaHandles":1},"b":{"hcaHandles":2}},"unified":{"memory.high":"9","pids.max":"2"}}`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			old := decodeResources(t, c.old)
			merged := mergeResources(old, decodeResources(t, c.change), false)
			if got := encodeResources(t, merged); got != encodeResources(t, decodeResources(t, c.want)) {
				t.Errorf("got %s, want %s", got, c.want)
			}
			if encodeResources(t, old) != encodeResources(t, decodeResources(t, c.old)) {
				t.Error("the old resources have changed")
			}
		})
	}
}

func TestMergeMemoryWhereSwapIsLimitedAlone(t *testing.T) {
	merged := mergeResources(decodeResources(t, `{"memory":{"limit":10,"swap":15}}`), decodeResources(t, `{"memory":{"limit":100}}`), true)
	if got, want := encodeResources(t, merged), `{"memory":{"limit":100,"swap":105}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestWhatUpdateWritesBesideWhatIsGiven(t *testing.T) {
	for _, c := range []struct{ name, old, change, want string }{
		{"swap counts memory", `{"memory":{"limit":10,"reservation":3}}`, `{"memory":{"swap":15}}`, `{"memory":{"limit":10,"swap":15}}`},
		{"unlimited swap does not", `{"memory":{"limit":10}}`, `{"memory":{"swap":-1}}`, `{"memory":{"swap":-1}}`},
		{"the weight of an idle group", `{"cpu":{"shares":10,"idle":1,"quota":5000}}`, `{"cpu":{"idle":0}}`, `{"cpu":{"shares":10,"idle":0}}`},
		{"a new weight", `{"cpu":{"shares":10}}`, `{"cpu":{"idle":0,"shares":20}}`, `{"cpu":{"shares":20,"idle":0}}`},
		{"nothing else", `{"cpu":{"shares":10,"quota":5},"pids":{"limit":5}}`, `{"cpu":{"period":6}}`, `{"cpu":{"period":6}}`},
		{"not the period", `{"cpu":{"quota":5,"period":6}}`, `{"cpu":{"quota":7}}`, `{"cpu":{"quota":7}}`},
		{"with systemd the period", `{"cpu":{"quota":5,"period":6}}`, `{"cpu":{"quota":7}}`, `{"cpu":{"quota":7,"period":6}}`},
		{"with systemd the quota", `{"cpu":{"quota":5,"period":6}}`, `{"cpu":{"period":7}}`, `{"cpu":{"quota":5,"period":7}}`},
		{"with systemd nothing else", `{"cpu":{"quota":5,"period":6}}`, `{"cpu":{"shares":7}}`, `{"cpu":{"shares":7}}`},
	} {
		change := decodeResources(t, c.change)
		got := toWrite(change, mergeResources(decodeResources(t, c.old), change, false), strings.HasPrefix(c.name, "with systemd"))
		if encodeResources(t, got) != encodeResources(t, decodeResources(t, c.want)) {
			t.Errorf("%s: got %s, want %s", c.name, encodeResources(t, got), c.want)
		}
	}
}
