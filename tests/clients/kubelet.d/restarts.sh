#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2154 # of tests/clients/kubelet; the container's shell expands them
#
# Parts of the node are stopped, killed and started again while pods run.
pod stays <<<'command: [sh, -c, "date +%s%N; while :; do sleep 0.2; done"]'
pod again <<'YAML'
command: [sh, -c, 'echo started; while :; do sleep 0.2; done']
pod:
restartPolicy: Always
YAML
ready stays >/dev/null
ready again >/dev/null
# containerd 1.6 may leave a shim behind, with any runtime, if it is killed while it removes the container.
only_these() { [ "$(kubectl get pods -o name | sort | xargs)" = 'pod/again pod/stays' ]; }
wait_for 90 only_these
# first is the host's number of a container's first process.
first() { "$RUNTIME" --root "$root/k8s.io" state "$(field "$1" '.status.containerStatuses[0].containerID' | sed 's|containerd://||')" | sed -n 's/.*"pid": \([0-9]*\).*/\1/p'; }
killed() { kill -KILL "$(first again)" && at again '.status.containerStatuses[0].restartCount' 1; }
check 'a container is killed from outside: restarted' 0 '^1$' killed
check 'a container is killed from outside: 137' 0 '^137$' field again '.status.containerStatuses[0].lastState.terminated.exitCode'
check 'logs --previous' 0 '^started$' kubectl logs again --previous

before=$(first stays)
export before
same() { [ "$(first stays)" = "$before" ] && prints 0 field stays '.status.containerStatuses[0].restartCount' && kubectl exec stays -- echo alive; }
# A kubelet that is ready may not know its pods yet.
wait_and_same() { wait_for 60 same; same; }
stop_service kubelet
start_kubelet
check 'the kubelet is started again' 0 'condition met' kubectl wait --for=condition=Ready --timeout=60s node "$node"
check 'the kubelet is started again: the pod goes on' 0 'alive$' wait_and_same
cp "$here/kubelet.d/systemctl" /usr/local/bin/systemctl
check 'containerd is started again' 0 '' /usr/local/bin/systemctl restart containerd
check 'containerd is started again: the node is ready' 0 'condition met' kubectl wait --for=condition=Ready --timeout=60s node "$node"
check 'containerd is started again: the pod goes on' 0 '^alive$' same
kill -KILL "$(cat /run/containerd.pid)"
check 'containerd is killed: the pod goes on' 0 'alive$' wait_and_same
late() { pod late <<<'command: [sleep, "1000"]' && ready late; }
check 'a pod that starts then' 0 'condition met' late
shim() { awk '{print $4}' "/proc/$(first "$1")/stat"; }
twice() { [ "$(field "$1" '.status.containerStatuses[0].restartCount')" -ge 2 ]; }
after_shim() { kill -KILL "$(shim again)"; wait_for 90 twice again && ready again; }
check 'the shim is killed: the pod comes back' 0 'condition met' after_shim late
