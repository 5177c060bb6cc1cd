/* SPDX-License-Identifier: BSD-2-Clause */
/* A worker's process, as its parts see it: worker.c and what is below. */
#ifndef BLKBACK_WORKER_STATE_H
#define BLKBACK_WORKER_STATE_H

#include <stdbool.h>

#include "drivers/blkback/common/control.h"
#include "drivers/blkback/common/journal.h"
#include "drivers/blkback/common/options.h"
#include "drivers/blkback/ring/queue.h"

struct worker {
	int control; /* to the supervisor; -1: it is gone */
	int listener; /* where the next one knocks; -1: none has to yet */
	int signals; /* signalfd: SIGTERM */
	int ring_error_fd; /* eventfd that queues raise */
	int store; /* its directory; -1: not needed, or not any more */
	uint16_t domid;
	uint32_t devid;
	char *title; /* what ps shows; NULL: not ours to change */
	const struct blkback_options *options; /* of a spare one, or NULL */
	int64_t until; /* ms, monotonic: a spare one waits alone; 0: it does not */
	char label[RD_LABEL_MAX]; /* "domid/devid" */
	unsigned max_queues; /* 0: told no device yet */
	uint32_t poll_us; /* for queues, before they sleep */
	uint32_t resume; /* BLKBACK_RESUME_NONE or what it goes on with */
	struct {
		xengnttab_handle *gnttab;
		xenevtchn_handle *evtchn;
		struct blkback_wakeup wakeup;
	} xen[BLKBACK_MAX_QUEUES];
	struct rd_disk *disk;
	struct blkback_journal_file *journal;
	struct blkback_queue *queue[BLKBACK_MAX_QUEUES];
	unsigned nr_queues; /* connected */
	bool serving; /* and none of them is in trouble */
	bool over; /* told to end */
	bool sandbox; /* to be entered once everything is open */
	bool inside; /* it was */
	char build[BLKBACK_BUILD_MAX]; /* asked for while files can be opened */
	struct blkback_batch_gates gates;
	struct blkback_faults faults;
};

/* ---- attach.c ---------------------------------------------------------- */

/* Handles for each of @n queues that has none: their threads share none. */
int blkback_worker_open_xen(struct worker *w, unsigned n, struct rd_error *err);

/* As the ATTACH says. -errno and one sentence, which may be missing. */
int blkback_worker_attach(struct worker *w, const struct blkback_message *msg,
			  struct rd_error *err);

/* ---- connection.c ------------------------------------------------------ */

/* -EPROTO for what no supervisor asks for; else -errno and one sentence. */
int blkback_worker_connect(struct worker *w,
			   const struct blkback_connection *connection,
			   struct rd_error *err);

/*
 * What is next after an attach: connect again if a dead worker was connected, and
 * carry out what it left. -errno and one sentence if its ring cannot be taken up:
 * the disk is there all the same.
 */
int blkback_worker_reconnect(struct worker *w, struct rd_error *err);

/* @hand_over: another worker is to take the connection up. */
void blkback_worker_disconnect(struct worker *w, bool hand_over);

/* ---- listen.c ------------------------------------------------------------ */

/* Listen for the next supervisor, in the store's directory. */
int blkback_listen_open(struct worker *w, struct rd_error *err);

/* Let one in, when there is none. */
void blkback_listen_accept(struct worker *w);

void blkback_listen_close(struct worker *w);

/* Remove what the device has in the store's directory. */
void blkback_listen_remove_files(const struct worker *w);

#endif
