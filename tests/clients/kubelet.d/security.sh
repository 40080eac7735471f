#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2154 # of tests/clients/kubelet; the container's shell expands them
#
# securityContext: users, capabilities, seccomp, read-only root, privileged containers, sysctls, masked paths.
mkdir -p "$WORK/kubelet/seccomp"
echo '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13}]}' \
	>"$WORK/kubelet/seccomp/mkdir.json"
self() { printf 'command: [grep, -E, "%s", /proc/self/status]\n' "$1"; } # REGEX of fields of /proc/PID/status

pod user <<'YAML'
command: [sh, -c, 'id; touch /d/file; stat -c "%u:%g %a" /d /d/file']
securityContext: {runAsUser: 1000, runAsGroup: 2000}
volumeMounts: [{name: d, mountPath: /d}]
pod:
securityContext: {fsGroup: 4000, supplementalGroups: [3000, 5000]}
volumes: [{name: d, emptyDir: {}}]
YAML
pod nonroot <<'YAML'
command: [id]
securityContext: {runAsNonRoot: true}
YAML
pod imageuser <<'YAML'
image: rt.test/user:1
command: [id]
securityContext: {runAsNonRoot: true}
YAML
pod readonly <<'YAML'
command: [sh, -c, 'exec 2>&1; touch /x; touch /tmp/x; touch /d/x && echo volume']
securityContext: {readOnlyRootFilesystem: true}
volumeMounts: [{name: d, mountPath: /d}]
pod:
volumes: [{name: d, emptyDir: {}}]
YAML
pod caps < <(self '^Cap(Eff|Bnd|Amb)')
pod capsuser < <(self '^CapEff'; echo 'securityContext: {runAsUser: 1000}')
pod dropped < <(self '^Cap(Eff|Bnd)'; echo 'securityContext: {capabilities: {drop: [ALL]}}')
pod oneleft < <(self '^CapEff'; echo 'securityContext: {capabilities: {drop: [ALL], add: [NET_BIND_SERVICE]}}')
pod added < <(self '^CapEff'; echo 'securityContext: {capabilities: {add: [NET_ADMIN, SYS_TIME]}}')
pod netadmin <<'YAML'
command: [sh, -c, 'ip link set lo down && echo down']
securityContext: {capabilities: {add: [NET_ADMIN]}}
YAML
pod nofilter < <(self '^(Seccomp|NoNewPrivs):')
pod filter < <(self '^Seccomp:'; echo 'securityContext: {seccompProfile: {type: RuntimeDefault}}')
pod filtered <<'YAML'
command: [sh, -c, 'unshare -U true 2>&1 || echo refused']
securityContext: {seccompProfile: {type: RuntimeDefault}}
YAML
pod podfilter <<'YAML'
command: [grep, 'Seccomp:', /proc/self/status]
pod:
securityContext: {seccompProfile: {type: RuntimeDefault}}
YAML
pod localfilter <<'YAML'
command: [sh, -c, 'mkdir /tmp/d 2>&1 || echo refused; touch /tmp/f && echo made']
securityContext: {seccompProfile: {type: Localhost, localhostProfile: mkdir.json}}
YAML
pod nofile <<'YAML'
command: ['true']
securityContext: {seccompProfile: {type: Localhost, localhostProfile: nosuch.json}}
YAML
pod noprivs < <(self '^NoNewPrivs'; echo 'securityContext: {allowPrivilegeEscalation: false, runAsUser: 1000}')
pod restricted <<'YAML'
command: [sh, -c, 'id -u; grep -E "^(CapBnd|NoNewPrivs|Seccomp):" /proc/self/status; touch /x 2>/dev/null || echo read-only']
securityContext: {allowPrivilegeEscalation: false, runAsNonRoot: true, runAsUser: 1000, readOnlyRootFilesystem: true,
  capabilities: {drop: [ALL]}, seccompProfile: {type: RuntimeDefault}}
YAML
pod privileged <<'YAML'
command: [sh, -c, 'grep -E "^(CapEff|Seccomp):" /proc/self/status; mount -t tmpfs t /tmp && echo mounted; [ -c /dev/kmsg ] && echo device; [ -w /proc/sys/kernel/hostname ] && echo writable']
securityContext: {privileged: true}
YAML
pod masked <<'YAML'
command: [sh, -c, 'cd /proc; for f in kcore keys timer_list latency_stats sched_debug; do [ ! -e $f ] || cat $f | wc -c; done | uniq; ls /sys/firmware | wc -l; (echo 1 >/proc/sys/kernel/panic) 2>&1; (echo x >/sys/kernel/x) 2>&1 || true']
YAML
pod sysctls <<'YAML'
command: [cat, /proc/sys/kernel/shm_rmid_forced, /proc/sys/net/ipv4/ip_local_port_range, /proc/sys/net/core/somaxconn, /proc/sys/kernel/msgmax]
pod:
securityContext: {sysctls: [{name: kernel.shm_rmid_forced, value: '1'}, {name: net.ipv4.ip_local_port_range, value: 1024 65000},
  {name: net.core.somaxconn, value: '77'}, {name: kernel.msgmax, value: '70000'}]}
YAML
pod forbidden <<'YAML'
command: ['true']
pod:
securityContext: {sysctls: [{name: kernel.shmmax, value: '65536'}]}
YAML
pod devices <<'YAML'
command: [sh, -c, 'ls /dev | tr "\n" " "; mknod /tmp/m c 1 11 && cat /tmp/m 2>/dev/null || echo refused']
YAML

check 'runAsUser, runAsGroup, supplementalGroups' 0 'uid=1000[^ ]* gid=2000[^ ]* groups=2000[^ ]*,3000[^ ]*,4000[^ ]*,5000' output user
check 'fsGroup' 0 '0:4000 2777.1000:4000 644$' output user
check 'runAsNonRoot refuses an image of root' 0 'runAsNonRoot' event nonroot runAsNonRoot
check 'runAsNonRoot, and the user of the image' 0 'uid=1000[^ ]* gid=2000' output imageuser
check 'readOnlyRootFilesystem' 0 'touch: /x: Read-only.*touch: /tmp/x: Read-only.*volume$' output readonly
check 'capabilities: default' 0 'CapEff:.00000000a80425fb.CapBnd:.00000000a80425fb.CapAmb:.0000000000000000$' output caps
check 'capabilities: ordinary user' 0 'CapEff:.0000000000000000$' output capsuser
check 'capabilities: drop ALL' 0 'CapEff:.0000000000000000.CapBnd:.0000000000000000$' output dropped
check 'capabilities: drop ALL, add one' 0 'CapEff:.0000000000000400$' output oneleft
check 'capabilities: add two' 0 'CapEff:.00000000aa0435fb$' output added
check 'capabilities: NET_ADMIN works' 0 '^down$' output netadmin
check 'without a profile: no filter' 0 'NoNewPrivs:.0.Seccomp:.0$' output nofilter
check 'seccompProfile RuntimeDefault' 0 'Seccomp:.2$' output filter
check 'seccompProfile RuntimeDefault refuses unshare' 0 'refused$' output filtered
check 'seccompProfile RuntimeDefault of the pod' 0 'Seccomp:.2$' output podfilter
check 'seccompProfile Localhost' 0 'mkdir:.*Permission denied.refused.made$' output localfilter
check 'seccompProfile Localhost: no such file' 0 'nosuch.json' event nofile nosuch.json
check 'allowPrivilegeEscalation: false' 0 'NoNewPrivs:.1$' output noprivs
check 'all that the restricted profile wants' 0 '^1000.NoNewPrivs:.1.CapBnd:.0000000000000000.Seccomp:.2.read-only$|^1000.CapBnd:.0000000000000000.NoNewPrivs:.1.Seccomp:.2.read-only$' output restricted
check 'privileged' 0 'Seccomp:.0.mounted.device.writable$' output privileged
check 'privileged: capabilities are those of the engine' 0 "CapEff:.$(awk '/^CapBnd/ {print $2}' /proc/self/status)" output privileged
check 'masked and read-only paths' 0 '^0.0.*Read-only file system.*Read-only file system$' output masked
check 'sysctls, safe and allowed' 0 '^1.1024.65000.77.70000$' output sysctls
check 'sysctls: not allowed' 0 '^SysctlForbidden$' at forbidden .status.reason SysctlForbidden
check 'devices: the default ones, and no others' 0 'full.*null.*random.*tty.*zero.*refused$' output devices
