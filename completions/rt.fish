# SPDX-License-Identifier: Apache-2.0
# Completion of rt for fish: rt completion fish | source

# Succeeds if the command on the line is one of the arguments; without arguments, if there is none yet.
function __rt_command
    set -l words (commandline -opc)
    set -e words[1]
    while set -q words[1]
        switch $words[1]
            case --root --log --log-format --rootless
                set -e words[1]
            case '-*'
            case '*'
                contains -- $words[1] $argv
                return
        end
        set -e words[1]
    end
    not set -q argv[1]
end

function __rt_ids
    set -l words (commandline -opc)
    set -l root
    if set -l at (contains -i -- --root $words)
        set root --root $words[(math $at + 1)]
    end
    rt $root list --quiet 2>/dev/null
end

complete -c rt -f
complete -c rt -s h -l help -d 'print help'

complete -c rt -n __rt_command -s v -l version -d 'print the version'
complete -c rt -n __rt_command -l root -r -a '(__fish_complete_directories)' -d 'keep the state in this directory'
complete -c rt -n __rt_command -l log -r -F -d 'append messages to this file'
complete -c rt -n __rt_command -l log-format -x -a 'text json' -d 'write messages in this form'
complete -c rt -n __rt_command -l debug -d 'log what is being done'
complete -c rt -n __rt_command -l systemd-cgroup -d 'let systemd make the control group'
complete -c rt -n __rt_command -l rootless -x -a 'true false auto' -d 'go on without access to control groups'

complete -c rt -n __rt_command -a create -d 'create a container'
complete -c rt -n __rt_command -a start -d 'start the program of a created container'
complete -c rt -n __rt_command -a run -d 'create and start a container'
complete -c rt -n __rt_command -a exec -d 'start a further process in a container'
complete -c rt -n __rt_command -a state -d 'print the state of a container'
complete -c rt -n __rt_command -a kill -d 'send a signal to a container'
complete -c rt -n __rt_command -a delete -d 'remove a container'
complete -c rt -n __rt_command -a events -d 'print counters and out-of-memory events'
complete -c rt -n __rt_command -a pause -d 'stop all processes of a container'
complete -c rt -n __rt_command -a resume -d 'let the processes of a paused container run on'
complete -c rt -n __rt_command -a update -d 'change the limits of a container'
complete -c rt -n __rt_command -a ps -d 'list the processes of a container'
complete -c rt -n __rt_command -a stats -d 'show what containers use'
complete -c rt -n __rt_command -a list -d 'list containers'
complete -c rt -n __rt_command -a spec -d 'write a config to begin with'
complete -c rt -n __rt_command -a features -d 'print what the runtime supports'
complete -c rt -n __rt_command -a version -d 'print the version'
complete -c rt -n __rt_command -a completion -d 'print a shell completion script'
complete -c rt -n __rt_command -a help -d 'print help'

complete -c rt -n '__rt_command create run' -a '(__fish_complete_directories)'
complete -c rt -n '__rt_command create run spec' -s b -l bundle -r -a '(__fish_complete_directories)' -d 'the directory of the bundle'
complete -c rt -n '__rt_command create run exec' -l console-socket -r -F -d 'send the terminal to this unix socket'
complete -c rt -n '__rt_command create run exec' -l pid-file -r -F -d 'write the process id to this file'
complete -c rt -n '__rt_command create run exec' -l pidfd-socket -r -F -d 'send a pidfd to this unix socket'
complete -c rt -n '__rt_command create run' -l no-pivot -d 'enter the root file system with chroot'
complete -c rt -n '__rt_command create run' -l no-new-keyring -d 'leave the container the session keyring'
complete -c rt -n '__rt_command create run exec' -l preserve-fds -x -d 'pass descriptors 3 to 2+N on'
complete -c rt -n '__rt_command run exec' -s d -l detach -d 'return once the program runs'
complete -c rt -n '__rt_command run' -l keep -d 'do not delete the container at the end'
complete -c rt -n '__rt_command run' -l no-subreaper -d 'do not become a subreaper'

complete -c rt -n '__rt_command exec' -s p -l process -r -F -d 'take the process from this file'
complete -c rt -n '__rt_command exec' -s t -l tty -d 'give the process a terminal'
complete -c rt -n '__rt_command exec' -l cwd -x -d 'start in this directory of the container'
complete -c rt -n '__rt_command exec' -s e -l env -x -d 'add NAME=VALUE to the environment'
complete -c rt -n '__rt_command exec' -s u -l user -x -d 'run as UID[:GID]'
complete -c rt -n '__rt_command exec' -s g -l additional-gids -x -d 'add this group'
complete -c rt -n '__rt_command exec' -s c -l cap -x -d 'add this capability'
complete -c rt -n '__rt_command exec' -l no-new-privs -d 'gain no privileges by execve'
complete -c rt -n '__rt_command exec' -l apparmor -x -d 'confine the process by the AppArmor profile'
complete -c rt -n '__rt_command exec' -l process-label -x -d 'give the process the SELinux label'
complete -c rt -n '__rt_command exec' -l cgroup -x -d 'run in this group below the container\'s'
complete -c rt -n '__rt_command exec' -l ignore-paused -d 'wait until a paused container is resumed'

complete -c rt -n '__rt_command exec start state kill delete events stats pause resume update ps' -a '(__rt_ids)'
complete -c rt -n '__rt_command kill' -a 'TERM KILL INT HUP QUIT USR1 USR2 STOP CONT WINCH' -d signal
complete -c rt -n '__rt_command kill' -s a -l all -d 'signal all processes'
complete -c rt -n '__rt_command delete' -s f -l force -d 'kill the container first'
complete -c rt -n '__rt_command events' -l interval -x -d 'print the counters this often'
complete -c rt -n '__rt_command events' -l stats -d 'print the counters once'
complete -c rt -n '__rt_command stats' -s a -l all -d 'also show containers that have stopped'
complete -c rt -n '__rt_command stats' -s f -l format -x -a 'table json prom' -d 'print in this form'
complete -c rt -n '__rt_command stats' -s i -l interval -x -d 'refresh this often'
complete -c rt -n '__rt_command stats' -l no-stream -d 'print once'
complete -c rt -n '__rt_command list ps' -s f -l format -x -a 'table json' -d 'print in this form'
complete -c rt -n '__rt_command list' -s q -l quiet -d 'print the ids only'
complete -c rt -n '__rt_command update' -s r -l resources -r -F -d 'take the limits from this file'
complete -c rt -n '__rt_command update' -l memory -x -d 'limit memory'
complete -c rt -n '__rt_command update' -l memory-swap -x -d 'limit memory and swap together'
complete -c rt -n '__rt_command update' -l memory-reservation -x -d 'memory that is not reclaimed'
complete -c rt -n '__rt_command update' -l cpu-period -x -d 'period of the quota'
complete -c rt -n '__rt_command update' -l cpu-quota -x -d 'processor time in a period'
complete -c rt -n '__rt_command update' -l cpu-burst -x -d 'quota that may be used later'
complete -c rt -n '__rt_command update' -l cpu-share -x -d 'weight of processor time'
complete -c rt -n '__rt_command update' -l cpu-rt-period -x -d 'period of real-time processor time'
complete -c rt -n '__rt_command update' -l cpu-rt-runtime -x -d 'real-time processor time in a period'
complete -c rt -n '__rt_command update' -l cpu-idle -x -d 'only processor time that nobody wants'
complete -c rt -n '__rt_command update' -l cpuset-cpus -x -d 'processors to run on'
complete -c rt -n '__rt_command update' -l cpuset-mems -x -d 'memory nodes to allocate from'
complete -c rt -n '__rt_command update' -l pids-limit -x -d 'number of processes and threads'
complete -c rt -n '__rt_command update' -l blkio-weight -x -d 'weight of input and output'
complete -c rt -n '__rt_command update' -l no-oom -d 'kill nobody to lower the memory limit'
complete -c rt -n '__rt_command update' -l deadline -x -d 'give up reclaiming after this time'
complete -c rt -n '__rt_command update' -l l3-cache-schema -x -d 'share of the L3 cache'
complete -c rt -n '__rt_command update' -l mem-bw-schema -x -d 'share of the memory bandwidth'
complete -c rt -n '__rt_command spec' -l rootless -d 'for a container of an ordinary user'
complete -c rt -n '__rt_command version' -l json -d 'print a JSON object'
complete -c rt -n '__rt_command completion' -a 'bash zsh fish'
