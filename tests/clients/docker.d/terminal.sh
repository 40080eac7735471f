#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016 # the container's shell expands them
#
# Terminals: -t, sizes, attach.
check 'run -it' 0 $'/dev/pts/0\r\nistty\r' on_tty docker run --rm -it bb sh -c 'tty; test -t 0 -a -t 1 -a -t 2 && echo istty'
check 'run -t: /dev/console' 0 'crw--w----.* 5 .*136, +0 .*/dev/console' on_tty docker run --rm -it bb ls -ln /dev/console
check 'run -it: exit status' 9 '' on_tty docker run --rm -it bb sh -c 'exit 9'
check 'run -it: read-only root' 0 '/dev/pts/0' on_tty docker run --rm -it --read-only bb tty
check 'run -it: user' 0 $'/dev/pts/0\r\nx\r' on_tty docker run --rm -it -u app bb sh -c 'tty; echo x >/dev/tty'
sized() { script -qec "stty rows 33 cols 99; docker run --rm -it bb sh -c 'sleep 1; stty size'" /dev/null 0<>"$WORK/quiet"; }
check 'run -it: size' 0 '33 99' sized
controlling() { on_tty docker run --rm -it bb sh -c 'ps -o pid,tty | head -n 2; cat /proc/self/stat | cut -d" " -f7'; }
check 'run -it: controlling terminal' 0 '34816' controlling
check 'run -d -i -t' 0 '' started dit -dit bb sh
check 'exec -it into it' 0 '/dev/pts/1' on_tty docker exec -it dit tty
typed() { { sleep 0.7; echo 'echo typed-$((1+1))'; sleep 0.7; echo exit; sleep 0.5; } | script -qec 'docker attach dit' /dev/null; }
check 'attach: type into it' 0 'typed-2' typed
check 'attach: it has ended' 0 '^exited$' state dit
docker create -t --name ctt bb sh -c 'tty; stty -a | head -n 1' >/dev/null
check 'create -t, start -a' 0 '/dev/pts/0' docker start -a ctt
detach() { { sleep 1; printf '\020\021'; sleep 1; } | script -qec 'docker run -it --name detached bb sh' /dev/null; state detached; }
check 'detach keys: it runs on' 0 'running' detach
check 'resize of a running container' 0 '' docker exec detached true
