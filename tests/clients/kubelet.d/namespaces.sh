#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2154 # of tests/clients/kubelet; the container's shell expands them
#
# What containers of a pod share among themselves, and with the node.
pod own <<'YAML'
command: [sh, -c, 'echo $$$$; hostname; sleep 1000']
YAML
pod hostpid <<'YAML'
command: [sh, -c, 'pidof kubelet >/dev/null && echo sees the kubelet']
pod:
hostPID: true
YAML
pod hostipc <<'YAML'
command: [readlink, /proc/self/ns/ipc]
pod:
hostIPC: true
YAML
pod hostnet <<'YAML'
command: [sh, -c, 'readlink /proc/self/ns/net; hostname; ip link show node0 >/dev/null && echo node0']
pod:
hostNetwork: true
YAML
pod privhost <<'YAML'
command: [nsenter, -t, '1', -m, -n, -p, --, hostname]
securityContext: {privileged: true}
pod:
hostPID: true
hostNetwork: true
YAML
pod sharepid <<'YAML'
command: [sh, -c, 'until pidof httpd >/dev/null; do sleep 0.1; done; cat /proc/1/cmdline | tr "\0" " "; kill -TERM $(pidof httpd); wget -q -O - http://127.0.0.1 2>/dev/null; cat /proc/$(pidof sleep)/root/www/index.html']
securityContext: {capabilities: {add: [SYS_PTRACE]}}
pod:
shareProcessNamespace: true
initContainers:
- {name: side, image: 'rt.test/busybox:1', restartPolicy: Always, command: [sh, -c, 'httpd -h /www; sleep 1001']}
YAML
pod together <<'YAML'
command: [sh, -c, 'spaces() { for n in "$@"; do readlink /proc/self/ns/$n; done; }; until [ -e /d/done ]; do sleep 0.1; done; spaces net ipc uts | cmp - /d/shared && echo the same; spaces pid mnt | grep -c -f /d/own']
volumeMounts: [{name: d, mountPath: /d}]
pod:
volumes: [{name: d, emptyDir: {}}]
initContainers:
- {name: side, image: 'rt.test/busybox:1', restartPolicy: Always, volumeMounts: [{name: d, mountPath: /d}],
   command: [sh, -c, 'spaces() { for n in "$@"; do readlink /proc/self/ns/$n; done; }; spaces net ipc uts >/d/shared; spaces pid mnt >/d/own; touch /d/done; sleep 1000']}
YAML
pod names <<'YAML'
command: [sh, -c, 'hostname; hostname -f; cat /etc/hosts /etc/resolv.conf']
pod:
hostname: given
subdomain: sub
hostAliases: [{ip: 10.9.8.7, hostnames: [alias.test]}]
dnsConfig: {options: [{name: ndots, value: '3'}]}
YAML
pod server <<'YAML'
command: [httpd, -f, -p, '8080', -h, /www]
ports: [{containerPort: 8080, hostPort: 18080}]
YAML

logged() { ready "$1" >/dev/null && kubectl logs "$1"; }
check 'a pod of its own namespaces: process 1, its name' 0 '^1.own$' logged own
not_ours() { [ "$(inside "$1" readlink "/proc/self/ns/$2")" != "$(readlink "/proc/1/ns/$2")" ]; }
for space in pid ipc net uts mnt cgroup; do
	if [ "$space" = cgroup ] && ! [ -e /sys/fs/cgroup/cgroup.controllers ]; then continue; fi
	check "a pod of its own namespaces: $space" 0 '' not_ours own "$space"
done
check 'hostPID' 0 '^sees the kubelet$' output hostpid
check 'hostIPC' 0 "^$(readlink /proc/self/ns/ipc | literal)\$" output hostipc
check 'hostNetwork' 0 "^$(readlink /proc/self/ns/net | literal).$(hostname).node0\$" output hostnet
check 'hostPID, hostNetwork and privileged: nsenter' 0 "^$(hostname)\$" output privhost
check 'shareProcessNamespace' 0 '^/pause hello from the pod$' output sharepid -c c
check 'containers of a pod share network, ipc, uts, and not pid, mnt' '*' '^the same.0$' output together -c c
check 'hostname, subdomain, hostAliases, dnsConfig' 0 "^given.given.sub.default.svc.cluster.local.*10.9.8.7.alias.test.*nameserver $dns_ip.*ndots:3" output names
address() { ready "$1" >/dev/null && field "$1" .status.podIP; }
reach() { busybox wget -q -O - "http://$(address "$1"):8080/index.html"; }
check 'the node reaches the pod' 0 '^hello from the pod$' reach server
pod client <<YAML
command: [wget, -q, -O, '-', 'http://$(address server):8080/index.html']
YAML
check 'a pod reaches another' 0 '^hello from the pod$' output client
