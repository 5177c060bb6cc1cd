/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The messages between supervisor and worker, over a SOCK_SEQPACKET socket.
 * All messages have one size and a version: a worker and its supervisor may be
 * of different builds. End of file means that the other process has closed the
 * socket or has ended.
 */
#ifndef BLKBACK_CONTROL_H
#define BLKBACK_CONTROL_H

#include "drivers/blkback/common/fault-spec.h"
#include "drivers/blkback/common/wire.h"
#include "include/ramdisk.h"

#define BLKBACK_CONTROL_VERSION 8u
#define BLKBACK_CONTROL_FD 3 /* the worker's end of the socket */
#define BLKBACK_MAX_RING_REFS (1u << BLKBACK_MAX_RING_ORDER)
#define BLKBACK_MAX_QUEUES 8u /* that a message has room for */
#define BLKBACK_PATH_MAX 4096u /* bytes, with the NUL */
#define BLKBACK_TEXT_MAX 768u
#define BLKBACK_BUILD_MAX 64u

/* What the worker takes over from an earlier worker of the same device. */
enum blkback_resume {
	BLKBACK_RESUME_NONE =
		0, /* nothing: a journal that exists belongs to another device */
	BLKBACK_RESUME_ATTACHED = 1, /* the attachment to the disk */
	BLKBACK_RESUME_CONNECTED =
		2, /* the attachment, and the connection if one exists */
};

/* The rings and event channels of a frontend, as its nodes describe them. */
struct blkback_connection {
	uint32_t protocol; /* enum blkback_protocol */
	uint32_t persistent; /* 0 or 1 */
	uint32_t nr_queues;
	uint32_t nr_refs; /* of each queue */
	struct {
		uint32_t refs[BLKBACK_MAX_RING_REFS];
		uint32_t event_channel;
	} queue[BLKBACK_MAX_QUEUES];
};

enum blkback_message_type {
	/* from the supervisor */
	BLKBACK_ATTACH = 1,
	BLKBACK_CONNECT = 2,
	BLKBACK_DISCONNECT = 3,
	BLKBACK_FAULT = 4, /* at any time after ATTACHED */
	BLKBACK_END = 5, /* detach and exit */
	/* from the worker */
	BLKBACK_ATTACHED = 16, /* also the first message to a new supervisor */
	BLKBACK_CONNECTED = 17,
	BLKBACK_DISCONNECTED = 18,
	/*
	 * ATTACH or CONNECT failed. When an earlier worker's connection cannot
	 * be resumed, FAILED for CONNECT is sent before ATTACHED.
	 */
	BLKBACK_FAILED = 19,
	BLKBACK_RING_ERROR = 20, /* a queue has stopped for good; see queue.h */
	BLKBACK_FAULT_SET = 21, /* the fault acts from now on */
	BLKBACK_READY = 22, /* a spare worker's first message */
};

struct blkback_message {
	uint32_t version;
	uint32_t type;
	union {
		struct {
			char seed[BLKBACK_PATH_MAX];
			char store[BLKBACK_PATH_MAX];
			char label[RD_LABEL_MAX];
			char disk[RD_ID_MAX]; /* id of a loaded disk, or empty */
			char point[RD_NAME_MAX]; /* of the disk, or empty */
			uint32_t domid; /* of the frontend */
			uint32_t writable;
			uint32_t private_view;
			uint32_t max_queues;
			uint32_t resume; /* enum blkback_resume */
			uint32_t devid;
			uint32_t poll_us; /* see busy-poll.h */
			struct blkback_fault_set fault;
		} attach;
		struct blkback_connection connect;
		struct {
			uint64_t size; /* bytes */
			uint32_t connected;
			uint32_t reserved;
			char build[BLKBACK_BUILD_MAX]; /* of the worker */
		} attached;
		struct { /* the worker's own struct blkback_options */
			char build[BLKBACK_BUILD_MAX];
			uint32_t level;
			uint32_t foreground;
			uint32_t no_sandbox;
			char margin[32]; /* RD_MARGIN_VARIABLE, or empty */
		} ready;
		struct {
			uint32_t which; /* type of the message that failed */
			uint32_t reserved;
			char text[BLKBACK_TEXT_MAX];
		} failed; /* FAILED and RING_ERROR */
		struct blkback_fault_set fault; /* FAULT and FAULT_SET */
	} u;
};

_Static_assert(sizeof(struct blkback_message) == 8496, "message of version 8");

/* Make *msg an empty message of @type. */
void blkback_message_init(struct blkback_message *msg,
			  enum blkback_message_type type);

/*
 * Send without waiting. 0; -EPIPE when the peer has closed the socket; -EAGAIN
 * when the socket's buffer is full.
 */
int blkback_control_send(int fd, struct blkback_message *msg);

/* Send a message without contents. */
int blkback_control_send_type(int fd, enum blkback_message_type type);

/* Send FAILED or RING_ERROR with @text. */
int blkback_control_send_text(int fd, enum blkback_message_type type,
			      enum blkback_message_type which,
			      const char *text);

/*
 * Receive without waiting; terminates the strings. 0; -EAGAIN when there is no
 * message; -EPIPE at end of file; -EPROTO for another size or version.
 */
int blkback_control_recv(int fd, struct blkback_message *msg);

#endif
