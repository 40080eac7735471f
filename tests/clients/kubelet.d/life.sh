#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2154 # of tests/clients/kubelet; the container's shell expands them
#
# A pod's life: how containers start, end, are asked whether they live, are started again and deleted.
# again waits until a container has been started again.
again() { wait_for 120 restarted "$1"; state "$1" restartCount; }
restarted() { [ "$(state "$1" restartCount)" -ge 1 ]; }
state() { field "$1" ".status.containerStatuses[0].$2"; }

pod code <<<'command: [sh, -c, "exit 42"]'
pod missing <<<'command: [/nosuch]'
pod directory <<<'command: [/etc]'
pod workdir <<'YAML'
command: [sh, -c, 'pwd; echo "$A $B $FROM_IMAGE"; echo "$@"', name]
args: [one, 'two  words']
workingDir: /not/there
env: [{name: A, value: '1'}, {name: B, value: 'x$(A)y'}]
YAML
pod onfailure <<'YAML'
command: [sh, -c, 'echo run >>/d/runs; [ $(wc -l </d/runs) -ge 3 ] && echo third']
volumeMounts: [{name: d, mountPath: /d}]
pod:
restartPolicy: OnFailure
volumes: [{name: d, emptyDir: {}}]
YAML
pod liveness <<'YAML'
command: [sh, -c, 'touch /tmp/alive; sleep 3; rm /tmp/alive; trap "exit 7" TERM; while :; do sleep 0.2; done']
livenessProbe: {exec: {command: [cat, /tmp/alive]}, periodSeconds: 1, failureThreshold: 1}
pod:
restartPolicy: Always
YAML
pod readiness <<'YAML'
command: [sh, -c, 'sleep 1000']
readinessProbe: {exec: {command: [test, -e, /tmp/ready]}, periodSeconds: 1}
startupProbe: {exec: {command: [sh, -c, 'exit 0']}, periodSeconds: 1}
YAML
pod slowprobe <<'YAML'
command: [sleep, '1000']
livenessProbe: {exec: {command: [sleep, '20']}, periodSeconds: 2, timeoutSeconds: 1, failureThreshold: 1}
pod:
restartPolicy: Always
YAML
pod http <<'YAML'
command: [httpd, -f, -p, '8080', -h, /www]
readinessProbe: {httpGet: {path: /index.html, port: 8080}, periodSeconds: 1}
livenessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}
YAML
pod init <<'YAML'
command: [sh, -c, 'echo main >>/d/order; cat /d/order']
volumeMounts: [{name: d, mountPath: /d}]
pod:
volumes: [{name: d, emptyDir: {}}]
initContainers:
- {name: one, image: 'rt.test/busybox:1', command: [sh, -c, 'sleep 1; echo one >>/d/order'], volumeMounts: [{name: d, mountPath: /d}]}
- {name: two, image: 'rt.test/busybox:1', command: [sh, -c, 'echo two >>/d/order'], volumeMounts: [{name: d, mountPath: /d}]}
YAML
pod initfails <<'YAML'
command: [echo, never]
pod:
initContainers: [{name: one, image: 'rt.test/busybox:1', command: [sh, -c, 'exit 3']}]
YAML
pod sidecar <<'YAML'
command: [sh, -c, 'until wget -q -O - http://127.0.0.1:8080/index.html; do sleep 0.2; done']
pod:
initContainers:
- {name: side, image: 'rt.test/busybox:1', restartPolicy: Always, command: [httpd, -f, -p, '8080', -h, /www],
   startupProbe: {exec: {command: [wget, -q, -O, /dev/null, 'http://127.0.0.1:8080/index.html']}, periodSeconds: 1}}
YAML
mkdir -p "$WORK/shared"
pod hooks <<YAML
command: [sh, -c, 'sleep 1000']
lifecycle:
  postStart: {exec: {command: [sh, -c, 'echo started >/shared/post']}}
  preStop: {exec: {command: [sh, -c, 'echo stopping >/shared/pre']}}
volumeMounts: [{name: s, mountPath: /shared}]
pod:
volumes: [{name: s, hostPath: {path: "$WORK/shared"}}]
YAML
pod hookfails <<'YAML'
command: [sleep, '1000']
lifecycle: {postStart: {exec: {command: [sh, -c, 'echo hook says no; exit 5']}}}
YAML
pod message <<'YAML'
command: [sh, -c, 'echo -n last words >/dev/termination-log; exit 1']
YAML
pod fallback <<'YAML'
command: [sh, -c, 'echo from the log; exit 1']
terminationMessagePolicy: FallbackToLogsOnError
YAML
pod term <<YAML
command: [sh, -c, 'trap "echo asked >/shared/term; exit 0" TERM; touch /shared/traps; while :; do sleep 0.1; done']
volumeMounts: [{name: s, mountPath: /shared}]
pod:
terminationGracePeriodSeconds: 60
volumes: [{name: s, hostPath: {path: "$WORK/shared"}}]
YAML
pod stubborn <<'YAML'
command: [sh, -c, 'trap "" TERM; while :; do sleep 0.1; done']
YAML
pod many <<'YAML'
command: [sh, -c, 'seq 1 20000; sleep 5']
YAML
pod forced <<<'command: [sleep, "1000"]'

check 'exit code 42: Failed' 0 '^Failed$' at code .status.phase Failed
check 'exit code 42' 0 '^42 Error$' field code '.status.containerStatuses[0].state.terminated.exitCode} {.status.containerStatuses[0].state.terminated.reason'
check 'a program that is not there' 0 '^StartError$' at missing '.status.containerStatuses[0].state.terminated.reason' StartError
check 'a program that is not there: code' 0 '^128$' state missing state.terminated.exitCode
check 'a program that is not there: message' 0 '/nosuch.*no such file or directory' state missing state.terminated.message
check 'a program that is a directory' 0 'is a directory|permission denied' event directory 'is a directory\|permission denied'
check 'working directory, environment, arguments' 0 '^/not/there.1 x1y yes.one two  words$' output workdir
check 'restartPolicy OnFailure' 0 '^third$' output onfailure
check 'restartPolicy OnFailure: count' 0 '^2$' state onfailure restartCount
check 'liveness probe by exec: restarted' 0 '^[1-9]' again liveness
check 'liveness probe by exec: was asked to end' 0 '^7$' state liveness lastState.terminated.exitCode
check 'liveness probe by exec: the event has its output' 0 "can't open '/tmp/alive'" event liveness 'Liveness probe failed'
check 'readiness probe by exec: not yet' 0 '^true false$' at readiness '.status.containerStatuses[0].started} {.status.containerStatuses[0].ready' 'true false'
then_ready() { inside "$1" touch /tmp/ready && ready "$1"; }
check 'readiness probe by exec: ready' 0 'condition met' then_ready readiness
check 'a probe that takes too long' 0 'timed out' event slowprobe 'timed out'
check 'a probe that takes too long: restarted' 0 '^[1-9]' again slowprobe
check 'probes by HTTP and TCP' 0 'condition met' ready http
check 'init containers run in order' 0 '^one.two.main$' output init
check 'an init container fails: Init:Error' 0 '^3$' at initfails '.status.initContainerStatuses[0].state.terminated.exitCode' 3
check 'an init container fails: phase' 0 '^Failed$' at initfails .status.phase Failed
check 'a sidecar lives beside, and ends with the pod' 0 '^hello from the pod$' output sidecar
check 'hooks: the pod is ready' 0 'condition met' ready hooks
check 'hooks: postStart' 0 '^started$' cat "$WORK/shared/post"
check 'hooks: a postStart that fails' 0 'hook says no|PostStartHook' event hookfails 'PostStart'
check 'termination message' 0 '^last words$' at message '.status.containerStatuses[0].state.terminated.message' 'last words'
check 'termination message from the log' 0 '^from the log.?$' at fallback '.status.containerStatuses[0].state.terminated.message' 'from the log'
lines() { output "$1" | wc -l; }
check 'a log of 20000 lines' 0 '^20000$' lines many

check 'delete: preStop and SIGTERM' 0 'deleted' kubectl delete pod hooks term --timeout=60s
check 'delete: preStop has run' 0 '^stopping$' cat "$WORK/shared/pre"
check 'delete: the program got SIGTERM' 0 '^asked$' cat "$WORK/shared/term"
check 'delete: SIGKILL after the grace period' 0 'deleted' kubectl delete pod stubborn --timeout=60s
check 'delete --force' 0 'deleted' kubectl delete pod forced --force --grace-period=0 --timeout=60s

# Workloads: what controllers make of pods.
cat >"$WORK/workloads.yaml" <<YAML
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      runtimeClassName: $class
      terminationGracePeriodSeconds: 1
      containers:
      - {name: c, image: 'rt.test/busybox:1', command: [httpd, -f, -h, /www], env: [{name: V, value: '1'}],
         readinessProbe: {httpGet: {port: 80, path: /index.html}, periodSeconds: 1}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: job}
spec:
  completions: 4
  parallelism: 2
  template:
    spec:
      runtimeClassName: $class
      restartPolicy: Never
      containers: [{name: c, image: 'rt.test/busybox:1', command: [echo, done]}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: set}
spec:
  serviceName: set
  replicas: 2
  selector: {matchLabels: {app: set}}
  template:
    metadata: {labels: {app: set}}
    spec:
      runtimeClassName: $class
      terminationGracePeriodSeconds: 1
      containers: [{name: c, image: 'rt.test/busybox:1', command: [sleep, '1000']}]
YAML
check 'a Deployment, a Job and a StatefulSet' 0 'created' kubectl apply -f "$WORK/workloads.yaml"
rolled() { kubectl set env deployment web "$1" && kubectl rollout status deployment web --timeout=120s; }
check 'the Deployment is there' 0 'successfully rolled out' kubectl rollout status deployment web --timeout=120s
check 'the Deployment is updated' 0 'successfully rolled out' rolled V=2
scaled() {
	kubectl scale deployment web --replicas=1 >/dev/null
	wait_for 60 prints 1 kubectl get deployment web -o 'jsonpath={.status.replicas}'
	kubectl get deployment web -o 'jsonpath={.status.readyReplicas}'
}
check 'the Deployment is scaled' 0 '^1$' scaled
check 'the Job is complete' 0 'condition met' kubectl wait --for=condition=Complete --timeout=120s job/job
check 'the StatefulSet is there' 0 'complete' kubectl rollout status statefulset set --timeout=120s
check 'they are deleted' 0 'deleted' kubectl delete -f "$WORK/workloads.yaml" --timeout=90s
