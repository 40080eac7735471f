#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2154 # of tests/clients/kubelet; the container's shell expands them
#
# Volumes: emptyDir, ConfigMap, Secret, downward API, service account, hostPath, subPath, propagation.
mkdir -p "$WORK/volumes"/{dir,subpath/inner,made}
echo 'on the node' >"$WORK/volumes/dir/file"
kubectl create configmap words --from-literal=one=1 --from-literal=two=zwei >/dev/null
kubectl create secret generic hidden --from-literal=key=s3cret >/dev/null

pod emptydir <<'YAML'
command: [sh, -c, 'echo written >/d/f; stat -c %a /d; cat /d/f']
volumeMounts: [{name: d, mountPath: /d}]
pod:
volumes: [{name: d, emptyDir: {}}]
YAML
pod inmemory <<'YAML'
command: [grep, ' /d ', /proc/mounts]
volumeMounts: [{name: d, mountPath: /d}]
pod:
volumes: [{name: d, emptyDir: {medium: Memory}}]
YAML
pod two <<'YAML'
command: [sh, -c, 'until [ -e /d/from-other ]; do sleep 0.1; done; cat /d/from-other; touch /d/seen']
volumeMounts: [{name: d, mountPath: /d}]
pod:
volumes: [{name: d, emptyDir: {}}]
YAML
# The second container of that pod is added here, as pod makes one.
kubectl delete pod two --force --grace-period=0 >/dev/null 2>&1
sed '/^  volumes:/i\  - {name: other, image: "rt.test/busybox:1", command: [sh, -c, "echo shared >/e/from-other; until [ -e /e/seen ]; do sleep 0.1; done"], volumeMounts: [{name: d, mountPath: /e}]}' \
	"$WORK/two.yaml" >"$WORK/two-containers.yaml"
kubectl apply -f "$WORK/two-containers.yaml" >/dev/null
pod configmap <<'YAML'
command: [sh, -c, 'cat /c/one /c/two; echo; ls -l /c | grep -c " -> ..data/"; cat /one; echo; echo "$W"; touch /c/x 2>&1; cat /m/renamed; stat -L -c " %a" /m/renamed']
env: [{name: W, valueFrom: {configMapKeyRef: {name: words, key: two}}}]
volumeMounts: [{name: c, mountPath: /c}, {name: c, mountPath: /one, subPath: one}, {name: m, mountPath: /m}]
pod:
volumes:
- {name: c, configMap: {name: words}}
- {name: m, configMap: {name: words, defaultMode: 0440, items: [{key: two, path: renamed}]}}
YAML
pod changes <<'YAML'
command: [sh, -c, 'until grep -q new /c/one; do sleep 0.2; done; echo seen']
volumeMounts: [{name: c, mountPath: /c}]
pod:
volumes: [{name: c, configMap: {name: changing}}]
YAML
kubectl create configmap changing --from-literal=one=old >/dev/null
pod secret <<'YAML'
command: [sh, -c, 'cat /s/key; echo " $S"; stat -L -c %a /s/key; grep " /s " /proc/mounts']
env: [{name: S, valueFrom: {secretKeyRef: {name: hidden, key: key}}}]
volumeMounts: [{name: s, mountPath: /s, readOnly: true}]
pod:
volumes: [{name: s, secret: {secretName: hidden, defaultMode: 0400}}]
YAML
pod downward <<'YAML'
command: [sh, -c, 'echo "$NAME $SPACE $NODE $CPU $MEMORY"; cat /p/labels /p/memory; echo; [ "$IP" = "$(hostname -i)" ] && echo address']
resources: {limits: {memory: 64Mi, cpu: 500m}}
env:
- {name: NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
- {name: SPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
- {name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
- {name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
- {name: CPU, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 1m}}}
- {name: MEMORY, valueFrom: {resourceFieldRef: {resource: limits.memory}}}
volumeMounts: [{name: p, mountPath: /p}]
pod:
volumes:
- name: p
  downwardAPI:
    items:
    - {path: labels, fieldRef: {fieldPath: metadata.annotations}}
    - {path: memory, resourceFieldRef: {containerName: c, resource: limits.memory}}
YAML
pod account <<'YAML'
command: [sh, -c, 'cd /var/run/secrets/kubernetes.io/serviceaccount; ls; cat namespace; echo; [ $(wc -c <token) -gt 100 ] && echo token; nslookup -type=a kubernetes.default.svc.cluster.local | grep -A 1 Name:']
YAML
pod hostpath <<YAML
command: [sh, -c, 'cat /h/file; echo from the pod >/h/back; cat /f; touch /r/x 2>&1; ls -d /made']
volumeMounts: [{name: h, mountPath: /h}, {name: f, mountPath: /f}, {name: h, mountPath: /r, readOnly: true}, {name: new, mountPath: /made}]
pod:
volumes:
- {name: h, hostPath: {path: "$WORK/volumes/dir", type: Directory}}
- {name: f, hostPath: {path: "$WORK/volumes/dir/file", type: File}}
- {name: new, hostPath: {path: "$WORK/volumes/made/new", type: DirectoryOrCreate}}
YAML
pod nohostpath <<YAML
command: ['true']
volumeMounts: [{name: h, mountPath: /h}]
pod:
volumes: [{name: h, hostPath: {path: "$WORK/volumes/nosuch", type: Directory}}]
YAML
pod subpath <<YAML
command: [sh, -c, 'echo here >/i/f; echo there >/n/f; echo name >/e/f; cat /one']
env: [{name: WHO, value: expanded}]
volumeMounts:
- {name: h, mountPath: /i, subPath: inner}
- {name: h, mountPath: /n, subPath: new/deep}
- {name: h, mountPath: /e, subPathExpr: \$(WHO)}
- {name: c, mountPath: /one, subPath: one}
pod:
volumes: [{name: h, hostPath: {path: "$WORK/volumes/subpath"}}, {name: c, configMap: {name: words}}]
YAML
ln -s /etc "$WORK/volumes/subpath/link"
pod subpathlink <<YAML
command: [ls, /l]
volumeMounts: [{name: h, mountPath: /l, subPath: link}]
pod:
volumes: [{name: h, hostPath: {path: "$WORK/volumes/subpath"}}]
YAML
mkdir -p "$WORK/kubelet/shared-volume"
pod shares <<YAML
command: [sh, -c, 'mkdir -p /s/m && mount -t tmpfs made-in-pod /s/m && touch /s/m/f; sleep 1000']
securityContext: {privileged: true}
volumeMounts: [{name: s, mountPath: /s, mountPropagation: Bidirectional}]
pod:
volumes: [{name: s, hostPath: {path: "$WORK/kubelet/shared-volume"}}]
YAML
pod receives <<YAML
command: [sh, -c, 'until [ -e /s/m/f ]; do sleep 0.1; done; echo received']
volumeMounts: [{name: s, mountPath: /s, mountPropagation: HostToContainer}]
pod:
volumes: [{name: s, hostPath: {path: "$WORK/kubelet/shared-volume"}}]
YAML
pod shm <<<'command: [sh, -c, "grep /dev/shm /proc/mounts; touch /dev/shm/f && echo written"]'

check 'emptyDir' 0 '^777.written$' output emptydir
check 'emptyDir in memory' 0 'tmpfs /d tmpfs rw' output inmemory
check 'emptyDir shared by two containers' 0 '^shared$' output two -c c
check 'ConfigMap: files, links, subPath, environment, modes' 0 '^1zwei.2.1.zwei.touch: /c/x: Read-only file system.zwei 440$' output configmap
kubectl create configmap changing --from-literal=one=new --dry-run=client -o yaml | kubectl apply -f - >/dev/null 2>&1
check 'ConfigMap: a change comes to the running container' 0 '^seen$' output changes
check 'Secret: file, environment, mode, tmpfs' 0 '^s3cret s3cret.400.tmpfs /s tmpfs ro' output secret
check 'downward API: environment and files' 0 "^downward default $node 500 67108864.*67108864.address\$" output downward
check 'service account, cluster name server' 0 "^ca.crt.namespace.token.default.token.Name:.*kubernetes.default.svc.cluster.local.Address: $service_ip\$" output account
check 'hostPath: directory, file, read-only' 0 'on the node.on the node.touch: /r/x: Read-only file system./made$' output hostpath
check 'hostPath: what the pod has written' 0 '^from the pod$' cat "$WORK/volumes/dir/back"
check 'hostPath: DirectoryOrCreate' 0 '' test -d "$WORK/volumes/made/new"
check 'hostPath of a type that is not there' 0 'hostPath type check failed' event nohostpath 'type check failed'
check 'subPath and subPathExpr' 0 '^1$' output subpath
check 'subPath: where the files are' 0 '^here.there.name$' cat "$WORK/volumes/subpath/inner/f" "$WORK/volumes/subpath/new/deep/f" "$WORK/volumes/subpath/expanded/f"
check 'subPath does not leave the volume by a link' 0 'subPath' event subpathlink 'subPath'
check 'mountPropagation Bidirectional reaches the node, and HostToContainer another pod' 0 '^received$' output receives
check 'mountPropagation: on the node' 0 'made-in-pod' grep shared-volume/m /proc/self/mounts
check '/dev/shm' 0 'tmpfs rw.*written$' output shm
delete shares
wait_for 60 gone_pod shares
umount "$WORK/kubelet/shared-volume/m"
