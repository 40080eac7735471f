//go:build ignore

/* SPDX-License-Identifier: Apache-2.0
 *
 * talk.c: the talk with the host side, over the stage's socket.
 */
#include "stage.h"

struct message outgoing;

static long send_with_descriptor(int fd)
{
	struct descriptor_control control = {
		.length = offsetof(struct descriptor_control, pad), /* CMSG_LEN of one descriptor */
		.level = SOL_SOCKET_,
		.type = SCM_RIGHTS_,
		.fd = fd,
	};
	struct io_vector vector = { &outgoing, sizeof outgoing };
	struct message_header header = {
		.vectors = &vector, .vector_count = 1, .control = &control, .control_length = sizeof control,
	};

	return sys3(__NR_sendmsg, reg.socket_fd, &header, MSG_NOSIGNAL_);
}

/* Sends the message with fd, if that is not -1. A host side that is gone ends the stage. Without a descriptor it is a
 * write, which more filters allow than sendmsg. */
void send_message(uint32_t type, int32_t value, int fd)
{
	long n;

	outgoing.type = type;
	outgoing.step = reg.step;
	outgoing.value = value;
	n = fd >= 0 ? send_with_descriptor(fd) : sys3(__NR_write, reg.socket_fd, &outgoing, sizeof outgoing);
	if (n != sizeof outgoing)
		quit(1);
}

static struct message answer;

/* Waits for the host side's leave to go on and returns the answer's text. Its death, or anything but MESSAGE_GO, ends
 * the stage. */
const char *wait_go(void)
{
	long n;

	do {
		n = sys3(__NR_read, reg.socket_fd, &answer, sizeof answer);
	} while (n == -EINTR);
	if (n != sizeof answer || answer.type != MESSAGE_GO)
		quit(1);
	answer.detail[MESSAGE_DETAIL - 1] = '\0';
	return answer.detail;
}
