#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2154 # the container's shell expands them; ../docker, dockerd.sh and lib.sh have the variables
#
# Limits: memory, OOM, processors, pids, ulimits. The container reads its own control group.
own() { docker run --rm "${@:2}" bb sh -c "cd /sys/fs/cgroup; cat $1"; } # "FILES" OPTIONS...
check 'run --memory' 0 '^67108864$' own "$memory" --memory 64m
check 'run --memory, --memory-swap, --memory-reservation' 0 '^67108864.33554432$' own "$memory $soft" --memory 64m --memory-swap 64m --memory-reservation 32m
check 'run --cpus' 0 "$half" own "$cpu" --cpus 0.5
check 'run --cpu-shares' 0 "$share" own "$shares" --cpu-shares 512
check 'run --cpuset-cpus' 0 '^0$' own "$cpus" --cpuset-cpus 0
check 'run --cpuset-cpus: none such' '!0' 'not available' docker run --rm --cpuset-cpus 977 bb true
check 'run --pids-limit' 0 '^12$' own "$pids" --pids-limit 12
check 'run --pids-limit: fork fails' '!0' "can't fork" docker run --rm --pids-limit 12 bb sh -c 'for i in $(seq 20); do sleep 3 & done; wait'
check 'run: the OOM killer' 137 '' docker run --rm --memory 16m --memory-swap 16m bb tail /dev/zero
# Not at once: the shim asks for OOM events when the container has been started.
started oom --memory 16m --memory-swap 16m bb sh -c 'sleep 2; exec tail /dev/zero'
check 'OOM: wait' 0 '^137$' docker wait oom
check 'OOM: OOMKilled' 0 '' wait_for 5 prints 'true 137 exited' docker inspect -f '{{.State.OOMKilled}} {{.State.ExitCode}} {{.State.Status}}' oom
oom_event() { docker events --since "$1" --until "$(($(date +%s) + 1))" --filter event=oom --format '{{.Actor.Attributes.name}}'; }
check 'OOM: event' 0 'oom' oom_event "$(($(date +%s) - 30))"
bomb() {
	local most=0 now
	started bomb --pids-limit 40 --memory 128m bb sleep 1000 || return
	docker exec -d bomb sh -c 'f() { f | f & }; f'
	for _ in 1 2 3 4; do
		now=$(docker stats --no-stream --format '{{.PIDs}}' bomb)
		[ "$now" -le "$most" ] || most=$now
	done
	docker rm -f bomb >/dev/null || return
	echo "most $most"
	[ "$most" -ge 20 ] && [ "$most" -le 40 ]
}
check 'fork bomb: stays below --pids-limit, and rm -f ends it' 0 '^most' bomb
busy() {
	local pid before after
	started busy --cpus 0.2 bb sh -c 'while :; do :; done'
	pid=$(field busy .State.Pid)
	before=$(awk '{print $14 + $15}' "/proc/$pid/stat")
	sleep 3
	after=$(awk '{print $14 + $15}' "/proc/$pid/stat")
	docker rm -f busy >/dev/null
	echo "$((after - before)) ticks of $((3 * $(getconf CLK_TCK)))"
	[ $((after - before)) -le "$(getconf CLK_TCK)" ]
}
check 'run --cpus: a busy loop is throttled' 0 '' busy
check 'run --ulimit' 0 '^123.456.0$' docker run --rm --ulimit nofile=123:456 --ulimit core=0 bb sh -c 'ulimit -n; ulimit -Hn; ulimit -c'

check 'run --oom-score-adj' 0 '^300$' docker run --rm --oom-score-adj 300 bb cat /proc/self/oom_score_adj
check 'run --shm-size' 0 'size=8192k' docker run --rm --shm-size 8m bb grep ' /dev/shm ' /proc/mounts
check 'run --cgroup-parent' 0 'clients/sub/' docker run --rm --cgroupns host --cgroup-parent /clients/sub bb cat /proc/self/cgroup
if [ -n "$v2" ]; then
	skip 'run --oom-kill-disable' 'v1 only'
else
	check 'run --oom-kill-disable' 0 'oom_kill_disable 1' own memory/memory.oom_control --memory 64m --oom-kill-disable
	check 'run --memory-swappiness' 0 '^0$' own memory/memory.swappiness --memory 64m --memory-swappiness 0
fi
