#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# job.sh - part of vm-run: what the machine is to do, and its output.
# shellcheck disable=SC2034,SC2154 # it shares its variables with vm-run, which reads it

# Output comes with an end mark: pass on what precedes it.
filter() { # FIFO NONCE
	perl -e '
		my ($f, $mark) = ($ARGV[0], "\0$ARGV[1]\0"); my ($buf, $keep) = ("", length($mark) - 1);
		open(my $in, "<", $f) or exit 1; binmode $in; binmode STDOUT; $| = 1; $SIG{PIPE} = "DEFAULT";
		while (sysread($in, $buf, 65536, length $buf)) {
			my $i = index($buf, $mark);
			if ($i >= 0) { print substr($buf, 0, $i); exit 0 }
			# keep back only what may be the beginning of the mark
			my $z = index($buf, "\0", length($buf) > $keep ? length($buf) - $keep : 0);
			if ($z < 0) { print $buf; $buf = "" } else { print substr($buf, 0, $z, "") }
		}
		print $buf; exit 1' "$1" "$2"
}
nonce=$(head -c 12 /dev/urandom | od -An -tx1 | tr -d ' \n')
send_job() { # SCRIPT STDIN-FILE: returns when the job has started
	local script=$1 in=$2
	if ((${#filters[@]})); then kill "${filters[@]}" 2>/dev/null || true; wait "${filters[@]}" 2>/dev/null || true; fi
	filter "$T/out.out" "$nonce" 4>&- 5>&- 6>&- 7>&- & filters=($!)
	filter "$T/err.out" "$nonce" 4>&- 5>&- 6>&- 7>&- >&2 & filters+=($!)
	printf '%s' "$script" >"$T/job"
	{
		printf 'JOB %s %s %d %d\n' "$nonce" "$EPOCHREALTIME" "$(stat -c %s "$T/job")" "$(stat -L -c %s "$in")"
		cat "$T/job"
		[[ $in == /dev/null ]] || cat "$in"
	} >&4 &
	local writer=$! rc=0
	get_line 5 "$boot_timeout" || rc=$?
	if ((rc)) || [[ $line != "STARTED $nonce" ]]; then kill "$writer" 2>/dev/null || true; return 1; fi
}

make_job() {
	local cmd e
	cmd=$(printf '%q ' "$@")
	cat "$here/guest/mounts"
	printf '%s' "$mounts"
	echo 'export HOME=/root USER=root LOGNAME=root SHELL=/bin/bash LANG=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
	echo 'unset INVOCATION_ID JOURNAL_STREAM NOTIFY_SOCKET LISTEN_FDS LISTEN_PID MEMORY_PRESSURE_WATCH MEMORY_PRESSURE_WRITE SYSTEMD_EXEC_PID'
	[[ $user == root ]] || cat <<E
u=$(printf %q "$user")
if ! id -u "\$u" >/dev/null 2>&1; then
	useradd -m -s /bin/bash "\$u" || fail "cannot create user \$u"
	grep -q "^\$u:" /etc/subuid || usermod --add-subuids 200000-265535 "\$u"
	grep -q "^\$u:" /etc/subgid || usermod --add-subgids 200000-265535 "\$u"
	loginctl enable-linger "\$u"
fi
uid=\$(id -u "\$u")
systemctl start user@\$uid.service || fail "no systemd instance for \$u"
E
	[[ $lsm != selinux-enforcing ]] || echo 'echo 1 >/sys/fs/selinux/enforce || fail "cannot make SELinux enforcing"'
	# The command itself, as a script: su passes on one string only.
	{
		for e in ${envs[@]+"${envs[@]}"}; do
			[[ $e == *=* ]] || e="$e=${!e-}"
			printf 'export %s=%q\n' "${e%%=*}" "${e#*=}"
		done
		if [[ $workdir ]]; then
			printf 'cd %q || exit 125\n' "$workdir"
		else
			printf 'cd %q 2>/dev/null || cd\n' "$PWD"
		fi
		printf 'exec %s\n' "$cmd"
	} >"$T/cmd"
	printf 'cmd=%q\n' "$(<"$T/cmd")"
	if [[ $user == root ]]; then
		# shellcheck disable=SC2016 # in the machine
		echo 'eval "$cmd"'
	else
		cat <<'E'
pre="export PATH=$PATH LANG=C.UTF-8 XDG_RUNTIME_DIR=/run/user/$uid DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/$uid/bus"
exec su -s /bin/bash -l "$u" -c "$pre"$'\n'"$cmd"
E
	fi
}
