#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016 # the container's shell expands them
#
# docker run in the foreground: streams, exit status, errors, and what the process is given.
check 'run: output' 0 '^hello$' docker run --rm bb echo hello
check 'run --runtime' 0 '^hello$' docker run --rm --runtime tested bb echo hello
check 'run: standard error' 0 '^err$' docker run --rm bb sh -c 'echo err >&2'
check 'run: exit status' 42 '' docker run --rm bb sh -c 'exit 42'
check 'run: killed by a signal' 137 '' docker run --rm --init bb sh -c 'kill -9 $$'
check 'run: unknown program' 127 'executable file not found in \$PATH' docker run --rm bb nosuch
check 'run: unknown path' 127 'no such file or directory' docker run --rm bb /no/such
check 'run: not executable' 126 'permission denied' docker run --rm bb /etc/passwd
check 'run: a directory' 126 'is a directory|permission denied' docker run --rm bb /etc
check 'run: nothing is left of a failed start' 0 '^$' docker ps -aq
check 'run -i: input' 0 '^piped$' feed piped docker run --rm -i bb cat
megabytes() { head -c 3000000 /dev/zero | docker run --rm -i bb sh -c 'tee /tmp/all | wc -c >&2; cat /tmp/all' 2>"$WORK/size" | wc -c; cat "$WORK/size"; }
check 'run -i: 3 MB each way' 0 '^3000000.3000000$' megabytes
check 'run --rm: the container is gone' 0 '^$' docker ps -aq
check 'run -w' 0 '^/var$' docker run --rm -w /var bb pwd
check 'run -w: made if missing' 0 '^/new/dir$' docker run --rm -w /new/dir bb pwd
check 'run -w: a file' 125 'not a directory' docker run --rm -w /etc/passwd bb pwd
check 'run -u NAME' 0 'uid=1000\(app\) gid=1000\(app\) groups=1000\(app\),2000\(extra\)' docker run --rm -u app bb id
check 'run -u UID:GID' 0 'uid=4242 gid=4343' docker run --rm -u 4242:4343 bb id
check 'run -u: unknown name' 125 'unable to find user nosuch' docker run --rm -u nosuch bb id
check 'run --group-add' 0 '77.*2000\(extra\)' docker run --rm --group-add 77 bb id
check 'run -e' 0 '^b:HOME=/root$' docker run --rm -e A=b bb sh -c 'echo "$A:$(env | grep ^HOME)"'
check 'run -h' 0 '^myhost$' docker run --rm -h myhost bb hostname
check 'run --domainname' 0 '^dom$' docker run --rm --domainname dom bb cat /proc/sys/kernel/domainname
check 'run --init: reaps' 0 '^docker-init.0$' docker run --rm --init bb sh -c 'cat /proc/1/comm; (sleep .1 & true); sleep .5; ps -o stat | grep -c Z; true'
check 'run --cidfile' 0 '^[0-9a-f]{64}$' sh -c 'docker run --rm --cidfile "$WORK/cid" bb true && cat "$WORK/cid"'
check 'run: long arguments' 0 '^60001' docker run --rm bb sh -c "echo $(printf '%060000d' 0) | wc -c"
variables() { local i args=(); for ((i = 0; i < 500; i++)); do args+=(-e "V$i=$i"); done; docker run --rm "${args[@]}" bb sh -c 'env | grep -c ^V'; }
check 'run: 500 variables' 0 '^500$' variables
check 'run: nothing of the runtime shows' 0 '^sh$' docker run --rm bb sh -c 'cat /proc/1/comm; ps -o comm | grep -E "rt|runc|shim"; true'
at_once() { local i; for i in 1 2 3 4 5 6; do docker run --rm bb echo "r$i" & done | sort | tr '\n' ' '; wait; }
check 'run: six at the same time' 0 '^r1 r2 r3 r4 r5 r6 $' at_once
check 'run --label' 0 '^$' docker run --rm --label a=b bb true
proxied() {
	docker run --rm --name proxied bb sh -c 'trap "echo got; exit 6" TERM; echo up; while :; do sleep .1; done' >"$WORK/proxied" &
	local client=$! status=0
	wait_for 20 grep -q up "$WORK/proxied" || return
	kill -TERM "$client"
	wait "$client" || status=$?
	cat "$WORK/proxied"
	return "$status"
}
check 'run: the client passes signals on' 6 '^up.got$' proxied
