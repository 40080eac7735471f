#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016 # the container's shell expands them
#
# What goes wrong behind Docker's back: processes and shims killed, containers without a pid namespace.
started init bb sh -c 'sleep 2001 & exec sleep 2001'
kill -9 "$(field init .State.Pid)"
check 'process 1 killed from outside' 0 '' wait_for 10 prints 'exited 137' docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' init
absent() { ! busybox ps -o args | grep -q "^$1"; }
check 'process 1 killed: nothing of it runs' 0 '' wait_for 10 absent 'sleep 2001'
started shim bb sh -c 'sleep 2002 & exec sleep 2002'
kill -9 "$(awk '$1 == "PPid:" {print $2}' "/proc/$(field shim .State.Pid)/status")"
check 'shim killed' 0 '' wait_for 20 prints exited state shim
check 'shim killed: nothing of it runs' 0 '' wait_for 10 absent 'sleep 2002'
check 'shim killed: start again' 0 '^shim$' docker start shim
check 'shim killed: exec after the start' 0 '^alive$' docker exec shim echo alive
removed shim
started hostpid --pid host bb sh -c 'sleep 2003 & sleep 2003 & exec sleep 2003'
check '--pid host: stop' 0 '' docker stop -t 2 hostpid
check '--pid host: nothing of it runs' 0 '' wait_for 10 absent 'sleep 2003'
started hostpid2 --pid host bb sh -c '(trap "" HUP; sleep 2004) & sleep 0.3'
docker wait hostpid2 >/dev/null
check '--pid host: process 1 ends: nothing of it runs' 0 '' wait_for 10 absent 'sleep 2004'
storm() {
	local i
	started storm bb sleep 2005
	for i in $(seq 40); do docker exec storm true || return; done
	[ "$(busybox ps -o comm | grep -c shim)" -le 3 ]
}
check 'forty execs, one after the other' 0 '' storm
many() { local i; for i in $(seq 10); do docker run -d --name "many$i" bb sleep 2006 >/dev/null & done; wait; docker ps -q --filter name=many | wc -l; docker rm -f many{1..10} >/dev/null; docker ps -aq --filter name=many | wc -l; }
check 'ten started and removed at the same time' 0 '^10.0$' many
