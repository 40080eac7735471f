//go:build ignore

/* SPDX-License-Identifier: Apache-2.0
 *
 * talk.c: the other end of the stage's socket and FIFOs.
 */
#include "../../nsenter/stage.h" /* first: linux/stat.h says nothing after a C library's header */

#include <stdio.h>
#include <string.h>

#include "kernel.h"

/* An answer of the host side, or a byte of exec.fifo, or the log of a file system. */
long give_read(long fd, void *data, size_t size, uint8_t variant)
{
	struct message *answer = data;

	if (kernel.strict && size == 1) {
		for (int i = 0, open = 0; i < OPEN_MAX_; i++) {
			open += kernel.open[i];
			if (open > 5 + (reg.label_fd >= 0))
				complain("a container that waits has more open than stdio, two FIFOs and its attribute", fd);
		}
	}
	if (size != sizeof *answer) {
		fill(data, size, size);
		return variant & 1 ? (long)(size / 2) : size == 1 ? 1 : (long)size;
	}
	memset(answer, variant & 2 ? 'x' : 0, sizeof *answer);
	answer->type = variant & 4 ? next_byte() : MESSAGE_GO;
	return variant & 1 ? next_byte() : (long)sizeof *answer;
}

static void note_error(const struct message *m)
{
	if (m->type != MESSAGE_ERROR)
		return;
	kernel.outcome = REPORTED;
	kernel.bad_step = m->step;
	snprintf(kernel.words, sizeof kernel.words, "%.20s: %.90s", m->call, m->detail);
	look_text(m->call);
	look_text(m->detail);
	if (strlen(m->call) >= MESSAGE_CALL || strlen(m->detail) >= MESSAGE_DETAIL)
		complain("a text of a message has no end", m->type);
}

long take_write(const void *data, size_t size)
{
	look(data, size);
	if (size == sizeof(struct message))
		note_error(data);
	return (long)size;
}

long take_message(const struct message_header *header)
{
	const struct message *m = header->vectors->base;

	look(m, header->vectors->length);
	if (header->control)
		look(header->control, header->control_length);
	note_error(m);
	return (long)header->vectors->length;
}
