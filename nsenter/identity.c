//go:build ignore

/* SPDX-License-Identifier: Apache-2.0
 *
 * identity.c: who the user's process is: session, ids, capabilities, seccomp. The order of these steps is the
 * planner's; docs/lifecycle.md argues for it.
 */
#include <linux/capability.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>

#include "stage.h"

#define GROUPS_MAX 65536 /* NGROUPS_MAX */
#define CLOSE_RANGE_CLOEXEC_ 4u

/* A session of its own: the terminal that rt was started from can't be pushed characters into (TIOCSTI). */
void step_new_session(const struct step_new_session *s)
{
	(void)s;
	must(sys0(__NR_setsid), "setsid");
}

void step_take_terminal(const struct step_take_terminal *s)
{
	(void)s;
	must(sys3(__NR_ioctl, 0, TIOCSCTTY, 0), "ioctl TIOCSCTTY");
}

static int is_pipe_or_socket(int fd)
{
	struct stat st;

	if (sys_fstat(fd, &st) < 0)
		return 0;
	return (st.st_mode & S_IFMT) == S_IFIFO || (st.st_mode & S_IFMT) == S_IFSOCK;
}

/* It is a convenience; who may not give it away (another owner's pipe, a mapped id) keeps it. */
void step_own_stdio(const struct step_own_stdio *s)
{
	for (int fd = 0; fd <= 2; fd++) {
		if (is_pipe_or_socket(fd))
			sys3(__NR_fchown, fd, s->uid, -1);
	}
}

void step_personality(const struct step_personality *s)
{
	must(sys1(__NR_personality, s->persona), "personality");
}

/* The kernel answers EINVAL for the first capability that it does not have. */
void step_bounding(const struct step_bounding *s)
{
	for (uint64_t bit = 0; bit < 64; bit++) {
		long r;

		if (s->keep & (1ull << bit))
			continue;
		r = sys2(__NR_prctl, PR_CAPBSET_DROP, bit);
		if (r == -EINVAL)
			return;
		must(r, "prctl PR_CAPBSET_DROP");
	}
}

void step_groups(const struct step_groups *s)
{
	static uint32_t groups[GROUPS_MAX];
	const uint64_t *id = list_at(s->ids);
	long r;

	if (s->ids.count > GROUPS_MAX)
		fail(-EINVAL, "setgroups");
	for (uint32_t i = 0; i < s->ids.count; i++)
		groups[i] = (uint32_t)id[i];
	r = sys2(__NR_setgroups, s->ids.count, groups);
	if (r != -EPERM || !(s->flags & GROUPS_KEEP_IF_DENIED))
		must(r, "setgroups");
}

/* A change of ids makes the process what fs.suid_dumpable says, which may be dumpable (proc_sys_fs(5)). */
void step_user(const struct step_user *s)
{
	must(sys2(__NR_prctl, PR_SET_KEEPCAPS, 1), "prctl PR_SET_KEEPCAPS");
	must(sys3(__NR_setresgid, s->gid, s->gid, s->gid), "setresgid");
	must(sys3(__NR_setresuid, s->uid, s->uid, s->uid), "setresuid");
	sys2(__NR_prctl, PR_SET_DUMPABLE, s->flags & USER_DUMPABLE ? 1 : 0);
	must(sys2(__NR_prctl, PR_SET_KEEPCAPS, 0), "prctl PR_SET_KEEPCAPS");
}

void step_capabilities(const struct step_capabilities *s)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	for (int i = 0; i < 2; i++) {
		data[i].effective = (uint32_t)(s->effective >> (32 * i));
		data[i].permitted = (uint32_t)(s->permitted >> (32 * i));
		data[i].inheritable = (uint32_t)(s->inheritable >> (32 * i));
	}
	must(sys2(__NR_capset, &header, data), "capset");
}

void step_ambient(const struct step_ambient *s)
{
	must(sys5(__NR_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), "prctl PR_CAP_AMBIENT_CLEAR_ALL");
	for (uint64_t bit = 0; bit < 64; bit++) {
		if (s->raise & (1ull << bit))
			must(sys5(__NR_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, bit, 0, 0), "prctl PR_CAP_AMBIENT_RAISE");
	}
}

void step_umask(const struct step_umask *s)
{
	sys1(__NR_umask, s->set ? s->mask : reg.umask);
}

void step_close_descriptors(const struct step_close_descriptors *s)
{
	(void)s;
	must(sys3(__NR_close_range, reg.payload_fds, ~0u, CLOSE_RANGE_CLOEXEC_), "close_range");
}

void step_no_new_privileges(const struct step_no_new_privileges *s)
{
	(void)s;
	must(sys5(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl PR_SET_NO_NEW_PRIVS");
}

struct filter_program { /* struct sock_fprog */
	uint16_t length;
	const void *filter;
};

/* The filter may refuse any system call, kill for it, or ask an agent who does not have the listener yet. So none is made
 * until the host side has opened the gate: it looks into our memory, and we look whether it has written there. */
void wait_at_gate(void)
{
	for (uint64_t begin = ticks(); reg.gate != GATE_OPEN; relax(&reg.gate)) {
		if (ticks() - begin > some_seconds()) /* the host side is gone */
			quit(1);
	}
}

void step_seccomp(const struct step_seccomp *s)
{
	struct filter_program program = { .length = (uint16_t)s->program.count, .filter = list_at(s->program) };
	long listener;

	if (s->program.count > UINT16_MAX)
		fail(-EINVAL, "seccomp");
	close_registers(); /* which the filter may refuse */
	if (s->gated) {
		reg.gate = GATE_SHUT;
		send_message(MESSAGE_GATE, (int32_t)(intptr_t)&reg.gate, -1);
		wait_go();
	}
	listener = must(sys3(__NR_seccomp, SECCOMP_SET_MODE_FILTER, s->flags, &program), "seccomp");
	if (s->flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) {
		reg.gate = (int32_t)listener;
		wait_at_gate();
		if (s->gated & GATED_CLOSES)
			sys_close((int)listener);
	}
}
