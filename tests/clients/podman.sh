#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Sourced by podman and podman-rootless: how podman is called, with everything it keeps below PODMAN_DIR ($WORK), by AS_USER
# (a number; root if it is empty).

export CHECK_SECONDS=120 # some checks call podman a dozen times
export PODMAN_DIR=${PODMAN_DIR:-$WORK} AS_USER=${AS_USER:-}
export CONTAINERS_CONF=$WORK/containers.conf IMAGE=localhost/rt-test:1
# The limits: podman's own are above what a process without CAP_SYS_RESOURCE may set. The image of pods: the one that
# podman makes needs catatonit.
cat >"$CONTAINERS_CONF" <<TOML
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
default_capabilities = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"]
[engine]
infra_image = "localhost/infra:1"
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
cni_plugin_dirs = ["/usr/lib/cni"]
network_config_dir = "$PODMAN_DIR/networks"
TOML

by_user() {
	if [ -n "$AS_USER" ]; then set -- setpriv --reuid "$AS_USER" --regid "$AS_USER" --clear-groups "$@"; fi
	"$@"
}
p() {
	by_user podman --root "$PODMAN_DIR/storage" --runroot "$PODMAN_DIR/run" --tmpdir "$PODMAN_DIR/libpod" --storage-driver overlay \
		--runtime "$RUNTIME" --cgroup-manager cgroupfs --events-backend file "$@"
}
# once runs a program in a container of its own, without a network of its own; once_with takes options before "--".
once() { p run --rm --network none "$IMAGE" "$@"; }
once_with() {
	local options=()
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	p run --rm --network none "${options[@]}" "$IMAGE" "$@"
}
# shellcheck disable=SC2016 # expanded by the shell that is started
on_podman_tty() { on_tty bash -uc '. "$0"; p "$@"' "$PODMAN_SH" "$@"; }
tty_once() { on_podman_tty run --rm -it --network none "$IMAGE" "$@"; }
tty_exec() { on_podman_tty exec -it "$@"; }
PODMAN_SH=$(dirname "${BASH_SOURCE[0]}")/podman.sh
export PODMAN_SH

# group_file prints a file of a container's group: its name on v1, and on v2.
group_file() { # CONTAINER CONTROLLER V1-FILE V2-FILE
	local pid path
	pid=$(p inspect -f '{{.State.Pid}}' "$1")
	if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
		path=$(awk -F: '$1 == "0" {print $3}' "/proc/$pid/cgroup")
		cat "/sys/fs/cgroup$path/$4"
	else
		path=$(awk -F: -v c="$2" '("," $2 ",") ~ ("," c ",") {print $3}' "/proc/$pid/cgroup")
		cat "/sys/fs/cgroup/$2$path/$3"
	fi
}
# limit runs a container with options and prints a file of its group.
limit() { # CONTROLLER V1-FILE V2-FILE OPTION...
	p run -d --rm --network none --name limited "${@:4}" "$IMAGE" sleep 1000 >/dev/null || return 1
	group_file limited "$1" "$2" "$3"
	p rm --force --time 0 limited >/dev/null
}
# wait_for_output waits until a command has printed TEXT, and prints what it has printed last.
wait_for_output() { # SECONDS TEXT COMMAND...
	local until=$((SECONDS + $1)) text=$2 out
	shift 2
	while out=$("$@" 2>&1); [[ $out != *"$text"* ]]; do
		[ "$SECONDS" -le "$until" ] || break
		sleep 0.2
	done
	printf '%s\n' "$out"
}
