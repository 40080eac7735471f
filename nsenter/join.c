//go:build ignore

/* SPDX-License-Identifier: Apache-2.0
 *
 * join.c: control groups, namespaces, and what belongs to a namespace as a whole.
 */
#include <linux/if.h>
#include <linux/keyctl.h>
#include <linux/prctl.h>
#include <linux/sockios.h>

#include "stage.h"

#define CPU_MASK_BYTES 1024 /* 8192 CPUs, the most that Linux can be built for */

/* A keyring that the kernel has made for us is ours, and only who possesses it may search it (KEYCTL_DESCRIBE in
 * keyctl(2): type;owner;group;permissions;name). */
static int is_new_keyring(long keyring)
{
	static const char fresh[] = "3f130000;";
	static char text[256];
	long n = sys4(__NR_keyctl, KEYCTL_DESCRIBE, keyring, text, sizeof text);
	const char *at = text;
	long owner = 0;

	if (n < 1 || n > (long)sizeof text)
		return 0;
	text[sizeof text - 1] = '\0';
	while (*at != '\0' && *at++ != ';')
		;
	while (*at >= '0' && *at <= '9' && owner <= UINT32_MAX)
		owner = owner * 10 + (*at++ - '0');
	if (*at++ != ';' || owner != sys0(__NR_getuid))
		return 0;
	while (*at != '\0' && *at++ != ';')
		;
	for (size_t i = 0; i + 1 < sizeof fresh; i++) {
		if (at[i] != fresh[i])
			return 0;
	}
	return 1;
}

/* A kernel without CONFIG_KEYS has no keyring that could be shared by mistake. Anybody may have made a keyring of the
 * name, and let us find it, to read the container's keys or to give it others: then the container's has no name. */
void step_session_keyring(const struct step_session_keyring *s)
{
	long r = sys2(__NR_keyctl, KEYCTL_JOIN_SESSION_KEYRING, text_at(s->name));

	if (r >= 0 && !is_new_keyring(r))
		r = sys2(__NR_keyctl, KEYCTL_JOIN_SESSION_KEYRING, 0);
	if (r < 0 && r != -ENOSYS)
		fail(r, "keyctl");
}

void step_join_cgroup(const struct step_join_cgroup *s)
{
	must(sys3(__NR_write, s->fd, "0", 1), "write tasks");
	sys_close(s->fd);
}

void step_reset_affinity(const struct step_reset_affinity *s)
{
	static uint8_t mask[CPU_MASK_BYTES];

	(void)s;
	for (size_t i = 0; i < sizeof mask; i++)
		mask[i] = 0xff;
	must(sys3(__NR_sched_setaffinity, 0, sizeof mask, mask), "sched_setaffinity");
}

/* The kernel takes one bit less than it is told (get_nodes in its sources). */
void step_memory_policy(const struct step_memory_policy *s)
{
	uint64_t *nodes = list_at(s->nodes);

	must(sys3(__NR_set_mempolicy, s->mode, nodes, (uint64_t)s->nodes.count * 64 + 1), "set_mempolicy");
}

void step_set_affinity(const struct step_set_affinity *s)
{
	must(sys3(__NR_sched_setaffinity, 0, s->cpus.count * 8ul, list_at(s->cpus)), "sched_setaffinity");
}

void step_enter_directory(const struct step_enter_directory *s)
{
	must(sys1(__NR_fchdir, s->fd), "fchdir");
	sys_close(s->fd);
}

/* setns(2). The plan lists the user namespace where the others no longer need the host's privileges. */
void step_join_namespace(const struct step_join_namespace *s)
{
	must(sys2(__NR_setns, s->fd, s->type), "setns");
	sys_close(s->fd);
}

void step_unshare(const struct step_unshare *s)
{
	must(sys1(__NR_unshare, s->flags), "unshare");
}

/* A container that is ready holds nothing of the host open. When MESSAGE_READY is answered, state file and pid file are there: from then on the container lives without rt.
 * Until then its death ends the wait. */
void step_sync(const struct step_sync *s)
{
	const char *answer;

	if (s->message == MESSAGE_READY) {
		close_registers();
		sys2(__NR_prctl, PR_SET_PDEATHSIG, 0);
	}
	if (s->flags & SYNC_DUMPABLE)
		sys2(__NR_prctl, PR_SET_DUMPABLE, 1);
	send_message(s->message, 0, -1);
	answer = wait_go();
	if (s->message == MESSAGE_READY)
		copy_text(reg.home, sizeof reg.home, answer);
	if (s->flags & SYNC_DUMPABLE)
		sys2(__NR_prctl, PR_SET_DUMPABLE, 0);
}

/* The last fork of exec may be one under the user's filter, so that little is called here: the child is as little dumpable as
 * its parent, and the end of rt ends its wait. The child has the same parent, so that the container's init is a child of rt, and later of rt's own reaper.
 * Only rt's pid namespace can name it for both: clone returns the number in it. clone3 has nothing that is needed, and
 * many a filter refuses it, as it can't look into its arguments. */
void step_fork(const struct step_fork *s)
{
	long pid;

	if (s->flags & FORK_READY)
		close_registers();
	pid = must(sys1(__NR_clone, CLONE_PARENT), "clone");
	if (pid > 0) {
		send_message(MESSAGE_FORKED, (int32_t)pid, -1);
		quit(0);
	}
	if (!(s->flags & FORK_READY))
		die_with_parent();
	wait_go();
}

void step_become_root(const struct step_become_root *s)
{
	(void)s;
	must(sys3(__NR_setresgid, 0, 0, 0), "setresgid");
	must(sys3(__NR_setresuid, 0, 0, 0), "setresuid");
	die_with_parent();
}

void step_host_name(const struct step_host_name *s)
{
	const char *name = text_at(s->name);

	must(sys2(__NR_sethostname, name, length_of(name)), "sethostname");
}

void step_domain_name(const struct step_domain_name *s)
{
	const char *name = text_at(s->name);

	must(sys2(__NR_setdomainname, name, length_of(name)), "setdomainname");
}

/* Interface requests are answered by any socket of the network namespace (netdevice(7)); a unix socket needs no
 * protocol that the kernel may lack. */
void step_loopback_up(const struct step_loopback_up *s)
{
	struct ifreq request = { .ifr_name = "lo" };
	long fd = must(sys3(__NR_socket, AF_UNIX_, SOCK_DGRAM_ | SOCK_CLOEXEC_, 0), "socket");

	(void)s;
	must(sys3(__NR_ioctl, fd, SIOCGIFFLAGS, &request), "ioctl SIOCGIFFLAGS");
	request.ifr_flags |= IFF_UP;
	must(sys3(__NR_ioctl, fd, SIOCSIFFLAGS, &request), "ioctl SIOCSIFFLAGS");
	sys_close((int)fd);
}
