/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sends and receives the messages of the control socket; see control.h. Owns
 * nothing: the caller owns descriptors and messages. Any thread, no locks.
 */
#include "drivers/blkback/common/control.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "include/private/text.h"

void blkback_message_init(struct blkback_message *msg,
			  enum blkback_message_type type)
{
	memset(msg, 0, sizeof(*msg));
	msg->version = BLKBACK_CONTROL_VERSION;
	msg->type = type;
}

int blkback_control_send(int fd, struct blkback_message *msg)
{
	ssize_t n;

	do {
		n = send(fd, msg, sizeof(*msg), MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? -EPIPE : -errno;
	return n == sizeof(*msg) ? 0 : -EPROTO;
}

int blkback_control_send_type(int fd, enum blkback_message_type type)
{
	struct blkback_message msg;

	blkback_message_init(&msg, type);
	return blkback_control_send(fd, &msg);
}

int blkback_control_send_text(int fd, enum blkback_message_type type,
			      enum blkback_message_type which, const char *text)
{
	struct blkback_message msg;

	blkback_message_init(&msg, type);
	msg.u.failed.which = which;
	snprintf(msg.u.failed.text, sizeof(msg.u.failed.text), "%s", text);
	return blkback_control_send(fd, &msg);
}

/* A worker may be captured: what it says goes into logs and nodes as text only. */
static void make_text(char *text, size_t size)
{
	char raw[BLKBACK_TEXT_MAX];

	text[size - 1] = '\0';
	memcpy(raw, text, size);
	text_escape(raw, text, size);
}

static void terminate_strings(struct blkback_message *msg)
{
	switch (msg->type) {
	case BLKBACK_ATTACH:
		msg->u.attach.seed[BLKBACK_PATH_MAX - 1] = '\0';
		msg->u.attach.store[BLKBACK_PATH_MAX - 1] = '\0';
		msg->u.attach.label[RD_LABEL_MAX - 1] = '\0';
		msg->u.attach.disk[RD_ID_MAX - 1] = '\0';
		msg->u.attach.point[RD_NAME_MAX - 1] = '\0';
		break;
	case BLKBACK_ATTACHED:
		make_text(msg->u.attached.build, BLKBACK_BUILD_MAX);
		break;
	case BLKBACK_READY:
		make_text(msg->u.ready.build, BLKBACK_BUILD_MAX);
		make_text(msg->u.ready.margin, sizeof(msg->u.ready.margin));
		break;
	case BLKBACK_FAILED:
	case BLKBACK_RING_ERROR:
		make_text(msg->u.failed.text, BLKBACK_TEXT_MAX);
		break;
	default:
		break;
	}
}

int blkback_control_recv(int fd, struct blkback_message *msg)
{
	ssize_t n;

	do {
		n = recv(fd, msg, sizeof(*msg), MSG_DONTWAIT | MSG_TRUNC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? -EPIPE : -errno;
	if (n == 0)
		return -EPIPE;
	if (n != sizeof(*msg) || msg->version != BLKBACK_CONTROL_VERSION)
		return -EPROTO;
	terminate_strings(msg);
	return 0;
}
