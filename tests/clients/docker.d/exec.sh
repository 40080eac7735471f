#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016 # the container's shell expands them
#
# docker exec.
started base --pids-limit 64 bb sleep 1000
check 'run: only three descriptors' 0 '^0.1.2$' docker exec base ls /proc/1/fd
check 'exec: only three descriptors, and its own' 0 '^0.1.2.3$' docker exec base ls /proc/self/fd
check 'exec: output' 0 '^in.sleep$' docker exec base sh -c 'echo in; cat /proc/1/comm'
check 'exec: exit status' 7 '' docker exec base sh -c 'exit 7'
check 'exec: killed by a signal' 137 '' docker exec base sh -c 'kill -9 $$'
check 'exec: unknown program' '!0' 'executable file not found in \$PATH' docker exec base nosuch
check 'exec: unknown path' '!0' 'no such file or directory' docker exec base /no/such
check 'exec: not executable' 126 'permission denied' docker exec base /etc/passwd
check 'exec -u' 0 'uid=1000\(app\) gid=1000\(app\) groups=1000\(app\),2000\(extra\)' docker exec -u app base id
check 'exec -u: unknown name' '!0' 'unable to find user nope' docker exec -u nope base id
check 'exec -w' 0 '^/etc$' docker exec -w /etc base pwd
check 'exec -w: missing' '!0' 'no such file or directory' docker exec -w /nosuch base pwd
check 'exec -e' 0 '^1 /root$' docker exec -e Q=1 base sh -c 'echo $Q $HOME'
check 'exec -i' 0 '^typed$' feed typed docker exec -i base cat
check 'exec -it' 0 $'/dev/pts/0\r\nistty\r' on_tty docker exec -it base sh -c 'tty; test -t 1 && echo istty'
check 'exec -d' 0 '^$' docker exec -d base sleep 1001
runs() { docker top base -o pid,args | grep -q "$1"; }
check 'exec -d: it runs' 0 '' wait_for 5 runs 'sleep 1001'
check 'exec: capabilities and filter of the container' 0 'CapEff:.00000000a80425fb.*Seccomp:.2' docker exec base grep -E '^(CapEff|Seccomp):' /proc/self/status
check 'exec --privileged' 0 '' docker exec --privileged base sh -c '[ $((0x$(grep CapEff /proc/self/status | cut -f2) >> 21 & 1)) = 1 ]'
check 'exec: all namespaces' 0 '^$' docker exec base sh -c 'for n in pid mnt net ipc uts cgroup user; do [ "$(readlink /proc/self/ns/$n)" = "$(readlink /proc/1/ns/$n)" ] || echo $n; done'
same_groups() { docker exec base sh -c 'cat /proc/self/cgroup >/tmp/a; cat /proc/1/cgroup >/tmp/b; cmp /tmp/a /tmp/b'; }
check 'exec: the same control groups' 0 '^$' same_groups
at_once() { local i; for i in 1 2 3 4 5 6 7 8; do docker exec base echo "p$i" & done | sort | tr '\n' ' '; wait; }
check 'exec: eight at the same time' 0 '^p1 p2 p3 p4 p5 p6 p7 p8 $' at_once
megabytes() { head -c 3000000 /dev/zero | docker exec -i base cat | wc -c; }
check 'exec -i: 3 MB each way' 0 '^3000000$' megabytes
died() { docker exec base sleep 1002 & local client=$! status=0; wait_for 10 runs 'sleep 1002' || return 99; docker kill base >/dev/null; wait "$client" || status=$?; return "$status"; }
check 'exec: ends when the container is killed' 137 '' died
check 'exec: stopped container' '!0' 'is not running' docker exec base true
removed base
