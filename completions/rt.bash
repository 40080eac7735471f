# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Completion of rt for bash: source <(rt completion bash)

# Options of a command, or the global ones. A test compares them with the program's.
_rt_options() {
	local create='--bundle -b --console-socket --pid-file --pidfd-socket --no-pivot --no-new-keyring --preserve-fds'
	case $1 in
	'') echo '--root --log --log-format --debug --systemd-cgroup --rootless --version -v' ;;
	create) echo "$create" ;;
	run) echo "$create --detach -d --keep --no-subreaper" ;;
	exec)
		echo '--process -p --tty -t --console-socket --detach -d --pid-file --pidfd-socket --cwd --env -e --user -u'
		echo '--additional-gids -g --cap -c --no-new-privs --apparmor --process-label --preserve-fds --cgroup --ignore-paused'
		;;
	kill) echo '--all -a' ;;
	delete) echo '--force -f' ;;
	events) echo '--interval --stats' ;;
	ps) echo '--format -f' ;;
	update)
		echo '--resources -r --memory --memory-reservation --memory-swap --cpu-period --cpu-quota --cpu-burst --cpu-share' \
			'--cpu-rt-period --cpu-rt-runtime --cpu-idle --cpuset-cpus --cpuset-mems --pids-limit --blkio-weight' \
			'--no-oom --deadline --l3-cache-schema --mem-bw-schema'
		;;
	stats) echo '--all -a --format -f --interval -i --no-stream' ;;
	list) echo '--format -f --quiet -q' ;;
	spec) echo '--bundle -b --rootless' ;;
	version) echo '--json' ;;
	esac
	echo '--help -h'
}

# _rt_value COMMAND OPTION CURRENT: completes the value of an option; fails if the option takes none.
_rt_value() {
	case $1:$2 in
	:--root | *:--bundle | *:-b) _rt_files -d "$3" ;;
	:--log | *:--pid-file | *:--console-socket | *:--pidfd-socket | exec:--process | exec:-p) _rt_files -f "$3" ;;
	:--log-format) _rt_words 'text json' "$3" ;;
	:--rootless) _rt_words 'true false auto' "$3" ;;
	stats:--format | stats:-f) _rt_words 'table json prom' "$3" ;;
	list:--format | list:-f | ps:--format | ps:-f) _rt_words 'table json' "$3" ;;
	*:--preserve-fds | events:--interval | stats:--interval | stats:-i | exec:--cwd | exec:--env | exec:-e | exec:--user | exec:-u | exec:--additional-gids | exec:-g) ;;
	exec:--cap | exec:-c | exec:--apparmor | exec:--process-label | exec:--cgroup) ;;
	update:--resources | update:-r) _rt_files -f "$3" ;;
	update:--cpu-idle) _rt_words '0 1' "$3" ;;
	update:--no-oom) return 1 ;;
	update:--*-* | update:--memory | update:--deadline) ;;
	*) return 1 ;;
	esac
}

_rt_words() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2"); }

_rt_files() {
	mapfile -t COMPREPLY < <(compgen "$1" -- "$2")
	compopt -o filenames 2>/dev/null || :
}

_rt() {
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
	local command='' arguments=0 i
	local -a root=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		# bash splits --root=DIR into three words.
		[[ ${COMP_WORDS[i + 1]} == '=' ]] && COMP_WORDS[i + 1]=${COMP_WORDS[i]} && continue
		case $command:${COMP_WORDS[i]} in
		:--root) ((++i < COMP_CWORD)) && root=(--root "${COMP_WORDS[i]}") ;;
		:--log | :--log-format | :--rootless) ((++i)) ;;
		ps:--format | ps:-f | *:--bundle | *:-b | *:--pid-file | *:--console-socket | *:--pidfd-socket | *:--preserve-fds | events:--interval) ((++i)) ;;
		update:--no-oom) ;;
		update:-r | update:--resources | update:--memory | update:--deadline | update:--*-*) ((++i)) ;;
		stats:--format | stats:-f | stats:--interval | stats:-i) ((++i)) ;;
		exec:--process | exec:-p | exec:--cwd | exec:--env | exec:-e | exec:--user | exec:-u) ((++i)) ;;
		exec:--additional-gids | exec:-g | exec:--cap | exec:-c | exec:--apparmor | exec:--process-label | exec:--cgroup) ((++i)) ;;
		*:-*) ;;
		:*) command=${COMP_WORDS[i]} ;;
		*) ((++arguments)) ;;
		esac
	done
	[[ $current == '=' ]] && current=''
	[[ $previous == '=' ]] && previous=${COMP_WORDS[COMP_CWORD - 2]}

	_rt_value "$command" "$previous" "$current" && return
	if [[ $current == -* ]]; then
		_rt_words "$(_rt_options "$command")" "$current"
		return
	fi
	case $command:$arguments in
	:* | help:0) _rt_words 'create start run exec state kill delete events pause resume update ps stats list spec features version completion help' "$current" ;;
	create:[01] | run:[01]) _rt_files -d "$current" ;;
	exec:0 | start:0 | state:0 | kill:0 | delete:0 | events:0 | stats:* | pause:0 | resume:0 | update:0 | ps:0) _rt_words "$(rt "${root[@]}" list --quiet 2>/dev/null)" "$current" ;;
	kill:1) _rt_words 'TERM KILL INT HUP QUIT USR1 USR2 STOP CONT WINCH' "$current" ;;
	completion:0) _rt_words 'bash zsh fish' "$current" ;;
	esac
}

complete -F _rt rt
