#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # handler, bin, here: the script's
#
# Sourced after lib.sh: a control plane and one node, in the sandbox. kubelet.d/prepare has built the programs.
#
# The pods' network is a bridge. There is no kube-proxy: the one service that a pod may want, the API server's, has its address
# on the loopback interface.
service_ip=10.216.0.1 dns_ip=10.216.0.10 node_ip=10.215.0.1
node=rt-node
export KUBECONFIG=$WORK/kubeconfig
root=/run/states
more_images=()
unsafe_sysctls='["net.core.somaxconn", "kernel.msg*"]'
# Pods without a class have the runc of the machine.
default=runc
if [ "$handler" = runc ]; then default=default; fi

# Without CAP_SYS_RESOURCE a pod can't be given containerd's oom_score_adj of -998.
restrict=false
if ! ((0x$(awk '/^CapEff/ {print $2}' /proc/self/status) >> 24 & 1)); then restrict=true; fi

write_containerd() { # [HANDLER-TABLE]
	mkdir -p /etc/containerd
	cat >/etc/containerd/config.toml <<-TOML
		version = 2
		root = "$WORK/containerd"
		[plugins."io.containerd.grpc.v1.cri"]
		  sandbox_image = "rt.test/pause:1"
		  drain_exec_sync_io_timeout = "10s"
		  restrict_oom_score_adj = $restrict
		  [plugins."io.containerd.grpc.v1.cri".cni]
		    bin_dir = "/usr/lib/cni"
		    conf_dir = "$WORK/cni"
		  [plugins."io.containerd.grpc.v1.cri".containerd]
		    default_runtime_name = "$default"
	TOML
	if [ "$default" != "$handler" ]; then
		printf '[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.%s]\nruntime_type = "io.containerd.runc.v2"\n' "$default" \
			>>/etc/containerd/config.toml
	fi
	printf '%s\n' "$1" >>/etc/containerd/config.toml
}
# shellcheck disable=SC2089 # TOML
tested="[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.$handler]
runtime_type = \"io.containerd.runc.v2\"
[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.$handler.options]
BinaryName = \"$RUNTIME\"
Root = \"$root\""

write_network() {
	mkdir -p "$WORK/cni"
	cat >"$WORK/cni/10-rt.conflist" <<-JSON
		{
			"cniVersion": "1.0.0", "name": "rt-test",
			"plugins": [
				{"type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true, "ipam": {"type": "host-local",
					"ranges": [[{"subnet": "10.214.0.0/16"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
				{"type": "portmap", "capabilities": {"portMappings": true}}
			]
		}
	JSON
	ip link add node0 type bridge
	ip address add "$node_ip/24" dev node0
	ip link set node0 up
	ip address add "$service_ip/32" dev lo
	ip address add "$dns_ip/32" dev lo
	echo "nameserver $dns_ip" >"$WORK/resolv.conf"
}

write_kubelet() {
	mkdir -p "$WORK/pki" "$WORK/manifests"
	cat >"$WORK/kubelet.yaml" <<-YAML
		apiVersion: kubelet.config.k8s.io/v1beta1
		kind: KubeletConfiguration
		authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
		authorization: {mode: AlwaysAllow}
		containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
		cgroupDriver: cgroupfs
		failSwapOn: false
		failCgroupV1: false
		clusterDNS: [$dns_ip]
		clusterDomain: cluster.local
		resolvConf: $WORK/resolv.conf
		volumePluginDir: $WORK/volume-plugins
		staticPodPath: $WORK/manifests
		allowedUnsafeSysctls: $unsafe_sysctls
		# The images can't be pulled again, and the machine's disk is not the pods'.
		imageGCHighThresholdPercent: 100
		evictionHard: {memory.available: 50Mi}
		syncFrequency: 5s
	YAML
}

# The kubelet sets these for the whole machine; here it finds them as it wants them.
pretend() { # SYSCTL VALUE
	local path=/proc/sys/$1
	[ "$(cat "$path")" != "$2" ] || return 0
	mkdir -p "$WORK/sysctl"
	echo "$2" >"$WORK/sysctl/${1//\//.}"
	mount --bind "$WORK/sysctl/${1//\//.}" "$path"
}

# own_directories is called before lib.sh looks at what is mounted. What daemons write below /var/lib, /etc and /usr/local is
# thrown away.
own_directories() {
	local dir
	for dir in /etc /usr/local; do
		mkdir -p "$WORK/own$dir"/{upper,work}
		mount -t overlay -o "lowerdir=$dir,upperdir=$WORK/own$dir/upper,workdir=$WORK/own$dir/work" own "$dir"
	done
	mount -t tmpfs lib /var/lib
	mount -t tmpfs log /var/log
	mount -t tmpfs opt /opt
	mkdir /var/lib/cni
	pretend vm/overcommit_memory 1
	pretend vm/panic_on_oom 0
	pretend kernel/panic 10
	pretend kernel/panic_on_oops 1
	pretend kernel/keys/root_maxkeys 1000000
	pretend kernel/keys/root_maxbytes 25000000
	# A node's directories are shared, so that what a pod mounts can reach the node.
	mkdir -p "$WORK/kubelet"
	mount --bind "$WORK/kubelet" "$WORK/kubelet"
	mount --make-rshared "$WORK/kubelet"
}

write_credentials() {
	openssl genrsa -out "$WORK/account.key" 2048 2>/dev/null
	echo 'admin-token,admin,admin,system:masters' >"$WORK/tokens.csv"
}

write_kubeconfig() {
	cat >"$KUBECONFIG" <<-YAML
		apiVersion: v1
		kind: Config
		clusters: [{name: c, cluster: {server: "https://$node_ip:443", certificate-authority: $WORK/apiserver/apiserver.crt}}]
		users: [{name: admin, user: {token: admin-token}}]
		contexts: [{name: c, context: {cluster: c, user: admin}}]
		current-context: c
	YAML
}

kubectl() { "$bin/kubernetes/kubectl" --cache-dir "$WORK/kubectl-cache" "$@"; }
ctr() { command ctr -n k8s.io "$@"; }

start_containerd() {
	write_containerd "$1"
	service containerd 'ctr plugins ls | grep -q "grpc.v1 *cri .*ok"' "$here/kubelet.d/supervise" /run/containerd.pid \
		containerd -c /etc/containerd/config.toml
}

start_control_plane() {
	write_credentials
	service etcd 'busybox wget -q -O /dev/null http://127.0.0.1:2379/health' etcd --data-dir "$WORK/etcd" --unsafe-no-fsync --log-level warn
	write_kubeconfig
	service kube-apiserver 'kubectl get --raw /readyz' "$bin/kubernetes/kube-apiserver" --etcd-servers http://127.0.0.1:2379 \
		--bind-address 0.0.0.0 --secure-port 443 --advertise-address "$node_ip" --cert-dir "$WORK/apiserver" \
		--service-cluster-ip-range 10.216.0.0/24 --authorization-mode RBAC --token-auth-file "$WORK/tokens.csv" \
		--service-account-issuer https://kubernetes.default.svc --service-account-key-file "$WORK/account.key" \
		--service-account-signing-key-file "$WORK/account.key" --allow-privileged \
		--kubelet-preferred-address-types InternalIP
	service kube-controller-manager true "$bin/kubernetes/kube-controller-manager" --kubeconfig "$KUBECONFIG" \
		--leader-elect=false --service-account-private-key-file "$WORK/account.key" --root-ca-file "$WORK/apiserver/apiserver.crt"
	service kube-scheduler true "$bin/kubernetes/kube-scheduler" --kubeconfig "$KUBECONFIG" --leader-elect=false
	service dns true "$bin/kubernetes/dns" "$dns_ip:53" "kubernetes.default.svc.cluster.local=$service_ip"
}

start_kubelet() {
	service kubelet "kubectl get node $node" "$bin/kubernetes/kubelet" --config "$WORK/kubelet.yaml" --kubeconfig "$KUBECONFIG" \
		--root-dir "$WORK/kubelet" --cert-dir "$WORK/pki" --hostname-override "$node" --node-ip "$node_ip" --v 2
}

start_cluster() {
	write_network
	write_kubelet
	start_containerd "$tested"
	for image in "$bin"/images/*.tar ${more_images[@]+"${more_images[@]}"}; do ctr images import "$image" >>"$WORK/log/import.log" 2>&1; done
	start_control_plane
	start_kubelet
	{
		"$bin/kubernetes/kubelet" --version | awk '{print "version: Kubernetes " $2}'
		containerd --version | awk '{print "version: containerd " $3}'
		etcd --version | awk '/^etcd/ {print "version: etcd " $3}'
	} >"$WORK/version"
}

# shellcheck disable=SC2317 # lib.sh calls it
teardown() {
	kubectl delete pods -A --all --wait=false
	wait_for 60 prints '' kubectl get pods -A -o name || kubectl delete pods -A --all --force --grace-period 0
	wait_for 30 no_pod_groups
	stop_service kubelet
	find /sys/fs/cgroup -depth -type d -regex '.*/kubepods\(/besteffort\|/burstable\)?' -exec rmdir {} +
}
# The groups of pods are the kubelet's to remove, when their containers are gone.
# shellcheck disable=SC2317
no_pod_groups() { ! find /sys/fs/cgroup -type d -path '*/kubepods/*' -name 'pod*' | grep -q .; }
