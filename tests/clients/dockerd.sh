#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Sourced after lib.sh by the scripts that need Docker: a containerd and a dockerd on sockets of their own, with the runtime
# under test as the default runtime, as an additional one called "tested", and as the program "runc" in dockerd's PATH,
# which BuildKit starts.
export DOCKER_HOST=unix://$WORK/docker.sock DOCKER_CONFIG=$WORK/config
export DOCKER_CLI_HINTS=false DOCKER_BUILDKIT=0
mkdir -p "$WORK/link" "$DOCKER_CONFIG"
ln -s "$RUNTIME" "$WORK/link/runc"

# dockerd mounts its data root upon itself for user namespaces, and leaves that.
# shellcheck disable=SC2034 # lib.sh looks at it
caller_mounts="/run/docker/netns/default|$WORK/docker"
# shellcheck disable=SC2034 # the scripts look at it
v2=''
# shellcheck disable=SC2034
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then v2=yes; fi
iptables=true
if ! iptables -t nat -L -n >/dev/null 2>&1; then iptables=false; fi
dockerd_args=(--add-runtime "tested=$RUNTIME" --default-runtime tested)

start_containerd() {
	cat >"$WORK/containerd.toml" <<-TOML
		version = 2
		root = "$WORK/containerd"
		state = "/run/containerd"
		disabled_plugins = ["io.containerd.grpc.v1.cri"]
		[grpc]
		  address = "$WORK/containerd.sock"
	TOML
	service containerd "ctr -a '$WORK/containerd.sock' version" containerd -c "$WORK/containerd.toml"
}

start_dockerd() {
	service dockerd 'docker version' env PATH="$WORK/link:$PATH" dockerd --data-root "$WORK/docker" --exec-root /run/docker \
		--host "$DOCKER_HOST" --containerd "$WORK/containerd.sock" --pidfile "$WORK/dockerd.pid" \
		--bip 10.213.0.1/24 --iptables="$iptables" --ip6tables=false "${dockerd_args[@]}"
}

# The image bb is a static busybox with an ordinary user.
import_image() {
	[ -d "$WORK/rootfs" ] || make_rootfs "$WORK/rootfs"
	tar -C "$WORK/rootfs" -c . | docker import -c 'CMD ["sh"]' - bb >/dev/null
}

start_docker() {
	start_containerd
	start_dockerd
	import_image
	{
		docker version -f 'version: Docker {{.Server.Version}} (client {{.Client.Version}})'
		containerd --version | awk '{print "version: containerd " $3}'
	} >"$WORK/version"
}

# Functions for conditions; their output is the value.
state() { docker inspect -f '{{.State.Status}}' "$1"; }
field() { docker inspect -f "{{$2}}" "$1"; } # CONTAINER FIELD

# commit is what the runtime says of itself, and docker info repeats.
commit() { "$RUNTIME" --version | sed -n 's/^commit: *//p'; }

# started starts a container in the background and says what went wrong, if it did.
started() { # NAME OPTIONS...
	local name=$1
	shift
	docker run -d --name "$name" "$@" >"$WORK/started" 2>&1 || {
		result FAIL "docker run -d --name $name" "$(tail -n 3 "$WORK/started")"
		return 1
	}
}
removed() { docker rm -f -v "$@" >/dev/null 2>&1; }

# No container must be alive when dockerd stops: it would wait for it.
# shellcheck disable=SC2317 # lib.sh calls it
teardown() { docker ps -aq | xargs -r docker rm -f -v; }
