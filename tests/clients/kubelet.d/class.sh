#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # of tests/clients/kubelet
#
# The RuntimeClass of contrib/kubernetes, and how a pod comes to the runtime. The class and the label stay for the others.
check 'the node is ready' 0 'condition met' kubectl wait --for=condition=Ready --timeout=120s node "$node"
wait_for 60 kubectl get serviceaccount default
sed "s/^\(  name\|handler\): rt\$/\1: $class/" "$contrib/runtimeclass.yaml" >"$WORK/class.yaml"
check 'the class of contrib/kubernetes' 0 'created' kubectl apply -f "$WORK/class.yaml"
check 'kubectl get runtimeclass' 0 "$class +$handler" kubectl get runtimeclass "$class"

pod first <<'YAML'
command: [sh, -c, 'echo hello; sleep 1; echo on stderr >&2']
YAML
check 'a pod of the class waits for a node with the label' 0 'affinity/selector' event first 'affinity/selector'
check 'kubectl label node' 0 'labeled' kubectl label node "$node" rt-runtime=installed
check 'then it runs, and ends' 0 '^Succeeded$' at first .status.phase Succeeded
check 'its log' 0 '^hello.on stderr$' kubectl logs first
check 'the first pod of the docs' 0 'created' kubectl run hello --image=rt.test/busybox:1 --restart=Never \
	--overrides="{\"spec\":{\"runtimeClassName\":\"$class\"}}" -- echo hello from the docs
check 'the first pod of the docs: log' 0 '^hello from the docs$' output hello
check 'kubectl get pod: its class' 0 "^$class\$" kubectl get pod hello -o 'jsonpath={.spec.runtimeClassName}'

pod runs <<'YAML'
command: [sleep, '1000']
YAML
# What the runtime itself knows, on the node.
container() { field "$1" '.status.containerStatuses[0].containerID' | sed 's|containerd://||'; }
known() { "$RUNTIME" --root "$root/k8s.io" list | grep "$(container "$1")"; }
state_of() { "$RUNTIME" --root "$root/k8s.io" state "$(container "$1")"; }
check 'a pod runs' 0 'condition met' ready runs
check 'the runtime lists its container' 0 'running' known runs
check 'the runtime says its state' 0 '"status": "running"' state_of runs

class='' pod without <<<'command: [sleep, "1000"]'
check 'a pod without a class runs beside it' 0 'condition met' ready without
check 'a pod without a class is not of the tested runtime' 1 '^$' known without

sed 's/^\(  name\|handler\):.*/\1: nosuch/; /^scheduling/,$d' "$WORK/class.yaml" >"$WORK/nosuch.yaml"
kubectl apply -f "$WORK/nosuch.yaml" >/dev/null
class=nosuch pod nosuch <<<'command: ["true"]'
check 'a class whose handler the engine has not' 0 'no runtime for "nosuch" is configured' event nosuch 'no runtime for'
class=unknown refused 'a class that the cluster has not' 'RuntimeClass "unknown" not found' <<<'command: ["true"]'
