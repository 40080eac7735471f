#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2154 # the container's shell expands them; ../docker, dockerd.sh and lib.sh have the variables
#
# dockerd itself: what it says of the runtime, restarts with living containers, user namespaces.
check 'info: the runtime' 0 'tested' docker info -f '{{range $name, $r := .Runtimes}}{{$name}} {{end}}'
check 'info: the default runtime' 0 '^tested$' docker info -f '{{.DefaultRuntime}}'
check "info: the runtime's commit" 0 "^$(commit | literal)\$" docker info -f '{{.RuncCommit.ID}}'
complaints() { grep -iE 'level=(warning|error).*(runtime|runc).*(version|features|parse|output)' "$WORK/log/dockerd.log"; true; }
check "dockerd has no complaint about the runtime's answers" 0 '^$' complaints

dockerd_args+=(--live-restore)
removed "$(docker ps -aq)"
stop_service dockerd
start_dockerd
started alive --restart always bb sh -c 'n=0; while :; do n=$((n+1)); echo $n; sleep .2; done'
started tty -dit bb sh
before=$(field alive .State.Pid)
stop_service dockerd
check 'live restore: it runs without dockerd' 0 '' test -d "/proc/$before"
start_dockerd
check 'live restore: the same process' 0 "^$before running\$" docker inspect -f '{{.State.Pid}} {{.State.Status}}' alive
check 'live restore: exec' 0 '^in$' docker exec alive echo in
check 'live restore: logs go on' 0 '' wait_for 10 sh -c 'a=$(docker logs --tail 1 alive); sleep 1; [ "$(docker logs --tail 1 alive)" -gt "$a" ]'
check 'live restore: exec -it' 0 '/dev/pts/1' on_tty docker exec -it tty tty
kill -9 "${service_pid[dockerd]}"
wait "${service_pid[dockerd]}" 2>/dev/null
rm -f "$WORK/dockerd.pid"
start_dockerd
check 'dockerd killed: the same process' 0 "^$before running\$" docker inspect -f '{{.State.Pid}} {{.State.Status}}' alive
stop_service containerd
start_containerd
check 'containerd restarted: the same process' 0 '' wait_for 30 prints "$before running" docker inspect -f '{{.State.Pid}} {{.State.Status}}' alive
check 'containerd restarted: exec' 0 '' wait_for 30 docker exec alive true
check 'containerd restarted: stop' 0 '' docker stop -t 1 alive tty
check 'containerd restarted: rm' 0 '' docker rm alive tty

# Without live restore, dockerd stops its containers and starts those again that shall run always.
dockerd_args=("${dockerd_args[@]/--live-restore/--debug}")
stop_service dockerd
start_dockerd
started always --restart always bb sleep 3001
started never bb sleep 3002
stop_service dockerd
start_dockerd
check 'restart of dockerd: --restart always' 0 '' wait_for 20 prints running state always
check 'restart of dockerd: others have ended' 0 '^exited$' state never
removed always never

# User namespaces: the ids are those of a user in files that only the sandbox sees.
echo daemon:200000:65536 >"$WORK/subid"
mount --bind "$WORK/subid" /etc/subuid
mount --bind "$WORK/subid" /etc/subgid
stop_service dockerd
dockerd_args+=(--userns-remap daemon)
start_dockerd
import_image
check 'userns-remap: map' 0 '^ *0 +200000 +65536$' docker run --rm bb cat /proc/self/uid_map
check 'userns-remap: root' 0 'uid=0\(root\)' docker run --rm bb id
started mapped -v data:/data bb sh -c 'touch /data/file; exec sleep 3003'
check 'userns-remap: on the host' 0 '^200000$' stat -c %u "/proc/$(field mapped .State.Pid)"
check 'userns-remap: files on the host' 0 '^200000$' sh -c 'stat -c %u "$(docker volume inspect -f "{{.Mountpoint}}" data)/file"'
check 'userns-remap: exec' 0 '^0.*200000' docker exec mapped sh -c 'id -u; cat /proc/self/uid_map'
check 'userns-remap: exec -it' 0 '/dev/pts/0' on_tty docker exec -it mapped tty
check 'userns-remap: run -it' 0 $'/dev/pts/0\r' on_tty docker run --rm -it bb sh -c 'tty; echo x >/dev/tty'
check 'userns-remap: run -u' 0 'uid=1000\(app\)' docker run --rm -u app bb id
check 'userns-remap: proc and sys' 0 '^refused$' docker run --rm bb sh -c '(echo 1 >/proc/sys/kernel/core_uses_pid) 2>/dev/null || echo refused'
check 'userns-remap: devices' 0 'crw-rw-rw-.*/dev/null' docker run --rm bb sh -c 'echo x >/dev/null; ls -l /dev/null'
check 'userns-remap: --userns host' 0 '^ *0 +0 +4294967295' docker run --rm --userns host bb cat /proc/self/uid_map
check 'userns-remap: --memory, --read-only' 0 '67108864' docker run --rm --read-only --memory 64m bb cat "/sys/fs/cgroup/$memory"
check 'userns-remap: build' 0 'Successfully built' sh -c 'printf "FROM bb\nRUN id -u >/user\n" | docker build --no-cache -'
check 'userns-remap: pause, unpause, stop' 0 '' sh -c 'docker pause mapped && docker unpause mapped && docker stop -t 1 mapped'
removed mapped
umount /etc/subuid /etc/subgid
