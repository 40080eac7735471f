#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2154 # of tests/clients/kubelet; the container's shell expands them
#
# Resources: what arrives in the control groups, what the kernel does, what the kubelet says of it, and resizing in place.
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
	quota='cut -d" " -f1 /sys/fs/cgroup/cpu.max' memory='cat /sys/fs/cgroup/memory.max' shares='cat /sys/fs/cgroup/cpu.weight'
	quarter='10' minimal=1
else
	quota='cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us' memory='cat /sys/fs/cgroup/memory/memory.limit_in_bytes'
	shares='cat /sys/fs/cgroup/cpu/cpu.shares' quarter=256 minimal=2
fi
hog='x=$(head -c 60000000 /dev/zero | tr "\\0" x)'
pod guaranteed <<YAML
command: [sh, -c, '$quota; $memory; $shares; sleep 1000']
resources: {limits: {cpu: 250m, memory: 64Mi}}
YAML
pod burstable <<YAML
command: [sh, -c, '$shares; $memory; sleep 1000']
resources: {requests: {cpu: 250m}, limits: {memory: 96Mi}}
YAML
pod besteffort <<YAML
command: [sh, -c, '$shares; sleep 1000']
YAML
pod oom <<YAML
command: [sh, -c, '$hog; echo survived']
resources: {limits: {memory: 32Mi}}
YAML
pod oomagain <<YAML
command: [sh, -c, '$hog; echo survived']
resources: {limits: {memory: 32Mi}}
pod:
restartPolicy: Always
YAML
pod oomchild <<YAML
command: [sh, -c, 'sh -c "\$HOG"; echo child \$?']
env: [{name: HOG, value: '$hog'}]
resources: {limits: {memory: 32Mi}}
YAML
pod oominit <<YAML
command: [echo, never]
pod:
initContainers: [{name: one, image: 'rt.test/busybox:1', command: [sh, -c, '$hog'], resources: {limits: {memory: 32Mi}}}]
YAML
pod small <<'YAML'
command: ['true']
resources: {limits: {memory: 10Ki}}
YAML
pod disk <<'YAML'
command: [sh, -c, 'head -c 3000000 /dev/zero >/d/f && echo written; head -c 3000000 /dev/zero >/d/g 2>/dev/null || echo full']
volumeMounts: [{name: d, mountPath: /d}]
pod:
volumes: [{name: d, emptyDir: {medium: Memory, sizeLimit: 4Mi}}]
YAML

group() { # POD: the path of its container's control group
	local id
	id=$(field "$1" '.status.containerStatuses[0].containerID')
	awk -F: '$2 == "memory" || $2 == "" {print $3; exit}' "/proc/$("$RUNTIME" --root "$root/k8s.io" state "${id#containerd://}" | sed -n 's/.*"pid": \([0-9]*\).*/\1/p')/cgroup"
}
logged() { ready "$1" >/dev/null && kubectl logs "$1"; }
check 'limits: cpu and memory' 0 "^25000.67108864.$quarter\$" logged guaranteed
check 'limits: QoS class' 0 '^Guaranteed$' field guaranteed .status.qosClass
check 'limits: group of a Guaranteed pod' 0 '^/kubepods/pod[0-9a-f-]*/[0-9a-f]{64}$' group guaranteed
check 'requests: cpu shares, memory limit' 0 "^$quarter.100663296\$" logged burstable
check 'requests: group of a Burstable pod' 0 '^/kubepods/burstable/pod[0-9a-f-]*/[0-9a-f]{64}$' group burstable
check 'nothing asked: least shares' 0 "^$minimal\$" logged besteffort
check 'nothing asked: group of a BestEffort pod' 0 '^/kubepods/besteffort/pod[0-9a-f-]*/[0-9a-f]{64}$' group besteffort
check 'out of memory: OOMKilled' 0 '^OOMKilled$' at oom '.status.containerStatuses[0].state.terminated.reason' OOMKilled
check 'out of memory: 137' 0 '^137$' field oom '.status.containerStatuses[0].state.terminated.exitCode'
check 'out of memory, restarted' 0 '^OOMKilled$' at oomagain '.status.containerStatuses[0].lastState.terminated.reason' OOMKilled
check 'out of memory in a child: the first process goes on' 0 'child 137([^0-9]|$)' output oomchild
check 'out of memory in an init container' 0 '^OOMKilled$' at oominit '.status.initContainerStatuses[0].state.terminated.reason' OOMKilled
check 'a limit below what a container needs' 0 'memory' event small 'memory'
check 'emptyDir in memory with a limit' 0 'written.*full$' output disk

resize() { kubectl patch pod "$1" --subresource resize -p "{\"spec\":{\"containers\":[{\"name\":\"c\",\"resources\":$2}]}}"; }
check 'resize: more cpu and memory' 0 'patched' resize guaranteed '{"requests":{"cpu":"500m","memory":"128Mi"},"limits":{"cpu":"500m","memory":"128Mi"}}'
check 'resize: the kubelet says so' 0 '^500m 128Mi$' at guaranteed '.status.containerStatuses[0].resources.limits.cpu} {.status.containerStatuses[0].resources.limits.memory' '500m 128Mi'
arrives() { wait_for 60 prints "$2" kubectl exec "$1" -- sh -c "$3"; kubectl exec "$1" -- sh -c "$3"; } # POD VALUE COMMAND
check 'resize: cpu arrives' 0 '^50000$' arrives guaranteed 50000 "$quota"
check 'resize: memory arrives' 0 '^134217728$' arrives guaranteed 134217728 "$memory"
check 'resize: no restart' 0 '^0$' field guaranteed '.status.containerStatuses[0].restartCount'
check 'resize: less cpu' 0 'patched' resize guaranteed '{"requests":{"cpu":"100m"},"limits":{"cpu":"100m"}}'
check 'resize: less cpu arrives' 0 '^10000$' arrives guaranteed 10000 "$quota"

summary() { kubectl get --raw "/api/v1/nodes/$node/proxy/stats/summary" | tr -d ' \n' | grep -o "\"podRef\":{\"name\":\"$1\".\{0,900\}" | grep -o '"workingSetBytes":[1-9][0-9]*' | head -n 1; }
has_summary() { [ -n "$(summary "$1")" ]; }
check 'the kubelet has statistics of the pod' 0 '' wait_for 60 has_summary burstable
cadvisor() { kubectl get --raw "/api/v1/nodes/$node/proxy/metrics/cadvisor" | grep '^container_memory_working_set_bytes.*pod="burstable"' | grep -v ' 0 '; }
check 'cAdvisor has metrics of the pod' 0 '' wait_for 60 cadvisor
