#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2154 # of tests/clients/kubelet; the container's shell expands them
#
# What people do with a running pod: exec, attach, cp, port-forward, logs, debug.
pod target <<'YAML'
command: [sh, -c, 'i=0; while :; do echo "line $i"; i=$((i + 1)); sleep 0.2; done']
env: [{name: A, value: of the pod}]
workingDir: /www
YAML
pod reader <<'YAML'
command: [sh, -c, 'read line; echo "got $line"; sleep 2']
stdin: true
stdinOnce: true
YAML
pod web <<<'command: [httpd, -f, -p, "8080", -h, /www]'
ready target >/dev/null
check 'exec' 0 '^of the pod./www$' inside target sh -c 'echo $A; pwd'
check 'exec: exit code' 9 '' inside target sh -c 'exit 9'
check 'exec: killed' 137 '' inside target sh -c 'kill -9 $$'
only_out() { inside "$1" sh -c 'echo out; echo err >&2' 2>/dev/null; }
out() { kubectl exec "$1" -- head -c 5000000 /dev/zero | wc -c; }
check 'exec: stdout and stderr' 0 '^out$' only_out target
check 'exec: no such program' '!0' 'nosuch.*(executable file not found|no such file)' inside target nosuch
check 'exec -i' 0 '^HELLO$' feed hello kubectl exec -i target -- tr a-z A-Z
big() { head -c 5000000 /dev/zero | kubectl exec -i "$1" -- sh -c 'cat | wc -c'; }
check 'exec -i: five megabytes in' 0 '^5000000$' big target
check 'exec: five megabytes out' 0 '^5000000$' out target
check 'exec -it: a terminal' 0 '/dev/pts/0' on_tty "$bin/kubernetes/kubectl" exec -it target -- tty
check 'exec -it: exit code' 5 '' on_tty "$bin/kubernetes/kubectl" exec -it target -- sh -c 'exit 5'
check 'exec: does not see less than the pod' 0 '^Seccomp:.0$' inside target grep Seccomp: /proc/self/status
many() { for _ in $(seq 20); do kubectl exec target -- echo once & done | wc -l; wait; }
check 'exec: twenty at the same time' 0 '^20$' many

attached() { ready reader >/dev/null; printf 'typed\n' | timeout 20 "$bin/kubernetes/kubectl" attach -i reader; }
check 'attach: standard input' 0 'got typed' attached
follow() { timeout 3 "$bin/kubernetes/kubectl" "$@"; [ $? -eq 124 ]; }
check 'attach: output of a running container' 0 'line [0-9]+' follow attach target
check 'logs -f' 0 'line 0.line 1' follow logs -f target
check 'logs --tail --timestamps' 0 '^20[0-9-]*T[^ ]* line [0-9]+$' kubectl logs target --tail 1 --timestamps
check 'run -i --rm' 0 'through' feed 'through' kubectl run -i --rm oneshot --image=rt.test/busybox:1 --restart=Never \
	--overrides="{\"spec\":{\"runtimeClassName\":\"$class\"}}" -- cat

head -c 3000000 /dev/urandom >"$WORK/big"
mkdir -p "$WORK/tree/sub"
echo leaf >"$WORK/tree/sub/leaf"
there_and_back() { kubectl cp "$WORK/big" "$1:/tmp/big" && kubectl cp "$1:/tmp/big" "$WORK/back" && cmp "$WORK/big" "$WORK/back"; }
check 'cp to the pod, and back' 0 '' there_and_back target
copied() { kubectl cp "$WORK/tree" "$1:/tmp/tree" && inside "$1" cat /tmp/tree/sub/leaf; }
check 'cp of a directory' 0 '^leaf$' copied target
forwarded() {
	local status=0
	ready "$1" >/dev/null
	"$bin/kubernetes/kubectl" port-forward "pod/$1" 18081:8080 >/dev/null &
	wait_for 20 busybox wget -q -O "$WORK/forwarded" http://127.0.0.1:18081/index.html || status=1
	kill %1
	cat "$WORK/forwarded"
	return "$status"
}
check 'port-forward' 0 'hello from the pod' forwarded web

check 'debug: an ephemeral container' 0 'Targeting container' kubectl debug target --image=rt.test/busybox:1 --container=dbg --target=c --profile=general \
	-- sh -c 'tr "\0" " " </proc/1/cmdline; cat /proc/1/root/www/index.html; sleep 1000'
has_key() { [ -n "$(field "$1" "$2")" ]; }
at_key() { wait_for 60 has_key "$1" "$2" || { kubectl describe pod "$1" | tail -n 15; return 1; }; echo "$3"; }
check 'debug: it runs' 0 '^running$' at_key target '.status.ephemeralContainerStatuses[0].state.running' running
check 'debug: it sees the target'"'"'s processes and files' 0 '^sh -c i=0.*hello from the pod$' kubectl logs target -c dbg
check 'debug: exec in it' 0 '^in dbg$' kubectl exec target -c dbg -- echo in dbg
check 'debug: the pod was not restarted' 0 '^0$' field target '.status.containerStatuses[0].restartCount'
copy_runs() {
	kubectl debug target --copy-to=copy --container=c --image=rt.test/busybox:1 -- sleep 1000 >/dev/null 2>&1
	at copy .status.phase Running
}
check 'debug: a copy of the pod' 0 '^Running$' copy_runs
check 'debug node' 0 "$node|$(hostname)" on_tty "$bin/kubernetes/kubectl" debug "node/$node" -it --image=rt.test/busybox:1 --profile=sysadmin -- chroot /host hostname
