#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016 # the container's shell expands them
#
# Capabilities, seccomp, namespaces, privileged containers, sysctls, masks.
profile() { # FILE NAMES ACTION [FURTHER MEMBERS]: all calls are allowed, but these
	printf '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": [%s], "action": "%s"%s}]}\n' "$2" "$3" "${4:-}" >"$WORK/$1.json"
}
profile errno '"mkdir", "mkdirat"' SCMP_ACT_ERRNO ', "errnoRet": 13'
profile kill '"mkdir", "mkdirat"' SCMP_ACT_KILL_PROCESS
profile argument '"chmod", "fchmodat", "fchmodat2"' SCMP_ACT_ERRNO ', "args": [{"index": 1, "value": 2048, "valueTwo": 2048, "op": "SCMP_CMP_MASKED_EQ"}]'
echo '{"defaultAction": "SCMP_ACT_NOSUCH"}' >"$WORK/damaged.json"
caps() { docker run --rm "${@:2}" bb grep "^Cap$1:" /proc/self/status; } # Eff|Bnd OPTIONS...
# has looks for one capability among the effective ones.
has() { # NUMBER OPTIONS...
	local number=$1
	shift
	docker run --rm "$@" bb sh -c "[ \$((0x\$(grep CapEff /proc/self/status | cut -f2) >> $number & 1)) = 1 ]"
}
check 'capabilities: default' 0 '00000000a80425fb' caps Eff
check 'capabilities: default bounding set' 0 '00000000a80425fb' caps Bnd
check 'capabilities: ordinary user' 0 '0000000000000000' caps Eff -u 1000
check '--cap-drop ALL' 0 '0000000000000000' caps Eff --cap-drop ALL
check '--cap-drop ALL: chown is refused' 1 'Operation not permitted' docker run --rm --cap-drop ALL bb chown 1 /tmp
check '--cap-add NET_ADMIN' 0 '' has 12 --cap-add NET_ADMIN
check '--cap-add NET_ADMIN: it works' 0 '^done$' docker run --rm --cap-add NET_ADMIN bb sh -c 'ip link set lo down && echo done'
check '--cap-add SYS_TIME --cap-drop CHOWN' 0 '' has 25 --cap-add SYS_TIME --cap-drop CHOWN
check '--cap-add ALL' 0 '' has 21 --cap-add ALL
check '--cap-add: unknown' '!0' 'NOSUCH' docker run --rm --cap-add NOSUCH bb true
check 'seccomp: default, unshare' 1 'Operation not permitted' docker run --rm bb unshare -U true
check 'seccomp: default, mode' 0 'Seccomp:.2' docker run --rm bb grep Seccomp: /proc/self/status
check 'seccomp=unconfined' 0 'Seccomp:.0' docker run --rm --security-opt seccomp=unconfined bb grep Seccomp: /proc/self/status
check 'seccomp=unconfined: unshare' 0 '^in$' docker run --rm --security-opt seccomp=unconfined bb unshare -U echo in
check 'seccomp=FILE: errno' '!0' 'Permission denied' docker run --rm --security-opt seccomp="$WORK/errno.json" bb mkdir /q
check 'seccomp=FILE: kill' 159 '' docker run --rm --init --security-opt seccomp="$WORK/kill.json" bb mkdir /q
check 'seccomp=FILE: argument' 0 '^refused$' docker run --rm --security-opt seccomp="$WORK/argument.json" bb sh -c 'chmod 0755 /tmp && ! chmod 4755 /tmp 2>/dev/null && echo refused'
check 'seccomp=FILE: damaged' '!0' '[Ss]eccomp' docker run --rm --security-opt seccomp="$WORK/damaged.json" bb true
check 'no-new-privileges' 0 'NoNewPrivs:.1' docker run --rm --security-opt no-new-privileges bb grep NoNewPrivs /proc/self/status
# busybox keeps the rights of a set-user-id program only for applets like su, and root has no password in this image.
setuid() { docker run --rm -u app "$@" bbsuid /suid/su -c 'id -u'; }
docker run --name suid bb sh -c 'mkdir /suid && cp /bin/busybox /suid/su && chmod 4755 /suid/su && sed -i s/root:x:/root::/ /etc/passwd' >/dev/null
docker commit suid bbsuid >/dev/null
check 'set-user-id program' 0 '^0$' setuid
check 'no-new-privileges: set-user-id program' '!0' 'must be suid' setuid --security-opt no-new-privileges
check 'apparmor=unconfined' 0 '^ok$' docker run --rm --security-opt apparmor=unconfined bb echo ok
check 'label=disable' 0 '^ok$' docker run --rm --security-opt label=disable bb echo ok
check 'masked paths' 0 '^0.0$' docker run --rm bb sh -c 'cat /proc/keys 2>/dev/null | wc -c; ls /sys/firmware | wc -l'
check 'read-only paths' 0 '^refused$' docker run --rm bb sh -c '(echo 1 >/proc/sys/kernel/core_uses_pid) 2>/dev/null || echo refused'
check 'systempaths=unconfined' 0 '^0$' docker run --rm --security-opt systempaths=unconfined bb sh -c 'grep -c -E " /proc/(sys|bus|keys|irq)" /proc/mounts; true'
check '--privileged: capabilities' 0 '' has 21 --privileged
check '--privileged: no filter, mount, groups' 0 'Seccomp:.0.mounted.made' docker run --rm --privileged bb sh -c \
	'grep Seccomp: /proc/self/status; mount -t tmpfs x /tmp && echo mounted; d=/sys/fs/cgroup; [ ! -d $d/memory ] || d=$d/memory; mkdir $d/q && rmdir $d/q && echo made'
check '--privileged: devices' 0 '' docker run --rm --privileged bb sh -c '[ $(ls /dev | wc -l) -gt 20 ]'
check '--privileged -t' 0 '/dev/pts/0' on_tty docker run --rm --privileged -it bb tty
check '--privileged: a container in the container' 0 '^in.1$' docker run --rm --privileged bb unshare -m -p -f --mount-proc sh -c 'echo in; echo $$'
check '--sysctl' 0 '^1.1$' docker run --rm --sysctl net.ipv4.ip_forward=1 --sysctl kernel.shm_rmid_forced=1 bb cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shm_rmid_forced
check '--sysctl: not of a namespace' '!0' 'not (allowed|whitelisted)' docker run --rm --sysctl kernel.hostname=x bb true
check '--sysctl: unknown' '!0' 'no such file or directory' docker run --rm --sysctl net.ipv4.nosuch=1 bb true
check '--sysctl: bad value' '!0' 'invalid argument' docker run --rm --sysctl net.ipv4.ip_forward=x bb true
started base --ipc shareable bb sleep 1003
inside() { docker run --rm "${@:2}" bb sh -c "$1"; } # SCRIPT OPTIONS...
check '--pid container:' 0 '^sleep$' inside 'cat /proc/1/comm' --pid container:base
check '--pid host' 0 '^docker$' inside 'test -d /proc/'$$' && cat /proc/'$$'/comm' --pid host
check '--ipc container:' 0 "^$(docker exec base readlink /proc/self/ns/ipc | literal)\$" inside 'readlink /proc/self/ns/ipc' --ipc container:base
check '--ipc host' 0 "^$(busybox readlink /proc/self/ns/ipc | literal)\$" inside 'readlink /proc/self/ns/ipc' --ipc host
check '--ipc none' '!0' 'No such file' inside 'ls -d /dev/shm' --ipc none
check '--ipc private' 0 '' inside 'ls -d /dev/shm' --ipc private
check '--uts host' 0 "^$(hostname)\$" inside 'hostname' --uts host
check '--cgroupns private' 0 ':/$' inside 'cat /proc/self/cgroup' --cgroupns private
check '--cgroupns host' 0 '/[0-9a-f]{64}$' inside 'cat /proc/self/cgroup' --cgroupns host
check '--userns host' 0 '^ *0 +0 +4294967295' inside 'cat /proc/self/uid_map' --userns host
check 'own pid namespace' 0 '^1$' inside 'echo $(($(ls -d /proc/[0-9]* | wc -l) < 5))'
