#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # of tests/clients/kubelet
# shellcheck disable=SC2034 # the script reads what is set here
#
# The DaemonSet of contrib/kubernetes on a node without the handler: install, use, update, roll back, uninstall, by the commands
# of docs/kubernetes.md. The image is made of the machine's own programs, as the Containerfile makes it of Debian's.
if [ "$handler" != rt ]; then
	skip 'install' 'it installs rt'
	return 0
fi
# shellcheck source=tests/clients/image.sh
. "$here/image.sh"
image=registry.example/rt-install:1
rootfs=$WORK/install-rootfs
add_programs "$rootfs" sh awk basename cat chmod chroot cmp cp curl find grep mkdir mv rm sed sleep stat sync tr wc ls
ln -s usr/bin "$rootfs/bin"
mkdir -p "$rootfs"/{opt/rt,tmp,etc/ssl/certs,usr/local/bin}
cp "$RUNTIME" "$rootfs/opt/rt/rt"
cp "$contrib/rt-install" "$rootfs/usr/local/bin/"
make_image "$rootfs" "$image" "$WORK/install.tar" '"Entrypoint": ["/usr/local/bin/rt-install"]'
ctr images import "$WORK/install.tar" >>"$WORK/log/import.log" 2>&1
for file in daemonset uninstall; do sed "s|registry.example/rt-install:latest|$image|" "$contrib/$file.yaml" >"$WORK/$file.yaml"; done

# A node as it was before: containerd does not know the handler.
kubectl delete pods --all --timeout=60s >/dev/null 2>&1
kubectl delete runtimeclass rt >/dev/null 2>&1
kubectl label node "$node" rt-runtime- >/dev/null
cp "$here/kubelet.d/systemctl" /usr/local/bin/systemctl
write_containerd ''
/usr/local/bin/systemctl restart containerd
cp /etc/containerd/config.toml "$WORK/before.toml"
class='' pod bystander <<<'command: [sleep, "1000"]'
ready bystander >/dev/null
class=rt

rollout() { kubectl -n rt-system rollout status "daemonset/$1" --timeout=120s || { kubectl -n rt-system describe pods | tail -n 20; kubectl -n rt-system logs "ds/$1" --all-containers; return 1; }; }
check 'apply the DaemonSet and the class' 0 'daemonset.apps/rt-install created.*runtimeclass.node.k8s.io/rt created' kubectl apply -f "$WORK/daemonset.yaml" -f "$contrib/runtimeclass.yaml"
check 'the DaemonSet is rolled out' 0 'successfully rolled out' rollout rt-install
check 'what it says' 0 'installed /usr/local/bin/rt.*changed /etc/containerd/config.toml and restarted containerd.*label rt-runtime of node rt-node: "installed"' kubectl -n rt-system logs ds/rt-install -c install
check 'kubectl get nodes -L rt-runtime' 0 'Ready.*installed' kubectl get nodes -L rt-runtime
check 'the binary is the one' 0 '' cmp "$RUNTIME" /usr/local/bin/rt
root=/run/rt
pod installed <<<'command: [sleep, "1000"]'
check 'a pod of the class runs' 0 'condition met' ready installed
listed() { /usr/local/bin/rt --root /run/rt/k8s.io list | grep "$(field "$1" '.status.containerStatuses[0].containerID' | sed 's|containerd://||')"; }
check 'rt --root /run/rt/k8s.io list' 0 'running' listed installed
check 'rt --root /run/rt/k8s.io stats' 0 '[0-9]' /usr/local/bin/rt --root /run/rt/k8s.io stats --no-stream
check 'the pod that was there goes on' 0 '^0$' field bystander '.status.containerStatuses[0].restartCount'
check 'rt-install status by kubectl debug' 0 'engine: containerd.*rt version.*containers of the handler: 2' on_tty "$bin/kubernetes/kubectl" \
	-n rt-system debug "node/$node" -it --image="$image" --profile=sysadmin -- rt-install status
again() { kubectl -n rt-system rollout restart daemonset/rt-install && rollout rt-install; }
check 'again: nothing to do' 0 'successfully rolled out' again
check 'again: what it says' 0 'config.toml is as it should be' kubectl -n rt-system logs ds/rt-install -c install

cat >"$WORK/back.yaml" <<'YAML'
{"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": "rt"}, "handler": "runc"}
YAML
check 'the handler of a class can'"'"'t be changed' '!0' 'immutable' kubectl apply -f "$WORK/back.yaml"
replaced() { kubectl delete runtimeclass rt && kubectl create -f "$WORK/back.yaml"; }
check 'roll back: the class is replaced' 0 'created' replaced
pod rolledback <<<'command: [sleep, "1000"]'
check 'roll back: a new pod runs' 0 'condition met' ready rolledback
check 'roll back: with runc' 1 '^$' listed rolledback
check 'roll back: the old pod still runs with rt' 0 'running' listed installed

said() { kubectl -n rt-system logs ds/rt-uninstall -c uninstall | grep -q "$1"; }
refuses() {
	kubectl delete -f "$contrib/runtimeclass.yaml"
	kubectl -n rt-system delete daemonset rt-install --timeout=60s
	kubectl apply -f "$WORK/uninstall.yaml"
	wait_for 60 said 'containers still use the handler'
	kubectl -n rt-system logs ds/rt-uninstall -c uninstall
}
check 'uninstall refuses while a pod uses it' 0 'containers still use the handler rt' refuses
check 'uninstall refuses: the pod goes on' 0 'running' listed installed
rm -f /run/systemctl.log
kubectl delete pods installed rolledback --timeout=60s >/dev/null
check 'uninstall' 0 'successfully rolled out' rollout rt-uninstall
check 'uninstall: containerd was restarted once' 0 '^restart containerd$' cat /run/systemctl.log
# A pod whose containerd goes away may be made again, and its second start has nothing left to do.
check 'uninstall: what it says' 0 'removed /usr/local/bin/rt' sh -c 'cat /var/log/pods/rt-system_rt-uninstall-*/uninstall/*.log'
check 'uninstall: config.toml is as it was' 0 '' cmp "$WORK/before.toml" /etc/containerd/config.toml
nothing_left() { ls /usr/local/bin/rt 2>/dev/null; kubectl get node "$node" -o 'jsonpath={.metadata.labels.rt-runtime}'; }
check 'uninstall: no binary, no label' 0 '^$' nothing_left
check 'uninstall: the pod without a class went through it all' 0 '^0$' field bystander '.status.containerStatuses[0].restartCount'
check 'delete the rest' 0 'deleted' kubectl delete -f "$WORK/daemonset.yaml" --ignore-not-found --timeout=90s
