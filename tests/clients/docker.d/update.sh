#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2154 # the container's shell expands them; ../docker, dockerd.sh and lib.sh have the variables
#
# docker update of a running container.
now() { docker exec base sh -c "cd /sys/fs/cgroup; cat $1"; }
started base bb sleep 1006
check 'update: memory, pids, cpus' 0 '' docker update --memory 100m --memory-swap 100m --pids-limit 50 --cpus 0.3 base
check 'update: memory, pids' 0 '^104857600.50$' now "$memory $pids"
check 'update: cpus' 0 '^30000' now "$cpu"
check 'update: cpuset, shares, reservation' 0 '' docker update --cpu-shares 512 --cpuset-cpus 0 --memory-reservation 50m base
check 'update: cpuset, reservation' 0 '^0.52428800$' now "$cpus $soft"
check 'update: shares' 0 "$share" now "$shares"
check 'update: memory stays' 0 '^104857600$' now "$memory"
check 'update: more memory' 0 '' docker update --memory 200m --memory-swap 300m base
check 'update: more memory than before' 0 '^209715200$' now "$memory"
check 'update: less memory' 0 '' docker update --memory 60m --memory-swap 70m base
check 'update: less memory than before' 0 '^62914560$' now "$memory"
check 'update: no limit of pids' 0 '' docker update --pids-limit -1 base
check 'update: pids max' 0 '^max$' now "$pids"
check 'update: no such processor' '!0' 'not available' docker update --cpuset-cpus 977 base
check 'update: restart policy' 0 '' docker update --restart no base
docker pause base >/dev/null
check 'update: paused' 0 '' docker update --cpu-shares 1024 base
check 'update: paused, stays paused' 0 '^paused$' state base
docker unpause base >/dev/null
check 'update: it is alive' 0 '^alive$' docker exec base echo alive
check 'update: stopped container' 0 '' sh -c 'docker kill base >/dev/null; docker update --memory 64m --memory-swap 64m --memory-reservation 32m base && docker start base'
check 'update: stopped container, after its start' 0 '^67108864$' now "$memory"
