/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker attaches: everything that it opens is opened here, and then the
 * sandbox is entered. The worker's first thread.
 *
 * ONE. A device has one worker. The door is open before anything is attached, and
 * then its supervisor has to be there still: the next one knocks, and either finds
 * this worker or starts another, which this one then leaves everything to.
 *
 * SANDBOX. It is entered when everything is open and nothing of the guest was
 * looked at yet. What needs a path from there on, the removal of files, is left
 * to the supervisor, which does the same for a worker that was killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drivers/blkback/common/error.h"
#include "drivers/blkback/common/log.h"
#include "drivers/blkback/common/nodes.h"
#include "drivers/blkback/worker/sandbox.h"
#include "drivers/blkback/worker/state.h"

enum peer {
	PEER_SILENT,
	PEER_MESSAGE,
	PEER_CLOSED
};

/* Of the supervisor, without taking it. */
static enum peer listen_to(const struct worker *w)
{
	char first;
	ssize_t n = recv(w->control, &first, 1, MSG_PEEK | MSG_DONTWAIT);

	if (n > 0)
		return PEER_MESSAGE;
	return n == 0 || (errno != EAGAIN && errno != EINTR) ? PEER_CLOSED
							     : PEER_SILENT;
}

/*
 * Gives a long load up when nobody waits for it any more. A guest that is
 * connected waits, whichever supervisor comes next. All that one says to a
 * worker that is attaching is to end.
 */
static int on_progress(void *arg, uint64_t done, uint64_t total)
{
	struct worker *w = arg;
	enum peer peer = listen_to(w);

	(void)done;
	(void)total;
	if (peer == PEER_MESSAGE)
		w->over = true;
	return w->over ||
	       (peer == PEER_CLOSED && w->resume == BLKBACK_RESUME_NONE);
}

static int open_grants(struct worker *w, unsigned i, struct rd_error *err)
{
	if (!w->xen[i].gnttab)
		w->xen[i].gnttab = xengnttab_open(blkback_log_of_xen(), 0);
	if (w->xen[i].gnttab)
		return 0;
	return blkback_fail(err, -EIO, "cannot open /dev/xen/gntdev: %s",
			    strerror(errno));
}

static int open_events(struct worker *w, unsigned i, struct rd_error *err)
{
	xenevtchn_handle *evtchn;
	int rc;

	if (w->xen[i].evtchn)
		return 0;
	evtchn = xenevtchn_open(blkback_log_of_xen(), 0);
	if (!evtchn)
		return blkback_fail(err, -EIO,
				    "cannot open /dev/xen/evtchn: %s",
				    strerror(errno));
	rc = blkback_wakeup_init(&w->xen[i].wakeup, evtchn, err);
	if (rc)
		xenevtchn_close(evtchn);
	else
		w->xen[i].evtchn = evtchn;
	return rc;
}

int blkback_worker_open_xen(struct worker *w, unsigned n, struct rd_error *err)
{
	unsigned i;
	int rc = 0;

	for (i = 0; !rc && i < n; i++) {
		rc = open_grants(w, i, err);
		if (!rc)
			rc = open_events(w, i, err);
	}
	return rc;
}

/* @again: the attachment of a dead worker, on the disk that it had. */
static int attach_disk(struct worker *w, const struct blkback_message *msg,
		       const char *again, struct rd_error *err)
{
	const char *id = again && *again ? again : msg->u.attach.disk;
	struct rd_attach_request req = {
		.seed = msg->u.attach.seed,
		.flags = RD_DURABLE |
			 (msg->u.attach.private_view ? RD_PRIVATE : 0),
		.writable = msg->u.attach.writable != 0,
		.label = msg->u.attach.label,
		.progress = on_progress,
		.progress_arg = w,
	};
	struct rd_store *store;
	int rc;

	if (*id) { /* loaded already, whatever the seed is now */
		req.seed = NULL;
		req.name = id;
		req.flags |= RD_EXISTING;
	}
	rc = rd_store_open(&store, msg->u.attach.store, err);
	if (rc)
		return rc;
	rc = rd_attach(store, &req, &w->disk, err);
	rd_store_close(store);
	return rc;
}

static int open_journal(struct worker *w, const struct blkback_message *msg,
			struct rd_error *err)
{
	char name[64];

	w->store = open(msg->u.attach.store,
			O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (w->store < 0)
		return blkback_fail(err, -EIO,
				    "cannot open the store's directory: %s",
				    strerror(errno));
	snprintf(name, sizeof(name), NODES_JOURNAL, w->domid, w->devid);
	return blkback_journal_open(&w->journal, w->store, name, err);
}

/* Domain-0 cannot be told from all domains; Linux refuses to be asked. */
static void restrict_handles(struct worker *w)
{
	unsigned i;

	/* Also those that were opened ahead and are not needed. */
	for (i = 0; w->domid && i < BLKBACK_MAX_QUEUES; i++)
		if (w->xen[i].evtchn &&
		    xenevtchn_restrict(w->xen[i].evtchn, w->domid))
			blkback_log_gated(
				&w->gates.failed, BLKBACK_WARNING,
				"cannot restrict event channels to the domain: %s",
				strerror(errno));
}

static int enter_sandbox(struct worker *w, struct rd_error *err)
{
	int rc;

	if (!w->sandbox)
		return 0;
	restrict_handles(w);
	/* No way to a path is left open. */
	close(w->store);
	w->store = -1;
	rc = blkback_sandbox_enter(err);
	w->inside = !rc;
	return rc;
}

/* See ONE above. */
static int take_place(struct worker *w, const struct blkback_message *msg,
		      struct rd_error *err)
{
	int rc;

	/* Else late already: another's door may be there by now, and stays. */
	if (listen_to(w) != PEER_CLOSED) {
		rc = open_journal(w, msg, err);
		if (!rc)
			rc = blkback_listen_open(w, err);
		if (rc || listen_to(w) != PEER_CLOSED)
			return rc;
	}
	return blkback_fail(
		err, -EPIPE,
		"xen-ramdiskd ended before its worker was ready; the next xen-ramdiskd attaches the disk");
}

/* A frontend may have more queues than are offered now. */
static void make_room(struct worker *w)
{
	uint32_t n = w->journal->connection.nr_queues;

	if (w->resume == BLKBACK_RESUME_CONNECTED && n <= BLKBACK_MAX_QUEUES &&
	    n > w->max_queues)
		w->max_queues = n;
}

int blkback_worker_attach(struct worker *w, const struct blkback_message *msg,
			  struct rd_error *err)
{
	int rc = take_place(w, msg, err);

	if (rc)
		return rc;
	make_room(w);
	rc = blkback_worker_open_xen(w, w->max_queues, err);
	if (!rc)
		rc = attach_disk(w, msg, w->journal->disk, err);
	if (rc)
		return rc;
	snprintf(w->journal->disk, sizeof(w->journal->disk), "%s",
		 rd_id(w->disk));
	return enter_sandbox(w, err);
}
