#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016 # the container's shell expands them
#
# From create to rm: logs, stop, restart, pause, kill, top, stats, wait, health, restart policies, events.
started base bb sh -c 'echo one; echo two >&2; exec sleep 1000'
check 'ps' 0 '^base Up' docker ps --format '{{.Names}} {{.Status}}'
check 'logs' 0 'one' docker logs base
check 'logs: standard error' 0 '^two$' sh -c 'docker logs base 2>&1 >/dev/null'
check 'top' 0 'UID +PID.*sleep 1000' docker top base
check 'top: columns' 0 'PID +COMMAND.*[0-9]+ +sleep' docker top base -o pid,comm
check 'stats' 0 '^base 1 [0-9.]+[KM]iB' docker stats --no-stream --format '{{.Name}} {{.PIDs}} {{.MemUsage}}' base
check 'inspect: pid' 0 '^[1-9][0-9]*$' field base .State.Pid
check 'pause' 0 '' docker pause base
check 'pause: state' 0 '^paused$' state base
check 'pause: exec is refused' '!0' 'is paused' docker exec base true
check 'pause: again' '!0' 'already paused' docker pause base
check 'unpause' 0 '' docker unpause base
check 'unpause: exec' 0 '^alive$' docker exec base echo alive
counter() { docker exec count cat /tmp/n 2>/dev/null || tail -n 1 "/proc/$(field count .State.Pid)/root/tmp/n"; }
frozen() {
	local pid a b
	pid=$(field count .State.Pid)
	docker pause count >/dev/null || return
	a=$(cat "/proc/$pid/root/tmp/n")
	sleep 1
	b=$(cat "/proc/$pid/root/tmp/n")
	docker unpause count >/dev/null || return
	sleep 1
	[ "$a" = "$b" ] && [ "$(cat "/proc/$pid/root/tmp/n")" != "$b" ]
}
started count bb sh -c 'n=0; while :; do n=$((n+1)); echo $n >/tmp/m; mv /tmp/m /tmp/n; sleep .05; done'
wait_for 10 docker exec count test -e /tmp/n
check 'pause: nothing moves, unpause: it goes on' 0 '' frozen
docker pause count >/dev/null
check 'rm -f of a paused container' 0 '' docker rm -f count
started paused bb sh -c 'trap "exit 4" TERM; while :; do sleep .1; done'
docker pause paused >/dev/null
check 'stop of a paused container' 0 '' docker stop -t 5 paused
check 'stop of a paused container: state' 0 '^exited$' state paused
check 'restart' 0 '' docker restart -t 1 base
check 'restart: state' 0 '^running$' state base
check 'kill -s USR1' 0 '' docker kill -s USR1 base
check 'kill -s USR1: ignored by process 1' 0 '^running$' state base
check 'kill' 0 '' docker kill base
check 'kill: state' 0 '^exited 137$' docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' base
check 'wait' 0 '^137$' docker wait base
check 'start again' 0 '' docker start base
check 'rm of a running container' '!0' 'running container' docker rm base
check 'rename' 0 '' docker rename base other
check 'rm -f' 0 '' docker rm -f other
started term bb sh -c 'trap "echo got; exit 5" TERM; while :; do sleep .1; done'
sleep 0.5
check 'stop: SIGTERM' 0 '' docker stop -t 10 term
check 'stop: exit status' 0 '^5$' field term .State.ExitCode
check 'stop: its last words' 0 '^got$' docker logs term
started stubborn bb sh -c 'trap "" TERM; while :; do sleep .1; done'
sleep 0.5
check 'stop -t: SIGKILL' 0 '' docker stop -t 1 stubborn
check 'stop -t: exit status' 0 '^137$' field stubborn .State.ExitCode
started stopsignal --stop-signal RTMIN+3 bb sh -c 'trap "exit 37" 37; while :; do sleep .1; done'
sleep 0.5
docker stop -t 5 stopsignal >/dev/null
check 'run --stop-signal RTMIN+3' 0 '^37$' field stopsignal .State.ExitCode
signals() {
	local s
	started signals bb sh -c 'for s in HUP INT USR1 USR2 WINCH; do trap "echo $s" $s; done; echo up; while :; do sleep .1; done'
	wait_for 10 prints up docker logs signals
	for s in HUP INT SIGUSR1 12 WINCH; do docker kill -s "$s" signals >/dev/null; sleep 0.4; done
	docker logs signals
}
check 'kill: names and numbers of signals' 0 '^up.HUP.INT.USR1.USR2.WINCH$' signals
docker create --name made bb echo made >/dev/null
check 'create: state' 0 '^created$' state made
check 'start -a' 0 '^made$' docker start -a made
check 'start -a: again' 0 '^made$' docker start -a made
check 'start: unknown program' '!0' 'executable file not found' sh -c 'docker create --name bad bb nosuch >/dev/null; docker start bad'
check 'start: unknown program: state' 0 '^created 127$' docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' bad
started follow bb sh -c 'for i in 1 2 3; do echo $i; sleep .2; done'
check 'logs -f' 0 '^1.2.3$' docker logs -f follow
check 'logs --tail' 0 '^3$' docker logs --tail 1 follow
started health --health-cmd 'test -e /tmp/ok' --health-interval 500ms --health-retries 2 --health-timeout 5s bb sleep 1000
check 'healthcheck: unhealthy' 0 '' wait_for 15 prints unhealthy field health .State.Health.Status
docker exec health touch /tmp/ok
check 'healthcheck: healthy' 0 '' wait_for 15 prints healthy field health .State.Health.Status
started fails --restart on-failure:2 bb sh -c 'echo run; exit 3'
check 'restart on-failure:2' 0 '' wait_for 20 prints '2 3 exited' docker inspect -f '{{.RestartCount}} {{.State.ExitCode}} {{.State.Status}}' fails
check 'restart on-failure:2: logs' 0 '^run.run.run$' docker logs fails
started always --restart always bb sh -c 'trap "exit 0" TERM; while :; do sleep .1; done'
again() { kill -9 "$(field always .State.Pid)"; wait_for 10 prints '1 running' docker inspect -f '{{.RestartCount}} {{.State.Status}}' always; }
check 'restart always: after its death' 0 '' again
check 'restart always: stop ends it' 0 '^exited$' sh -c 'docker stop -t 5 always >/dev/null; sleep 1; docker inspect -f "{{.State.Status}}" always'
events() {
	local since
	since=$(date +%s)
	docker run --rm --name observed bb true
	docker events --since "$since" --until "$(($(date +%s) + 1))" --filter container=observed --format '{{.Action}}' | tr '\n' ' '
}
check 'events' 0 'create attach start die destroy|create attach start die .*destroy' events
for driver in json-file local; do
	started "log-$driver" --log-driver "$driver" --log-opt max-size=10k --log-opt max-file=2 bb sh -c 'for i in $(seq 2000); do echo line $i; done'
	docker wait "log-$driver" >/dev/null
	check "logs: driver $driver, rotated" 0 'line 2000$' docker logs "log-$driver"
done
started log-none --log-driver none bb echo nothing
docker wait log-none >/dev/null
check 'logs: driver none' '!0' 'does not support reading' docker logs log-none
