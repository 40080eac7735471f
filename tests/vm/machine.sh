#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# machine.sh - part of vm-run: starts, saves and restores the machine (qemu).
# shellcheck disable=SC2034,SC2154 # it shares its variables with vm-run, which reads it

start_qemu() { # DISK-FILE DISK-FORMAT EPHEMERAL(on|off) QEMU-ARGS...
	local disk=$1 format=$2 eph=$3 cpu f
	shift 3
	rm -f "$T"/*.in "$T"/*.out "$T/console.log"
	for f in ctl out err qmp; do mkfifo "$T/$f.in" "$T/$f.out"; done
	: >"$T/console.log"
	case $accel in
	# la57 (5-level page tables) makes emulation slower, nothing here needs it.
	tcg) cpu=${VM_CPU:-max,-la57}; set -- -accel tcg,thread=multi,tb-size=512 "$@" ;;
	kvm) cpu=${VM_CPU:-host}; set -- -accel kvm "$@" ;;
	esac
	TMPDIR=$T "$qemu" -name rt-vm -machine q35 -nodefaults -no-user-config -no-reboot -display none \
		-cpu "$cpu" -smp "$smp" -m "${mem}M" \
		-kernel "$img/kernel/$kernel/vmlinux" -initrd "$img/kernel/$kernel/initrd" \
		-append "$args$([[ $accel == tcg ]] && echo ' tsc=reliable')$append" \
		-chardev "file,id=con,path=$T/console.log" -serial chardev:con \
		-chardev "pipe,id=qmp,path=$T/qmp" -mon chardev=qmp,mode=control \
		-drive "if=none,id=d0,file=${disk//,/,,},format=$format,snapshot=$eph,cache=unsafe" -device virtio-blk-pci,drive=d0 \
		-device virtio-rng-pci -device vmgenid,guid=auto \
		-device virtio-serial-pci \
		-chardev "pipe,id=ctl,path=$T/ctl" -device virtserialport,chardev=ctl,name=rtvm.ctl \
		-chardev "pipe,id=out,path=$T/out" -device virtserialport,chardev=out,name=rtvm.out \
		-chardev "pipe,id=err,path=$T/err" -device virtserialport,chardev=err,name=rtvm.err \
		"${fs_args[@]}" "$@" </dev/null >"$T/qemu.err" 2>&1 &
	qpid=$!
	# Opening a FIFO waits for the other side, which never comes if qemu failed:
	# open for reading and writing first, to find out.
	exec 4<>"$T/ctl.in" 6<>"$T/qmp.in" 5<>"$T/ctl.out" 7<>"$T/qmp.out"
	wait_qmp '"QMP"' 30 || return 1
	qmp qmp_capabilities
}
# Lines from qemu's FIFOs.  The FIFOs are open for writing here too (no end of
# file when qemu dies), so wake up once a second to see whether it lives.
get_line() { # FD SECONDS -> $line
	local fd=$1 end=$((SECONDS + $2)) part=''
	line=''
	while :; do
		if IFS= read -r -t 1 -u "$fd" part; then line+=$part; return 0; fi
		line+=$part part=''
		if ! kill -0 "$qpid" 2>/dev/null; then
			IFS= read -r -t 0.1 -u "$fd" part && { line+=$part; return 0; }
			return 2
		fi
		((SECONDS < end)) || return 1
	done
}
wait_qmp() { # TEXT SECONDS
	while get_line 7 "$2"; do
		case $line in *"$1"*) return 0 ;; *'"error"'*) echo "$line" >>"$T/qemu.err"; return 1 ;; esac
	done
	return 1
}
qmp() { # COMMAND [ARGUMENTS-JSON]
	printf '{"execute":"%s"%s}\n' "$1" "${2:+,\"arguments\":$2}" >&6
	wait_qmp '"return"' 60
}
wait_ready() { # the agent's first word after a boot
	local rc
	get_line 5 "$boot_timeout" && [[ $line == READY* ]] && return 0
	rc=$?
	return "$rc"
}
boot() { start_qemu "$@" && wait_ready; }

make_snapshot() {
	local tmp=$snap.tmp saved_fs=("${fs_args[@]}") i old
	for old in "$VM_DIR"/snap/*; do # of earlier boots, images, versions of qemu
		[[ ${old##*/} == "$boothash"-* ]] || rm -rf "$old"
	done
	rm -rf "$tmp"
	mkdir -p "$tmp"
	for ((i = 0; i < slots; i++)); do # no directories of this run in a machine of many
		fs_args[2 * 2 * i + 1]="local,id=fs$i,path=$T/empty,readonly=on,multidevs=remap,security_model=none"
	done
	qemu-img create -q -f qcow2 -b "$img/root.ext4" -F raw "$tmp/disk.qcow2"
	note "booting a machine to start from (${snap##*/})"
	boot "$tmp/disk.qcow2" qcow2 off -object "memory-backend-file,id=ram,size=${mem}M,mem-path=$tmp/ram,share=on" \
		-machine memory-backend=ram || return 1
	note "booted, ${line#READY } s of its own time"
	# Get what tests often use into the page cache.
	send_job "$(<"$here/guest/warm-up")" /dev/null || return 1
	while get_line 5 "$boot_timeout"; do [[ $line == EXIT* ]] && break; done
	[[ $line == EXIT* ]] || return 1
	qmp migrate-set-capabilities '{"capabilities":[{"capability":"x-ignore-shared","state":true}]}' || return 1
	qmp migrate "{\"uri\":\"exec:cat >$(printf %q "$tmp/state")\"}" || return 1
	for ((i = 0; i < 600; i++)); do
		qmp query-migrate || return 1
		case $line in *'"completed"'*) break ;; *'"failed"'*) echo "$line" >>"$T/qemu.err"; return 1 ;; esac
		sleep 0.05
	done
	qmp quit || true
	wait "$qpid" 2>/dev/null || true
	qpid=''
	fs_args=("${saved_fs[@]}")
	rm -rf "$snap"
	mv "$tmp" "$snap"
	note "state saved"
}
restore() {
	start_qemu "$snap/disk.qcow2" qcow2 on -object "memory-backend-file,id=ram,size=${mem}M,mem-path=$snap/ram,share=off" \
		-machine memory-backend=ram -incoming defer || return 1
	qmp migrate-set-capabilities '{"capabilities":[{"capability":"x-ignore-shared","state":true}]}' &&
		qmp migrate-incoming "{\"uri\":\"exec:cat $(printf %q "$snap/state")\"}"
}
