#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016 # the container's shell expands them
#
# Device nodes and the device rules.
check '--device' 0 '^crw' docker run --rm --device /dev/loop-control:/dev/x bb ls -l /dev/x
check '--device: read only' '!0' 'can.t create|Operation not permitted' docker run --rm --device /dev/kmsg:/dev/k:r bb sh -c 'echo x >/dev/k'
check '--device: its own path' 0 '^crw' docker run --rm --device /dev/kmsg bb ls -l /dev/kmsg
check '--device: missing' '!0' 'no such file or directory' docker run --rm --device /dev/nosuch bb true
check 'devices: a made node can not be opened' '!0' 'Operation not permitted' docker run --rm bb sh -c 'mknod /tmp/m c 1 2 && cat /tmp/m'
check 'devices: a disk can not be opened' '!0' 'Operation not permitted' docker run --rm bb sh -c 'mknod /tmp/l b 7 0 && cat /tmp/l'
check '--device-cgroup-rule' 0 '^opened$' docker run --rm --device-cgroup-rule 'c 1:11 rwm' bb sh -c 'mknod /tmp/k c 1 11 && exec 3>/tmp/k && echo opened'
check 'devices: the usual ones' 0 '^0.zero.x$' docker run --rm bb sh -c 'head -c 5 /dev/null | wc -c; head -c 1 /dev/zero | cmp - /dev/zero 2>&1 | grep -o EOF >/dev/null; echo zero; [ "$(head -c 4 /dev/urandom | wc -c)" = 4 ] && echo x'
check 'devices: /dev/full' '!0' 'No space left' docker run --rm bb sh -c 'echo x >/dev/full'
check 'devices: links' 0 '/proc/self/fd.*/proc/self/fd/0' docker run --rm bb sh -c 'readlink /dev/fd; readlink /dev/stdin'
check '--device-read-bps' 0 '^$' docker run --rm --device-read-bps "$(findmnt -no SOURCE / | sed 's/[0-9]*$//'):1mb" bb true
