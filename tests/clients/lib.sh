#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Sourced by the clients' scripts, which tests/clients/run starts in a sandbox. Given in the environment: CLIENT (the
# script's name), RUNTIME (path of the runtime under test), WORK (an empty directory), RESULTS (a file), QUICK (not
# empty: leave out what is slow).
#
# A script sources this, starts daemons with `service`, calls `check` for each point, and ends. What it started is stopped
# here, and what is left behind is a failed check.
set -u
: "${CLIENT:?}" "${RUNTIME:?}" "${WORK:?}" "${RESULTS:?}" "${QUICK=}"
export LC_ALL=C.UTF-8
mkdir -p "$WORK/log"
mkfifo "$WORK/quiet"

# One line for people, one for the runner. A reason is a line of at most 300 characters.
result() { # ok|FAIL|SKIP NAME [REASON]
	local reason
	reason=$(printf '%s' "${3:-}" | tr -s '[:space:]' ' ' | tr -d '\000-\037' | cut -c -300)
	printf '%-4s %s: %s%s\n' "$1" "$CLIENT" "$2" "${reason:+: $reason}"
	printf '%s\t%s\t%s\n' "$1" "$2" "$reason" >>"$RESULTS"
}

skip() { result SKIP "$1" "$2"; } # NAME REASON

# bounded runs a program, or a function of the script, for at most CHECK_SECONDS (300, which only a busy machine needs).
bounded() {
	local functions
	if [ "$(type -t "$1")" = function ]; then
		mapfile -t functions < <(compgen -A function)
		export -f "${functions[@]}"
		set -- bash -uc '"$@"' "$CLIENT" "$@"
	fi
	timeout -k 5 "${CHECK_SECONDS:-300}" "$@"
}

# check runs a command without input. Its exit status has to be STATUS ("!0": any but 0, "*": any), and stdout and stderr
# together have to match REGEX (extended; ^ and $ are the ends of all the output; '' matches everything).
check() { # NAME STATUS REGEX COMMAND...
	local name=$1 want=$2 pattern=$3 status=0 out
	shift 3
	bounded "$@" >"$WORK/out" 2>&1 </dev/null || status=$?
	out=$(tr -d '\000' <"$WORK/out")
	{
		printf '=== %s\n$' "$name"
		printf ' %q' "$@"
		printf '\n%s\n(status %s)\n' "$out" "$status"
	} >>"$WORK/log/checks.log"
	case $want in
	'!0') [ "$status" -ne 0 ] && [ "$status" -ne 124 ] ;;
	'*') [ "$status" -ne 124 ] ;;
	*) [ "$status" -eq "$want" ] ;;
	esac || {
		[ "$status" -ne 124 ] || status='124 (time-out)'
		result FAIL "$name" "status $status, wanted $want; output: $(tail -c 250 <<<"$out")"
		return 1
	}
	if [ -n "$pattern" ] && ! [[ $out =~ $pattern ]]; then
		result FAIL "$name" "output does not match $pattern: $(tail -c 250 <<<"$out")"
		return 1
	fi
	result ok "$name"
}

# feed gives a command a text to read: check NAME 0 '^x$' feed x cat
feed() { # TEXT COMMAND...
	local text=$1
	shift
	printf '%s' "$text" | "$@"
}

# on_tty runs a command on a terminal of its own, where nobody types. The input does not end, as the FIFO is open for
# writing, too: with /dev/null, script(1) or the client hangs once in sixty times, with any runtime.
on_tty() { script -qec "$(printf '%q ' "$@")" /dev/null 0<>"$WORK/quiet"; }

# literal escapes a text for check's REGEX.
literal() { sed 's/[].*+?(){}|^$\\[]/\\&/g'; }

# wait_for repeats a command until it succeeds, for at most so many seconds.
wait_for() { # SECONDS COMMAND...
	local until=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -le "$until" ] || return 1
		sleep 0.1
	done
}

# prints succeeds when the output of a command is TEXT: wait_for 5 prints exited docker inspect ...
prints() { # TEXT COMMAND...
	local text=$1
	shift
	[ "$("$@" 2>/dev/null)" = "$text" ]
}

declare -A service_pid=()
services=()

# service starts a daemon and waits until READY (a command, as one word) succeeds. Without its daemon a script can't go on.
service() { # NAME READY COMMAND...
	local name=$1 ready=$2
	shift 2
	setsid "$@" >>"$WORK/log/$name.log" 2>&1 </dev/null &
	service_pid[$name]=$!
	services+=("$name")
	wait_for 60 service_up "$name" "$ready" || {
		result FAIL "$name starts" "$(tail -n 3 "$WORK/log/$name.log")"
		exit 1
	}
}

# A daemon that has died will not be ready any more.
service_up() { kill -0 "${service_pid[$1]}" && eval "$2"; }

# stop_service sends SIGTERM and waits; a daemon that stays for 30 seconds is killed, which is a failed check.
stop_service() { # NAME
	local name=$1 pid=${service_pid[$1]:-} kept=() other
	[ -n "$pid" ] || return 0
	unset "service_pid[$name]"
	for other in "${services[@]}"; do [ "$other" = "$name" ] || kept+=("$other"); done
	services=(${kept[@]+"${kept[@]}"})
	kill -TERM "$pid" 2>/dev/null
	if ! wait_for 30 gone "$pid"; then
		kill -KILL "$pid"
		result FAIL "teardown: $name stops" 'still there 30 s after SIGTERM'
	fi
	wait "$pid" 2>/dev/null
}
gone() { ! [ -d "/proc/$1" ] || [ "$(awk '{print $3}' "/proc/$1/stat")" = Z ]; }

# A root file system of a static busybox, with an ordinary user and no mount points.
make_rootfs() { # DIR
	local root=$1
	mkdir -p "$root"/{bin,etc,root,home/app,tmp,var}
	chmod 0700 "$root/root"
	chmod 1777 "$root/tmp"
	cp "$(command -v busybox)" "$root/bin/busybox"
	busybox --list | grep -vx busybox | while read -r applet; do ln "$root/bin/busybox" "$root/bin/$applet"; done
	printf '%s\n' 'root:x:0:0:root:/root:/bin/sh' 'app:x:1000:1000:app:/home/app:/bin/sh' >"$root/etc/passwd"
	printf '%s\n' 'root:x:0:' 'app:x:1000:' 'extra:x:2000:root,app' >"$root/etc/group"
	chown 1000:1000 "$root/home/app"
}

# What a runtime could leave behind, one per line. Of groups, those that a caller asks for as the parents of containers'
# groups stay (runc leaves them too); parent_groups are their names, as an extended regular expression.
parent_groups='docker|buildkit|clients|sub|default|init'
caller_mounts=/run/docker/netns/default
groups_now() { find /sys/fs/cgroup -mindepth 2 -type d | grep -Ev "/($parent_groups)\$" | sort; }
mounts_now() { awk '{print $5, $(NF-2)}' /proc/self/mountinfo | grep -Ev "^($caller_mounts) " | sort; }
# All but this shell, which is process 1; it forks nothing while it looks.
processes_now() {
	local dir key value name state
	for dir in /proc/[0-9]*; do
		[ "$dir" != /proc/1 ] || continue
		name='' state=Z
		while read -r key value; do
			case $key in Name:) name=$value ;; State:) state=$value ;; esac
		done 2>/dev/null <"$dir/status"
		case $state in Z*) ;; *) echo "$name" ;; esac
	done
}
# Containers' own directories in the roots of runtimes, and bundles of shims.
state_now() { find "$WORK" /run -xdev \( -name state.json -o -name exec.fifo -o -name init.pid \) -not -path '*/rootfs/*' 2>/dev/null | sort; }

none() { ! [ -s "$1" ]; }
left() { # NAME COMMAND BEFORE
	local name=$1 command=$2 before=$3 until=$((SECONDS + 5))
	while :; do
		"$command" >"$WORK/now"
		comm -13 "$before" <(sort "$WORK/now") >"$WORK/left"
		none "$WORK/left" && break
		[ "$SECONDS" -lt "$until" ] || break
		sleep 0.2
	done
	if none "$WORK/left"; then result ok "teardown: no $name left"; else result FAIL "teardown: no $name left" "$(head -n 5 "$WORK/left")"; fi
}

finish() {
	local name
	trap - EXIT
	if [ "$(type -t teardown)" = function ]; then teardown >>"$WORK/log/teardown.log" 2>&1; fi
	while [ ${#services[@]} -gt 0 ]; do
		name=${services[-1]}
		stop_service "$name"
	done
	left processes processes_now /dev/null
	left groups groups_now "$WORK/groups.before"
	left mounts mounts_now "$WORK/mounts.before"
	left state state_now /dev/null
	echo end >>"$RESULTS"
}
groups_now >"$WORK/groups.before"
mounts_now >"$WORK/mounts.before"
trap finish EXIT
