#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016 # the container's shell expands them
#
# The root, volumes, tmpfs, propagation, docker cp.
export volume=$WORK/volume shared=$WORK/shared
mkdir -p "$volume"
echo data >"$volume/file"
check '--read-only' '!0' 'Read-only file system' docker run --rm --read-only bb touch /x
check '--read-only, --tmpfs' 0 '^ok$' docker run --rm --read-only --tmpfs /tmp bb sh -c 'touch /tmp/x && echo ok'
check '--tmpfs: options' 0 '/t tmpfs .*size=64k.*mode=700,uid=1000,gid=1000' docker run --rm --tmpfs /t:rw,exec,size=64k,uid=1000,gid=1000,mode=700 bb grep ' /t ' /proc/mounts
check '--tmpfs: default options' 0 'nosuid,nodev,noexec' docker run --rm --tmpfs /t bb grep ' /t ' /proc/mounts
check '-v' 0 '^data$' docker run --rm -v "$volume:/v" bb sh -c 'cat /v/file; touch /v/made'
check '-v: written on the host' 0 '' test -e "$volume/made"
check '-v :ro' '!0' 'Read-only file system' docker run --rm -v "$volume:/v:ro" bb touch /v/other
check '-v: a file, below new directories' 0 '^data$' docker run --rm -v "$volume/file:/etc/new/dir/file" bb cat /etc/new/dir/file
check '-v: a file on a directory' '!0' 'director' docker run --rm -v "$volume/file:/etc" bb true
check '-v: a directory on a file' '!0' 'director' docker run --rm -v "$volume:/etc/passwd" bb true
check '-v: below a file' '!0' 'not a directory' docker run --rm -v "$volume/file:/etc/group/x" bb true
check '-v: a named volume' 0 '^a$' docker run --rm -v named:/data bb sh -c 'touch /data/a; ls /data'
check '-v: a named volume, again' 0 '^a$' docker run --rm -v named:/data bb ls /data
check '-v: the image fills a new volume' 0 'passwd' docker run --rm -v filled:/etc bb ls /etc
check '--mount type=bind,readonly' '!0' 'Read-only file system' docker run --rm --mount "type=bind,src=$volume,dst=/v,readonly" bb touch /v/q
check '--mount type=bind: missing source' '!0' 'does not exist' docker run --rm --mount "type=bind,src=$volume/nosuch,dst=/v" bb true
check '--mount type=tmpfs' 0 '/t tmpfs .*size=1024k' docker run --rm --mount type=tmpfs,dst=/t,tmpfs-size=1048576,tmpfs-mode=0700 bb grep ' /t ' /proc/mounts
check '--volumes-from' 0 '^data$' sh -c 'docker create --name from -v "$WORK/volume:/v" bb >/dev/null; docker run --rm --volumes-from from bb cat /v/file'
many() { local i args=(); for ((i = 0; i < 60; i++)); do args+=(-v "$volume:/m/$i"); done; docker run --rm "${args[@]}" bb sh -c 'ls /m | wc -l'; }
check '-v: sixty of them' 0 '^60$' many
check '-v: over /proc/uptime' 0 '^data$' docker run --rm -v "$volume/file:/proc/uptime" bb cat /proc/uptime
check '-v: elsewhere in /proc is refused' '!0' '/proc' docker run --rm -v "$volume:/proc/bad" bb true
in_image() {
	docker run --name link bb ln -s /../../../escape /link &&
		docker commit link bblink >/dev/null &&
		docker run --rm -v "$volume:/link" bblink cat /escape/file && ! [ -e /escape ]
}
check '-v: a link in the image leads to a place in the image' 0 '^data$' in_image
check '-v /:/host:ro' '!0' 'Read-only file system' docker run --rm -v /:/host:ro bb touch /host/x
check '-v: a socket' 0 '^socket$' docker run --rm -v "$WORK/docker.sock:/var/run/docker.sock" bb sh -c 'test -S /var/run/docker.sock && echo socket'
check '-v /dev:/dev' 0 '/dev/null' docker run --rm -v /dev:/dev bb ls /dev/null
check '-v /sys/fs/cgroup:ro' 0 '' docker run --rm -v /sys/fs/cgroup:/sys/fs/cgroup:ro bb ls /sys/fs/cgroup

# Propagation needs a mount that is shared.
mkdir "$shared"
mount -t tmpfs shared "$shared"
mount --make-shared "$shared"
mkdir "$shared/sub"
propagation() { docker run --rm -v "$shared:/v:$1" bb sh -c 'grep " /v " /proc/self/mountinfo | cut -d" " -f7'; }
check '-v :rprivate' 0 '^-$' propagation rprivate
check '-v :rslave' 0 '^master:' propagation rslave
check '-v :rshared' 0 '^shared:' propagation rshared
check '-v :rshared: of a mount that is not' '!0' 'not a shared mount' docker run --rm -v "$volume:/v:rshared" bb true
started slave -v "$shared:/v:rslave" -v "$shared:/w:rprivate" bb sleep 1004
mount -t tmpfs late "$shared/sub"
touch "$shared/sub/seen"
check '-v :rslave: a later mount of the host shows' 0 '^seen$' docker exec slave ls /v/sub
check '-v :rprivate: a later mount of the host does not' 0 '^$' docker exec slave ls /w/sub
umount "$shared/sub"
check '-v :rslave: unmounted on the host' 0 '^$' docker exec slave ls /v/sub
docker run --rm --cap-add SYS_ADMIN --security-opt seccomp=unconfined --security-opt apparmor=unconfined -v "$shared:/v:rshared" bb mount -t tmpfs inner /v/sub
check '-v :rshared: a mount of the container shows on the host' 0 '' mountpoint -q "$shared/sub"
umount "$shared/sub"
removed slave
umount "$shared"

started base bb sleep 1005
copied() { docker cp "$volume/file" base:/copied && docker exec base cat /copied && docker cp base:/copied - | tar -tO; }
check 'cp: in and out' 0 '^data.copied$' copied
tree() { docker cp "$volume" base:/tree && docker exec base ls /tree && docker cp base:/tree "$WORK/back" && cat "$WORK/back/file"; }
check 'cp: a directory' 0 'file.*data$' tree
check 'cp: missing' '!0' '(No such|Could not find)' docker cp base:/nosuch "$WORK/back"
check 'diff' 0 'A /copied' docker diff base
check 'export' 0 'etc/passwd' sh -c 'docker export base | tar -t'
