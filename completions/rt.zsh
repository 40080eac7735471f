#compdef rt
# SPDX-License-Identifier: Apache-2.0
# Completion of rt for zsh: source <(rt completion zsh), or as the file _rt in a directory of $fpath.

_rt_ids() {
	local -a root ids
	local at=${words_before[(i)--root]}
	(( at < $#words_before )) && root=(--root $words_before[at+1])
	ids=(${(f)"$(rt $root list --quiet 2>/dev/null)"})
	compadd -a ids
}

_rt_command() {
	local -a help create
	help=('(- *)'{-h,--help}'[print help]')
	create=(
		{-b,--bundle}'[take the bundle from this directory]:bundle:_directories'
		'--console-socket[send the terminal to this unix socket]:socket:_files'
		'--pid-file[write the process id to this file]:file:_files'
		'--pidfd-socket[send a pidfd to this unix socket]:socket:_files'
		'--no-pivot[enter the root file system with chroot]'
		'--no-new-keyring[leave the container the session keyring]'
		'--preserve-fds[pass descriptors 3 to 2+N on]:number'
	)
	case $1 in
	create) _arguments $help $create '1:container or bundle:_directories' '2:bundle:_directories' ;;
	run)
		_arguments $help $create {-d,--detach}'[return once the program runs]' \
			'--keep[do not delete the container at the end]' \
			'--no-subreaper[do not become a subreaper]' \
			'1:container or bundle:_directories' '2:bundle:_directories' ;;
	exec)
		_arguments $help {-p,--process}'[take the process from this file]:file:_files' \
			{-t,--tty}'[give the process a terminal]' \
			'--console-socket[send the terminal to this unix socket]:socket:_files' \
			{-d,--detach}'[return once the program runs]' \
			'--pid-file[write the process id to this file]:file:_files' \
			'--pidfd-socket[send a pidfd to this unix socket]:socket:_files' \
			'--cwd[start in this directory of the container]:directory' \
			'*'{-e,--env}'[add NAME=VALUE to the environment]:variable' \
			{-u,--user}'[run as UID\[:GID\]]:user' \
			'*'{-g,--additional-gids}'[add this group]:group' \
			'*'{-c,--cap}'[add this capability]:capability' \
			'--no-new-privs[gain no privileges by execve]' \
			'--apparmor[confine the process by the AppArmor profile]:profile' \
			'--process-label[give the process the SELinux label]:label' \
			'--preserve-fds[pass descriptors 3 to 2+N on]:number' \
			'*'--cgroup'[run in this group below that of the container]:group' \
			'--ignore-paused[wait until a paused container is resumed]' \
			'1:container:_rt_ids' '*:program' ;;
	start | state | pause | resume) _arguments $help '1:container:_rt_ids' ;;
	kill) _arguments $help {-a,--all}'[signal all processes]' '1:container:_rt_ids' '2:signal:_signals' ;;
	delete) _arguments $help {-f,--force}'[kill the container first]' '1:container:_rt_ids' ;;
	events)
		_arguments $help '--interval[print the counters this often]:duration' \
			'--stats[print the counters once]' '1:container:_rt_ids' ;;
	ps) _arguments $help {-f,--format}'[print in this form]:format:(table json)' '1:container:_rt_ids' ;;
	update)
		_arguments $help {-r,--resources}'[take the limits from this file]:file:_files' \
			'--memory[limit memory]:bytes' \
			'--memory-swap[limit memory and swap together]:bytes' \
			'--memory-reservation[memory that is not reclaimed]:bytes' \
			'--cpu-period[period of the quota]:microseconds' \
			'--cpu-quota[processor time in a period]:microseconds' \
			'--cpu-burst[quota that may be used later]:microseconds' \
			'--cpu-share[weight of processor time]:shares' \
			'--cpu-rt-period[period of real-time processor time]:microseconds' \
			'--cpu-rt-runtime[real-time processor time in a period]:microseconds' \
			'--cpu-idle[only processor time that nobody wants]:value' \
			'--cpuset-cpus[processors to run on]:list' \
			'--cpuset-mems[memory nodes to allocate from]:list' \
			'--pids-limit[number of processes and threads]:number' \
			'--blkio-weight[weight of input and output]:weight' \
			'--no-oom[kill nobody to lower the memory limit]' \
			'--deadline[give up reclaiming after this time]:duration' \
			'--l3-cache-schema[share of the L3 cache]:schema' \
			'--mem-bw-schema[share of the memory bandwidth]:schema' \
			'1:container:_rt_ids' ;;
	stats)
		_arguments $help {-a,--all}'[also show containers that have stopped]' \
			{-f,--format}'[print in this form]:format:(table json prom)' \
			{-i,--interval}'[refresh this often]:duration' \
			'--no-stream[print once]' '*:container:_rt_ids' ;;
	list)
		_arguments $help {-f,--format}'[print in this form]:format:(table json)' \
			{-q,--quiet}'[print the ids only]' ;;
	spec)
		_arguments $help {-b,--bundle}'[write into this directory]:bundle:_directories' \
			'--rootless[for a container of an ordinary user]' ;;
	version) _arguments $help '--json[print a JSON object]' ;;
	completion) _arguments $help '1:shell:(bash zsh fish)' ;;
	*) _arguments $help ;;
	esac
}

_rt() {
	local context state line
	local -a commands words_before
	words_before=($words)
	commands=(
		'create:create a container'
		'start:start the program of a created container'
		'run:create and start a container'
		'exec:start a further process in a container'
		'state:print the state of a container'
		'kill:send a signal to a container'
		'delete:remove a container'
		'events:print counters and out-of-memory events'
		'pause:stop all processes of a container'
		'resume:let the processes of a paused container run on'
		'update:change the limits of a container'
		'ps:list the processes of a container'
		'stats:show what containers use'
		'list:list containers'
		'spec:write a config to begin with'
		'features:print what the runtime supports'
		'version:print the version'
		'completion:print a shell completion script'
		'help:print help'
	)
	_arguments -C \
		'(- *)'{-h,--help}'[print help]' \
		'(- *)'{-v,--version}'[print the version]' \
		'--root[keep the state in this directory]:directory:_directories' \
		'--log[append messages to this file]:file:_files' \
		'--log-format[write messages in this form]:format:(text json)' \
		'--debug[log what is being done]' \
		'--systemd-cgroup[let systemd make the control group]' \
		'--rootless[go on without access to control groups]:value:(true false auto)' \
		'1: :->command' '*:: :->rest'
	case $state in
	command) _describe command commands ;;
	rest) _rt_command $words[1] ;;
	esac
}

if [[ $funcstack[1] == _rt ]]; then
	_rt "$@"
else
	compdef _rt rt
fi
