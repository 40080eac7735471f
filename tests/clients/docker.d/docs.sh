#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2034,SC2154 # the container's shell expands them; lib.sh and dockerd.sh have the variables
#
# docs/docker.md, step by step, with the text's own daemon.json.
docs=$here/../../docs/docker.md
# daemon_json prints the Nth configuration of the text, with the path of the runtime under test.
daemon_json() { awk -v n="$1" '/^    \{$/ {i++} i == n && /^    / {print; if (/^    \}$/) exit}' "$docs" | sed "s#/usr/local/bin/rt#$RUNTIME#"; }
reload() { kill -HUP "${service_pid[dockerd]}"; }
default() { docker info -f '{{.DefaultRuntime}}'; }
knows() { docker info -f '{{range $name, $r := .Runtimes}} {{$name}} {{end}}' | grep -q " $1 "; }
tasks=/run/containerd/io.containerd.runtime.v2.task/moby
containers() { "$RUNTIME" --root /run/docker/runtime-runc/moby list -q; }

stop_service dockerd
dockerd_args=(--config-file "$WORK/daemon.json")
echo '{}' >"$WORK/daemon.json"
start_dockerd
import_image
started before bb sleep 5001
daemon_json 1 >"$WORK/daemon.json"
reload
check 'docker.md: beside runc, after a reload' 0 '' wait_for 10 knows rt
check 'docker.md: run --runtime rt' 0 '^hello$' docker run --rm --runtime rt bb echo hello
started chosen --runtime rt bb sleep 5002
check 'docker.md: which runtime a container has' 0 '^rt$' field chosen .HostConfig.Runtime
check 'docker.md: the containers' 0 "$(field chosen .Id)" containers
daemon_json 2 >"$WORK/daemon.json"
reload
check 'docker.md: the default, after a reload' 0 '' wait_for 10 prints rt default
started after bb sleep 5003
check 'docker.md: new containers have the default' 0 '^rt$' field after .HostConfig.Runtime
check 'docker.md: old containers keep theirs' 0 '^runc running$' docker inspect -f '{{.HostConfig.Runtime}} {{.State.Status}}' before
daemon_json 3 >"$WORK/daemon.json"
reload
check 'docker.md: debug: after a reload' 0 '' wait_for 10 knows rt-debug
started debug --runtime rt-debug bb sleep 5004
check 'docker.md: debug: the log' 0 'level":"debug' cat "$tasks/$(field debug .Id)/log.json"
removed debug
daemon_json 4 >"$WORK/daemon.json"
reload
check 'docker.md: rolled back, after a reload' 0 '' wait_for 10 prints runc default
check 'docker.md: rolled back: containers run on' 0 '^in$' docker exec after echo in
check 'docker.md: rolled back: stop, start' 0 '' sh -c 'docker stop -t 1 after && docker start after'
stop_service dockerd
echo '{}' >"$WORK/daemon.json"
start_dockerd
check 'docker.md: without the entry: no start' '!0' '[Uu]nknown or invalid runtime|[Uu]nknown runtime' docker start after

# The link: also containerd's shims have to find it.
removed before chosen after
stop_service dockerd
stop_service containerd
export PATH="$WORK/link:$PATH"
start_containerd
start_dockerd
check 'docker.md: link named runc: run' 0 '^hello$' docker run --rm bb echo hello
started linked bb sleep 5005
check 'docker.md: link named runc: its containers' 0 "^$(field linked .Id)\$" containers
check "docker.md: link named runc: docker info" 0 "^$(commit | literal)\$" docker info -f '{{.RuncCommit.ID}}'
check 'docker.md: link named runc: exec, stop, start' 0 '^in.linked.linked$' sh -c 'docker exec linked echo in; docker stop -t 1 linked; docker start linked'
