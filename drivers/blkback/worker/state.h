/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The state of a worker process, shared by worker.c, attach.c, connection.c,
 * lost.c and listen.c. The worker's first thread owns it; no locks.
 */
#ifndef BLKBACK_WORKER_STATE_H
#define BLKBACK_WORKER_STATE_H

#include <stdbool.h>

#include "drivers/blkback/common/control.h"
#include "drivers/blkback/common/journal.h"
#include "drivers/blkback/common/options.h"
#include "drivers/blkback/ring/queue.h"

struct worker {
	int control; /* socket to the supervisor; -1: no supervisor */
	int listener; /* socket for the next supervisor; -1: not listening */
	int signals; /* signalfd: SIGTERM */
	int ring_error_fd; /* eventfd: a queue found its ring broken */
	int lost_fd; /* eventfd: memory of the disk was taken away */
	int store; /* the store's directory; -1: not open */
	uint16_t domid;
	uint32_t devid;
	char *title; /* the title in ps; NULL: cannot be changed */
	const struct blkback_options *options; /* of a spare worker, or NULL */
	int64_t until; /* ms, monotonic: end of a spare worker's wait; 0: no wait */
	char label[RD_LABEL_MAX]; /* "domid/devid" */
	unsigned max_queues; /* 0: no device yet */
	uint32_t poll_us; /* longest busy poll of a queue */
	uint32_t resume; /* enum blkback_resume */
	struct {
		xengnttab_handle *gnttab;
		xenevtchn_handle *evtchn;
		struct blkback_wakeup wakeup;
	} xen[BLKBACK_MAX_QUEUES];
	struct rd_disk *disk;
	struct blkback_journal_file *journal;
	struct blkback_queue *queue[BLKBACK_MAX_QUEUES];
	unsigned nr_queues; /* open queues; 0: not connected */
	bool serving; /* connected, and no ring error was reported yet */
	bool over; /* detach and end */
	bool sandbox; /* enter the sandbox after the attach */
	bool inside; /* the sandbox was entered */
	char build[BLKBACK_BUILD_MAX]; /* read before the sandbox is entered */
	struct blkback_batch_gates gates;
	struct blkback_faults faults;
};

/* ---- attach.c ---------------------------------------------------------- */

/* Open the handles of the first @n queues, unless they are open. */
int blkback_worker_open_xen(struct worker *w, unsigned n, struct rd_error *err);

/* Attach as ATTACH requests. On failure -errno; the sentence may be empty. */
int blkback_worker_attach(struct worker *w, const struct blkback_message *msg,
			  struct rd_error *err);

/* ---- connection.c ------------------------------------------------------ */

/*
 * Connect to the frontend. -EPROTO for a connection that no supervisor requests;
 * other failures leave a sentence.
 */
int blkback_worker_connect(struct worker *w,
			   const struct blkback_connection *connection,
			   struct rd_error *err);

/*
 * After an attach: resume the connection of a dead worker, if it had one, and
 * execute the requests that it left. On failure -errno and a sentence; the worker
 * stays attached.
 */
int blkback_worker_reconnect(struct worker *w, struct rd_error *err);

/* @hand_over: the next worker will resume the connection. */
void blkback_worker_disconnect(struct worker *w, bool hand_over);

/* ---- lost.c ------------------------------------------------------------ */

/* After an attach: survive SIGBUS in the disk's memory. 0 or -errno. */
int blkback_lost_watch(const struct worker *w);
/* Before the disk is detached. */
void blkback_lost_ignore(void);

/* w->lost_fd is readable: hand over to the next worker. Returns -EINTR. */
int blkback_lost_end(struct worker *w);

/* ---- listen.c ------------------------------------------------------------ */

/* Listen for the next supervisor, in the store's directory. */
int blkback_listen_open(struct worker *w, struct rd_error *err);

/* Accept the next supervisor, if there is no supervisor. */
void blkback_listen_accept(struct worker *w);

void blkback_listen_close(struct worker *w);

/* Remove the worker's socket and journal from the store's directory. */
void blkback_listen_remove_files(const struct worker *w);

#endif
